"""The stack of releases in the ledger: each entry names what holds now, and which entry a rollback restores.

Nothing is ever removed: taking a release back is an entry of its own.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sqlalchemy import select

from pipeline.ledger import Reader, Transaction
from pipeline.ledger.chain import canonical
from pipeline.ledger.tables import releases

Action = Literal["release", "roll_back", "withdraw", "stop", "resume"]


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
class Entry:
    """A row of the stack.

    Attributes:
        position: from 1.
        parent: position of the entry a rollback from here restores.
        action: what made it.
        release: what holds; None where nothing does.
    """

    position: int
    parent: int | None
    action: Action
    release: Release | None


def told(this: Release) -> dict[str, Any]:
    """What an event tells of a release."""
    found = asdict(this)
    return {name: found[name] for name in found if name not in {"project", "candidate"}} | {"units": list(this.units)}


def put(
    tx: Transaction, project: str, review: str, action: Action, parent: int | None, content: Release | None
) -> None:
    """Put an entry on top; its event is written by whoever moves the ladder."""
    last = top(tx, project)
    told = {**asdict(content), "units": list(content.units)} if content else None
    tx.execute(
        releases.insert().values(
            project=project,
            position=last.position + 1 if last else 1,
            parent=parent,
            action=action,
            content=canonical(told),
            review=review,
            at=tx.now().isoformat(timespec="microseconds"),
        )
    )


def top(reader: Reader, project: str) -> Entry | None:
    """What holds now, or None where nothing was ever released."""
    query = select(releases).where(releases.c.project == project).order_by(releases.c.position.desc()).limit(1)
    return _first(reader.rows(query))


def at(reader: Reader, project: str, position: int | None) -> Entry | None:
    """The entry at a position; None for None."""
    if position is None:
        return None
    query = select(releases).where(releases.c.project == project, releases.c.position == position)
    return _first(reader.rows(query))


def of_review(reader: Reader, project: str, review: str) -> Entry | None:
    """The entry a review made, or None."""
    query = select(releases).where(releases.c.project == project, releases.c.review == review)
    return _first(reader.rows(query))


def _first(rows: list[dict[str, Any]]) -> Entry | None:
    return _entry(rows[0]) if rows else None


def _entry(row: Mapping[str, Any]) -> Entry:
    content = json.loads(row["content"])
    kept = Release(**{**content, "units": tuple(content["units"])}) if content is not None else None
    return Entry(row["position"], row["parent"], row["action"], kept)
