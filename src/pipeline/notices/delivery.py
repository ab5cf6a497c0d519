"""Delivering queued notices: at least once, by one sender at a time, and never for ever.

A try is noted in the ledger *before* anything is sent, and with it the moment of the next: a sender that dies in
between leaves a notice that is sent again then, under the same id, and two senders never hold the same one. What was
sent is marked done; what failed too often ends as the event ``notice.failed``.
"""

from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy import or_, select

from pipeline.language import choose
from pipeline.ledger import Intent, Ledger, Transaction, enqueue, find_intent, mark_done, notify_key
from pipeline.ledger.outbox import to_intent
from pipeline.ledger.tables import accounts, intents, notices
from pipeline.notices.channels import address_of, send, team_channels
from pipeline.notices.queueing import TEAM, Notice, notice_of
from pipeline.notices.wording import worded
from pipeline.settings import Settings

#: How long to wait after each try; after the last one it is given up.
WAITS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 720, 1440))

#: Where the review site stands when nobody says otherwise.
SITE = "http://127.0.0.1:8300"

Delivery = Literal["sent", "spread", "waiting", "failed", "nothing"]


def due_notices(ledger: Ledger) -> tuple[Intent, ...]:
    """Notices to be sent now by the ledger's clock, oldest first.

    One that would wait for longer than any wait was put off before the clock was set back, and is due.
    """
    now = ledger.now()
    query = (
        select(intents)
        .outerjoin(notices, notices.c.key == intents.c.key)
        .where(
            intents.c.kind == "notify",
            intents.c.done_at.is_(None),
            or_(
                notices.c.next_at.is_(None),
                notices.c.next_at <= _text(now),
                notices.c.next_at > _text(now + WAITS[-1]),
            ),
        )
        .order_by(intents.c.event)
    )
    return tuple(to_intent(row) for row in ledger.rows(query))


def deliver_notice(ledger: Ledger, settings: Settings, intent: Intent) -> Delivery:
    """Send one notice; harmless to call again, or from two places at once.

    Args:
        ledger: the record.
        settings: channels, address of the review site, language.
        intent: from :func:`due_notices`.

    Returns:
        ``sent``; ``spread`` when the team's notice became one for each of its channels; ``waiting`` for the next
        try; ``failed`` when it was given up, also for want of a channel; ``nothing`` when it was not due any more.

    Raises:
        LedgerError: the ledger cannot be written; the notice stays due.
    """
    notice = notice_of(intent)
    with ledger.transaction() as tx:
        tries = _claim(tx, intent.key)
        if tries is None:
            return "nothing"
        if notice.recipient.name == TEAM:
            return _spread(tx, settings, intent)
        language, email = _account(tx, notice)
        url = address_of(notice.recipient, settings.channels, email)
        if url is None:
            return _give_up(tx, intent, "the settings name no channel that reaches this recipient", tries)
    title, body = worded(notice, settings.site_url or SITE, choose(None, language or settings.language))
    taken = send(url, notice.id, title, body)
    with ledger.transaction() as tx:
        if taken:
            mark_done(tx, intent.key)
            return "sent"
        if tries >= len(WAITS):
            return _give_up(tx, intent, "the channel did not take it", tries)
        body_of_event = {"tries": tries, "next": _text(tx.now() + WAITS[tries - 1])}
        tx.append("notice.delayed", intent.project, intent.key, "landed", "", body_of_event)
        return "waiting"


def _claim(tx: Transaction, key: str) -> int | None:
    """Count a try and put the next one off; None when the notice is done or somebody else's for now."""
    intent = find_intent(tx, key)
    rows = tx.rows(select(notices).where(notices.c.key == key))
    now = tx.now()
    waits = rows and _text(now) < rows[0]["next_at"] <= _text(now + WAITS[-1])
    if intent is None or intent.done_at is not None or waits:
        return None
    tries = rows[0]["tries"] + 1 if rows else 1
    # A sender killed in its last try leaves one more than there are waits.
    values = {"tries": tries, "next_at": _text(now + WAITS[min(tries, len(WAITS)) - 1])}
    if rows:
        tx.execute(notices.update().where(notices.c.key == key).values(**values))
    else:
        tx.execute(notices.insert().values(key=key, **values))
    return tries


def _spread(tx: Transaction, settings: Settings, intent: Intent) -> Delivery:
    """One intent for each of the team's channels, and this one done, together."""
    names = team_channels(settings.channels)
    if not names:
        return _give_up(tx, intent, "the settings name no channel for the team", 1)
    for name in names:
        recipient = {"name": f"{TEAM}:{name}", "channel": name}
        key = notify_key(intent.payload["notice"], recipient["name"])
        enqueue(tx, key, "notify", intent.project, {**intent.payload, "recipient": recipient})
    mark_done(tx, intent.key)
    return "spread"


def _give_up(tx: Transaction, intent: Intent, reason: str, tries: int) -> Delivery:
    """The reason never holds the address: it may bear a password."""
    tx.append("notice.failed", intent.project, intent.key, "landed", "", {"reason": reason, "tries": tries})
    mark_done(tx, intent.key)
    return "failed"


def _account(tx: Transaction, notice: Notice) -> tuple[str | None, str | None]:
    """Language and mail address of the recipient's account, where there is one."""
    person = notice.recipient.name.removeprefix("person:")
    query = select(accounts.c.language, accounts.c.email).where(accounts.c.id == person, accounts.c.active)
    rows = tx.rows(query)
    return (rows[0]["language"], rows[0]["email"]) if rows else (None, None)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
