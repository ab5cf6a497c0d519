"""The pack's HTML page: one file, no script, nothing fetched.

The template lays out; words come from :mod:`pipeline.reporting.words`, figures from
:mod:`pipeline.evaluation.figures`. Every figure stands in a ``<data value="…">`` element that carries the same
number as the JSON twin, so that a program can compare the two. Free text is escaped by Jinja2, always.
"""

import math
from datetime import date
from functools import cache
from itertools import groupby
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment
from markupsafe import Markup

from pipeline.datasets import undated
from pipeline.evaluation.figures import show, show_change, signed
from pipeline.evaluation.outcomes import Interval, KpiDefinition, SliceResult
from pipeline.language import NAMES, Translator, say, term, translator
from pipeline.reporting import charts, words
from pipeline.reporting.evidence import Evidence
from pipeline.reporting.fieldchart import field_chart
from pipeline.reporting.frontierchart import SHOWN, frontier_chart
from pipeline.reporting.manifest import plain
from pipeline.reporting.templating import environment

#: Rows of the worst units, and of the worst values of each slice column, that the page lists.
WORST_UNITS = 10
WORST_SLICES = 4


#: The page's file in each language; English is the one people are pointed to.
PAGES = {"en": "evidence.html", "zh_Hans": "evidence.zh.html"}


def render(evidence: Evidence, manifest: dict[str, Any], digest: str, language: str = "en") -> str:
    """The page as HTML text; the same evidence gives the same text.

    Args:
        evidence: what to show.
        manifest: from :func:`pipeline.reporting.manifest.manifest`.
        digest: the report's hash, printed on the page.
        language: of the page; figures are the same in each.
    """
    drift_link = href(evidence.drift.report_file) if evidence.drift else ""
    shown = _context(evidence, drawings(evidence, language), drift_link)
    others = [(translator(tag).tag, NAMES[translator(tag).language], file) for tag, file in PAGES.items()]
    shown["other_languages"] = [other for other in others if other[0] != translator(language).tag]
    return _environment(language).get_template("evidence.html.j2").render(**shown, manifest=manifest, digest=digest)


def render_sections(
    evidence: Evidence, manifest: dict[str, Any], drawn: dict[str, Markup], drift_link: str, language: str = "en"
) -> Markup:
    """The pack in detail, as a part of another page.

    Args:
        evidence: what to show.
        manifest: from :func:`pipeline.reporting.manifest.manifest`.
        drawn: the charts of :func:`drawings`, as the other page can show them.
        drift_link: where that page serves the full drift report.
        language: of the other page.
    """
    shown = _context(evidence, drawn, drift_link)
    return Markup(_environment(language).get_template("sections.html.j2").render(**shown, manifest=manifest))  # noqa: S704


def _context(evidence: Evidence, drawn: dict[str, Markup], drift_link: str) -> dict[str, Any]:
    controls = [v for v in evidence.verdicts if words.family(v) == "Controls"]
    return {
        "e": evidence,
        "goal": evidence.goal,
        "unit": evidence.goal.kpi.unit,
        "target": evidence.charter.kpi.target,
        "baseline": words.baseline_label(evidence),
        "headline": words.headline(evidence),
        "comparison": words.comparison(evidence),
        "lights": words.lights(evidence.verdicts),
        "checks": [v for v in evidence.verdicts if v not in controls],
        "controls": controls,
        "units": evidence.evaluation.units[:WORST_UNITS],
        "slices": _worst(evidence.evaluation.slices),
        "kpis": {result.kpi.name: result.kpi for result in evidence.evaluation.kpis},
        "chart": drawn,
        "frontier_kpis": _frontier_kpis(evidence),
        "drift_link": drift_link,
        "periods": words.PERIODS[evidence.charter.data.period],
    }


