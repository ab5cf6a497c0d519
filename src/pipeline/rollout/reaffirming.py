"""The sponsor says yes again: when the scope was widened, a target loosened, or the strategy has not been looked at.

Both bar *advance* and nothing else, until the sponsor reaffirms the charter under its hash. What counts as changed is
held against the charter the sponsor reaffirmed last, or else the one the project began with.
"""

import json
from datetime import date, timedelta

from sqlalchemy import select

from pipeline.charter import Charter
from pipeline.charter.difference import Change, difference
from pipeline.charter.reading import charter_from_canonical
from pipeline.errors import Finding, Refused
from pipeline.language.message import say
from pipeline.ledger import Event, Reader, Transaction, all_iterations
from pipeline.ledger.store import to_event
from pipeline.ledger.tables import events
from pipeline.verdicts import Verdict

REAFFIRMED = "charter.reaffirmed"


def reaffirm(tx: Transaction, charter: Charter, reason: str, *, actor: str) -> Event:
    """Record that the sponsor stands behind a charter as it is now.

    Args:
        tx: the transaction.
        charter: the charter, as it will be run or was run last.
        reason: why; kept in the event.
        actor: the sponsor of the charter agreed last, or of this one where it is the first.

    Raises:
        Refused: the actor is not that sponsor, or there is no reason.
    """
    known = agreed(tx, charter.project)
    # Whoever agreed before is asked: a charter that names another sponsor does not make one.
    sponsor = (known or charter).strategy.sponsor
    if actor != sponsor:
        tx.note_refusal("charter.reaffirm_refused", charter.project, charter.digest, actor, "", {"reason": reason})
        finding = Finding(actor, f"the sponsor is {sponsor}", "ask the sponsor to reaffirm")
        raise Refused("Only the sponsor reaffirms", [finding])
    if not reason.strip():
        finding = Finding("reason", "it is empty", "say in a sentence why the project goes on like this")
        raise Refused("A reason is needed", [finding])
    body = {
        "charter": charter.digest,
        "canonical": charter.canonical(),
        "reason": reason.strip(),
        "changes": [
            {"path": change.path, "old": change.old, "new": change.new, "kind": change.kind}
            for change in _open(known, charter)
        ],
        "next_review": (tx.now().date() + timedelta(weeks=charter.strategy.review_every_weeks)).isoformat(),
    }
    return tx.append(REAFFIRMED, charter.project, charter.digest, actor, "sponsor", body)


def agreed(reader: Reader, project: str) -> Charter | None:
    """The charter the sponsor reaffirmed last, else the one the project began with, else None."""
    event = _last(reader, project)
    if event is not None:
        return charter_from_canonical(event.body["canonical"])
    records = all_iterations(reader, project)
    return charter_from_canonical(json.loads(records[0].charter)) if records else None


def sponsor_agrees(reader: Reader, charter: Charter) -> Verdict:
    """Whether the sponsor agreed to all that widened the project or loosened its goal; bars *advance* if not."""
    title = say("The sponsor agrees to the changed goal and scope")
    asks = _open(agreed(reader, charter.project), charter)
    if not asks:
        reason = say("Nothing was loosened or widened since the sponsor agreed last.")
        return Verdict("charter.sponsor_agrees", title, "pass", "block", reason, {"changes": 0})
    listed = "; ".join(f"{change.path}: {_short(change.old)} → {_short(change.new)} ({change.kind})" for change in asks)
    reason = say(
        "{count} changes make success easier or the project larger, and {sponsor} has not agreed to them: {changes}. "
        "`landed charter reaffirm` does.",
        count=len(asks), sponsor=charter.strategy.sponsor, changes=listed,
    )  # fmt: skip
    return Verdict("charter.sponsor_agrees", title, "fail", "block", reason, {"changes": len(asks)})


def strategy_current(reader: Reader, charter: Charter, today: date) -> Verdict:
    """Whether the strategy was looked at in time, by the charter or by a reaffirmation; bars *advance* if not."""
    title = say("The company still wants this")
    event = _last(reader, charter.project)
    due = charter.strategy.next_review
    if event is not None:
        due = max(due, date.fromisoformat(event.body["next_review"]))
    figures: dict[str, float | int | str | None] = {"due": due.isoformat(), "today": today.isoformat()}
    passed = today <= due
    if passed:
        reason = say("The strategy is looked at again by {due}.", due=due)
    else:
        reason = say(
            "The strategy was to be looked at again by {due}, {days} days ago: {sponsor} must reaffirm it, with "
            "`landed charter reaffirm`.",
            due=due, days=(today - due).days, sponsor=charter.strategy.sponsor,
        )  # fmt: skip
    return Verdict("strategy.review", title, "pass" if passed else "fail", "block", reason, figures)


def _open(before: Charter | None, charter: Charter) -> tuple[Change, ...]:
    if before is None:
        return ()
    return tuple(change for change in difference(before, charter) if change.needs_sponsor)


def _last(reader: Reader, project: str) -> Event | None:
    query = (
        select(events)
        .where(events.c.project == project, events.c.kind == REAFFIRMED)
        .order_by(events.c.seq.desc())
        .limit(1)
    )
    rows = reader.rows(query)
    return to_event(rows[0]) if rows else None


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."
