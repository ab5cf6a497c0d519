"""The chart of the field: treated units and controls over time, readable in grey, with the release marked."""

import math

from matplotlib.axes import Axes

from pipeline.evaluation.figures import show
from pipeline.language import Translator, say, term
from pipeline.reporting.charts import ENGLISH, INK, LEGEND, MODEL, MUTED, TARGET, clip, drawn_svg, value_axis
from pipeline.reporting.experiment import FieldPoint, FieldShown
from pipeline.reporting.words import PERIODS

#: Periods whose mean is drawn as a line beside the single ones, which jump about with few units.
SMOOTHED = 4


def field_chart(field: FieldShown, title: str, unit: str, period: str, speaks: Translator = ENGLISH) -> str:
    """Both groups before and after the release: a solid line with dots for the treated, a dashed one for the controls.

    Args:
        field: its course and its first periods.
        title: of the KPI.
        unit: of the KPI.
        period: ``week`` or ``day``.
        speaks: the reader's language.
    """
    points = [point for point in field.course if math.isfinite(point.treated) and math.isfinite(point.controls)]
    names = [point.period for point in points]
    treated, controls = say("follow the model"), say("controls")

    def draw(axes: Axes) -> None:
        places = range(len(points))
        axes.plot(places, [p.controls for p in points], color=MUTED, linewidth=0.7, alpha=0.55)
        axes.plot(places, [p.treated for p in points], color=MODEL, linewidth=0.7, alpha=0.55)
        even = [_mean(points, place) for place in places]
        shown = speaks.show(controls), speaks.show(treated)
        axes.plot(places, [pair[1] for pair in even], color=MUTED, linestyle="--", linewidth=1.8, label=shown[0])
        axes.plot(
            places, [pair[0] for pair in even], color=MODEL, linewidth=2.2, marker="o", markersize=3,
            markerfacecolor="#ffffff", markevery=4, label=shown[1],
        )  # fmt: skip
        marks = {field.start: (say("release"), TARGET)}
        if field.first != field.start:
            marks[field.first] = (say("measured"), INK)
        for mark, (name, color) in marks.items():
            if mark in names:
                at = names.index(mark) - 0.5
                axes.axvline(at, color=color, linestyle=(0, (5, 3)), linewidth=1.3)
                axes.annotate(
                    speaks.show(name), (at, 1.0), (3, -3), xycoords=("data", "axes fraction"),
                    textcoords="offset points", fontsize=8, va="top",
                )  # fmt: skip
        step = max(1, math.ceil(len(points) / 5))
        axes.set_xticks(list(places)[::step], [clip(name, 12) for name in names][::step], fontsize=8)
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
        value_axis(axes, unit, "y", speaks)
        axes.legend(**LEGEND)

    first, last = points[0], points[-1]
    words = say(
        "{number} {periods} from {begin} to {end}, release {start}; first: treated {first_treated}, controls "
        "{first_controls}; last: treated {last_treated}, controls {last_controls}.",
        number=len(points), periods=PERIODS[period], begin=first.period, end=last.period, start=field.start,
        first_treated=show(first.treated, unit), first_controls=show(first.controls, unit),
        last_treated=show(last.treated, unit), last_controls=show(last.controls, unit),
    )  # fmt: skip
    heading = say("{kpi}: treated and controls", kpi=term(title))
    return drawn_svg("field", speaks.show(heading), speaks.show(words), (5.2, 2.8), draw, speaks)


def _mean(points: list[FieldPoint], place: int) -> tuple[float, float]:
    """Mean of this and the periods just before it; a mean that looked ahead would show an effect too early."""
    span = points[max(place - SMOOTHED + 1, 0) : place + 1]
    return sum(p.treated for p in span) / len(span), sum(p.controls for p in span) / len(span)
