"""The pack's three charts as small inline SVG: readable in grey, on a phone and by a screen reader.

Drawn with matplotlib's object interface, so that no figure outlives its function, and without date or random
identifiers, so that the same evidence gives the same bytes. Text stays text (``svg.fonttype: none``): it takes the
page's font, can be searched, and costs no glyph outlines.
"""

import html
import io
import math
import re
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from pipeline.evaluation.figures import show, show_interval
from pipeline.evaluation.outcomes import Interval, SliceResult
from pipeline.language import Translator, joined, say, term, translator
from pipeline.reporting.evidence import HistoryPoint, WeeklyPoint
from pipeline.reporting.words import PERIODS, UNITLESS, bare

ENGLISH = translator("en")

#: Iterations and units drawn; the tables hold all of them.
POINTS_SHOWN = 8
UNITS_SHOWN = 10

INK, MUTED, MODEL, TARGET = "#1b2530", "#5b6774", "#1f4e79", "#a3320b"
_LATIN = "DejaVu Sans"  # measured wide on purpose: whatever font the reader has needs less room
_CHINESE = ("Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans SC", "WenQuanYi Zen Hei", "PingFang SC", "SimHei")
_STYLE = {
    "svg.hashsalt": "landed",
    "svg.fonttype": "none",
    "font.size": 10,
    "text.parse_math": False,  # a "$" in a store's name is a letter, no formula
    "hatch.linewidth": 0.7,
    "hatch.color": MUTED,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
}


def kpi_chart(
    history: Sequence[HistoryPoint], title: str, unit: str, target: float, baseline: str, speaks: Translator = ENGLISH
) -> str:
    """The KPI across iterations: the baseline hatched, the model filled, both with interval; the target a line."""
    shown = list(history)[-POINTS_SHOWN:]

    def draw(axes: Axes) -> None:
        small = len(shown) > 4
        for place, point in enumerate(shown):
            _bar(axes, place - 0.2, point.baseline, unit, speaks, model=False, small=small)
            _bar(axes, place + 0.2, point.value, unit, speaks, model=True, small=small)
        _limit_line(axes.axhline, target)
        named = [speaks.show(say("Iteration {number}", number=p.iteration)) for p in shown]
        axes.set_xticks(
            range(len(shown)), [f"{name}\n{clip(p.stage, 14)}" for name, p in zip(named, shown, strict=True)]
        )
        if small:
            axes.set_xticklabels([f"{p.iteration}\n{clip(p.stage, 14)}" for p in shown], fontsize=8)
        axes.set_xlim(-0.6, len(shown) - 0.4 if len(shown) > 1 else 0.6)
        value_axis(axes, unit, "y", speaks)
        _legend(axes, baseline, say("target {target}", target=bare(target, unit)), speaks)

    points = [
        say(
            "iteration {number} ({stage}, {units} units): {baseline} {before}, model {now}",
            number=p.iteration, stage=p.stage, units=p.units, baseline=baseline,
            before=show_interval(p.baseline, unit), now=show_interval(p.value, unit),
        )
        for p in shown
    ]  # fmt: skip
    words = say("Target {target}. {points}.", target=show(target, unit), points=joined(points, "; "))
    heading = say("{kpi} by iteration", kpi=term(title))
    return drawn_svg("kpi", speaks.show(heading), speaks.show(words), (5.2, 3.1), draw, speaks)


def units_chart(
    units: Sequence[SliceResult], word: str, unit: str, limit: float, baseline: str, speaks: Translator = ENGLISH
) -> str:
    """The worst units, model beside baseline, and the limit no unit may pass."""
    shown = [row for row in units if math.isfinite(row.arm)][:UNITS_SHOWN]

    def draw(axes: Axes) -> None:
        for place, row in enumerate(shown):
            axes.barh(place - 0.2, row.arm, 0.38, color=MODEL, zorder=2)
            axes.barh(place + 0.2, row.baseline, 0.38, zorder=2, **_HATCHED)
        _limit_line(axes.axvline, limit)
        axes.set_yticks(range(len(shown)), [clip(row.value, 20) for row in shown])
        axes.set_ylim(len(shown) - 0.4, -0.6)
        value_axis(axes, unit, "x", speaks)
        _legend(axes, baseline, say("limit {limit}", limit=bare(limit, unit)), speaks)

    rows = [
        say(
            "{unit}: model {now}, {baseline} {before}",
            unit=r.value, now=show(r.arm, unit), baseline=baseline, before=show(r.baseline, unit),
        )
        for r in shown
    ]  # fmt: skip
    words = say("{units}. Limit {limit}.", units=joined(rows, "; "), limit=show(limit, unit))
    heading = say("The {number} worst {units}", number=len(shown), units=term(word))
    height = 0.9 + 0.34 * max(len(shown), 2)
    return drawn_svg("units", speaks.show(heading), speaks.show(words), (5.2, height), draw, speaks)


