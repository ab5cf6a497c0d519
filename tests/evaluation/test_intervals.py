import math

import numpy as np
import pytest

from pipeline.evaluation.intervals import Ratio, difference, interval, ratio, resampled_totals


def worlds(units: int, count: int, seed: int) -> list[np.ndarray]:
    """Units of different size and different rate; the true ratio is E[size * rate] / E[size]."""
    rng = np.random.default_rng(seed)
    sizes = rng.uniform(50, 150, size=(count, units))
    rates = rng.gamma(8, 0.05 / 8, size=(count, units))
    return [np.column_stack([size * rate, size]) for size, rate in zip(sizes, rates, strict=True)]


def coverage(units: int, count: int = 300) -> float:
    hits = 0
    for seed, components in enumerate(worlds(units, count, units)):
        found = interval(ratio(components, resampled_totals(components, seed, draws=2000), 0, 1), units)
        hits += found.low <= 0.05 <= found.high
    return hits / count


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    assert 0.92 <= coverage(20) <= 0.98


@pytest.mark.parametrize("units", [3, 5])
def test_few_units_do_not_make_the_interval_overconfident(units: int) -> None:
    assert coverage(units) >= 0.90


def test_the_vectorised_bootstrap_is_a_loop_over_drawn_units() -> None:
    components = worlds(12, 1, 5)[0]
    totals = resampled_totals(components, seed=3, draws=50)
    rng = np.random.default_rng(3)
    for row, picks in zip(totals, rng.integers(0, 12, size=(50, 12)), strict=True):
        np.testing.assert_allclose(row, sum(components[pick] for pick in picks))


def test_wide_intervals_agree_with_a_brute_force_bootstrap() -> None:
    components = worlds(40, 1, 6)[0]
    found = interval(ratio(components, resampled_totals(components, seed=1), 0, 1), 40)
    rng = np.random.default_rng(99)
    values = []
    for _ in range(4000):
        drawn = components[rng.integers(0, 40, 40)]
        values.append(drawn[:, 0].sum() / drawn[:, 1].sum())
    # Expanded percentile for n = 40: Phi(-sqrt(40/39) * t(0.025, 39)) = 0.0202, from tables.
    low, high = np.quantile(values, [0.0202, 1 - 0.0202])
    assert found.low == pytest.approx(low, rel=0.02)
    assert found.high == pytest.approx(high, rel=0.02)


def test_pairing_makes_the_interval_of_a_difference_narrower() -> None:
    rng = np.random.default_rng(4)
    level = rng.gamma(4, 0.02, size=30)
    size = np.full(30, 100.0)
    components = np.column_stack([level * size, (level * 0.8 + rng.normal(0, 0.002, 30)) * size, size])
    totals = resampled_totals(components, seed=2)
    ours, theirs = ratio(components, totals, 1, 2), ratio(components, totals, 0, 2)
    paired = difference(ours, theirs, 30)
    shuffled = Ratio(theirs.value, np.random.default_rng(0).permutation(theirs.draws))
    unpaired = difference(ours, shuffled, 30)
    assert paired.high - paired.low < 0.5 * (unpaired.high - unpaired.low)


def test_one_unit_tells_nothing_about_others() -> None:
    components = np.array([[5.0, 100.0]])
    found = interval(ratio(components, resampled_totals(components, 1), 0, 1), 1)
    assert (found.value, found.low, found.high) == (0.05, -math.inf, math.inf)


def test_a_ratio_without_denominator_has_no_value_and_no_bounds() -> None:
    components = np.zeros((6, 2))
    found = interval(ratio(components, resampled_totals(components, 1), 0, 1), 6)
    assert math.isnan(found.value)
    assert math.isinf(found.low)
    assert math.isinf(found.high)


def test_draws_without_denominator_are_left_out() -> None:
    components = np.array([[1.0, 10.0]] + [[0.0, 0.0]] * 5)
    found = interval(ratio(components, resampled_totals(components, 1), 0, 1), 6)
    assert found.low == found.value == found.high == 0.1


def test_the_same_seed_gives_the_same_interval_whatever_the_memory_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    components = worlds(30, 1, 8)[0]
    whole = resampled_totals(components, seed=5, draws=400)
    monkeypatch.setattr("pipeline.evaluation.intervals._CELLS", 30 * 100)
    np.testing.assert_allclose(resampled_totals(components, seed=5, draws=400), whole)
