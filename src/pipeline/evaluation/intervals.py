"""Confidence intervals for ratio KPIs by a paired bootstrap over units.

Store-weeks of one store resemble each other, so the unit (the store) is drawn, not the row: a cluster bootstrap
(Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8). A KPI is a ratio of sums, and every
draw sums numerator and denominator over the drawn units before it divides (Cochran, Sampling Techniques, 3rd ed.,
ch. 6). All arms and KPIs share one set of draws, so that the difference of two arms is paired by unit.

Percentile intervals are too narrow for few units. With ``n`` units the percentiles are taken at
``alpha'/2 = Phi(-sqrt(n / (n - 1)) * t_{alpha/2, n-1})`` (the expanded percentile interval: Hesterberg, "What Teachers
Should Know About the Bootstrap", The American Statistician 69(4), 2015, section 4.3 ff). Below :data:`FEW` units no
percentile can reach far enough, because a resample never leaves the range of the units: there the interval is
``value ± t_{alpha/2, n-1} * sqrt(n / (n - 1)) * s*`` with ``s*`` the standard deviation of the draws (same source).
One unit says nothing about other units: its bounds are infinite, and no gate that asks a bound can pass on it.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from pipeline.evaluation.outcomes import Interval

Floats = NDArray[np.float64]

DRAWS = 4000
LEVEL = 0.95
#: Below this many units the interval comes from Student's t and not from percentiles.
FEW = 5
#: Weights held in memory at once, in cells; 4 million are 32 MB.
_CELLS = 4_000_000


@dataclass(frozen=True)
class Ratio:
    """A ratio KPI of one arm: the observed value and its value in every draw.

    Attributes:
        value: sum of numerators over sum of denominators; NaN where the denominator is 0.
        draws: the same per resample, shape ``(draws,)``; NaN where a draw's denominator is 0.
    """

    value: float
    draws: Floats


def resampled_totals(components: Floats, seed: int, draws: int = DRAWS) -> Floats:
    """Sums of the component columns over units drawn with replacement.

    Args:
        components: shape ``(units, columns)``, one row per unit; all columns are drawn together.
        seed: of the draws; the same seed and number of units give the same draws.
        draws: number of resamples.

    Returns:
        Shape ``(draws, columns)``.
    """
    units = components.shape[0]
    rng = np.random.default_rng(seed)
    step = max(1, _CELLS // max(units, 1))
    parts = [_weights(rng, units, min(step, draws - start)) @ components for start in range(0, draws, step)]
    return np.concatenate(parts)


def ratio(components: Floats, totals: Floats, numerator: int, denominator: int) -> Ratio:
    """One KPI from the unit rows and the resampled totals.

    Args:
        components: shape ``(units, columns)``.
        totals: shape ``(draws, columns)``, from :func:`resampled_totals` of the same components.
        numerator: position of the numerator's column.
        denominator: position of the denominator's column.
    """
    observed = components.sum(axis=0)
    value = _divide(observed[[numerator]], observed[[denominator]])[0]
    return Ratio(float(value), _divide(totals[:, numerator], totals[:, denominator]))


def interval(statistic: Ratio, units: int, level: float = LEVEL) -> Interval:
    """The confidence interval of one ratio over ``units`` resampled units."""
    return _interval(statistic.value, statistic.draws, units, level)


def difference(arm: Ratio, other: Ratio, units: int, level: float = LEVEL) -> Interval:
    """The interval of ``arm - other``; paired, because both come from the same draws."""
    return _interval(arm.value - other.value, arm.draws - other.draws, units, level)


def _interval(value: float, draws: Floats, units: int, level: float) -> Interval:
    drawn = draws[np.isfinite(draws)]
    if units < 2 or drawn.size == 0 or not math.isfinite(value):
        return Interval(value, -math.inf, math.inf, level)
    tail = (1 - level) / 2
    reach = -math.sqrt(units / (units - 1)) * float(stdtrit(units - 1, tail))
    if units < FEW:
        half = reach * float(drawn.std())
        return Interval(value, value - half, value + half, level)
    outer = NormalDist().cdf(-reach)
    low, high = np.quantile(drawn, [outer, 1 - outer])
    # A tiny sample can put the observed value outside its own percentiles; an interval that leaves it out misleads.
    return Interval(value, min(float(low), value), max(float(high), value), level)


def _weights(rng: np.random.Generator, units: int, draws: int) -> Floats:
    """How often each unit was drawn, shape ``(draws, units)``; every row sums to ``units``."""
    picks = rng.integers(0, units, size=(draws, units))
    picks += np.arange(draws)[:, None] * units
    return np.bincount(picks.ravel(), minlength=draws * units).reshape(draws, units).astype(np.float64)


def _divide(numerator: Floats, denominator: Floats) -> Floats:
    """Element by element, NaN where the denominator is 0."""
    empty = np.full(numerator.shape, np.nan)
    result: Floats = np.divide(numerator, denominator, out=empty, where=denominator != 0)
    return result
