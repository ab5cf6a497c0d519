"""Reminders that follow from open reviews and the clock alone: at half-time, when due, and to the sponsor after.

Whoever stands in for somebody from today on has heard nothing yet of what waits already: they are told here too.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import select

from pipeline.ledger import Ledger, Reader, Transaction
from pipeline.ledger.tables import intents
from pipeline.notices.announcements import ask, escalate, remind, remind_when_due
from pipeline.notices.asking import Asked, find_asked, open_asked
from pipeline.notices.queueing import NoticeKind, recipients

#: How long after the due date the sponsor is told.
PATIENCE = timedelta(days=1)

_TELL: Mapping[NoticeKind, Callable[[Transaction, Asked, frozenset[str]], bool]] = {
    "review_requested": ask,
    "review_reminder": remind,
    "review_due": remind_when_due,
    "review_overdue": escalate,
}


def queue_reminders(ledger: Ledger, now: datetime) -> int:
    """Queue what the hour asks for; each reminder of a review once, however often and wherever this is called.

    A dispatcher that was down over several moments sends the last of them only: nobody wants three mails at once.

    Args:
        ledger: the record.
        now: the present moment, from the ledger's clock.

    Returns:
        How many reminders were queued.
    """
    # Read first: the writer's lock is taken only when there is something to write.
    ripe = [asked.review for asked in open_asked(ledger) if _ripe(ledger, asked, now)]
    queued = 0
    for review in ripe:
        with ledger.transaction() as tx:
            asked = find_asked(tx, review)
            found = _ripe(tx, asked, now) if asked.state == "open" else None
            if found is not None:
                kind, told = found
                queued += _TELL[kind](tx, asked, told)
    return queued


def _ripe(reader: Reader, asked: Asked, now: datetime) -> tuple[NoticeKind, frozenset[str]] | None:
    """What is to be told now, and who heard of this review before and is not told; None when all is said."""
    if not asked.missing:
        return None
    kind, heard = _kind(asked, now), _heard(reader, asked)
    if kind not in heard and kind != "review_requested":
        return kind, frozenset()
    told = frozenset(name for names in heard.values() for name in names)
    audience, barred = (
        ((asked.sponsor,), told) if kind == "review_overdue" else (tuple(asked.missing), told | asked.barred)
    )
    late = [one for one in recipients(reader, asked.project, audience, barred) if one.stands_in_for]
    return (kind, told) if late else None


def _kind(asked: Asked, now: datetime) -> NoticeKind:
    """What the hour asks for."""
    if now >= asked.due_at + PATIENCE:
        return "review_overdue"
    if now >= asked.due_at:
        return "review_due"
    return "review_reminder" if now >= asked.opened_at + (asked.due_at - asked.opened_at) / 2 else "review_requested"


def _heard(reader: Reader, asked: Asked) -> dict[str, set[str]]:
    """Who was told what of this review: ids of people, or ``team``, by kind of notice."""
    query = select(intents.c.payload).where(
        intents.c.kind == "notify", intents.c.project == asked.project, intents.c.payload.contains(asked.review)
    )
    found: dict[str, set[str]] = {}
    for payload in (json.loads(row["payload"]) for row in reader.rows(query)):
        if payload["subject"] == asked.review:
            found.setdefault(payload["kind"], set()).add(payload["recipient"]["name"].removeprefix("person:"))
    return found
