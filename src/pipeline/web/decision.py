"""Deciding: the draft is kept, the confirm step shows exactly what is signed, and signing goes by the shared rules."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from pipeline.errors import Refused
from pipeline.language import say
from pipeline.review import sign
from pipeline.web.drafts import Draft, drop_draft, find_draft, save_draft
from pipeline.web.feedback import as_items
from pipeline.web.forms import Form, read_form
from pipeline.web.review_page import wrong_page
from pipeline.web.reviewing import ReviewShown, Signature, find_shown, seat_of
from pipeline.web.views import seconds_since_view
from pipeline.web.visitors import Visitor, signed_in

router = APIRouter(include_in_schema=False)

Posted = Annotated[Form, Depends(read_form)]

_LONGEST_COMMENT = 4000


@router.post("/reviews/{review_id}/draft")
def keep(request: Request, review_id: str, form: Posted) -> Response:
    """Keep what was typed; then go where the pressed button says."""
    visitor = signed_in(request, form)
    shown = find_shown(visitor, review_id)
    page = f"/reviews/{shown.request.id}"
    if not shown.can_sign:
        return RedirectResponse(page, 303)
    draft = _typed(visitor, shown, form)
    saved_at = save_draft(visitor.site.ledger, visitor.user.id, shown.request.id, draft)
    if request.headers.get("hx-request") == "true":
        return visitor.page("saved.html.j2", saved_at=saved_at)
    if form.text("go") == "item":
        return RedirectResponse(f"{page}/feedback/new", 303)
    if form.text("go") != "confirm":
        return RedirectResponse(f"{page}#decide", 303)
    errors = _missing(shown, draft)
    if errors:
        return wrong_page(visitor, shown, draft, saved_at, errors)
    return RedirectResponse(f"{page}/confirm", 303)


@router.get("/reviews/{review_id}/confirm")
def confirm(request: Request, review_id: str) -> Response:
    """Exactly what is about to be signed."""
    visitor = signed_in(request)
    shown = find_shown(visitor, review_id)
    found = find_draft(visitor.site.ledger, visitor.user.id, shown.request.id)
    if found is None or not shown.can_sign or _missing(shown, found[0]):
        return RedirectResponse(f"/reviews/{shown.request.id}#decide", 303)
    return _confirm_page(visitor, shown, found[0], changed="changed" in request.query_params)


@router.post("/reviews/{review_id}/sign")
def put(request: Request, review_id: str, form: Posted) -> Response:
    """Sign what the confirm step showed: for the report it named, and the draft it held.

    Whoever may not, or comes too late, is refused by the shared rules, which put the attempt on record.
    """
    visitor = signed_in(request, form)
    shown = find_shown(visitor, review_id)
    found = find_draft(visitor.site.ledger, visitor.user.id, shown.request.id)
    draft = found[0] if found else Draft(decision=form.text("decision"), comment=form.text("comment"))
    if shown.seats and shown.pack is None:
        return visitor.page("refused.html.j2", 409, shown=shown, findings=())
    current = shown.can_sign and shown.request.report_digest == form.text("report")
    items = as_items(visitor, shown, draft) if current else ()
    as_shown = draft.fingerprint == form.text("draft") and [item.id for item in items] == form.every("item")
    if current and not as_shown:
        return RedirectResponse(f"/reviews/{shown.request.id}/confirm?changed=1", 303)
    seat = seat_of(shown.seats, draft.seat)
    try:
        outcome = sign(
            visitor.site.ledger, shown.request.id, visitor.user.id, draft.decision, draft.comment,
            form.text("report"), items, on_behalf_of=seat.on_behalf_of if seat else None,
            seconds_on_evidence=seconds_since_view(
                visitor.site.ledger, visitor.user.id, shown.request.id, shown.request.report_digest
            ),
        )  # fmt: skip
    except Refused as error:
        now = find_shown(visitor, review_id)
        template = "refused.html.j2" if now.request.state == "open" else "overtaken.html.j2"
        return visitor.page(template, 409, shown=now, findings=error.findings)
    drop_draft(visitor.site.ledger, visitor.user.id, shown.request.id)
    return RedirectResponse(f"/reviews/{outcome.review.id}?signed=1", 303)


@router.post("/reviews/{review_id}/discard")
def discard(request: Request, review_id: str, form: Posted) -> Response:
    """Throw the draft away."""
    visitor = signed_in(request, form)
    shown = find_shown(visitor, review_id)
    drop_draft(visitor.site.ledger, visitor.user.id, shown.request.id)
    return RedirectResponse(f"/reviews/{shown.request.id}#decide", 303)


def _typed(visitor: Visitor, shown: ReviewShown, form: Form) -> Draft:
    """The form over what was kept before: the feedback items have pages of their own."""
    found = find_draft(visitor.site.ledger, visitor.user.id, shown.request.id)
    before = found[0] if found else Draft()
    return before.but(
        report=shown.request.report_digest,
        seat=form.text("seat"),
        decision=form.text("decision"),
        comment=form.text("comment")[: 2 * _LONGEST_COMMENT],
    )


def _missing(shown: ReviewShown, draft: Draft) -> dict[str, str]:
    """What is wrong with an answer, by the id of its field; the rules themselves are asked when it is signed."""
    errors: dict[str, str] = {}
    offered = [option.name for option in shown.options if not option.barred]
    if draft.decision not in offered:
        errors[f"decision-{offered[0]}" if offered else "decide"] = say("Choose a decision.")
    if not draft.comment:
        errors["comment"] = say("Say in a sentence why; those who come after read it.")
    elif len(draft.comment) > _LONGEST_COMMENT:
        errors["comment"] = say("The reason is longer than {limit} characters.", limit=_LONGEST_COMMENT)
    elif not all(letter.isprintable() or letter in "\t\n" for letter in draft.comment):
        errors["comment"] = say("The reason holds characters that cannot be shown.")
    if seat_of(shown.seats, draft.seat) is None:
        errors["seat-0"] = say("Choose in which role you sign.")
    return errors


def _confirm_page(visitor: Visitor, shown: ReviewShown, draft: Draft, *, changed: bool) -> Response:
    seat = seat_of(shown.seats, draft.seat)
    option = next(option for option in shown.options if option.name == draft.decision)
    return visitor.page(
        "confirm.html.j2",
        200,
        shown=shown, draft=draft, seat=seat, option=option, items=as_items(visitor, shown, draft), changed=changed,
        completes=_completes(option.signatures, seat.role if seat else ""),
    )  # fmt: skip


def _completes(signatures: Sequence[Signature], role: str) -> bool:
    """Whether this signature is the last one the decision needs."""
    return [one.role for one in signatures if not one.done] == [role]
