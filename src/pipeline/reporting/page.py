"""The pack's HTML page: one file, no script, nothing fetched.

The template lays out; words come from :mod:`pipeline.reporting.words`, figures from
:mod:`pipeline.evaluation.figures`. Every figure stands in a ``<data value="…">`` element that carries the same
number as the JSON twin, so that a program can compare the two. Free text is escaped by Jinja2, always.
"""

import math
from functools import cache
from itertools import groupby
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipeline.evaluation.figures import show, show_change
from pipeline.evaluation.outcomes import Interval, SliceResult
from pipeline.reporting import charts, words
from pipeline.reporting.evidence import Evidence
from pipeline.reporting.manifest import plain

#: Rows of the worst units, and of the worst values of each slice column, that the page lists.
WORST_UNITS = 10
WORST_SLICES = 4


def render(evidence: Evidence, manifest: dict[str, Any], digest: str) -> str:
    """The page as HTML text; the same evidence gives the same text.

    Args:
        evidence: what to show.
        manifest: from :func:`pipeline.reporting.manifest.manifest`.
        digest: the report's hash, printed on the page.
    """
    lights = words.lights(evidence.verdicts)
    controls = [v for v in evidence.verdicts if words.family(v) == "Controls"]
    return _environment().get_template("evidence.html.j2").render(
        e=evidence,
        goal=evidence.goal,
        unit=evidence.goal.kpi.unit,
        target=evidence.charter.kpi.target,
        baseline=words.baseline_label(evidence),
        headline=words.headline(evidence),
        comparison=words.comparison(evidence),
        lights=lights,
        checks=[v for v in evidence.verdicts if v not in controls],
        controls=controls,
        units=evidence.evaluation.units[:WORST_UNITS],
        slices=_worst(evidence.evaluation.slices),
        kpis={result.kpi.name: result.kpi for result in evidence.evaluation.kpis},
        chart=_charts(evidence),
        manifest=manifest,
        digest=digest,
    )  # fmt: skip


def _charts(evidence: Evidence) -> dict[str, Markup]:
    """The charts there is something to draw for; safe as markup because :mod:`charts` escapes what it is given."""
    goal, baseline = evidence.goal, words.baseline_label(evidence)
    unit, title = goal.kpi.unit, goal.kpi.title
    drawn = {}
    if evidence.history:
        drawn["kpi"] = charts.kpi_chart(evidence.history, title, unit, evidence.charter.kpi.target, baseline)
    if evidence.evaluation.units:
        limit = evidence.stage.worst_unit_limit
        drawn["units"] = charts.units_chart(evidence.evaluation.units, evidence.units_word, unit, limit, baseline)
    if len(evidence.weekly) > 1:
        period = evidence.charter.data.period
        drawn["weekly"] = charts.weekly_chart(evidence.weekly, title, unit, period, baseline)
    return {name: Markup(svg) for name, svg in drawn.items()}  # noqa: S704


def _worst(slices: tuple[SliceResult, ...]) -> list[SliceResult]:
    """The worst few of each slice column; they come worst first within each."""
    groups = groupby(slices, key=lambda result: result.slice)
    return [result for _, group in groups for result in list(group)[:WORST_SLICES]]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("pipeline.reporting", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_keep_together,
    )
    environment.filters |= {
        "show": show,
        "change": show_change,
        "machine": _machine,
        "bare": words.bare,
        "bare_change": _bare_change,
        "ends": _ends,
        "href": href,
        "state": words.verdict_state,
        "spoken": lambda text: str(text).replace("_", " "),
        "duration": _duration,
        "sentence": lambda text: text[:1].upper() + text[1:],
    }
    environment.globals |= {
        "symbols": words.SYMBOLS,
        "state_words": words.WORDS,
        "decision_titles": words.decision_titles,
        "unitless": words.UNITLESS,
        "signers": words.signers,
        "name_of": words.name_of,
        "arm_label": words.arm_label,
        "compared": words.compared,
        "family": words.family,
    }
    return environment


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
        return "no interval: too few units"
    return f"{words.bare(interval.low, unit)} to {words.bare(interval.high, unit)}"


def _bare_change(value: float, unit: str) -> str:
    return show_change(value, unit) if unit == "share" else f"{'+' if value > 0 else ''}{words.bare(value, unit)}"


def _duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"
