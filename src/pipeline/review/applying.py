"""Applying a decision, once: what was decided, checked again, and what it makes of the charter."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from pipeline.charter import Charter, DecisionName
from pipeline.errors import CharterError, Finding, Refused
from pipeline.language import joined, legend, say, term
from pipeline.ledger import IterationRecord, Reader, Transaction, apply_key, mark_done, transition
from pipeline.ledger.tables import applied
from pipeline.problems.patching import apply_patch_for_problem
from pipeline.review.backing import unbacked_by_events
from pipeline.review.items import FeedbackItem, Filed, ItemStatus, items_of, settle
from pipeline.review.quorum import SignOff, outcome
from pipeline.review.requests import ReviewRequest, charter_of, find_review, iteration_of, set_state
from pipeline.review.signing import signoffs_of


@dataclass(frozen=True)
class Disposition:
    """What becomes of one feedback item, and why."""

    item: FeedbackItem
    status: ItemStatus
    reason: str


@dataclass(frozen=True)
class Applied:
    """A decision that has just been applied, for the caller to act on in the same transaction.

    Attributes:
        request: the review, now ``applied``.
        record: its iteration, now ``applied``; the caller closes it.
        decision: what was decided.
        signoffs: who decided it.
        charter: the charter of the next iteration: with the applied patches after ``iterate``, unchanged otherwise.
        items: what becomes of the feedback items.
    """

    request: ReviewRequest
    record: IterationRecord
    decision: DecisionName
    signoffs: tuple[SignOff, ...]
    charter: Charter
    items: tuple[Disposition, ...]


def mark_applied(tx: Transaction, review_id: str) -> Applied | None:
    """Apply a review's decision; whoever comes second gets None and must do nothing.

    Rows are not taken on trust: charter, request, sign-offs and items must each be backed by its event in the
    chain, and the sign-offs must make the decision under that charter and be bound to that report.
    The intent ``apply:{review}`` is marked done in the same transaction.

    Raises:
        Refused: there is no such review, no decision, or the sign-offs do not bear it; recorded as
            ``review.refused`` when the transaction is :meth:`pipeline.ledger.Ledger.transaction`'s.
    """
    if tx.rows(select(applied.c.review).where(applied.c.review == review_id)):
        return None
    request = find_review(tx, review_id)
    if request is None or request.decision is None:
        raise _refuse(tx, review_id, request, "there is no such review" if request is None else "nobody decided it yet")
    record = iteration_of(tx, request)
    answers = signoffs_of(tx, review_id)
    filed = items_of(tx, request.project, review_id)
    found = objection(tx, request)
    if found is not None:
        raise _refuse(tx, review_id, request, found)
    charter, items = dispose(charter_of(record), request.decision, filed)
    return _apply(tx, Applied(request, record, request.decision, answers, charter, items))


def dispose(
    charter: Charter, decision: DecisionName, items: Sequence[Filed]
) -> tuple[Charter, tuple[Disposition, ...]]:
    """What becomes of feedback items under a decision. Pure.

    Only ``iterate`` opens an iteration that can carry changes; whatever else is decided, items wait. Of two items
    that patch the same place, the one signed later is declined.

    Returns:
        The charter with all applied patches, and one disposition per item in the order given.
    """
    touched: dict[tuple[str, ...], str] = {}
    result: list[Disposition] = []
    for filed in items:
        charter, disposition = _dispose_one(charter, decision, filed.item, touched)
        result.append(disposition)
        if disposition.status == "applied":
            touched.update(dict.fromkeys(map(_steps, filed.item.patch), filed.item.id))
    return charter, tuple(result)


def _dispose_one(
    charter: Charter, decision: DecisionName, item: FeedbackItem, touched: dict[tuple[str, ...], str]
) -> tuple[Charter, Disposition]:
    if decision != "iterate":
        return charter, Disposition(
            item, "deferred", say("the decision was {decision}, which carries no changes", decision=term(decision))
        )
    if not item.patch:
        reason = say("no charter entry expresses it: it needs work by hand before an iteration can carry it")
        return charter, Disposition(item, "deferred", reason)
    rival = next(
        (other for path, other in touched.items() if any(_meet(path, _steps(mine)) for mine in item.patch)), None
    )
    if rival is not None:
        return charter, Disposition(
            item, "declined", say("{item}, signed earlier, changes the same charter entry", item=rival)
        )
    try:
        changed = apply_patch_for_problem(charter, item.patch)
    except CharterError as exc:
        told: list[str] = [say("{place}: {found}", place=one.place, found=one.found) for one in exc.findings]
        reason = say("does not fit the charter as the other items leave it: {why}", why=joined(told, "; "))
        return charter, Disposition(item, "declined", reason)
    if changed.digest == charter.digest:
        return charter, Disposition(item, "declined", say("the charter says so already"))
    reason = say("in the charter of the next iteration ({paths})", paths=", ".join(item.patch))
    return changed, Disposition(item, "applied", reason)


def _steps(path: str) -> tuple[str, ...]:
    """The steps of a dotted path, names in brackets included."""
    return tuple(re.findall(r"[^.\[\]]+", path))


def _meet(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether two paths name the same place, or one a place inside the other."""
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _apply(tx: Transaction, result: Applied) -> Applied:
    request, last = result.request, result.signoffs[-1]
    body = {
        "decision": result.decision,
        "report": request.report_digest,
        "charter": result.charter.digest,
        "recorded": any(answer.recorded for answer in result.signoffs),
        "items": [{"id": one.item.id, "status": one.status, "reason": one.reason} for one in result.items],
        "legend": legend([one.reason for one in result.items]),
    }
    event = tx.append("review.applied", request.project, request.id, last.person, last.role, body)
    tx.execute(
        applied.insert().values(
            review=request.id, decision=result.decision, charter_digest=result.charter.digest, at=event.at
        )
    )
    for one in result.items:
        settle(tx, request.project, one.item.id, one.status, one.reason)
    set_state(tx, request.id, "applied")
    details = {"review": request.id, "decision": result.decision}
    record = transition(tx, result.record, "applied", actor=last.person, role=last.role, details=details)
    mark_done(tx, apply_key(request.id))
    now = find_review(tx, request.id) or request
    return Applied(now, record, result.decision, result.signoffs, result.charter, result.items)


def objection(reader: Reader, request: ReviewRequest) -> str | None:
    """Why the record does not bear a request's decision, or None."""
    record, answers = iteration_of(reader, request), signoffs_of(reader, request.id)
    items = items_of(reader, request.project, request.id)
    if record.report_digest != request.report_digest:
        return "the iteration's report is not the one that was signed"
    unbacked = unbacked_by_events(reader, request, record, answers, items)
    if unbacked is not None:
        return unbacked
    taken = outcome(charter_of(record), answers, request.requested_by, request.signers)
    if taken is None or taken != request.decision:
        return f"the sign-offs make {taken or 'no decision'}, not {request.decision}"
    if taken != "hold" and not request.on_offer(taken):
        return f"{taken} is not on offer for this report"
    return None


def _refuse(tx: Transaction, review_id: str, request: ReviewRequest | None, found: str) -> Refused:
    remedy = "let the people of the charter sign; see `landed review show`, and `landed audit verify` if in doubt"
    body = {"finding": {"place": review_id, "found": found, "remedy": remedy}}
    tx.note_refusal("review.refused", request.project if request else "", review_id, "landed", "", body)
    return Refused(f"{review_id} cannot be applied", [Finding(review_id, found, remedy)])