def drawings(evidence: Evidence, language: str = "en") -> dict[str, Markup]:
    """The charts there is something to draw for; safe as markup because :mod:`charts` escapes what it is given."""
    goal, baseline = evidence.goal, words.baseline_label(evidence)
    unit, title = goal.kpi.unit, goal.kpi.title
    speaks = translator(language)
    drawn = {}
    if evidence.history:
        target = evidence.charter.kpi.target
        drawn["kpi"] = charts.kpi_chart(evidence.history, title, unit, target, baseline, speaks)
    if evidence.evaluation.units:
        limit = evidence.stage.worst_unit_limit
        units, word = evidence.evaluation.units, evidence.units_word
        drawn["units"] = charts.units_chart(units, word, unit, limit, baseline, speaks)
    if len(evidence.weekly) > 1:
        period = evidence.charter.data.period
        drawn["weekly"] = charts.weekly_chart(evidence.weekly, title, unit, period, baseline, speaks)
    if evidence.field is not None and len(evidence.field.course) > 1:
        drawn["field"] = field_chart(evidence.field, title, unit, evidence.charter.data.period, speaks)
    if evidence.studied is not None and evidence.studied.frontier:
        drawn["frontier"] = frontier_chart(evidence.studied, _frontier_kpis(evidence), baseline, speaks)
    return {name: Markup(svg) for name, svg in drawn.items()}  # noqa: S704


def _frontier_kpis(evidence: Evidence) -> dict[str, KpiDefinition]:
    """The charter's KPI, its guardrails, then others: those of the frontier."""
    return {result.kpi.name: result.kpi for result in evidence.evaluation.kpis[:SHOWN]}


def _worst(slices: tuple[SliceResult, ...]) -> list[SliceResult]:
    """The worst few of each slice column; they come worst first within each."""
    groups = groupby(slices, key=lambda result: result.slice)
    return [result for _, group in groups for result in list(group)[:WORST_SLICES]]


@cache
def _environment(language: str) -> Environment:
    made, speaks = environment(language, _keep_together), translator(language)
    made.filters |= {
        "show": show,
        "change": show_change,
        "machine": _machine,
        "bare": words.bare,
        "bare_change": _bare_change,
        "ends": _ends,
        "href": href,
        "state": words.verdict_state,
        "control_sign": words.control_sign,
        "spoken": lambda text: term(str(text).replace("_", " ")),
        "term": term,
        "lowered": lambda text: speaks.show(term(text)).lower(),
        "duration": _duration,
        "sentence": lambda text: _sentence(speaks, text),
        "day": lambda day: _day(speaks, day),
        "dated": lambda day: not undated.stands_in(day),
        "moment": undated.shown,
        "count": lambda number: f"{number:,}",
    }
    made.globals |= {
        "symbols": words.SYMBOLS,
        "state_words": words.WORDS,
        "decision_titles": words.decision_titles,
        "unitless": words.UNITLESS,
        "signers": words.signers,
        "name_of": words.name_of,
        "arm_label": words.arm_label,
        "way_label": words.way_label,
        "compared_shortly": words.compared_shortly,
        "family": words.family,
        "control_words": words.CONTROL_WORDS,
        "control_kinds": words.CONTROL_KINDS,
        "control_moments": words.CONTROL_MOMENTS,
    }
    return made


def _keep_together(value: Any) -> Any:
    """A no-break space before per cent: a line must not part a figure from its sign."""
    return value.replace(" %", "\u00a0%") if isinstance(value, str) else value


def href(target: str) -> str:
    """The target when it may be followed: a web address or a file beside the page; else empty.

    Escaping does not disarm ``javascript:`` addresses, and a command such as ``landed review`` is no file.
    """
    parts = urlsplit(target)
    followed = parts.scheme in {"http", "https"} if parts.scheme else not target.startswith("/") and " " not in target
    return target if followed else ""


def _machine(value: float) -> str:
    """A number as ``evidence.json`` writes it."""
    written = plain(value)
    return written if isinstance(written, str) else repr(written)


def _ends(interval: Interval, unit: str) -> str:
    """An interval without its point and unit."""
    if not (math.isfinite(interval.low) and math.isfinite(interval.high)):
        return say("no interval: too few units")
    return say("{low} to {high}", low=words.bare(interval.low, unit), high=words.bare(interval.high, unit))


def _bare_change(value: float, unit: str) -> str:
    return show_change(value, unit) if unit == "share" else signed("+" if value > 0 else "", words.bare(value, unit))


def _sentence(speaks: Translator, text: str) -> str:
    """A word as it begins a sentence."""
    shown = speaks.show(term(text))
    return shown[:1].upper() + shown[1:]


def _day(speaks: Translator, day: date) -> str:
    """In English the sortable form that the pack has always had."""
    return day.isoformat() if speaks.language == "en" else speaks.date(day)


def _duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 60:
        return say("{seconds} s", seconds=f"{seconds:.1f}")
    return say("{minutes} min {seconds} s", minutes=int(seconds // 60), seconds=int(seconds % 60))
