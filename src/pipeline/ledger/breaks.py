"""Runs of an iteration that ended without effect: how often, by what, and which iterations need somebody's look.

Two kinds of events say so. ``iteration.broken_off``: an error the program did not expect ended the run, noted by the
run itself. ``iteration.put_back``: a run had ended, whatever ended it, and the dispatcher put it back in line. Both
count from the last time the iteration failed, came to its review, or was asked for again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select

from pipeline.ledger.iterations import IterationRecord, current_iteration
from pipeline.ledger.outbox import open_key
from pipeline.ledger.store import Event, Reader, Transaction, to_event
from pipeline.ledger.tables import events, iterations

BROKEN_OFF, PUT_BACK = "iteration.broken_off", "iteration.put_back"
_FRESH = ("iteration.failed", "iteration.awaiting_review", "trigger.taken_up", "intent.requeued")


@dataclass(frozen=True)
class Trouble:
    """An iteration that does not come on by itself as it should.

    Attributes:
        project, number, stage: the iteration.
        state: ``failed`` or ``refused``, which wait for people; else it is being taken up again.
        times: how often its runs ended without effect.
        reason: the last of the reasons.
        at: UTC, ISO 8601, of that reason.
    """

    project: str
    number: int
    stage: str
    state: str
    times: int
    reason: str
    at: str


def note_break(tx: Transaction, record: IterationRecord, place: str, reason: str) -> int:
    """Note that an error ended a run.

    Args:
        tx: the transaction.
        record: the iteration.
        place: kind of error and line of code; the same place means the same error.
        reason: what happened, in a sentence without data of people or passwords: the ledger keeps it for ever.

    Returns:
        How often an error ended this iteration at this place.
    """
    tx.append(BROKEN_OFF, record.project, record.subject, record.started_by, "", {"place": place, "reason": reason})
    return sum(event.body.get("place") == place for event in _since_fresh(tx, record) if event.kind == BROKEN_OFF)


def note_put_back(tx: Transaction, record: IterationRecord, state: str, *, ended: bool) -> None:
    """Note that a run without effect was put back in line.

    Args:
        tx: the transaction.
        record: the iteration.
        state: what Prefect called the run's state.
        ended: whether that state is final; else the run was only long in starting, or its process is gone.
    """
    body = {"reason": f"its run was {state} without effect", "ended": ended}
    tx.append(PUT_BACK, record.project, record.subject, "landed", "", body)


def take_ups(reader: Reader, record: IterationRecord) -> int:
    """How often an iteration was begun without coming to its end: by its own word, or by Prefect's before it had one.

    A run that is long in starting, as on a machine with too much to do, does not count.
    """
    since = _since_fresh(reader, record)
    begun = sum(event.kind == "iteration.running" for event in since)
    ended = sum(event.kind == PUT_BACK and bool(event.body["ended"]) for event in since)
    return max(begun, ended)


def last_reason(reader: Reader, record: IterationRecord) -> str:
    """What the last run that could still say so was ended by; empty when none did."""
    said = [event for event in _since_fresh(reader, record) if event.kind == BROKEN_OFF]
    return str(said[-1].body["reason"]) if said else ""


def troubles(reader: Reader) -> tuple[Trouble, ...]:
    """The newest iteration of every project where it failed, was refused, or had to be taken up again."""
    return tuple(_troubles(reader))


def _troubles(reader: Reader) -> Iterator[Trouble]:
    for row in reader.rows(select(iterations.c.project).distinct().order_by(iterations.c.project)):
        record = current_iteration(reader, row["project"])
        if record is None or record.state in {"awaiting_review", "decided", "applied", "closed"}:
            continue
        if record.state in {"failed", "refused"}:
            found = _events(reader, _of(record).where(events.c.kind == f"iteration.{record.state}"))
        else:
            found = [event for event in _since_fresh(reader, record) if event.kind != "iteration.running"]
        if found:
            # What a run said of itself tells more than that it was put back.
            told = [event for event in found if event.kind != PUT_BACK] or found
            times = max(sum(event.kind == kind for event in found) for kind in (BROKEN_OFF, PUT_BACK))
            reason = " ".join(str(told[-1].body.get("reason", "")).split())
            yield Trouble(record.project, record.number, record.stage, record.state, times, reason, told[-1].at)


def _since_fresh(reader: Reader, record: IterationRecord) -> list[Event]:
    begun = select(func.coalesce(func.max(events.c.seq), 0)).where(
        events.c.project == record.project,
        events.c.subject.in_([record.subject, open_key(record.project, record.number, record.stage)]),
        events.c.kind.in_(_FRESH),
    )
    kinds = [BROKEN_OFF, PUT_BACK, "iteration.running"]
    wanted = _of(record).where(events.c.kind.in_(kinds), events.c.seq > begun.scalar_subquery())
    return _events(reader, wanted)


def _of(record: IterationRecord) -> Select[Any]:
    return select(events).where(events.c.subject == record.subject).order_by(events.c.seq)


def _events(reader: Reader, query: Select[Any]) -> list[Event]:
    return [to_event(row) for row in reader.rows(query)]
