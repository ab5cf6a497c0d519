"""Difference-in-differences: held against a plain recomputation, and against worlds whose effect is known."""

import math

import numpy as np
import pytest
from scipy import stats

from pipeline.evaluation.did import alone, change, effect, ratios, welch_degrees

EFFECT, WORLDS = -0.03, 200


def worlds(seed, treated, controls, effect_=EFFECT):
    """Rates of WORLDS worlds, (worlds, units, weeks): stores of their own level and swing, a season of all."""
    rng = np.random.default_rng(seed)
    units, before, after = treated + controls, 26, 13
    shape = (WORLDS, units, before + after)
    noise = rng.normal(0, 0.02, shape)
    noise[..., 0] /= math.sqrt(1 - 0.7**2)
    for week in range(1, before + after):
        noise[..., week] += 0.7 * noise[..., week - 1]
    season = rng.normal(0, 0.02, (WORLDS, 1, before + after)).cumsum(axis=2) / 5
    rate = 0.15 + 0.06 * rng.gamma(6, 1 / 6, shape[:2])[..., None] + season + noise
    rate[:, :treated, before:] += effect_ + 0.01 * rng.normal(size=(WORLDS, treated, 1))
    cells = rng.integers(60, 160, shape[:2])[..., None].repeat(before + after, axis=2)
    out = rng.binomial(cells, np.clip(rate, 0, 1))
    spans = [slice(0, before), slice(before, None)]
    return [np.stack([part[..., span].sum(axis=2) for part in (out, cells)], axis=2).astype(float) for span in spans]


@pytest.mark.parametrize(("treated", "controls"), [(5, 10), (20, 30)])
def test_the_interval_covers_the_effect_in_95_of_100_worlds(treated, controls):
    before, after = worlds(7, treated, controls)
    covered = 0
    for world in range(WORLDS):
        groups = (slice(0, treated), slice(treated, None))
        ours, theirs = (
            change(before[world, group], after[world, group], 2 * world + place) for place, group in enumerate(groups)
        )
        found = effect(ours, theirs)
        covered += found.low <= EFFECT <= found.high
    assert 0.92 * WORLDS <= covered <= 0.98 * WORLDS


def test_the_point_is_the_difference_of_pooled_changes_and_the_width_that_of_welch():
    before, after = (part[0] for part in worlds(3, 40, 60))
    rows = {"t": slice(0, 40), "c": slice(40, None)}
    pooled = {
        name: after[part, 0].sum() / after[part, 1].sum() - before[part, 0].sum() / before[part, 1].sum()
        for name, part in rows.items()
    }
    ours, theirs = (change(before[part], after[part], place) for place, part in enumerate(rows.values()))
    found = effect(ours, theirs)
    assert found.value == pytest.approx(pooled["t"] - pooled["c"])
    # An oracle without any resampling: Welch's test on the linearised changes of the units.
    linear = []
    for part in rows.values():
        spans = [
            (span[part, 0] - span[part, 0].sum() / span[part, 1].sum() * span[part, 1]) / span[part, 1].mean()
            for span in (before, after)
        ]
        linear.append(spans[1] - spans[0])
    expected = stats.ttest_ind(*linear, equal_var=False).confidence_interval(0.95)
    assert found.high - found.low == pytest.approx(expected.high - expected.low, rel=0.06)


def test_what_meets_both_groups_alike_is_no_effect():
    before, after = (part[0] for part in worlds(5, 20, 20, 0.0))
    shifted = after.copy()
    shifted[:, 0] += 0.2 * after[:, 1]
    plain, moved = (
        effect(change(before[:20], later[:20], 1), change(before[20:], later[20:], 2)) for later in (after, shifted)
    )
    assert (moved.value, moved.low, moved.high) == pytest.approx((plain.value, plain.low, plain.high))


def test_one_unit_says_nothing_about_others_and_fewer_units_less():
    before, after = (part[0] for part in worlds(5, 20, 20))
    single = effect(change(before[:1], after[:1], 1), change(before[20:], after[20:], 2))
    assert (single.low, single.high) == (-math.inf, math.inf)
    assert math.isfinite(single.value)
    widths = []
    for size in (2, 5, 20):
        found = effect(change(before[:size], after[:size], 1), change(before[20:], after[20:], 2))
        widths.append(found.high - found.low)
    assert widths == sorted(widths, reverse=True)


def test_the_same_seed_gives_the_same_interval_and_nothing_measured_gives_none():
    before, after = (part[0] for part in worlds(9, 5, 10))
    twice = [alone(change(before[:5], after[:5], 4)) for _ in range(2)]
    assert twice[0] == twice[1]
    empty = alone(change(np.zeros((5, 2)), after[:5], 4))
    assert math.isnan(empty.value)
    assert (empty.low, empty.high) == (-math.inf, math.inf)
    assert np.isnan(ratios(np.array([[1.0, 0.0]]))).all()


def test_welch_degrees_lie_between_the_smaller_group_and_both():
    assert welch_degrees((1.0, 1.0), (10, 10)) == pytest.approx(18)
    assert welch_degrees((1.0, 1e-9), (5, 50)) == pytest.approx(4)
    assert welch_degrees((0.0, 0.0), (5, 50)) == 4
