"""Difference-in-differences of ratio KPIs, with an interval by cluster bootstrap.

Two groups of units, treated and control, each measured before and after a start. The change of a group is the KPI
after minus the KPI before, each a ratio of sums over the group's units and periods; the effect is the change of the
treated minus the change of the controls, which takes out whatever met both groups alike (Angrist and Pischke, Mostly
Harmless Econometrics, 2009, section 5.2).

Periods of one unit resemble each other, so whole units are drawn with all their periods, before and after together:
conventional errors are far too small here (Bertrand, Duflo and Mullainathan, "How Much Should We Trust
Differences-in-Differences Estimates?", QJE 119(1), 2004, which finds the block bootstrap sound). The groups are drawn
separately. A resample of ``n`` units spreads too little by ``(n - 1) / n``, which is given back (Hesterberg, "What
Teachers Should Know About the Bootstrap", The American Statistician 69(4), 2015), and the interval takes Student's t
with Welch's degrees of freedom (Welch, Biometrika 34, 1947), so that few units give a wide interval. A group of one
unit says nothing about others: the bounds are infinite.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from pipeline.evaluation.intervals import DRAWS, LEVEL, Floats, resampled_totals
from pipeline.evaluation.outcomes import Interval


@dataclass(frozen=True)
class Change:
    """The change of one group: the observed value, its value in every resample, and how many units were resampled."""

    value: float
    draws: Floats
    units: int

    @property
    def variance(self) -> float:
        """Variance of the change, with the resample's lost ``1 / n`` given back; infinite for fewer than two units."""
        drawn = self.draws[np.isfinite(self.draws)]
        if self.units < 2 or drawn.size < 2:
            return math.inf
        return float(drawn.var()) * self.units / (self.units - 1)


def change(before: Floats, after: Floats, seed: int, draws: int = DRAWS) -> Change:
    """The change of one group's KPI.

    Args:
        before: shape ``(units, 2)``: numerator and denominator, summed over the periods before the start.
        after: the same over the periods after it, units in the same order.
        seed: of the draws; groups that are compared must be drawn with different seeds.
        draws: number of resamples.
    """
    parts = np.concatenate([before, after], axis=1)
    totals = resampled_totals(parts, seed, draws)
    return Change(float(_changed(parts.sum(axis=0)[None, :])[0]), _changed(totals), len(parts))


def effect(treated: Change, control: Change, level: float = LEVEL) -> Interval:
    """The interval of ``treated - control``; the groups must have been drawn independently."""
    return _around(treated.value - control.value, (treated, control), level)


def alone(group: Change, level: float = LEVEL) -> Interval:
    """The interval of one group's change, or of any figure of it that was put in its place."""
    return _around(group.value, (group,), level)


def welch_degrees(variances: tuple[float, ...], units: tuple[int, ...]) -> float:
    """Welch's degrees of freedom of a sum of independent estimates with these variances, each from so many units."""
    parts = sum(variance**2 / (count - 1) for variance, count in zip(variances, units, strict=True))
    return sum(variances) ** 2 / parts if parts else float(min(units) - 1)


def _around(value: float, groups: tuple[Change, ...], level: float) -> Interval:
    variances = tuple(group.variance for group in groups)
    if not math.isfinite(value) or not all(math.isfinite(variance) for variance in variances):
        return Interval(value, -math.inf, math.inf, level)
    degrees = welch_degrees(variances, tuple(group.units for group in groups))
    half = float(stdtrit(degrees, (1 + level) / 2)) * math.sqrt(sum(variances))
    return Interval(value, value - half, value + half, level)


def _changed(totals: Floats) -> Floats:
    """After minus before, row by row; NaN where a denominator is 0."""
    return ratios(totals[:, 2:]) - ratios(totals[:, :2])


def ratios(pairs: Floats) -> Floats:
    """Numerator over denominator along the last axis of shape ``(..., 2)``; NaN where the denominator is 0."""
    empty = np.full(pairs.shape[:-1], np.nan)
    result: Floats = np.divide(pairs[..., 0], pairs[..., 1], out=empty, where=pairs[..., 1] != 0)
    return result
