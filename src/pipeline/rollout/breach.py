"""A guardrail breached in the field becomes a proposal to roll back, with the evidence; people decide on it.

A stage's ``stay`` names the gates whose failure says that the rung should not be kept. The proposal is an event; it
stands until the ladder has moved, and is made once for the release that holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any

from sqlalchemy import select

from pipeline.charter import Stage
from pipeline.ledger import Event, Reader, Transaction
from pipeline.ledger.store import to_event
from pipeline.ledger.tables import events
from pipeline.rollout import stack
from pipeline.rollout.stack import told
from pipeline.verdicts import Verdict

PROPOSED = "rollout.rollback_proposed"
_MOVES = ("rollout.released", "rollout.rolled_back", "rollout.withdrawn", "rollout.stopped", "rollout.resumed")


@dataclass(frozen=True)
class Proposal:
    """A standing proposal to roll back.

    Attributes:
        event: seq of its event.
        at: when it was made, UTC.
        stage: the rung it is about.
        gates: the gates that failed, each with its reason.
        to: the stage a rollback would restore; None for today's rule everywhere.
    """

    event: int
    at: str
    stage: str
    gates: tuple[tuple[str, str], ...]
    to: str | None


def breaches(verdicts: Sequence[Verdict], stage: Stage) -> tuple[Verdict, ...]:
    """The failed verdicts that speak against staying on a stage."""
    return tuple(
        verdict
        for verdict in verdicts
        if verdict.outcome == "fail" and any(fnmatch(verdict.gate, pattern) for pattern in stage.stay)
    )


def propose_rollback(
    tx: Transaction, project: str, stage: Stage, verdicts: Sequence[Verdict], *, actor: str = "landed"
) -> Proposal | None:
    """Propose a rollback if a gate of the stage's ``stay`` failed on the release that holds.

    Args:
        tx: the transaction.
        project: the project.
        stage: the rung that was measured.
        verdicts: of the newest measurement in the field.
        actor: who proposes.

    Returns:
        The standing proposal; None where nothing is released or nothing is breached. The same gates on the same release
        are proposed once.
    """
    found = breaches(verdicts, stage)
    top = stack.top(tx, project)
    if not found or top is None or top.release is None:
        return None
    standing = open_proposal(tx, project)
    if standing is not None and {gate for gate, _ in standing.gates} >= {verdict.gate for verdict in found}:
        return standing
    below = stack.at(tx, project, top.parent)
    body: dict[str, Any] = {
        "release": told(top.release),
        "to": below.release.stage if below and below.release else None,
        "gates": [
            {"gate": verdict.gate, "reason": str(verdict.reason), "figures": dict(verdict.figures)} for verdict in found
        ],
    }
    return _proposal(tx.append(PROPOSED, project, stage.name, actor, "", body))


def open_proposal(reader: Reader, project: str) -> Proposal | None:
    """The newest proposal to roll back, unless the ladder has moved since."""
    query = (
        select(events)
        .where(events.c.project == project, events.c.kind.in_((PROPOSED, *_MOVES)))
        .order_by(events.c.seq.desc())
        .limit(1)
    )
    rows = reader.rows(query)
    return _proposal(to_event(rows[0])) if rows and rows[0]["kind"] == PROPOSED else None


def _proposal(event: Event) -> Proposal:
    gates = tuple((one["gate"], one["reason"]) for one in event.body["gates"])
    return Proposal(event.seq, event.at, event.subject, gates, event.body["to"])
