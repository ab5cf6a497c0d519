"""Iterations in the ledger: their states, and the only moves between them.

::

    opened ─▶ running ─▶ awaiting_review ─▶ decided ─▶ applied ─▶ closed
      │        │  ▲ ▲          │
      │        │  │ └──────────┘  a new run lapses the report under review
      └────────┴─▶ failed, refused ─▶ running   (taken up again)

Every move is one event with actor, time and hashes. ``failed`` and ``refused`` are states of their own, never a
kind of success.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from sqlalchemy import and_, bindparam, func, select

from pipeline.errors import Finding, LedgerError
from pipeline.ledger.chain import canonical, digest
from pipeline.ledger.projects import project_end
from pipeline.ledger.store import Reader, Transaction
from pipeline.ledger.tables import iterations, reviews

Kind = Literal["train", "measure"]
State = Literal["opened", "running", "awaiting_review", "decided", "applied", "closed", "failed", "refused"]

STATES: tuple[State, ...] = get_args(State)

#: From each state, the states that may follow. ``running`` follows itself when a killed run is taken up again.
MOVES: Mapping[State, frozenset[State]] = {
    "opened": frozenset({"running", "failed", "refused"}),
    "running": frozenset({"running", "awaiting_review", "failed", "refused"}),
    "awaiting_review": frozenset({"decided", "running"}),
    "decided": frozenset({"applied"}),
    "applied": frozenset({"closed"}),
    "closed": frozenset(),
    "failed": frozenset({"running"}),
    "refused": frozenset({"running"}),
}

#: Asked with every page of the site, so put together once.
_BY_KEY = select(iterations).where(
    iterations.c.project == bindparam("project"),
    iterations.c.number == bindparam("number"),
    iterations.c.stage == bindparam("stage"),
)
_LAST = (
    select(iterations.c.project, func.max(iterations.c.position).label("position"))
    .group_by(iterations.c.project)
    .subquery()
)
_UNDER_REVIEW = (
    select(iterations, reviews.c.id.label("review"))
    .join(
        reviews,
        and_(
            reviews.c.project == iterations.c.project,
            reviews.c.number == iterations.c.number,
            reviews.c.stage == iterations.c.stage,
        ),
    )
    .where(reviews.c.state == "open")
)
#: Picks the iteration opened last of every project, by the project's name in order.
NEWEST = (
    select(iterations)
    .join(_LAST, and_(iterations.c.project == _LAST.c.project, iterations.c.position == _LAST.c.position))
    .order_by(iterations.c.project)
)


@dataclass(frozen=True)
class IterationRecord:
    """One iteration as the ledger holds it.

    Attributes:
        project, number, stage: its key; a measured stage keeps the number of the iteration that released it.
        kind: ``train`` makes a challenger; ``measure`` measures the released model at a stage.
        state: see the module's drawing.
        charter: canonical JSON text of the charter it runs under; its SHA-256 is ``charter_digest``.
        why: what opened it: trigger, review, feedback items, figures.
        started_by: identity that started it; this person may not sign its review.
        mlflow_run, report_digest, result: filled in as the iteration goes.
        opened_at, changed_at: UTC, ISO 8601.
    """

    project: str
    number: int
    stage: str
    kind: Kind
    state: State
    charter: str
    charter_digest: str
    why: Mapping[str, Any]
    started_by: str
    mlflow_run: str | None
    report_digest: str | None
    result: Mapping[str, Any] | None
    opened_at: str
    changed_at: str

    @property
    def subject(self) -> str:
        """How events name this iteration."""
        return f"{self.project}/{self.number}/{self.stage}"


def open_iteration(
    tx: Transaction,
    *,
    project: str,
    number: int,
    stage: str,
    kind: Kind,
    charter: Mapping[str, Any],
    charter_digest: str,
    why: Mapping[str, Any],
    started_by: str,
    role: str = "",
) -> IterationRecord:
    """Open an iteration; opening the same one again returns it unchanged.

    Args:
        tx: the transaction.
        project: with ``number`` and ``stage`` the key.
        number: number of the iteration, from 1.
        stage: name of the rung.
        kind: what is to be done.
        charter: the charter's canonical JSON values.
        charter_digest: the charter's digest, checked against ``charter``.
        why: what opens it.
        started_by: identity that starts it.
        role: that person's role, empty for a program.

    Raises:
        LedgerError: the digest is not the charter's, the iteration exists under another charter, or the project
            was stopped.
    """
    text = canonical(charter)
    if digest(text) != charter_digest:
        raise _illegal(
            f"{project}/{number}/{stage}", "the charter does not have the digest given", "pass charter.digest"
        )
    existing = find_iteration(tx, project, number, stage)
    if existing is not None:
        if existing.charter_digest != charter_digest:
            found = f"it is open already under charter {existing.charter_digest[:12]}"
            raise _illegal(existing.subject, found, "finish it, or open the next number with the changed charter")
        return existing
    end = project_end(tx, project)
    if end is not None and end.kind == "project.stopped":
        found = f"the project was stopped by {end.actor} on {end.at[:10]}"
        raise _illegal(f"{project}/{number}/{stage}", found, "start it anew under another project name")
    now = tx.now().isoformat(timespec="microseconds")
    record = IterationRecord(
        project, number, stage, kind, "opened", text, charter_digest, dict(why), started_by, None, None, None, now, now
    )
    position = tx.rows(select(func.count().label("opened")).where(iterations.c.project == project))[0]["opened"] + 1
    tx.execute(
        iterations.insert().values(
            project=project, number=number, stage=stage, position=position, kind=kind, state="opened", charter=text,
            charter_digest=charter_digest, why=canonical(why), started_by=started_by, opened_at=now, changed_at=now,
        )
    )  # fmt: skip
    body = {"kind": kind, "charter": charter_digest, "why": dict(why)}
    tx.append("iteration.opened", project, record.subject, started_by, role, body)
    return record


def transition(
    tx: Transaction,
    record: IterationRecord,
    to: State,
    *,
    actor: str,
    role: str = "",
    details: Mapping[str, Any] | None = None,
) -> IterationRecord:
    """Move an iteration to another state, as one event.

    Args:
        tx: the transaction.
        record: the iteration; what the ledger holds now counts, not what the record says.
        to: the new state.
        actor: who moves it.
        role: in which role, empty for a program.
        details: figures, reasons and hashes for the event's body.

    Raises:
        LedgerError: the move is not one of :data:`MOVES`, or the iteration does not exist.
    """
    current = get_iteration(tx, record.project, record.number, record.stage)
    if to not in MOVES[current.state]:
        legal = ", ".join(sorted(MOVES[current.state])) or "none: it is closed"
        raise _illegal(record.subject, f"it is {current.state} and cannot become {to}", f"legal next states: {legal}")
    _update(tx, current, state=to)
    body = {
        "from": current.state,
        "charter": current.charter_digest,
        "report": current.report_digest,
        **(details or {}),
    }
    tx.append(f"iteration.{to}", record.project, record.subject, actor, role, body)
    return get_iteration(tx, record.project, record.number, record.stage)


def record_run(tx: Transaction, record: IterationRecord, mlflow_run: str) -> IterationRecord:
    """Note the MLflow run that holds this iteration's models and figures."""
    return _note(tx, record, "iteration.tracked", {"mlflow_run": mlflow_run}, mlflow_run=mlflow_run)


