"""What a person who is asked wants to see: the open reviews, who signed, and whose answer is missing."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from pipeline.charter import Charter, DecisionName, Person, Role
from pipeline.errors import Finding, Refused
from pipeline.language import say
from pipeline.ledger import IterationRecord, Reader, iterations_under_review
from pipeline.ledger.tables import reviews
from pipeline.review.attesting import ControlsNow, OpenControl, WaivedControl, controls_now
from pipeline.review.items import Filed, items_of, items_of_open
from pipeline.review.quorum import SignOff, asked, out_of_reach
from pipeline.review.requests import ReviewRequest, charter_of, find_review, iteration_of, to_request
from pipeline.review.signing import signoffs_of, signoffs_of_open


@dataclass(frozen=True)
class ReviewView:
    """One review with all that belongs to it.

    Attributes:
        request: the request.
        record, charter: the iteration it asks about, and what that runs under.
        signoffs: the answers so far.
        missing: people whose answer is awaited, each able to answer for their role; empty once decided.
        needed: per decision on offer, the roles that must sign it and have not; a role that signed something else
            stays in the list, for it bars that decision.
        out_of_reach: decisions nobody can take on this run, with the roles only its starter, or nobody, holds.
        items: the feedback items that came with the answers.
        open_controls: controls that bar *advance* until somebody attests to them.
        waived: controls that were waived since the report, so that it does not show it.
    """

    request: ReviewRequest
    record: IterationRecord
    charter: Charter
    signoffs: tuple[SignOff, ...]
    missing: tuple[Person, ...]
    needed: dict[DecisionName, tuple[Role, ...]]
    out_of_reach: dict[DecisionName, tuple[Role, ...]]
    items: tuple[Filed, ...]
    open_controls: tuple[OpenControl, ...] = ()
    waived: tuple[WaivedControl, ...] = ()

    @property
    def title(self) -> str:
        """The project's title."""
        return self.charter.title


def open_reviews(reader: Reader, project: str | None = None) -> tuple[ReviewView, ...]:
    """The reviews that wait for answers, the one due first at the top."""
    query = select(reviews).where(reviews.c.state == "open").order_by(reviews.c.due_at, reviews.c.id)
    if project is not None:
        query = query.where(reviews.c.project == project)
    requests = [to_request(row) for row in reader.rows(query)]
    if not requests:
        return ()
    # Three questions for all of them, whatever their number: the inbox asks whenever anything happened.
    records, answers, items = iterations_under_review(reader), signoffs_of_open(reader), items_of_open(reader)
    return tuple(
        _view(reader, one, records[one.id], answers.get(one.id, ()), items.get(one.id, ())) for one in requests
    )


def show_review(reader: Reader, review_id: str) -> ReviewView:
    """One review.

    Raises:
        Refused: there is no such review.
    """
    request = find_review(reader, review_id)
    if request is None:
        finding = Finding(review_id, say("there is no such review"), say("see the open ones with `landed review list`"))
        raise Refused("No such review", [finding])
    record, items = iteration_of(reader, request), items_of(reader, request.project, request.id)
    return _view(reader, request, record, signoffs_of(reader, request.id), items)


def _view(
    reader: Reader,
    request: ReviewRequest,
    record: IterationRecord,
    answers: tuple[SignOff, ...],
    items: tuple[Filed, ...],
) -> ReviewView:
    charter = charter_of(record)
    waiting = asked(charter, request.requested_by, request.signers) - {answer.role for answer in answers}
    is_open = request.state == "open"
    shown = datetime.fromisoformat(request.opened_at)
    controls = controls_now(reader, record, charter, shown, reader.now()) if is_open else ControlsNow()
    signed = {(answer.role, answer.decision) for answer in answers}
    return ReviewView(
        request=request,
        record=record,
        charter=charter,
        signoffs=answers,
        missing=tuple(
            person
            for person in charter.people
            if is_open and person.role in waiting and person.id != request.requested_by
        ),
        needed={
            decision: tuple(role for role in request.signers[decision] if (role, decision) not in signed)
            for decision in request.allowed
            if request.on_offer(decision)
        },
        out_of_reach=out_of_reach(charter, request.requested_by, request.signers),
        items=items,
        open_controls=controls.open,
        waived=controls.waived,
    )
