"""Ways to decide on the same games: values and draws against plain loops, pairing, halves, seeds."""

import numpy as np
import pandas as pd
import pytest

from pipeline.evaluation.comparing import studied
from pipeline.evaluation.outcomes import KpiDefinition, Outcomes
from pipeline.evaluation.study import Steered, Study

COST = KpiDefinition("cost", "Cost", "ratio", "lower", "cost", "bench")
LOST = KpiDefinition("lost", "Lost", "share", "lower", "gone", "bench")
KPIS = {kpi.name: kpi for kpi in (COST, LOST)}
CUTOFFS = tuple(f"2023-{month:02d}-06" for month in range(1, 13))
UNITS = tuple(f"S{number:02d}" for number in range(30))


def played(arms: dict[str, float], noise: float = 0.2, seed: int = 3, cutoffs=CUTOFFS) -> Outcomes:
    """Costs of each arm: the same games and units are dear for all, by a factor of the arm's own."""
    draw = np.random.default_rng(seed)
    common = draw.lognormal(0, 0.5, (len(cutoffs), len(UNITS)))
    rows = []
    for arm, factor in arms.items():
        own = common * factor * draw.lognormal(0, noise, common.shape)
        for game, cutoff in enumerate(cutoffs):
            for place, unit in enumerate(UNITS):
                cost = own[game, place]
                rows.append((arm, unit, cutoff, "d", cost, 2 * common[game, place], cost / 10))
    frame = pd.DataFrame(rows, columns=["arm", "unit", "cutoff", "department", "cost", "bench", "gone"])
    return Outcomes(frame, ("cutoff", "department"), 8, "replay", "made up")


def study(arms: dict[str, float], **changes) -> Study:
    steered = {"model": Steered("paths", 0.8), "paths 0.9": Steered("paths", 0.9)}
    given = {"outcomes": played(arms), "reference": "model", "steered": steered, **changes}
    return Study(**given)


ARMS = {"model": 1.0, "baseline:rule": 2.0, "paths 0.9": 1.3, "seed 1": 1.0, "seed 2": 1.0}


def test_values_are_ratios_of_sums_of_the_earlier_and_the_later_games():
    given = study(ARMS, seeds=("seed 1", "seed 2"))
    found = studied(given, KPIS, COST, "baseline:rule", 1)
    assert found.games == (6, 6)
    assert [way.name for way in found.ways] == ["model", "paths 0.9", "baseline:rule"]
    frame = given.outcomes.frame
    for way in found.ways:
        own = frame[frame["arm"] == way.name]
        for half, cutoffs in ((way.chosen, CUTOFFS[:6]), (way.confirmed, CUTOFFS[6:])):
            rows = own[own["cutoff"].isin(cutoffs)]
            assert half.value == pytest.approx(rows["cost"].sum() / rows["bench"].sum())
            assert half.low < half.value < half.high
    assert [(point.policy, point.level) for point in found.frontier] == [("paths", 0.8), ("paths", 0.9)]
    late = frame[frame["cutoff"].isin(CUTOFFS[6:]) & (frame["arm"] == "baseline:rule")]
    assert found.held_against["lost"] == pytest.approx(late["gone"].sum() / late["bench"].sum())
    assert found.tuned == "model"
    assert found.own == Steered("paths", 0.8)


def test_a_paired_difference_is_narrower_than_an_unpaired_one_and_that_of_a_way_to_itself_is_nothing():
    """Games and units that are dear for both ways cancel out, so that only what the ways do remains."""
    outcomes = played({"model": 1.0, "other": 1.05}, noise=0.02)
    # Relative to a fixed base, so that the games' own sizes show in the values.
    outcomes.frame["bench"] = 1.0
    ways = studied(Study(outcomes, "model", {}), KPIS, COST, "model", 1).ways
    own, other = ways
    assert (own.chosen_difference.low, own.chosen_difference.high) == (0.0, 0.0)
    apart = other.chosen_difference
    assert apart.low > 0
    assert apart.high - apart.low < 0.3 * (other.chosen.high - other.chosen.low)


def test_the_interval_is_that_of_games_and_units_drawn_in_a_loop():
    given = study(ARMS)
    way = next(way for way in studied(given, KPIS, COST, "baseline:rule", 1).ways if way.name == "paths 0.9")
    frame = given.outcomes.frame
    cells = frame[frame["cutoff"].isin(CUTOFFS[:6])].set_index(["arm", "cutoff", "unit"]).sort_index()
    ours, theirs, below = (
        cells.loc[arm][column].unstack().to_numpy()
        for arm, column in (("paths 0.9", "cost"), ("model", "cost"), ("model", "bench"))
    )
    draw, drawn = np.random.default_rng(99), []
    for _ in range(3000):
        games, units = draw.integers(0, 6, 6), draw.integers(0, 30, 30)
        chosen = np.ix_(games, units)
        drawn.append((ours[chosen].sum() - theirs[chosen].sum()) / below[chosen].sum())
    # The expanded percentile of six games: Phi(-sqrt(6 / 5) * 2.5706), the tail of Student's t with five degrees.
    low, high = np.quantile(drawn, [0.00243, 0.99757])
    width = high - low
    assert way.chosen_difference.low == pytest.approx(low, abs=0.15 * width)
    assert way.chosen_difference.high == pytest.approx(high, abs=0.15 * width)


def test_games_that_differ_widen_the_interval_beyond_that_of_units_alone():
    """One game in which everything is turned round: no number of units makes up for there being so few games."""
    outcomes = played({"model": 1.0, "other": 1.1}, noise=0.01)
    frame = outcomes.frame
    odd = (frame["arm"] == "other") & (frame["cutoff"] == CUTOFFS[2])
    frame.loc[odd, "cost"] *= 0.5
    given = Study(outcomes, "model", {})
    way = next(way for way in studied(given, KPIS, COST, "model", 1).ways if way.name == "other")
    assert way.chosen_difference.low < 0 < way.chosen_difference.high
    assert way.confirmed_difference.low > 0
    assert studied(given, KPIS, COST, "model", 1).tuned == ""


def test_the_spread_of_seeds_is_told_apart_from_the_ways():
    found = studied(study(ARMS, seeds=("seed 1", "seed 2")), KPIS, COST, "baseline:rule", 1)
    assert found.seeds is not None
    assert found.seeds.seeds == 3
    low, high, spread = found.seeds.chosen
    assert low < high
    assert 0 < spread < high - low
    assert studied(study(ARMS), KPIS, COST, "baseline:rule", 1).seeds is None


def test_nothing_of_the_later_games_reaches_what_is_chosen():
    given = study(ARMS)
    turned = given.outcomes.frame.copy()
    late = turned["cutoff"].isin(CUTOFFS[6:])
    turned.loc[late, "cost"] = 100 / turned.loc[late, "cost"]
    one, other = (
        studied(Study(Outcomes(frame, ("cutoff",), 8, "replay", ""), "model", given.steered), KPIS, COST, "model", 1)
        for frame in (given.outcomes.frame, turned)
    )
    assert one.tuned == other.tuned
    assert [(way.name, way.chosen, way.chosen_difference) for way in one.ways] == [
        (way.name, way.chosen, way.chosen_difference) for way in other.ways
    ]
    assert [way.confirmed for way in one.ways] != [way.confirmed for way in other.ways]