def weekly_chart(
    weekly: Sequence[WeeklyPoint], title: str, unit: str, period: str, baseline: str, speaks: Translator = ENGLISH
) -> str:
    """The KPI per period: the model a solid line, the baseline a dashed one."""

    def draw(axes: Axes) -> None:
        places = range(len(weekly))
        name = clip(speaks.show(baseline), 40)
        axes.plot(places, [p.baseline for p in weekly], color=MUTED, linestyle="--", linewidth=1.6, label=name)
        axes.plot(places, [p.model for p in weekly], color=MODEL, linewidth=2.2, label=speaks.show(_MODEL_WORD))
        step = max(1, math.ceil(len(weekly) / 5))
        axes.set_xticks(list(places)[::step], [p.period for p in weekly][::step], fontsize=8)
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
        value_axis(axes, unit, "y", speaks)
        axes.legend(**LEGEND)

    first, last = weekly[0], weekly[-1]
    words = say(
        "{number} {periods} from {begin} to {end}; first: {baseline} {first_baseline}, model {first_model}; "
        "last: {baseline} {last_baseline}, model {last_model}.",
        number=len(weekly), periods=PERIODS[period], begin=first.period, end=last.period, baseline=baseline,
        first_baseline=show(first.baseline, unit), first_model=show(first.model, unit),
        last_baseline=show(last.baseline, unit), last_model=show(last.model, unit),
    )  # fmt: skip
    heading = say("{kpi} by week", kpi=term(title)) if period == "week" else say("{kpi} by day", kpi=term(title))
    return drawn_svg("weekly", speaks.show(heading), speaks.show(words), (5.2, 2.6), draw, speaks)


_MODEL_WORD = say("model")
LEGEND: dict[str, Any] = {
    "loc": "lower left",
    "bbox_to_anchor": (0, 1.0),
    "ncols": 3,
    "frameon": False,
    "fontsize": 9,
    "handlelength": 1.8,
    "columnspacing": 1.2,
    "borderaxespad": 0.2,
}
_HATCHED: dict[str, Any] = {"facecolor": "#ffffff", "edgecolor": MUTED, "hatch": "////", "linewidth": 1.0}
_DASHED: dict[str, Any] = {"color": TARGET, "linestyle": (0, (5, 3)), "linewidth": 1.6}


def _limit_line(line: Callable[..., Any], value: float) -> None:
    """A dashed line on a white one, so that it shows on a dark bar in grey print too."""
    line(value, color="#ffffff", linewidth=3.2, zorder=3.5)
    line(value, zorder=4, **_DASHED)


def _legend(axes: Axes, baseline: str, limit: str, speaks: Translator) -> None:
    handles = [Patch(**_HATCHED), Patch(facecolor=MODEL), Line2D([], [], **_DASHED)]
    names = [speaks.show(name) for name in (baseline, _MODEL_WORD, limit)]
    axes.legend(handles, [clip(name, 26) for name in names], **LEGEND)


def _bar(
    axes: Axes, place: float, interval: Interval, unit: str, speaks: Translator, *, model: bool, small: bool
) -> None:
    """A bar from zero with its interval and value; the marker repeats the difference for readers in grey."""
    axes.bar(place, interval.value, 0.36, zorder=2, **({"color": MODEL} if model else _HATCHED))
    low, high = _ends(interval)
    spread = [[interval.value - low], [high - interval.value]]
    axes.errorbar(
        place, interval.value, spread, color=INK, capsize=3, linewidth=1.2, zorder=5,
        marker="o" if model else "s", markersize=4, markerfacecolor="#ffffff",
    )  # fmt: skip
    if not small:
        text = speaks.show(bare(interval.value, unit))
        axes.annotate(
            text, (place, high), (0, 4), textcoords="offset points", ha="center", fontsize=9,
            fontweight="bold" if model else "normal",
        )  # fmt: skip


