"""Projects that run by themselves: which charter, on which data, in which work pool, since when."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from pipeline.ledger.iterations import current_iteration
from pipeline.ledger.store import Reader, Transaction, to_event
from pipeline.ledger.tables import events, intents, iterations


@dataclass(frozen=True)
class Deployed:
    """A project and what its deployments need.

    Attributes:
        project: the project.
        charter: canonical JSON values of the charter file as it was deployed; None for a project that was only ever
            run by hand, which has no schedule.
        location: where its data lies.
        pool: Prefect's work pool that runs it; empty for the worker of `landed up`.
        seq: the event that says so; grows when anything changes.
    """

    project: str
    charter: Mapping[str, Any] | None
    location: str
    pool: str
    seq: int


def deploy(
    tx: Transaction, project: str, charter: Mapping[str, Any], digest: str, location: str, pool: str, actor: str
) -> None:
    """Have a project run by its charter's schedule, as one event; the last such event counts."""
    body = {"charter": dict(charter), "digest": digest, "location": location, "pool": pool}
    tx.append("project.deployed", project, project, actor, "", body)


def deployed_projects(reader: Reader) -> tuple[Deployed, ...]:
    """Every project that may have something to run, by name; stopped ones too, whose decisions may wait."""
    rows = reader.rows(select(iterations.c.project.distinct().label("project")))
    rows += reader.rows(select(events.c.project.distinct().label("project")).where(events.c.kind == "project.deployed"))
    return tuple(found for name in sorted({row["project"] for row in rows}) if (found := find_deployed(reader, name)))


def find_deployed(reader: Reader, project: str) -> Deployed | None:
    """What is deployed of a project, or None when it is unknown."""
    newest = select(func.max(events.c.seq)).where(events.c.kind == "project.deployed", events.c.project == project)
    rows = reader.rows(select(events).where(events.c.seq == newest.scalar_subquery()))
    if rows:
        event = to_event(rows[0])
        return Deployed(project, event.body["charter"], event.body["location"], event.body["pool"], event.seq)
    if current_iteration(reader, project) is None:
        return None
    query = select(intents.c.payload).where(intents.c.project == project, intents.c.kind == "open")
    payloads = [json.loads(row["payload"]) for row in reader.rows(query.order_by(intents.c.event.desc()).limit(1))]
    return Deployed(project, None, payloads[0]["location"] if payloads else "", "", 0)
