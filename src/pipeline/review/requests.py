"""Review requests: what people are asked to decide on, bound to the hash of one report."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any, Literal

from sqlalchemy import bindparam, select

from pipeline.charter import DECISIONS, Charter, DecisionName, Role
from pipeline.charter.reading import charter_from_canonical
from pipeline.errors import Finding, LedgerError, Refused
from pipeline.language import legend, recalled
from pipeline.ledger import IterationRecord, Reader, Transaction, get_iteration, transition
from pipeline.ledger.chain import canonical
from pipeline.ledger.tables import reviews
from pipeline.verdicts import Verdict

#: Asked whenever a review is looked at, so put together once.
_BY_ID = select(reviews).where(reviews.c.id == bindparam("review"))

ReviewState = Literal["open", "decided", "applied", "stale"]


@dataclass(frozen=True)
class Blocking:
    """A blocking verdict that failed: the reason why *advance* is refused."""

    gate: str
    title: str
    reason: str


@dataclass(frozen=True)
class ReviewRequest:
    """A request for a decision.

    Attributes:
        id: short and readable, such as ``smart-replenishment-1-pilot``; ``-r2`` for a second report.
        project, iteration, stage: what is to be decided on.
        report_digest: hash of the report; answers to any other report are refused.
        requested_by: who started the run; this person does not sign.
        opened_at, due_at: UTC, ISO 8601.
        allowed: the decisions on offer.
        signers: the roles that must sign each of them.
        blocking: failed blocking verdicts; while there are any, *advance* is refused.
        state: ``open``, ``decided``, ``applied``, or ``stale`` when a newer report took its place.
        decision, decided_at: once decided.
        revision: 1 for the first report of the iteration.
    """

    id: str
    project: str
    iteration: int
    stage: str
    report_digest: str
    requested_by: str
    opened_at: str
    due_at: str
    allowed: tuple[DecisionName, ...]
    signers: Mapping[DecisionName, tuple[Role, ...]]
    blocking: tuple[Blocking, ...]
    state: ReviewState
    decision: DecisionName | None
    decided_at: str | None
    revision: int

    def on_offer(self, decision: DecisionName) -> bool:
        """Whether this decision can be taken on this report."""
        return decision in self.allowed and not (decision == "advance" and self.blocking)


def request_review(
    tx: Transaction,
    record: IterationRecord,
    *,
    verdicts: Sequence[Verdict],
    allowed: Sequence[DecisionName] | None = None,
    signers: Mapping[DecisionName, tuple[Role, ...]] | None = None,
    answer_within_days: int = 5,
) -> ReviewRequest:
    """Ask for a decision on an iteration's report and move the iteration to ``awaiting_review``.

    Asking again for the same report returns the request there is. A new report of the same iteration makes the
    open request stale, with all answers it had.

    Args:
        tx: the transaction.
        record: the iteration, with its report recorded.
        verdicts: all verdicts of the report.
        allowed: the decisions on offer; those the charter names signers for if None.
        signers: the roles that must sign each; those the charter asks for on this stage if None.
        answer_within_days: when the answers are due.

    Raises:
        LedgerError: the iteration has no report, or is in no state to be reviewed.
        Refused: the iteration is decided already.
    """
    current = get_iteration(tx, record.project, record.number, record.stage)
    if current.report_digest is None:
        finding = Finding(f"iteration {record.subject}", "it has no report", "record its report first")
        raise LedgerError("Nothing to review", [finding])
    earlier = reviews_of(tx, current)
    for request in earlier:
        if request.state in {"decided", "applied"}:
            finding = Finding(request.id, f"it is decided: {request.decision}", "open the next iteration")
            raise Refused("This iteration is decided already", [finding])
        if request.state == "open" and request.report_digest == current.report_digest:
            _await(tx, current, request)
            return request
    charter = charter_of(current)
    offered = tuple(name for name in DECISIONS if name in (charter.sign if allowed is None else allowed))
    asked = {name: charter.signers(name, current.stage) for name in offered} if signers is None else signers
    now = tx.now()
    request = ReviewRequest(
        id=_free_id(tx, current, len(earlier) + 1),
        project=current.project,
        iteration=current.number,
        stage=current.stage,
        report_digest=current.report_digest,
        requested_by=current.started_by,
        opened_at=now.isoformat(timespec="microseconds"),
        due_at=(now + timedelta(days=answer_within_days)).isoformat(timespec="microseconds"),
        allowed=offered,
        signers={name: tuple(asked[name]) for name in offered},
        blocking=tuple(Blocking(v.gate, v.title, v.reason) for v in verdicts if v.blocks),
        state="open",
        decision=None,
        decided_at=None,
        revision=len(earlier) + 1,
    )
    _lapse(tx, earlier, request)
    _store(tx, request)
    _await(tx, current, request)
    return request


def find_review(reader: Reader, review_id: str) -> ReviewRequest | None:
    """The request of this id, or None."""
    rows = reader.rows(_BY_ID, {"review": review_id})
    return to_request(rows[0]) if rows else None


def reviews_of(reader: Reader, record: IterationRecord) -> tuple[ReviewRequest, ...]:
    """All requests of one iteration, oldest first."""
    query = select(reviews).where(
        reviews.c.project == record.project, reviews.c.number == record.number, reviews.c.stage == record.stage
    )
    return tuple(to_request(row) for row in reader.rows(query.order_by(reviews.c.revision)))


def iteration_of(reader: Reader, request: ReviewRequest) -> IterationRecord:
    """The iteration a request asks about.

    Raises:
        LedgerError: the ledger does not hold it.
    """
    return get_iteration(reader, request.project, request.iteration, request.stage)


def charter_of(record: IterationRecord) -> Charter:
    """The charter an iteration runs under.

    Raises:
        CharterError: another version of Landed wrote it and this one cannot read it.
    """
    return _charter(record.charter)


def goal_of(record: IterationRecord) -> dict[str, Any] | None:
    """The charter's KPI as the ledger keeps it: title, unit, value and baseline; None before it was measured."""
    result = record.result
    found: dict[str, Any] | None = result["kpis"][result["kpi"]] if result else None
    return found


