"""Are the rows that a decision rests on the ones the chained events tell of?

Tables are quick to read and quick to edit. A row that no event backs, or that says something else than its event,
counts for nothing.
"""

from collections.abc import Sequence

from pipeline.accounts.delegations import bore
from pipeline.accounts.record import sound_events
from pipeline.accounts.users import was_active
from pipeline.ledger import Event, IterationRecord, Reader
from pipeline.ledger.chain import digest
from pipeline.review.items import Filed
from pipeline.review.quorum import SignOff
from pipeline.review.requests import ReviewRequest, blocking_told


def unbacked_by_events(
    reader: Reader,
    request: ReviewRequest,
    record: IterationRecord,
    answers: Sequence[SignOff],
    items: Sequence[Filed],
) -> str | None:
    """The first row that its event does not back, in words, or None when all are backed."""
    opened = _events(reader, "iteration.opened", record.subject)
    if digest(record.charter) != record.charter_digest or not any(
        event.body.get("charter") == record.charter_digest and event.actor == record.started_by for event in opened
    ):
        return "the charter or starter kept with the iteration is not the one it was opened with"
    if not any(_requested(request, event) for event in _events(reader, "review.requested", request.id)):
        return "no event in the chain backs the request as it stands"
    signed = {event.seq: event for event in _events(reader, "review.signed", request.id)}
    for answer in answers:
        if answer.event not in signed or not _signed(request, answer, signed[answer.event]):
            return f"no event in the chain backs the sign-off of {answer.person} on this report"
        unfit = _unfit(reader, request, answer, signed[answer.event])
        if unfit is not None:
            return unfit
    said = [content for event in signed.values() for content in event.body.get("feedback", [])]
    for filed in items:
        if filed.item.model_dump(mode="json") not in said:
            return f"no event in the chain backs feedback item {filed.item.id}"
    return None


def _unfit(reader: Reader, request: ReviewRequest, answer: SignOff, event: Event) -> str | None:
    """Why the chain did not let this person sign when they did, or None."""
    if not was_active(reader, answer.person, before=event.seq):
        return f"{answer.person} signed with an account that was deactivated"
    if answer.on_behalf_of is None:
        return None
    found = bore(reader, str(event.body.get("delegation", "")), event)
    right = (request.project, answer.on_behalf_of, answer.person, answer.role)
    if found is None or (found.project, found.giver, found.delegate, found.role) != right:
        return f"no delegation in the chain let {answer.person} sign for {answer.on_behalf_of}"
    return None


def _events(reader: Reader, kind: str, subject: str) -> list[Event]:
    return sound_events(reader, [subject], [kind])


def _requested(request: ReviewRequest, event: Event) -> bool:
    signers = {name: list(roles) for name, roles in request.signers.items()}
    stands = (request.requested_by, request.report_digest, list(request.allowed), signers, blocking_told(request))
    # Requests of before languages were kept have no legend.
    blocking = [{"legend": {}, **verdict} for verdict in event.body.get("blocking", ())]
    asked = (event.actor, *(event.body.get(name) for name in ("report", "allowed", "signers")), blocking)
    return stands == asked


def _signed(request: ReviewRequest, answer: SignOff, event: Event) -> bool:
    stands = (answer.person, answer.role, answer.decision, answer.report_digest, answer.recorded, answer.on_behalf_of)
    names = ("decision", "report", "recorded", "on_behalf_of")
    told = (event.actor, event.role, *(event.body.get(name) for name in names))
    return stands == told and answer.report_digest == request.report_digest
