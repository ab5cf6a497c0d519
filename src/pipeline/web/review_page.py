"""Review: the evidence beside the decision it asks for."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from pipeline.reporting.page import PAGES
from pipeline.web.drafts import Draft, find_draft
from pipeline.web.fragments import asked, evidence_parts, options_to_choose, options_to_read
from pipeline.web.reviewing import ReviewShown, find_shown
from pipeline.web.threads import on_few_threads
from pipeline.web.views import note_view
from pipeline.web.visitors import Visitor, signed_in

router = APIRouter(include_in_schema=False)


@router.get("/reviews/{review_id}")
@on_few_threads
def review(request: Request, review_id: str) -> Response:
    """One review."""
    visitor = signed_in(request)
    shown = find_shown(visitor, review_id)
    if shown.can_sign:
        note_view(visitor.site.ledger, visitor.user.id, shown.request.id, shown.request.report_digest)
    found = find_draft(visitor.site.ledger, visitor.user.id, review_id) if shown.can_sign else None
    return review_page(visitor, shown, *(found or (Draft(), "")))


def review_page(
    visitor: Visitor, shown: ReviewShown, draft: Draft, saved_at: str, errors: dict[str, str] | None = None
) -> Response:
    """The page, with what was typed so far and what is wrong with it (by the id of the field)."""
    site, language, pack = visitor.site, visitor.language, shown.pack
    return visitor.page(
        "review.html.j2",
        422 if errors else 200,
        shown=shown,
        draft=draft,
        saved_at=saved_at,
        errors=errors or {},
        evidence=evidence_parts(site, pack, language) if pack else None,
        asked=asked(site, shown, language),
        options=(
            options_to_choose(site, shown, draft.decision, language)
            if shown.can_sign
            else options_to_read(site, shown, language)
        ),
        page=PAGES[language],
    )
