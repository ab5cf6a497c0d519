"""How many field periods it takes until an effect of the size the charter asks for can be told from luck.

The effect is a difference-in-differences on ``n`` treated and ``m`` control units, so what matters is how much the
*change* of a single unit varies when nothing is done. History shows it: a span as long as the one before the release,
followed by ``f`` periods as if they were the field, gives every unit's change; its spread over units is averaged over
several such moments, so that slow swings of a unit count as they are and no model of them is needed (analysis by
changes from baseline: Frison and Pocock, "Repeated Measures in Clinical Trials", Statistics in Medicine 11, 1992;
serial correlation: Bertrand, Duflo and Mullainathan, QJE 119(1), 2004). A KPI is a ratio of sums, so a unit's change
is the linearised one, ``(N - R D) / mean(D)`` after minus before (Cochran, Sampling Techniques, 3rd ed., 6.4).

With ``s`` that spread, the standard error is ``s * sqrt(1/n + 1/m)``, and the least effect that is found with 80 %
power at 5 %, two-sided, is ``(t(0.975) + t(0.80))`` times it (the minimum detectable effect of Bloom, "Minimum
Detectable Effects", Evaluation Review 19(5), 1995), with the degrees of freedom of Welch. Matched controls do better
than that, so the figure errs on the careful side.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from pipeline.evaluation.did import welch_degrees
from pipeline.evaluation.figures import show_change
from pipeline.evaluation.intervals import Floats
from pipeline.evaluation.observed import Cube, Observed
from pipeline.evaluation.outcomes import KpiDefinition
from pipeline.language.message import joined, say, term

POWER, LEVEL = 0.8, 0.95
#: Moments of history at which the field is imagined, at most, and the most field periods that are tried.
_MOMENTS, _LONGEST = 8, 104


@dataclass(frozen=True)
class Power:
    """What a stage can detect.

    Attributes:
        kpi: the KPI.
        treated, controls: numbers of units.
        planned: field periods of the stage.
        least: the least effect found within them with 80 % power; infinite where history cannot tell.
        wanted: the effect the charter asks for, baseline to target, without its sign.
        needed: field periods that suffice for it; None where not even the longest span history can show does.
        tried: the longest span that was tried.
    """

    kpi: KpiDefinition
    treated: int
    controls: int
    planned: int
    least: float
    wanted: float
    needed: int | None
    tried: int

    @property
    def enough(self) -> bool:
        """Whether the stage can detect the effect within its periods."""
        return self.needed is not None and self.needed <= self.planned

    def sentence(self, unit_word: str, period_word: str) -> str:
        """For the review: what can be told within the stage, and what it would take.

        Args:
            unit_word: plural of what a unit is.
            period_word: singular of what a period is.
        """
        unit = self.kpi.unit
        said: dict[str, int | str] = {
            "treated": self.treated, "controls": self.controls, "unit_word": unit_word, "planned": self.planned,
            "period": period_word, "kpi": term(self.kpi.title), "least": show_change(self.least, unit),
            "wanted": show_change(self.wanted, unit), "needed": self.needed or 0, "tried": self.tried,
        }  # fmt: skip
        if not math.isfinite(self.least):
            return say(
                "Whether {treated} {unit_word} under the model and {controls} controls can show the effect asked for, "
                "{wanted}, cannot be told: there are too few units, or the history is too short.",
                **said,
            )
        can = say(
            "With {treated} {unit_word} under the model and {controls} controls, {planned} {period}s can show an "
            "effect on {kpi} of {least} or more either way (80 % power, 5 % two-sided).",
            **said,
        )
        if self.enough:
            return joined([can, say("The effect asked for, {wanted}, takes {needed} {period}s.", **said)])
        cannot = say("So this stage cannot detect the effect asked for, {wanted}.", **said)
        if self.needed is not None:
            return joined([can, cannot, say("That takes {needed} {period}s.", **said)])
        more = say(
            "{tried} {period}s, the most that history can show, would not do either: it takes more units or controls.",
            **said,
        )
        return joined([can, cannot, more])


def power(
    observed: Observed,
    kpi: KpiDefinition,
    *,
    treated: int,
    controls: int,
    planned: int,
    before: int,
    wanted: float,
    start: str,
    skip: int = 0,
) -> Power:
    """What a stage can detect, by the variation of history before ``start``.

    Args:
        observed: the field's figures of all units under today's rule.
        kpi: the KPI.
        treated: number of units to be treated.
        controls: number of controls.
        planned: field periods of the stage.
        before: periods before the release that the effect will look at.
        wanted: the effect to be found; its sign does not matter.
        start: first period of the release; nothing later is looked at.
        skip: field periods that no decision can reach yet.
    """
    past = observed.before(start)
    periods = past.periods
    longest = min(len(periods) - before, _LONGEST)
    cumulative = _cumulative(past, kpi)

    def least(field: int) -> float:
        spread = _spread(cumulative, before, field, skip)
        if min(treated, controls) < 2 or not math.isfinite(spread):
            return math.inf
        degrees = welch_degrees((1 / treated, 1 / controls), (treated, controls))
        reach = float(stdtrit(degrees, (1 + LEVEL) / 2) + stdtrit(degrees, POWER))
        return reach * spread * math.sqrt(1 / treated + 1 / controls)

    needed = next((field for field in range(skip + 1, longest + 1) if least(field) <= abs(wanted)), None)
    return Power(kpi, treated, controls, planned, least(planned), abs(wanted), needed, max(longest, 0))


def _cumulative(past: Observed, kpi: KpiDefinition) -> Floats:
    """Running sums over periods of numerator and denominator, shape ``(periods + 1, units, 2)``."""
    units = past.units
    if not units:
        return np.zeros((1, 0, 2))
    cube = Cube(past.frame, (kpi.numerator, kpi.denominator))
    each = cube.sums_by(kpi, units, [[period] for period in cube.periods]).swapaxes(0, 1)
    return np.concatenate([np.zeros((1, len(units), 2)), np.nan_to_num(each).cumsum(axis=0)])


def _spread(cumulative: Floats, before: int, field: int, skip: int) -> float:
    """Standard deviation over units of the linearised change, averaged over moments; infinite where there is none."""
    last = len(cumulative) - 1 - field
    if field <= skip or last < before:
        return math.inf
    moments = np.unique(np.linspace(before, last, min(_MOMENTS, last - before + 1)).astype(int))
    found = []
    for moment in moments:
        was = cumulative[moment] - cumulative[moment - before]
        now = cumulative[moment + field] - cumulative[moment + skip]
        known = (was[:, 1] > 0) & (now[:, 1] > 0)
        if known.sum() > 2:
            found.append(float((_linear(now[known]) - _linear(was[known])).var(ddof=1)))
    return math.sqrt(float(np.mean(found))) if found else math.inf


def _linear(parts: Floats) -> Floats:
    """(units,) what each unit adds to the group's ratio, times the number of units."""
    totals = parts.sum(axis=0)
    result: Floats = (parts[:, 0] - totals[0] / totals[1] * parts[:, 1]) / parts[:, 1].mean()
    return result
