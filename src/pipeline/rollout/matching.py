"""Control units that were like the treated ones before anything was released.

**Method.** Units are described by what was measured *before* the release: the KPI's level over the span, its level in
the newest quarter of the span, its trend, the unit's volume (in logs) and its slices (one column per value). Each is
divided by its standard deviation over all units at hand, and the distance of two units is the Euclidean distance of
these standardised figures. Every treated unit gets its nearest controls by optimal matching, which makes the sum of all
distances as small as it can be (Rosenbaum, "Optimal Matching for Observational Studies", JASA 84, 1989; Stuart,
"Matching Methods for Causal Inference", Statistical Science 25(1), 2010, section 3). Then single controls are swapped
for units outside for as long as that brings the means of the groups closer (balance first, pairs second: Zubizarreta,
Paredes and Rosenbaum, "Matching for Balance, Pairing for Heterogeneity", Annals of Applied Statistics 8(1), 2014).

The newest quarter is there for a reason: units chosen *because* they were bad lately get better by themselves, and
only controls that were just as bad lately do the same.

**Balance** is the standardised mean difference: treated minus control mean, over the standard deviation of all units at
hand, the same before and after matching (Stuart, section 4.1). At most 0.1 is asked; above 0.25 no adjustment can be
trusted (Rubin, "Using Propensity Scores to Help Design Observational Studies", 2001).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from pipeline.errors import Finding, Refused
from pipeline.evaluation.did import ratios
from pipeline.evaluation.intervals import Floats
from pipeline.evaluation.observed import PERIOD, UNIT, Cube, Observed, blocks, span_before
from pipeline.evaluation.outcomes import KpiDefinition
from pipeline.rollout.arms import Balance

#: The largest standardised mean difference that counts as balanced, and the largest that may be worked with.
ASKED, TOLERATED = 0.1, 0.25
METHOD = (
    "optimal nearest-neighbour matching on level, newest level, trend, volume and slices before the release, then swaps"
    " for balance"
)
_MOST_SWAPS = 500
_PARTS = 4


@dataclass(frozen=True)
class Matched:
    """The controls that were found.

    Attributes:
        treated: units that are compared, in order.
        controls: their controls, in order.
        balance: per covariate.
        unmeasured: treated units without history, which nothing can be compared with.
    """

    treated: tuple[str, ...]
    controls: tuple[str, ...]
    balance: tuple[Balance, ...]
    unmeasured: tuple[str, ...]

    @property
    def worst(self) -> Balance:
        """The covariate that is balanced worst."""
        return max(self.balance, key=lambda item: abs(item.after))


def match(
    observed: Observed,
    kpi: KpiDefinition,
    *,
    treated: Sequence[str],
    eligible: Sequence[str],
    controls: int,
    start: str,
    periods: int,
    seed: int,
) -> Matched:
    """Pick so many controls among the eligible units; deterministic, and blind to everything from ``start`` on.

    Args:
        observed: the field's figures; only what lies before ``start`` is looked at.
        kpi: the KPI the effect will be measured on.
        treated: units that will follow the model and did not before.
        eligible: units that stay with today's rule.
        controls: how many to pick.
        start: first period of the release.
        periods: length of the span before it that is compared.
        seed: decides between units that are equally near.

    Raises:
        Refused: there are too few eligible units with history, or no treated unit has any.
    """
    described = describe(observed, kpi, start=start, periods=periods)
    known = [unit for unit in sorted(set(treated)) if unit in described.index]
    pool = [unit for unit in sorted(set(eligible) - set(treated)) if unit in described.index]
    _require(known, pool, controls, treated)
    # A seeded order: where two units are equally near, the first found is taken, and that is no longer the alphabet's.
    pool = [pool[place] for place in np.random.default_rng(seed).permutation(len(pool))]
    table = described.loc[[*known, *pool]]
    scaled = _standardised(table)
    ours, theirs = scaled[: len(known)], scaled[len(known) :]
    chosen = _swapped(ours, theirs, _nearest(ours, theirs, controls))
    gaps = [ours.mean(axis=0) - group.mean(axis=0) for group in (theirs, theirs[chosen])]
    balance = tuple(
        Balance(name, float(before), float(after)) for name, before, after in zip(table.columns, *gaps, strict=True)
    )
    picked = tuple(sorted(pool[place] for place in np.flatnonzero(chosen)))
    missing = tuple(sorted(set(treated) - set(known)))
    return Matched(tuple(known), picked, balance, missing)


def describe(observed: Observed, kpi: KpiDefinition, *, start: str, periods: int) -> pd.DataFrame:
    """One row per unit with history before ``start``, one column per covariate.

    Columns: ``level``, ``newest level``, ``trend`` (the KPI's change from the first to the last quarter of the span),
    ``volume`` (log of the mean per period) and ``SLICE = VALUE`` of every slice that is one value per unit.
    """
    past = observed.before(start)
    span = span_before(past.periods, start, periods)
    frame = past.frame[past.frame[PERIOD].isin(span)]
    cube = Cube(frame, (kpi.numerator, kpi.denominator))
    units = cube.units
    parts = ratios(cube.sums_by(kpi, units, blocks(span, _PARTS)))
    level = ratios(cube.sums(kpi, units, span))
    volume = frame.groupby(UNIT, observed=True)[past.volume].sum().reindex(units).to_numpy(dtype=np.float64)
    columns: dict[str, Floats] = {
        "level": level,
        "newest level": _or(parts[:, -1], level),
        "trend": _or(parts[:, -1] - parts[:, 0], np.zeros(len(units))),
        "volume": np.log(np.maximum(volume / max(len(span), 1), 1e-9)),
    }
    tags = frame.groupby(UNIT, observed=True)[list(past.tags())].first().reindex(units) if past.tags() else None
    for name in past.tags():
        values = tags[name].astype(str).to_numpy() if tags is not None else np.array([])
        # The last value follows from the others.
        for value in np.unique(values)[:-1]:
            columns[f"{name} = {value}"] = (values == value).astype(np.float64)
    return pd.DataFrame(columns, index=list(units))[np.isfinite(level)]


def _or(values: Floats, instead: Floats) -> Floats:
    return np.where(np.isfinite(values), values, instead)


def _require(known: Sequence[str], pool: Sequence[str], controls: int, treated: Sequence[str]) -> None:
    findings = []
    if not known:
        found = f"none of the {len(treated)} units has figures before the release"
        findings.append(Finding("treated units", found, "choose units with history, or wait until they have some"))
    if len(pool) < controls:
        found = f"{controls} asked for, {len(pool)} units with history stay with today's rule"
        remedy = f"write at most `controls: {len(pool)}`, or let fewer units follow the model on this stage"
        findings.append(Finding("controls", found, remedy))
    if findings:
        raise Refused("No controls can be picked", findings)


def _standardised(table: pd.DataFrame) -> Floats:
    values = table.to_numpy(dtype=np.float64)
    spread = values.std(axis=0, ddof=1) if len(values) > 1 else np.zeros(values.shape[1])
    result: Floats = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return result


def _nearest(ours: Floats, theirs: Floats, controls: int) -> NDArray[np.bool_]:
    """(pool,) the controls of an optimal matching: each treated unit stands as often as it gets controls."""
    each = -(-controls // len(ours))
    rows = np.tile(np.arange(len(ours)), each)
    distance = np.linalg.norm(ours[:, None, :] - theirs[None, :, :], axis=2)[rows]
    row, column = linear_sum_assignment(distance)
    nearest = np.argsort(distance[row, column], kind="stable")[:controls]
    chosen = np.zeros(len(theirs), np.bool_)
    chosen[column[nearest]] = True
    return chosen


def _swapped(ours: Floats, theirs: Floats, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Swap a control for a unit outside, the best swap first, until the means are balanced or no swap helps."""
    chosen, goal, count = chosen.copy(), ours.mean(axis=0), int(chosen.sum())
    gap = goal - theirs[chosen].mean(axis=0)
    for _ in range(_MOST_SWAPS):
        inside, outside = np.flatnonzero(chosen), np.flatnonzero(~chosen)
        if np.abs(gap).max() <= ASKED or not len(outside):
            break
        moved = gap + (theirs[inside][:, None, :] - theirs[outside][None, :, :]) / count
        # The fourth power weighs the worst covariate most, which is the one that is asked about.
        badness = np.power(moved, 4).sum(axis=2)
        best = np.unravel_index(int(badness.argmin()), badness.shape)
        if badness[best] >= np.power(gap, 4).sum() - 1e-12:
            break
        chosen[inside[best[0]]], chosen[outside[best[1]]] = False, True
        gap = goal - theirs[chosen].mean(axis=0)
    return chosen
