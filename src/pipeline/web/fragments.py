"""Parts of pages that are the same for everybody who may see them, rendered once per language and kept.

Whether somebody may see them is asked on each request before this. What follows from an evidence pack is kept under its
hash; what follows from the ledger is worked out anew when anything happened.
"""

from typing import Any, Protocol, cast

from markupsafe import Markup

from pipeline.charter import DECISIONS
from pipeline.language import Language
from pipeline.reporting import words
from pipeline.reporting.cautions import before_deciding
from pipeline.review.listing import ReviewView
from pipeline.web.packs import Pack, charts, sections
from pipeline.web.rendering import environment
from pipeline.web.reviewing import ReviewShown
from pipeline.web.site import Site


class EvidenceParts(Protocol):
    """An evidence pack as a review's page shows it: the answer in short, what to watch, what speaks against it."""

    opening: Markup
    watch: Markup
    before: Markup
    detail: Markup


def evidence_parts(site: Site, pack: Pack, language: Language) -> EvidenceParts:
    """What a pack shows."""
    return site.lasting(("evidence", pack.digest, language), lambda: _evidence_parts(site, pack, language))


def asked(site: Site, shown: ReviewShown, language: Language) -> Markup:
    """Who signed a review and who is missing."""
    key = ("asked", shown.request.id, language)
    values = {"view": shown.view, "charter": shown.charter}
    return site.known(key, lambda: _rendered(language, "asked.html.j2", **values))


def options_to_choose(site: Site, shown: ReviewShown, chosen: str, language: Language) -> Markup:
    """The decisions with what each does, what bars it and who signs it; the chosen one is ticked."""
    return _options(site, shown, chosen if chosen in DECISIONS else "", language, to_choose=True)


def options_to_read(site: Site, shown: ReviewShown, language: Language) -> Markup:
    """The same for somebody who does not sign."""
    return _options(site, shown, "", language, to_choose=False)


def card_facts(site: Site, view: ReviewView, language: Language) -> Markup:
    """The figures of an open review, who signed and who is missing, as the inbox tells them."""
    key = ("card", view.request.id, language)
    return site.known(key, lambda: _rendered(language, "card.html.j2", view=view))


def _options(site: Site, shown: ReviewShown, chosen: str, language: Language, *, to_choose: bool) -> Markup:
    values = {"options": shown.options, "chosen": chosen, "to_choose": to_choose}
    key = ("options shown", shown.request.id, language, chosen, to_choose)
    return site.known(key, lambda: _rendered(language, "options.html.j2", **values))


def _rendered(language: Language, template: str, **values: Any) -> Markup:
    """A template by itself, as a part of a page."""
    # The template has escaped what it was given.
    return Markup(environment(language).get_template(template).render(**values))  # noqa: S704


def _evidence_parts(site: Site, pack: Pack, language: Language) -> EvidenceParts:
    evidence = pack.evidence
    values = {
        "evidence": evidence,
        "headline": words.headline(evidence),
        "comparison": words.comparison(evidence),
        "lights": words.lights(evidence.verdicts),
        "baseline": words.baseline_label(evidence),
        "cautions": before_deciding(evidence),
        "chart": charts(site, pack, language),
        "sections": sections(site, pack, language),
    }
    return cast("EvidenceParts", environment(language).get_template("evidence.html.j2").make_module(values))
