"""What a policy leaves open is the best there was: held against trying everything."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline.tabular.policies import Batch, best_margin, best_number, best_threshold, chosen, decided
from pipeline.tabular.values import Amount, Matrix, Miscost
from tests.tabular import made

SCORES = st.integers(1, 12).flatmap(
    lambda size: st.tuples(
        arrays.arrays(np.float64, size, elements=st.sampled_from(np.linspace(0, 1, 7))),
        arrays.arrays(np.float64, size, elements=st.integers(-9, 9).map(float)),
    )
)


@given(SCORES)
def test_no_threshold_would_have_gained_more(rows):
    scores, gained = rows
    at = best_threshold(scores, gained)
    tried = [*scores, -1.0, 2.0]
    assert gained[scores >= at].sum() == max(gained[scores >= one].sum() for one in tried)


@given(SCORES)
def test_no_number_of_cases_per_group_would_have_gained_more(rows):
    _, gained = rows
    order = np.arange(len(gained)) % 4
    most = best_number(order, gained)
    assert gained[order < most].sum() == max(gained[order < number].sum() for number in range(6))


@given(
    arrays.arrays(np.float64, st.integers(1, 20), elements=st.integers(-20, 20).map(float)),
    st.integers(1, 5),
    st.integers(1, 5),
)
def test_no_margin_would_have_cost_less(errors, over, under):
    costs = Miscost(float(over), float(under))
    found = best_margin(errors, costs)

    def value(margin):
        return costs.of(np.full(len(errors), margin), errors).sum()

    assert value(found) == pytest.approx(max(value(margin) for margin in errors))


def charter(tmp_path, policy, **business):
    values = made.charter_values({**made.BIOPSIES, **business}, policy, {})
    return made.charter_of(values, tmp_path)


def batch(draw, rows=12, groups=3):
    positive = draw.random(rows)
    scores = np.column_stack([1 - positive, positive])
    return Batch(scores, draw.integers(0, groups, rows), (draw.random(rows) < positive).astype(float))


def test_expected_value_acts_exactly_where_the_table_says_it_pays(tmp_path):
    rules = charter(tmp_path, {"name": "expected_value", "parameters": {}})
    rows = batch(np.random.default_rng(1), rows=200)
    p = rows.scores[:, 1]
    acting, leaving = 40 * p - 2 * (1 - p), -20 * p
    assert np.array_equal(decided(rules, rows, {}) == 1, acting > leaving)


@pytest.mark.parametrize("seed", range(6))
def test_a_capacity_takes_the_subset_of_the_highest_expected_value(tmp_path, seed):
    rules = charter(tmp_path, {"name": "capacity", "parameters": {"limit": 2}}, hit=10.0, miss=0.0, false_alarm=-6.0)
    rows = batch(np.random.default_rng(seed), rows=9)
    acts = decided(rules, rows, {})
    gains = 16 * rows.scores[:, 1] - 6
    for group in np.unique(rows.group):
        members = np.flatnonzero(rows.group == group)
        subsets = [subset for size in range(3) for subset in combinations(members, size)]
        best = max(subsets, key=lambda subset: gains[list(subset)].sum())
        assert set(np.flatnonzero(acts[members]).tolist()) == {int(np.where(members == one)[0][0]) for one in best}


def test_the_best_cases_of_every_unit_and_period_are_acted_on(tmp_path):
    rules = charter(tmp_path, {"name": "top_k", "parameters": {"most": 2}})
    rows = batch(np.random.default_rng(3), rows=60, groups=7)
    acts = decided(rules, rows, chosen(rules, rows)) == 1
    for group in np.unique(rows.group):
        inside = rows.group == group
        assert acts[inside].sum() == min(2, inside.sum())
        assert rows.scores[inside & acts, 1].min() >= rows.scores[inside & ~acts, 1].max(initial=0.0)


def test_what_the_charter_sets_is_not_chosen_anew(tmp_path):
    rows = batch(np.random.default_rng(4), rows=40)
    fixed = charter(tmp_path, {"name": "threshold", "parameters": {"at": 0.9}})
    assert chosen(fixed, rows) == {"at": 0.9}
    assert np.array_equal(decided(fixed, rows, {"at": 0.9}) == 1, rows.scores[:, 1] >= 0.9)


def test_a_cost_matrix_takes_the_class_that_no_other_beats(tmp_path):
    values = made.charter_values(
        made.WINES,
        {"name": "cost_matrix", "parameters": {}},
        {"baseline": {"policy": "most_common", "measured_over": 8}},
    )
    rules = made.charter_of(values, tmp_path)
    scores = np.random.default_rng(5).dirichlet([1, 1, 1], 50)
    worth = {(d, t): 1.0 if d == t else -3.0 for d in range(3) for t in range(3)} | {(2, 0): -20.0}
    best = [max(range(3), key=lambda d: sum(row[t] * worth[d, t] for t in range(3))) for row in scores]
    assert decided(rules, Batch(scores, np.zeros(50, np.int64)), {}).tolist() == best


def test_values_of_amounts_and_errors_by_hand():
    assert Amount(2.0, 30.0).of(np.array([1.0, 0.0]), np.array([40.0, 40.0])).tolist() == [50.0, 0.0]
    assert Miscost(1.0, 3.0).of(np.array([12.0, 8.0]), np.array([10.0, 10.0])).tolist() == [-2.0, -6.0]
    assert Matrix(np.array([[0.0, -20.0], [-2.0, 40.0]])).of(np.array([1.0, 0.0]), np.array([1.0, 1.0])).tolist() == [
        40.0,
        -20.0,
    ]
