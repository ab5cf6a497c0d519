"""The rollout ladder: which units follow which model, since when, by whose decision.

Releases of a project form a stack. Advancing puts a release on top of the current one; rolling back goes to the one
below and makes it current again, so that rolling back twice goes two releases down. Nothing is ever removed: a
rollback is an entry of its own, and each stage change is one event that names model, units and start.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import select

from pipeline.charter import Charter, Stage
from pipeline.errors import Finding, Refused
from pipeline.ledger import Reader, Transaction
from pipeline.ledger.chain import canonical
from pipeline.ledger.tables import releases


@dataclass(frozen=True)
class Release:
    """A model that units follow.

    Attributes:
        project: the project.
        stage: the rung.
        units: the units that follow the model; all others stay with today's rule.
        model_version: version in the registry.
        model_digest: SHA-256 over the model's files.
        candidate: key under which the candidate's files are found again.
        charter_digest: the charter whose policy turns its predictions into decisions.
        start: first period in which the units follow it.
        review: the review that decided so.
    """

    project: str
    stage: str
    units: tuple[str, ...]
    model_version: str
    model_digest: str
    candidate: str
    charter_digest: str
    start: str
    review: str


@dataclass(frozen=True)
class _Entry:
    """A row of the stack: a release, or none when the last one was taken back."""

    position: int
    parent: int | None
    release: Release | None


def next_stage(charter: Charter, stage: str) -> Stage | None:
    """The rung above, or None at the top: advancing from there means that the project has landed.

    Raises:
        Refused: the charter's ladder has no such rung.
    """
    _require_rung(charter, stage)
    return charter.stage_after(stage)


def previous_stage(charter: Charter, stage: str) -> Stage | None:
    """The rung below, or None at the bottom.

    Raises:
        Refused: the charter's ladder has no such rung.
    """
    _require_rung(charter, stage)
    return charter.stage_before(stage)


def release(tx: Transaction, new: Release, *, actor: str, role: str = "") -> Release:
    """Let a stage's units follow a model, as one event.

    Releasing for a review that has released already returns that release: a decision moves the ladder once.

    Args:
        tx: the transaction, usually the one that marks the review applied.
        new: the release.
        actor: who decided.
        role: in which role.

    Raises:
        Refused: it names no units, or it leaves out units that follow the model of a lower rung today.
    """
    done = _of_review(tx, new.project, new.review)
    if done is not None and done.release is not None:
        return done.release
    top = _top(tx, new.project)
    before = top.release if top else None
    _check_units(new, before)
    _put(tx, new.project, new.review, "release", top.position if top and before else None, new)
    body = {**_names(new), "from_stage": before.stage if before else None, "candidate": new.candidate}
    tx.append("rollout.released", new.project, new.stage, actor, role, body)
    return new


def roll_back(tx: Transaction, project: str, review: str, start: str, *, actor: str, role: str = "") -> Release | None:
    """Restore the release below the current one, with its model, stage and units, as one event.

    Args:
        tx: the transaction.
        project: the project.
        review: the review that decided so; a review moves the ladder once.
        start: first period in which the restored release holds again.
        actor: who decided.
        role: in which role.

    Returns:
        The release that holds now; None when there is none below, so that all units go back to today's rule.

    Raises:
        Refused: nothing is released.
    """
    done = _of_review(tx, project, review)
    if done is not None:
        return done.release
    top = _top(tx, project)
    if top is None or top.release is None:
        finding = Finding(f"project {project}", "nothing is released", "hold or stop instead")
        raise Refused("There is nothing to roll back", [finding])
    below = _at(tx, project, top.parent)
    restored = replace(below.release, start=start, review=review) if below and below.release else None
    _put(tx, project, review, "roll_back", below.parent if below else None, restored)
    body = {
        "from": _names(top.release),
        "to": _names(restored) if restored else None,
        "start": start,
        "review": review,
    }
    tx.append("rollout.rolled_back", project, restored.stage if restored else "", actor, role, body)
    return restored


def withdraw(tx: Transaction, project: str, review: str, start: str, *, actor: str, role: str = "") -> None:
    """Put every unit back on today's rule, as one event: the project ends, and no lower release is restored.

    Does nothing where nothing is released, or where this review has moved the ladder before.

    Args:
        tx: the transaction.
        project: the project.
        review: the review that decided so.
        start: first period in which today's rule holds everywhere.
        actor: who decided.
        role: in which role.
    """
    top = _top(tx, project)
    if top is None or top.release is None or _of_review(tx, project, review) is not None:
        return
    _put(tx, project, review, "withdraw", None, None)
    body = {"from": _names(top.release), "to": None, "start": start, "review": review}
    tx.append("rollout.withdrawn", project, "", actor, role, body)


def current(reader: Reader, project: str) -> Release | None:
    """The release that holds now, or None."""
    top = _top(reader, project)
    return top.release if top else None


def previous(reader: Reader, project: str) -> Release | None:
    """The release a rollback would restore, or None."""
    top = _top(reader, project)
    below = _at(reader, project, top.parent) if top else None
    return below.release if below else None


def _names(this: Release) -> dict[str, Any]:
    """What an event tells of a release."""
    told = asdict(this)
    return {name: told[name] for name in told if name not in {"project", "candidate"}} | {"units": list(this.units)}


def _require_rung(charter: Charter, stage: str) -> None:
    names = [rung.name for rung in charter.stages]
    if stage not in names:
        finding = Finding(f"stage {stage}", "the charter's ladder has no such rung", f"it has: {', '.join(names)}")
        raise Refused("No such stage", [finding])


def _check_units(new: Release, before: Release | None) -> None:
    if not new.units:
        finding = Finding(f"stage {new.stage}", "no units", "name the units that are to follow the model")
        raise Refused("A release needs units", [finding])
    lost = sorted(set(before.units) - set(new.units)) if before else []
    if lost:
        found = f"{len(lost)} units that follow the model today are missing, such as {lost[0]}"
        remedy = "a higher rung holds the units of the lower one; to take units back, roll back"
        raise Refused("A release may not drop units", [Finding(f"stage {new.stage}", found, remedy)])


def _put(tx: Transaction, project: str, review: str, action: str, parent: int | None, content: Release | None) -> None:
    top = _top(tx, project)
    told = {**asdict(content), "units": list(content.units)} if content else None
    tx.execute(
        releases.insert().values(
            project=project,
            position=top.position + 1 if top else 1,
            parent=parent,
            action=action,
            content=canonical(told),
            review=review,
            at=tx.now().isoformat(timespec="microseconds"),
        )
    )


def _top(reader: Reader, project: str) -> _Entry | None:
    query = select(releases).where(releases.c.project == project).order_by(releases.c.position.desc()).limit(1)
    return _first(reader.rows(query))


def _at(reader: Reader, project: str, position: int | None) -> _Entry | None:
    if position is None:
        return None
    query = select(releases).where(releases.c.project == project, releases.c.position == position)
    return _first(reader.rows(query))


def _of_review(reader: Reader, project: str, review: str) -> _Entry | None:
    query = select(releases).where(releases.c.project == project, releases.c.review == review)
    return _first(reader.rows(query))


def _first(rows: list[dict[str, Any]]) -> _Entry | None:
    return _entry(rows[0]) if rows else None


def _entry(row: Mapping[str, Any]) -> _Entry:
    content = json.loads(row["content"])
    kept = Release(**{**content, "units": tuple(content["units"])}) if content is not None else None
    return _Entry(row["position"], row["parent"], kept)
