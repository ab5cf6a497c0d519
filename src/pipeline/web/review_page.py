"""Review: the evidence beside the decision it asks for."""

from typing import Any

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
        looked_at = (visitor.user.id, shown.request.id, shown.request.report_digest)
        visitor.site.lasting(("looked at", *looked_at), lambda: note_view(visitor.site.ledger, *looked_at))
    draft, saved_at = (find_draft(visitor.site.reader, visitor.user.id, review_id) if shown.can_sign else None) or (
        Draft(),
        "",
    )
    key = (draft, saved_at, shown.overdue, shown.pack is None)
    return visitor.kept_page("review.html.j2", key, lambda: _content(visitor, shown, draft, saved_at, {}))


def wrong_page(visitor: Visitor, shown: ReviewShown, draft: Draft, saved_at: str, errors: dict[str, str]) -> Response:
    """The page with what was typed so far and what is wrong with it (by the id of the field)."""
    return visitor.page("review.html.j2", 422, **_content(visitor, shown, draft, saved_at, errors))


def _content(
    visitor: Visitor, shown: ReviewShown, draft: Draft, saved_at: str, errors: dict[str, str]
) -> dict[str, Any]:
    site, language, pack = visitor.site, visitor.language, shown.pack
    return {
        "shown": shown,
        "draft": draft,
        "saved_at": saved_at,
        "errors": errors,
        "evidence": evidence_parts(site, pack, language) if pack else None,
        "asked": asked(site, shown, language),
        "options": (
            options_to_choose(site, shown, draft.decision, language)
            if shown.can_sign
            else options_to_read(site, shown, language)
        ),
        "page": PAGES[language],
    }
