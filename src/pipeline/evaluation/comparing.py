"""Ways to decide held against each other on the same past games: on the games that choose, and on those that confirm.

Two games share their stores and two stores share their games, so both are drawn: every draw takes games and units with
replacement, independently of each other, and weighs a game of a unit by the product of how often the two were drawn
(the pigeonhole bootstrap: Owen, The pigeonhole bootstrap, Annals of Applied Statistics 1, 2007). All ways share the
draws, so that a difference is paired by game and unit. The interval is as wide as the scarcer of the two, mostly the
games, allows (see :mod:`pipeline.evaluation.intervals`).
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.datasets.splits import tune_confirm
from pipeline.evaluation.intervals import Floats, Ratio, difference, interval
from pipeline.evaluation.outcomes import KpiDefinition, Outcomes
from pipeline.evaluation.study import FrontierPoint, SeedSpread, Studied, Study, Way

DRAWS = 2000
CUTOFF = "cutoff"


def studied(
    study: Study, definitions: Mapping[str, KpiDefinition], kpi: KpiDefinition, baseline: str, seed: int
) -> Studied:
    """Compare the ways of a study.

    Args:
        study: what was played.
        definitions: KPIs of the frontier.
        kpi: the KPI the ways are compared and the level is tuned by.
        baseline: the arm the frontier is held against.
        seed: of the bootstrap.
    """
    halves = tune_confirm(tuple(sorted(study.outcomes.frame[CUTOFF].astype(str).unique())))
    earlier, later = (_Half.of(study.outcomes, half, kpi, seed) for half in halves)
    names = [name for name in earlier.arms if name not in study.seeds and name != study.reference]
    sign = 1 if kpi.direction == "lower" else -1
    names.sort(key=lambda name: sign * earlier.ratios[name].value)
    values = _values(study.outcomes, halves[1], definitions)
    steered = sorted(study.steered.items(), key=lambda item: (item[1].policy, item[1].level))
    return Studied(
        reference=study.reference,
        baseline=baseline,
        games=(len(halves[0]), len(halves[1])),
        ways=tuple(_way(name, study.reference, earlier, later) for name in (study.reference, *names)),
        steered=dict(study.steered),
        frontier=tuple(FrontierPoint(at.policy, at.level, values[name]) for name, at in steered),
        held_against=values[baseline],
        tuned=min(study.steered, key=lambda name: sign * earlier.ratios[name].value) if study.steered else "",
        seeds=_seeds(study, earlier, later),
        level_name=study.level_name,
    )


@dataclass(frozen=True)
class _Half:
    """Half of the games: the KPI of every arm with its draws, all arms on the same draws."""

    ratios: Mapping[str, Ratio]
    scarcer: int

    @property
    def arms(self) -> tuple[str, ...]:
        return tuple(self.ratios)

    @classmethod
    def of(cls, outcomes: Outcomes, cutoffs: Sequence[str], kpi: KpiDefinition, seed: int) -> "_Half":
        frame = outcomes.frame[outcomes.frame[CUTOFF].astype(str).isin(cutoffs)]
        columns = list(dict.fromkeys((kpi.numerator, kpi.denominator)))
        sums = frame.groupby(["arm", CUTOFF, "unit"], sort=True, observed=True)[columns].sum().unstack("unit")
        units = sums[kpi.denominator].shape[1]
        draws = np.random.default_rng(seed)
        by_game = draws.multinomial(len(cutoffs), np.full(len(cutoffs), 1 / len(cutoffs)), DRAWS).astype(np.float64)
        by_unit = draws.multinomial(units, np.full(units, 1 / units), DRAWS).astype(np.float64)
        ratios = {}
        for arm in dict.fromkeys(frame["arm"].astype(str)):
            parts = [
                sums.loc[arm][column].fillna(0.0).to_numpy(np.float64) for column in (kpi.numerator, kpi.denominator)
            ]
            drawn = [np.einsum("dg,gu,du->d", by_game, part, by_unit, optimize=True) for part in parts]
            ratios[arm] = Ratio(float(parts[0].sum() / parts[1].sum()), _divided(drawn[0], drawn[1]))
        return cls(ratios, min(len(cutoffs), units))


def _way(name: str, reference: str, earlier: _Half, later: _Half) -> Way:
    values = [interval(half.ratios[name], half.scarcer) for half in (earlier, later)]
    apart = [difference(half.ratios[name], half.ratios[reference], half.scarcer) for half in (earlier, later)]
    return Way(name, *values, *apart)


def _values(
    outcomes: Outcomes, cutoffs: Sequence[str], definitions: Mapping[str, KpiDefinition]
) -> dict[str, dict[str, float]]:
    """Every KPI of every arm on some games."""
    frame = outcomes.frame[outcomes.frame[CUTOFF].astype(str).isin(cutoffs)]
    sums = frame.groupby("arm", sort=False, observed=True).sum(numeric_only=True)
    return {
        str(arm): {name: float(row[kpi.numerator] / row[kpi.denominator]) for name, kpi in definitions.items()}
        for arm, row in sums.iterrows()
    }


def _seeds(study: Study, earlier: _Half, later: _Half) -> SeedSpread | None:
    if not study.seeds:
        return None
    arms = (study.reference, *study.seeds)
    chosen, confirmed = ([half.ratios[arm].value for arm in arms] for half in (earlier, later))
    return SeedSpread(len(arms), _spread(chosen), _spread(confirmed))


def _spread(values: Sequence[float]) -> tuple[float, float, float]:
    return min(values), max(values), statistics.stdev(values)


def _divided(above: Floats, below: Floats) -> Floats:
    found: Floats = np.divide(above, below, out=np.full(len(above), np.nan), where=below != 0)
    return found