@lru_cache(maxsize=64)
def _charter(text: str) -> Charter:
    """Charters are frozen, so whoever reads the same text may have the same one."""
    return charter_from_canonical(json.loads(text))


def _blocking(kept: Mapping[str, Any]) -> Blocking:
    told = kept.get("legend", {})
    return Blocking(kept["gate"], *(recalled(kept[name], told) for name in ("title", "reason")))


def decide_once(tx: Transaction, request: ReviewRequest, decision: DecisionName) -> bool:
    """Compare and set: store the decision if the request is still open; False when somebody was first."""
    now = tx.now().isoformat(timespec="microseconds")
    statement = (
        reviews.update()
        .where(reviews.c.id == request.id, reviews.c.state == "open")
        .values(state="decided", decision=decision, decided_at=now)
    )
    return tx.execute(statement) == 1


def set_state(tx: Transaction, review_id: str, state: ReviewState) -> None:
    """Move a request on; the caller's event says so too."""
    tx.execute(reviews.update().where(reviews.c.id == review_id).values(state=state))


def _await(tx: Transaction, record: IterationRecord, request: ReviewRequest) -> None:
    """Move a running iteration to ``awaiting_review``; one that was run again to the same report comes back to it."""
    if record.state != "awaiting_review":
        transition(tx, record, "awaiting_review", actor=record.started_by, details={"review": request.id})


def _free_id(tx: Transaction, record: IterationRecord, revision: int) -> str:
    """A readable id; counted on where two projects' names would meet in one (``a-1`` 2 and ``a`` 1 on ``x-2``)."""
    stem = f"{record.project}-{record.number}-{record.stage}"
    name = stem if revision == 1 else f"{stem}-r{revision}"
    while find_review(tx, name) is not None:
        revision += 1
        name = f"{stem}-r{revision}"
    return name


def _lapse(tx: Transaction, earlier: Sequence[ReviewRequest], successor: ReviewRequest) -> None:
    for request in earlier:
        if request.state == "open":
            set_state(tx, request.id, "stale")
            body = {"report": request.report_digest, "successor": successor.id, "new_report": successor.report_digest}
            tx.append("review.lapsed", request.project, request.id, successor.requested_by, "", body)


def _store(tx: Transaction, request: ReviewRequest) -> None:
    blocking = blocking_told(request)
    values = {
        **asdict(request),
        "number": request.iteration,
        "allowed": canonical(list(request.allowed)),
        "signers": canonical(_told(request)),
        "blocking": canonical(blocking),
    }
    del values["iteration"]
    tx.execute(reviews.insert().values(**values))
    body = {
        "iteration": request.iteration,
        "stage": request.stage,
        "report": request.report_digest,
        "due": request.due_at,
        "allowed": list(request.allowed),
        "signers": _told(request),
        "blocking": blocking,
    }
    tx.append("review.requested", request.project, request.id, request.requested_by, "", body)


def blocking_told(request: ReviewRequest) -> list[dict[str, Any]]:
    """The verdicts that bar *advance* as row and event keep them: with what says them in another language."""
    return [{**asdict(verdict), "legend": legend(verdict)} for verdict in request.blocking]


def _told(request: ReviewRequest) -> dict[str, list[Role]]:
    return {name: list(roles) for name, roles in request.signers.items()}


def to_request(row: Mapping[str, Any]) -> ReviewRequest:
    """A request from its stored columns."""
    fields = {name: row[name] for name in ReviewRequest.__dataclass_fields__ if name != "iteration"}
    fields["allowed"] = tuple(json.loads(row["allowed"]))
    fields["signers"] = {name: tuple(roles) for name, roles in json.loads(row["signers"]).items()}
    fields["blocking"] = tuple(_blocking(verdict) for verdict in json.loads(row["blocking"]))
    return ReviewRequest(iteration=row["number"], **fields)
