"""Signing: one person's answer to a review. Each refusal has a clear message and is an event itself."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import bindparam, select

from pipeline.accounts.delegations import from_to
from pipeline.accounts.users import find_user, was_active
from pipeline.charter import DecisionName, Role
from pipeline.errors import Finding, Refused
from pipeline.language import legend, say
from pipeline.ledger import Ledger, Reader, Transaction, apply_key, enqueue, transition
from pipeline.ledger.tables import reviews, signoffs
from pipeline.review.attesting import controls_now
from pipeline.review.items import FeedbackItem, file_item, items_of
from pipeline.review.quorum import SignOff, asked, outcome
from pipeline.review.requests import ReviewRequest, charter_of, decide_once, find_review, iteration_of
from pipeline.review.rules import Answer, Attempt, check


@dataclass(frozen=True)
class SignOutcome:
    """What a sign-off did.

    Attributes:
        review: the request, as it is now.
        signoff: the answer as recorded.
        decision: the decision it completed, or None while the review stays open.
        waiting: roles that have not answered; empty once decided.
    """

    review: ReviewRequest
    signoff: SignOff
    decision: DecisionName | None
    waiting: tuple[Role, ...]


def sign(
    ledger: Ledger,
    review_id: str,
    person_id: str,
    decision: str,
    comment: str,
    report_digest: str,
    feedback: Sequence[FeedbackItem] = (),
    *,
    on_behalf_of: str | None = None,
    recorded: bool = False,
    seconds_on_evidence: int | None = None,
) -> SignOutcome:
    """Answer a review.

    When the answer completes the quorum, the decision, the iteration's move to ``decided`` and the intent to apply
    it commit in the same transaction.

    Args:
        ledger: the ledger.
        review_id: the request's id.
        person_id: identity of the signer, proven by the caller: a person of the charter, or the delegate of one.
        decision: one of the decisions on offer.
        comment: why; never empty.
        report_digest: hash of the report the signer read, or its first 12 digits or more.
        feedback: items the signer brings. The signer vouches for them; the author of each may be any person of the
            charter, under that person's role.
        on_behalf_of: the person of the charter who handed their role to the signer; None to sign in one's own.
        recorded: whether this is a recorded answer standing in for a person; it is labelled so for good.
        seconds_on_evidence: from the first look at this report to the signature, where the site saw both.

    Raises:
        Refused: the rules do not allow it; the attempt is recorded as ``review.refused``.
        LedgerError: the ledger cannot be written.
    """
    with ledger.transaction() as tx:
        typed = _Typed(person_id, on_behalf_of or None, decision, comment, report_digest, tuple(feedback), recorded)
        attempt = _attempt(tx, review_id, typed)
        answer = check(attempt)
        if isinstance(answer, Finding):
            raise _refuse(tx, attempt, answer)
        return _accept(tx, attempt, answer, seconds_on_evidence)


#: Asked whenever a review is looked at, so put together once.
_OF_REVIEW = select(signoffs).where(signoffs.c.review == bindparam("review")).order_by(signoffs.c.event)


_OF_OPEN = (
    select(signoffs)
    .join(reviews, reviews.c.id == signoffs.c.review)
    .where(reviews.c.state == "open")
    .order_by(signoffs.c.event)
)


def signoffs_of(reader: Reader, review_id: str) -> tuple[SignOff, ...]:
    """The answers to a review, in the order they were given."""
    return tuple(map(_signoff, reader.rows(_OF_REVIEW, {"review": review_id})))


def signoffs_of_open(reader: Reader) -> dict[str, tuple[SignOff, ...]]:
    """As :func:`signoffs_of`, of every open review that was answered, by its id."""
    found: dict[str, list[SignOff]] = {}
    for row in reader.rows(_OF_OPEN):
        found.setdefault(row["review"], []).append(_signoff(row))
    return {review: tuple(answers) for review, answers in found.items()}


def _signoff(row: Mapping[str, Any]) -> SignOff:
    return SignOff(**{name: row[name] for name in SignOff.__dataclass_fields__})


@dataclass(frozen=True)
class _Typed:
    """What the caller of :func:`sign` handed in."""

    person: str
    on_behalf_of: str | None
    decision: str
    comment: str
    digest: str
    feedback: tuple[FeedbackItem, ...]
    recorded: bool


def _attempt(tx: Transaction, review_id: str, typed: _Typed) -> Attempt:
    request = find_review(tx, review_id)
    if request is None:
        finding = Finding(review_id, say("there is no such review"), say("see the open ones with `landed review list`"))
        body = {"decision": typed.decision, "finding": asdict(finding)}
        tx.note_refusal("review.refused", "", review_id, typed.person, "", body)
        raise Refused(f"{typed.person} cannot sign", [finding])
    record = iteration_of(tx, request)
    charter = charter_of(record)
    controls = controls_now(tx, record, charter, datetime.fromisoformat(request.opened_at), tx.now())
    return Attempt(
        request=request,
        charter=charter,
        running=record.state != "awaiting_review",
        person=typed.person,
        on_behalf_of=typed.on_behalf_of,
        account=_account(tx, typed.person),
        recorded=typed.recorded,
        delegation=from_to(tx, request.project, typed.on_behalf_of, typed.person) if typed.on_behalf_of else None,
        decision=typed.decision,
        comment=typed.comment.strip(),
        report_digest=typed.digest.strip().lower(),
        feedback=typed.feedback,
        earlier=signoffs_of(tx, review_id),
        known_items=frozenset(filed.item.id for filed in items_of(tx, request.project)),
        open_controls=controls.open,
        waived=controls.waived,
    )


def _account(tx: Transaction, person: str) -> Literal["none", "active", "deactivated"]:
    """By the row and by the chain: neither alone lets anybody in."""
    user = find_user(tx, person)
    if not was_active(tx, person) or (user is not None and not user.active):
        return "deactivated"
    return "none" if user is None else "active"


def _refuse(tx: Transaction, attempt: Attempt, finding: Finding) -> Refused:
    body = {
        "decision": attempt.decision,
        "report": attempt.report_digest,
        "recorded": attempt.recorded,
        "finding": asdict(finding),
        "legend": legend(finding),
        **({"on_behalf_of": attempt.on_behalf_of} if attempt.on_behalf_of else {}),
    }
    request, person = attempt.request, attempt.charter.person(attempt.person)
    tx.note_refusal("review.refused", request.project, request.id, attempt.person, person.role if person else "", body)
    return Refused(f"{attempt.person} cannot sign {attempt.decision} on {request.id}", [finding])


def _accept(tx: Transaction, attempt: Attempt, answer: Answer, seconds: int | None) -> SignOutcome:
    request = attempt.request
    body: dict[str, Any] = {
        "decision": answer.decision,
        "comment": attempt.comment,
        "report": request.report_digest,
        "recorded": attempt.recorded,
        "feedback": [item.model_dump(mode="json") for item in attempt.feedback],
    }
    if attempt.delegation is not None:
        body |= {"on_behalf_of": attempt.delegation.giver, "delegation": attempt.delegation.id}
    if seconds is not None:
        body["seconds_on_evidence"] = seconds
    if attempt.waived:
        body["waived"] = [{**asdict(one), "until": one.until.isoformat()} for one in attempt.waived]
    event = tx.append("review.signed", request.project, request.id, attempt.person, answer.role, body)
    signoff = SignOff(
        person=attempt.person,
        role=answer.role,
        decision=answer.decision,
        comment=attempt.comment,
        report_digest=request.report_digest,
        recorded=attempt.recorded,
        at=event.at,
        event=event.seq,
        on_behalf_of=attempt.on_behalf_of,
    )
    tx.execute(signoffs.insert().values(review=request.id, **asdict(signoff)))
    for place, item in enumerate(attempt.feedback):
        file_item(
            tx, item, project=request.project, review=request.id, signed_by=attempt.person, event=event.seq, place=place
        )
    everybody = (*attempt.earlier, signoff)
    taken = outcome(attempt.charter, everybody, request.requested_by, request.signers)
    if taken is not None:
        _decide(tx, request, taken, everybody)
    answered = {other.role for other in everybody}
    waiting = () if taken else tuple(sorted(asked(attempt.charter, request.requested_by, request.signers) - answered))
    return SignOutcome(find_review(tx, request.id) or request, signoff, taken, waiting)


def _told(answer: SignOff) -> dict[str, Any]:
    told = {"person": answer.person, "role": answer.role, "decision": answer.decision, "event": answer.event}
    return {**told, "on_behalf_of": answer.on_behalf_of} if answer.on_behalf_of else told


def _decide(tx: Transaction, request: ReviewRequest, decision: DecisionName, answers: Sequence[SignOff]) -> None:
    if not decide_once(tx, request, decision):
        finding = Finding(request.id, say("it was decided in the meantime"), say("see `landed review show`"))
        raise Refused("This review is closed", [finding])
    body = {
        "decision": decision,
        "report": request.report_digest,
        "recorded": any(answer.recorded for answer in answers),
        "signed": [_told(answer) for answer in answers],
    }
    last = answers[-1]
    tx.append("review.decided", request.project, request.id, last.person, last.role, body)
    record = iteration_of(tx, request)
    details = {"review": request.id, "decision": decision}
    transition(tx, record, "decided", actor=last.person, role=last.role, details=details)
    payload = {"review": request.id, "decision": decision}
    enqueue(tx, apply_key(request.id), "apply", request.project, payload)
