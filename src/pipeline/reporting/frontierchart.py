"""The chart of what service costs: every KPI over the level a policy is steered by, readable in grey."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.evaluation.figures import show
from pipeline.evaluation.outcomes import KpiDefinition
from pipeline.evaluation.study import FrontierPoint, Studied
from pipeline.language import Translator, joined, say, term
from pipeline.reporting.charts import ENGLISH, INK, LEGEND, MODEL, MUTED, TARGET, clip, drawn_figure, panels, value_axis

#: KPIs drawn; the table holds the same.
SHOWN = 4
#: Line, marker and colour of the first policies; each of the first two alone tells them apart in grey.
_STYLES = (("-", "o", MODEL), ("--", "s", MUTED), ("-.", "^", INK))


def frontier_chart(
    studied: Studied, kpis: Mapping[str, KpiDefinition], baseline: str, speaks: Translator = ENGLISH
) -> str:
    """A panel per KPI: a line per policy, the baseline dotted, the charter's own level marked.

    Args:
        studied: with its frontier.
        kpis: those to draw, by name, in order; the first :data:`SHOWN` are.
        baseline: words for the baseline.
        speaks: the reader's language.
    """
    shown = list(kpis.values())[:SHOWN]
    policies = list(dict.fromkeys(point.policy for point in studied.frontier))

    def draw(figure: Figure) -> None:
        axes = panels(figure, -(-len(shown) // 2), 2)
        for one in axes[len(shown) :]:
            one.set_visible(False)
        for place, (one, kpi) in enumerate(zip(axes, shown, strict=False)):
            _panel(one, studied, kpi, policies, speaks)
            if place >= len(shown) - 2:
                one.set_xlabel(speaks.show(term(studied.level_name)), fontsize=9)
        lines = axes[0].get_lines()
        named = [speaks.show(term(policy.replace("_", " "))) for policy in policies]
        names = [*named, clip(speaks.show(baseline), 26), *([speaks.show(_OWN)] if studied.own else [])]
        figure.legend(lines, names, **{**LEGEND, "loc": "outside upper left", "bbox_to_anchor": None, "ncols": 4})

    words = say("{curves}. {baseline}: {figures}.",
        curves=joined([_curve(policy, studied, shown) for policy in policies], "; "), baseline=baseline,
        figures=joined([_figure(kpi, studied.held_against[kpi.name]) for kpi in shown], ", "),
    )  # fmt: skip
    heading = say("What service costs: figures over the {level}", level=term(studied.level_name))
    height = 0.5 + 1.9 * -(-len(shown) // 2)
    return drawn_figure("frontier", speaks.show(heading), speaks.show(words), (6.4, height), draw, speaks)


_OWN = say("the charter's level")


def _panel(axes: Axes, studied: Studied, kpi: KpiDefinition, policies: Sequence[str], speaks: Translator) -> None:
    for policy, (line, marker, color) in zip(policies, _STYLES, strict=False):
        points = [point for point in studied.frontier if point.policy == policy]
        axes.plot(
            [point.level for point in points], [point.values[kpi.name] for point in points], color=color,
            linestyle=line, marker=marker, markersize=4, markerfacecolor="#ffffff", linewidth=1.8,
        )  # fmt: skip
    axes.axhline(studied.held_against[kpi.name], color=INK, linestyle=":", linewidth=1.6)
    if studied.own is not None:
        axes.axvline(studied.own.level, color=TARGET, linestyle=(0, (5, 3)), linewidth=1.2)
    axes.set_title(speaks.show(term(kpi.title)), fontsize=9, loc="left")
    value_axis(axes, kpi.unit, "y", speaks)
    axes.set_ylabel("")
    axes.tick_params(labelsize=8)


def _curve(policy: str, studied: Studied, kpis: Sequence[KpiDefinition]) -> str:
    """The two ends of a curve in words."""
    points = [point for point in studied.frontier if point.policy == policy]
    ends = [_end(point, kpis) for point in (points[0], points[-1])]
    return say("{policy} from {first} to {last}", policy=term(policy.replace("_", " ")), first=ends[0], last=ends[1])


def _end(point: FrontierPoint, kpis: Sequence[KpiDefinition]) -> str:
    figures = joined([_figure(kpi, point.values[kpi.name]) for kpi in kpis], ", ")
    return say("{level} ({figures})", level=f"{point.level:g}", figures=figures)


def _figure(kpi: KpiDefinition, value: float) -> str:
    return say("{kpi} {value}", kpi=term(kpi.title), value=show(value, kpi.unit))