def record_report(
    tx: Transaction, record: IterationRecord, report_digest: str, result: Mapping[str, Any]
) -> IterationRecord:
    """Note the evidence pack's manifest hash and the figures that later reports chart across iterations.

    Args:
        tx: the transaction.
        record: the iteration.
        report_digest: manifest hash of the report.
        result: JSON figures, such as the KPI's interval and the baseline's.
    """
    body = {"report": report_digest, "result": dict(result)}
    return _note(tx, record, "iteration.reported", body, report_digest=report_digest, result=canonical(result))


def find_iteration(reader: Reader, project: str, number: int, stage: str) -> IterationRecord | None:
    """The iteration of this key, or None."""
    rows = reader.rows(_BY_KEY, {"project": project, "number": number, "stage": stage})
    return _record(rows[0]) if rows else None


def get_iteration(reader: Reader, project: str, number: int, stage: str) -> IterationRecord:
    """The iteration of this key.

    Raises:
        LedgerError: there is none.
    """
    found = find_iteration(reader, project, number, stage)
    if found is None:
        raise _illegal(f"{project}/{number}/{stage}", "the ledger holds no such iteration", "open it first")
    return found


def all_iterations(reader: Reader, project: str) -> tuple[IterationRecord, ...]:
    """All iterations of a project in the order they were opened."""
    query = select(iterations).where(iterations.c.project == project).order_by(iterations.c.position)
    return tuple(_record(row) for row in reader.rows(query))


def current_iteration(reader: Reader, project: str) -> IterationRecord | None:
    """The iteration opened last, or None for a project that never ran."""
    query = select(iterations).where(iterations.c.project == project).order_by(iterations.c.position.desc()).limit(1)
    rows = reader.rows(query)
    return _record(rows[0]) if rows else None


def iterations_under_review(reader: Reader) -> dict[str, IterationRecord]:
    """The iteration of every open review, by the review's id."""
    return {row["review"]: _record(row) for row in reader.rows(_UNDER_REVIEW)}


def newest_iterations(reader: Reader) -> tuple[IterationRecord, ...]:
    """The iteration opened last of every project, by the project's name in order."""
    return tuple(_record(row) for row in reader.rows(NEWEST))


def _record(row: Mapping[str, Any]) -> IterationRecord:
    fields = {name: row[name] for name in IterationRecord.__dataclass_fields__}
    fields["why"] = json.loads(row["why"])
    fields["result"] = json.loads(row["result"]) if row["result"] is not None else None
    return IterationRecord(**fields)


def _update(tx: Transaction, record: IterationRecord, **values: str) -> None:
    key = (
        iterations.c.project == record.project,
        iterations.c.number == record.number,
        iterations.c.stage == record.stage,
    )
    changed_at = tx.now().isoformat(timespec="microseconds")
    tx.execute(iterations.update().where(*key).values(changed_at=changed_at, **values))


def _note(
    tx: Transaction, record: IterationRecord, kind: str, body: Mapping[str, Any], **values: str
) -> IterationRecord:
    """Fill in columns of a running iteration, as one event."""
    current = get_iteration(tx, record.project, record.number, record.stage)
    if current.state != "running":
        raise _illegal(record.subject, f"it is {current.state}", "note runs and reports while the iteration is running")
    _update(tx, current, **values)
    tx.append(kind, record.project, record.subject, current.started_by, "", body)
    return get_iteration(tx, record.project, record.number, record.stage)


def _illegal(place: str, found: str, remedy: str) -> LedgerError:
    return LedgerError("The ledger does not allow this step", [Finding(f"iteration {place}", found, remedy)])