def _ends(interval: Interval) -> tuple[float, float]:
    """The interval's ends, or the point itself where too few units gave none."""
    if math.isfinite(interval.low) and math.isfinite(interval.high):
        return min(interval.low, interval.value), max(interval.high, interval.value)
    return interval.value, interval.value


def value_axis(axes: Axes, unit: str, which: Literal["x", "y"], speaks: Translator) -> None:
    """Ticks as the pack writes its figures, on a quiet grid."""
    axis = axes.yaxis if which == "y" else axes.xaxis
    axis.set_major_locator(MaxNLocator(5))
    axis.set_major_formatter(FuncFormatter(lambda value, _: speaks.show(bare(value, unit))))
    axis.set_tick_params(length=0)
    if unit not in UNITLESS:
        axis.set_label_text(clip(speaks.show(term(unit)), 30), fontsize=9)
    axes.grid(axis=which, color="#d9dee3", linewidth=0.8, zorder=0)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left" if which == "y" else "bottom"):
        axes.spines[side].set_visible(False)
    if which == "y":
        axes.margins(y=0.14)


def clip(text: str, limit: int) -> str:
    """The text, cut to a length."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def drawn_svg(
    name: str,
    title: str,
    description: str,
    size: tuple[float, float],
    draw: Callable[[Axes], None],
    speaks: Translator,
) -> str:
    """Draw on fresh axes and hand back an ``<svg>`` element with title and description."""
    return drawn_figure(name, title, description, size, lambda figure: draw(_quiet(figure.add_subplot())), speaks)


def drawn_figure(
    name: str,
    title: str,
    description: str,
    size: tuple[float, float],
    draw: Callable[[Figure], None],
    speaks: Translator,
) -> str:
    """The same for a drawing that lays out its axes itself; each of them from :func:`panels`."""
    with mpl.rc_context({**_STYLE, "font.family": _families(speaks.language)}), warnings.catch_warnings():
        # A font that lacks a glyph only measures it wrong: the reader's own fonts draw it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=size, layout="constrained")
        figure.patch.set_alpha(0)
        draw(figure)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return _inline(name, buffer.getvalue(), title, description)


def panels(figure: Figure, rows: int, columns: int) -> list[Axes]:
    """Empty axes in rows, left to right."""
    return [_quiet(axes) for axes in figure.subplots(rows, columns, squeeze=False).ravel()]


def _quiet(axes: Axes) -> Axes:
    """Nothing behind the drawing: the page's own ground shows."""
    axes.patch.set_alpha(0)
    return axes


@cache
def _families(language: str) -> list[str]:
    """Fonts to measure with; Chinese glyphs are measured right where one of their fonts is installed."""
    if language == "en":
        return [_LATIN]
    installed = {font.name for font in fontManager.ttflist}
    return [_LATIN, *(name for name in _CHINESE if name in installed)]


def _inline(name: str, svg: str, title: str, description: str) -> str:
    """Cut the document's head off, make ids unique on the page and add what a screen reader reads."""
    body = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    box = re.search(r'viewBox="([^"]+)"', body)
    inner = body[body.index(">") + 1 :]
    inner = re.sub(r'\bid="', f'id="{name}-', inner)
    inner = re.sub(r'(xlink:)?href="#', f'href="#{name}-', inner)
    inner = re.sub(r"url\(#", f"url(#{name}-", inner)
    inner = re.sub(r"\n\s*", "\n", inner)
    head = (
        f'<svg class="chart" viewBox="{box.group(1) if box else "0 0 374 223"}" role="img" '
        f'aria-labelledby="{name}-title {name}-desc">\n'
        f'<title id="{name}-title">{html.escape(title)}</title>\n'
        f'<desc id="{name}-desc">{html.escape(description)}</desc>'
    )
    return head + inner.rstrip()
