"""How a project ends: landed at the top of its ladder, or stopped. The last such event is the answer."""

from collections.abc import Mapping
from typing import Any, Literal

from sqlalchemy import select

from pipeline.ledger.store import Event, Reader, Transaction, to_event
from pipeline.ledger.tables import events

End = Literal["landed", "stopped"]


def end_project(
    tx: Transaction, project: str, end: End, *, actor: str, role: str = "", details: Mapping[str, Any]
) -> Event:
    """Record that a project landed or was stopped; details say by which review and with which figures."""
    return tx.append(f"project.{end}", project, project, actor, role, details)


def project_end(reader: Reader, project: str) -> Event | None:
    """The event that ended a project last, or None while it is under way.

    A landed project may open iterations again, for retraining; a stopped one may not.
    """
    ends = ("project.landed", "project.stopped")
    query = (
        select(events)
        .where(events.c.project == project, events.c.kind.in_(ends))
        .order_by(events.c.seq.desc())
        .limit(1)
    )
    rows = reader.rows(query)
    return to_event(rows[0]) if rows else None
