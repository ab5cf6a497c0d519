"""The kill switch: all units back on today's rule at once, by one event in the ledger and nothing else.

Stopping needs neither Prefect nor MLflow, no model and no review: whoever stands in the charter may stop. From that
entry on ``landed decide`` serves today's rule to every unit, and nothing can be released. Resuming is the sponsor's; it
restores the newest release whose stage was measured with its model, so that the way up starts from measured rungs.
"""

import json
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select

from pipeline.charter import Charter
from pipeline.charter.reading import charter_from_canonical
from pipeline.errors import Finding, Refused
from pipeline.ledger import Event, Reader, Transaction, all_iterations, current_iteration
from pipeline.ledger.store import to_event
from pipeline.ledger.tables import events
from pipeline.rollout import stack
from pipeline.rollout.stack import Release, told

STOPPED, RESUMED = "rollout.stopped", "rollout.resumed"


@dataclass(frozen=True)
class Standing:
    """Who follows what now.

    Attributes:
        project: the project.
        release: what holds; None where all units follow today's rule.
        stopped: the event that stopped the rollout, while it is stopped.
        ever: whether anything was ever released or stopped: before that, a challenger may be proposed.
        history: the releases, rollbacks, stops and resumptions, oldest first.
    """

    project: str
    release: Release | None
    stopped: Event | None
    ever: bool
    history: tuple[Event, ...]


def standing(reader: Reader, project: str) -> Standing:
    """How the rollout of a project stands, by the ledger alone."""
    top = stack.top(reader, project)
    kinds = ("released", "rolled_back", "withdrawn", "stopped", "resumed")
    query = (
        select(events)
        .where(events.c.project == project, events.c.kind.in_([f"rollout.{kind}" for kind in kinds]))
        .order_by(events.c.seq)
    )
    history = tuple(to_event(row) for row in reader.rows(query))
    is_stopped = top is not None and top.action == "stop"
    event = next((event for event in reversed(history) if event.kind == STOPPED), None) if is_stopped else None
    return Standing(project, top.release if top else None, event, top is not None, history)


def stopped(reader: Reader, project: str) -> bool:
    """Whether the kill switch was thrown and nobody has resumed since."""
    top = stack.top(reader, project)
    return top is not None and top.action == "stop"


def refuse_while_stopped(reader: Reader, project: str) -> None:
    """Refuse what would put units under a model while the kill switch is thrown.

    Raises:
        Refused: it is.
    """
    if stopped(reader, project):
        remedy = "find out why, then `landed rollout resume`, signed by the sponsor"
        finding = Finding(f"project {project}", "its rollout was stopped", remedy)
        raise Refused("Nothing is tried or released while the rollout is stopped", [finding])


def stop(tx: Transaction, project: str, reason: str, *, actor: str) -> Standing:
    """Put every unit on today's rule, as one event; stopping again changes nothing.

    Args:
        tx: the transaction.
        project: the project.
        reason: why; kept in the event.
        actor: a person of the charter, in whatever role.

    Raises:
        Refused: the ledger knows no such project, the actor is nobody of its charter, or there is no reason.
    """
    charter = newest_charter(tx, project)
    person = charter.person(actor)
    if person is None:
        known = ", ".join(sorted(other.id for other in charter.people))
        tx.note_refusal("rollout.stop_refused", project, project, actor, "", {"reason": reason})
        raise Refused(
            "The rollout is not stopped", [Finding(actor, "not a person of this charter", f"one of: {known}")]
        )
    _require_reason(reason)
    top = stack.top(tx, project)
    if top is None or top.action != "stop":
        held = top.release if top else None
        stack.put(tx, project, _key("stop", project, top), "stop", top.position if top and held else None, None)
        body = {"from": told(held) if held else None, "to": None, "reason": reason.strip()}
        tx.append(STOPPED, project, held.stage if held else "", actor, person.role, body)
    return standing(tx, project)


def resume(tx: Transaction, project: str, reason: str, start: str, *, actor: str) -> Standing:
    """Take the stop back, as one event: the newest release that was measured holds again, or none.

    Args:
        tx: the transaction.
        project: the project.
        reason: what was found and mended.
        start: first period in which the restored release holds again.
        actor: the sponsor.

    Raises:
        Refused: the rollout is not stopped, the actor is not the sponsor, or there is no reason.
    """
    charter = newest_charter(tx, project)
    if actor != charter.strategy.sponsor:
        found = f"only the sponsor, {charter.strategy.sponsor}, may resume"
        tx.note_refusal("rollout.resume_refused", project, project, actor, "", {"reason": reason})
        raise Refused("The rollout is not resumed", [Finding(actor, found, "ask the sponsor")])
    _require_reason(reason)
    top = stack.top(tx, project)
    if top is None or top.action != "stop":
        raise Refused("There is nothing to resume", [Finding(f"project {project}", "it is not stopped", "go on")])
    entry = stack.at(tx, project, top.parent)
    while entry is not None and not (entry.release and _measured(tx, entry.release)):
        entry = stack.at(tx, project, entry.parent)
    review = _key("resume", project, top)
    restored = replace(entry.release, start=start, review=review) if entry and entry.release else None
    stack.put(tx, project, review, "resume", entry.parent if entry else None, restored)
    body: dict[str, Any] = {"to": told(restored) if restored else None, "reason": reason.strip(), "start": start}
    tx.append(RESUMED, project, restored.stage if restored else "", actor, "sponsor", body)
    return standing(tx, project)


def newest_charter(reader: Reader, project: str) -> Charter:
    """The charter the project ran under last.

    Raises:
        Refused: the ledger knows no such project.
    """
    record = current_iteration(reader, project)
    if record is None:
        remedy = "write the project's name as its charter does"
        raise Refused("No such project", [Finding(f"project {project}", "the ledger does not know it", remedy)])
    return charter_from_canonical(json.loads(record.charter))


def _measured(reader: Reader, release: Release) -> bool:
    """Whether an iteration on the release's stage has figures of its model."""
    return any(
        record.stage == release.stage
        and record.result is not None
        and record.result.get("model_version") == release.model_version
        for record in all_iterations(reader, release.project)
    )


def _require_reason(reason: str) -> None:
    if not reason.strip():
        remedy = "say in a sentence why; those who come after read it"
        raise Refused("A reason is needed", [Finding("reason", "it is empty", remedy)])


def _key(action: str, project: str, top: stack.Entry | None) -> str:
    """What stands in the place of a review: an entry of the stack is made once."""
    return f"{action}:{project}:{top.position + 1 if top else 1}"
