"""What a figure lets expect of other units in other periods: a prediction interval, wider than a confidence interval.

A confidence interval says how well a figure is known for the units and periods it was measured on. A promise is about
others. Three things stand between the two, and each adds its variance (Cochran, Sampling Techniques, 3rd ed., 2.9;
Hahn and Meeker, Statistical Intervals, 1991, ch. 4):

- **the figure's own**: ``s²``, the squared standard error that its interval over ``n`` units tells (which also holds
  what parts one game of a unit from another);
- **the field's units**: as units of the same kind, ``m`` of them bring ``s² n / m``;
- **the periods**: a chain as a whole has better and worse quarters, and no number of units makes them equal. How much
  so shows in history: the KPI of all units under today's rule, span by span. Both the periods of the figure and those
  of the field are a draw from that.

A ratio's errors grow with its level, so all of it is taken relative to the level, and the interval is one in logs
(``value · exp(± t · sd)``). Student's t takes the degrees of freedom of the part that rests on the fewest: with Welch's
and Satterthwaite's, which are more, five units kept 90 % of their promises in simulation, as few units of a skewed kind
tell too small an error. What the interval cannot know is a replay that flatters: that shows as a mean gap over several
promises, not as width.
"""

import math
from dataclasses import dataclass

from scipy.special import stdtrit

from pipeline.evaluation.did import ratios
from pipeline.evaluation.intervals import Floats
from pipeline.evaluation.kpis import possible
from pipeline.evaluation.observed import Cube, Observed
from pipeline.evaluation.outcomes import Interval, KpiDefinition

#: Spans of history that are needed to say how much they differ.
LEAST_SPANS = 3


@dataclass(frozen=True)
class Figure:
    """A measured KPI: its value with the confidence interval over units, how many units, over how many periods."""

    value: Interval
    units: int
    periods: int


@dataclass(frozen=True)
class Swing:
    """How much a KPI of all units moves from one span of so many periods to another.

    Attributes:
        relative: standard deviation over spans, as a share of their mean; infinite where there are too few.
        spans: how many there were.
    """

    relative: float
    spans: int


def swing(history: Observed, kpi: KpiDefinition, periods: int) -> Swing:
    """The KPI's swing by the history of all units, in spans that do not overlap and end with the newest period.

    A history too short for three spans of that length is cut into three shorter ones, which swing more: that errs on
    the careful side. A KPI that no books tell, such as the cost of customers who asked in vain, swings by nobody knows
    how much.

    Args:
        history: figures under today's rule.
        kpi: the KPI.
        periods: length of a span.
    """
    known = history.periods
    length = min(periods, len(known) // LEAST_SPANS)
    if length < 1:
        return Swing(math.inf, 0)
    spans = len(known) // length
    newest = known[len(known) - spans * length :]
    cut = [newest[start : start + length] for start in range(0, len(newest), length)]
    cube = Cube(history.frame, (kpi.numerator, kpi.denominator))
    if not cube.measures(kpi):
        return Swing(math.inf, 0)
    sums: Floats = cube.sums_by(kpi, history.units, cut).sum(axis=0)
    levels = ratios(sums)
    mean = float(levels.mean())
    return Swing(float(levels.std(ddof=1)) / mean if mean > 0 else math.inf, spans)


def predicted(figure: Figure, units: int, kpi: KpiDefinition, before: Swing, later: Swing) -> Interval:
    """The interval in which the KPI of ``units`` others in other periods lies, at the figure's own level.

    Args:
        figure: what was measured, or replayed.
        units: how many units will be in the field.
        kpi: the KPI.
        before: the swing over as many periods as the figure rests on.
        later: the swing over the periods of the field.
    """
    value, level = figure.value.value, figure.value.level
    half = (figure.value.high - figure.value.low) / 2
    nothing = Interval(value, -math.inf, math.inf, level)
    if figure.units < 2 or units < 1 or not value > 0 or not math.isfinite(half + before.relative + later.relative):
        return nothing
    own = (half / float(stdtrit(figure.units - 1, (1 + level) / 2)) / value) ** 2
    variance = own * (1 + figure.units / units) + before.relative**2 + later.relative**2
    fewest = min(figure.units, before.spans, later.spans)
    reach = float(stdtrit(fewest - 1, (1 + level) / 2)) * math.sqrt(variance)
    return possible(Interval(value, value * math.exp(-reach), value * math.exp(reach), level), kpi.unit)
