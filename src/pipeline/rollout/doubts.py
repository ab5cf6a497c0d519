"""Two ways to doubt an effect: were the groups apart before, and does doing nothing give as much?

Both are permutation tests (Fisher, The Design of Experiments, 1935; Ernst, "Permutation Methods", Statistical Science
19(4), 2004): they need no large numbers of units, which a pilot never has.

- **Pre-trend**: the span before the start is cut into blocks of about four periods. The gap between treated and
  controls in each block is held against the gap in all the other blocks; the largest such deviation is held against
  those of all other ways to split the same units into groups of the same sizes. Units that were chosen because they
  were bad lately show here: their newest block falls away from the others (Ashenfelter's dip).
- **Placebo**: the controls alone are split into "treated" and controls, and the effect is measured as if that were
  true. The share of these placebo effects that is as large as the real one is what luck alone gives (Abadie, Diamond
  and Hainmueller, JASA 105, 2010). Groups of controls are smaller than the real ones, so a placebo effect is scaled by
  ``sqrt((1/n + 1/m) / (1/k + 1/(c - k)))``, the ratio of the standard errors of equal units.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluation.did import change, effect, ratios
from pipeline.evaluation.intervals import LEVEL, Floats
from pipeline.evaluation.observed import Cube, blocks
from pipeline.evaluation.outcomes import Interval, KpiDefinition

#: More splits than this are drawn at random.
MOST_SPLITS = 2000
#: Above this share of splits with as large a value, luck is explanation enough.
LUCK = 0.05
#: Periods of a block of the span before the start, and how many blocks there are at most.
BLOCK, MOST_BLOCKS = 4, 6


@dataclass(frozen=True)
class PreTrend:
    """Whether treated and controls ran side by side before the start.

    Attributes:
        largest: the largest deviation of a block's gap from the gap of the others, in the KPI's unit, with an interval
            that holds for all blocks at once (Bonferroni).
        block: first and last period of that block.
        share: share of all splits whose largest deviation is as large.
        splits: how many there were; 0 where too little was measured.
    """

    largest: Interval
    block: tuple[str, str]
    share: float
    splits: int

    @property
    def parallel(self) -> bool:
        """Whether nothing speaks against parallel courses; False where nothing could be tested."""
        return self.splits > 0 and self.share > LUCK


@dataclass(frozen=True)
class Placebo:
    """What the controls show where nothing was done.

    Attributes:
        share: share of placebo effects as large as the real one, whichever way they point.
        splits: how many there were.
        middle: the middle 95 % of them, in the KPI's unit, scaled to the size of the real groups.
    """

    share: float
    splits: int
    middle: tuple[float, float]

    @property
    def beaten(self) -> bool:
        """Whether hardly any placebo effect is as large."""
        return self.splits > 0 and self.share <= LUCK


def pre_trend(
    cube: Cube,
    kpi: KpiDefinition,
    treated: Sequence[str],
    controls: Sequence[str],
    before: Sequence[str],
    seed: int,
) -> PreTrend:
    """Hold the blocks of the span before the start against each other.

    Args:
        cube: the KPI's components of all units and periods.
        kpi: the KPI.
        treated: units that follow the model.
        controls: units that do not.
        before: the periods before the start, in order.
        seed: of random splits and of the interval.
    """
    cut = blocks(before, int(np.clip(len(before) // BLOCK, 2, MOST_BLOCKS)))
    parts = cube.sums_by(kpi, (*treated, *controls), cut)
    if len(before) < 2 or not np.isfinite(parts).all():
        return PreTrend(Interval(math.nan, -math.inf, math.inf), ("", ""), 1.0, 0)
    real = np.arange(len(parts)) < len(treated)
    groups = np.vstack([real, _splits(len(parts), len(treated), seed)])
    apart = _deviations(parts, groups) - _deviations(parts, ~groups)
    largest = np.abs(apart).max(axis=1)
    worst = int(np.abs(apart[0]).argmax())
    # The first row is the real split; among all splits it stands for itself.
    share = float(np.mean(largest >= largest[0] - 1e-12))
    rest = parts.sum(axis=1) - parts[:, worst]
    count = len(treated)
    ours = change(rest[:count], parts[:count, worst], seed)
    theirs = change(rest[count:], parts[count:, worst], seed + 1)
    found = effect(ours, theirs, 1 - (1 - LEVEL) / len(cut))
    return PreTrend(found, (cut[worst][0], cut[worst][-1]), share, len(groups) - 1)


def placebo(
    cube: Cube,
    kpi: KpiDefinition,
    controls: Sequence[str],
    before: Sequence[str],
    after: Sequence[str],
    *,
    real: float,
    treated: int,
    seed: int,
) -> Placebo:
    """Measure what is no effect, among the controls alone.

    Args:
        cube: the KPI's components of all units and periods.
        kpi: the KPI.
        controls: the controls.
        before: the periods before the start.
        after: the periods from it on.
        real: the effect that was measured.
        treated: number of treated units it was measured on.
        seed: of random splits.
    """
    count = len(controls)
    size = min(treated, count // 2)
    parts = np.concatenate([cube.sums(kpi, controls, before), cube.sums(kpi, controls, after)], axis=1)
    if size < 1 or not math.isfinite(real) or not np.isfinite(parts).all():
        return Placebo(1.0, 0, (math.nan, math.nan))
    groups = _splits(count, size, seed)
    scale = math.sqrt((1 / treated + 1 / count) / (1 / size + 1 / (count - size)))
    found = scale * (_changes(parts, groups) - _changes(parts, ~groups))
    found = found[np.isfinite(found)]
    as_large = int((np.abs(found) >= abs(real) - 1e-12).sum())
    low, high = np.quantile(found, [0.025, 0.975]) if len(found) else (math.nan, math.nan)
    return Placebo((1 + as_large) / (1 + len(found)), len(found), (float(low), float(high)))


def least_share(controls: int, treated: int) -> float:
    """The least share a placebo test with so many controls can give; above :data:`LUCK` it can never be beaten."""
    size = min(treated, controls // 2)
    return 1 / (1 + min(math.comb(controls, size), MOST_SPLITS)) if size else 1.0


def _splits(units: int, size: int, seed: int) -> NDArray[np.bool_]:
    """(splits, units) groups of ``size`` units: all of them, or a seeded draw where they are too many."""
    if math.comb(units, size) <= MOST_SPLITS:
        members = np.array(list(combinations(range(units), size)))
    else:
        rng = np.random.default_rng(seed)
        members = np.argsort(rng.random((MOST_SPLITS, units)), axis=1)[:, :size]
    groups = np.zeros((len(members), units), np.bool_)
    np.put_along_axis(groups, members, values=True, axis=1)
    return groups


def _changes(parts: Floats, groups: NDArray[np.bool_]) -> Floats:
    """(splits,) KPI after minus before of each group; parts are (units, 4)."""
    totals = groups.astype(np.float64) @ parts
    return ratios(totals[:, 2:]) - ratios(totals[:, :2])


def _deviations(parts: Floats, groups: NDArray[np.bool_]) -> Floats:
    """(splits, blocks) KPI of each block minus that of all the others; parts are (units, blocks, 2)."""
    totals = np.einsum("su,ubk->sbk", groups.astype(np.float64), parts)
    return ratios(totals) - ratios(totals.sum(axis=1, keepdims=True) - totals)
