"""Review: the evidence beside the decision it asks for."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from pipeline.reporting import words
from pipeline.reporting.evidence import Evidence
from pipeline.reporting.page import PAGES
from pipeline.web.drafts import Draft, find_draft
from pipeline.web.packs import Pack, charts, sections
from pipeline.web.reviewing import ReviewShown, find_shown
from pipeline.web.visitors import Visitor, signed_in

router = APIRouter(include_in_schema=False)


@router.get("/reviews/{review_id}")
def review(request: Request, review_id: str) -> Response:
    """One review."""
    visitor = signed_in(request)
    shown = find_shown(visitor, review_id)
    found = find_draft(visitor.site.ledger, visitor.user.id, review_id)
    return review_page(visitor, shown, *(found or (Draft(), "")))


def review_page(
    visitor: Visitor, shown: ReviewShown, draft: Draft, saved_at: str, errors: dict[str, str] | None = None
) -> Response:
    """The page, with what was typed so far and what is wrong with it (by the id of the field)."""
    pack = shown.pack
    evidence = _told(visitor, pack) if pack else {"evidence": None}
    return visitor.page(
        "review.html.j2",
        422 if errors else 200,
        shown=shown,
        draft=draft,
        saved_at=saved_at,
        errors=errors or {},
        **evidence,
    )


def _told(visitor: Visitor, pack: Pack) -> dict[str, object]:
    site, evidence = visitor.site, pack.evidence
    said = site.lasting(("said", pack.digest), lambda: _said(evidence))
    return {
        **said,
        "evidence": evidence,
        "chart": charts(site, pack, visitor.language),
        "sections": sections(site, pack, visitor.language),
        "page": PAGES[visitor.language],
    }


def _said(evidence: Evidence) -> dict[str, object]:
    """The pack in a few sentences, which any language can show."""
    return {
        "headline": words.headline(evidence),
        "comparison": words.comparison(evidence),
        "lights": words.lights(evidence.verdicts),
        "baseline": words.baseline_label(evidence),
    }
