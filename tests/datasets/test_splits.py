"""Cutoffs roll through history and leave the future alone."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.datasets.splits import cutoffs, tune_confirm
from pipeline.errors import DataError

SMALL = st.integers(1, 12)


@given(st.integers(1, 300), SMALL, SMALL, SMALL, SMALL)
def test_no_training_row_lies_after_its_cutoff_and_every_judged_period_exists(n_periods, horizon, count, every, least):
    try:
        chosen = cutoffs(n_periods, horizon, count, every, least)
    except DataError:
        assert n_periods < least + (count - 1) * every + horizon
        return
    assert len(chosen) == count
    for cutoff in chosen:
        trained, judged = range(cutoff), range(cutoff, cutoff + horizon)
        assert max(trained) < min(judged)
        assert max(judged) < n_periods
        assert len(trained) >= least
    assert max(chosen) + horizon == n_periods
    assert all(later - earlier == every for earlier, later in itertools.pairwise(chosen))


@given(st.sets(st.integers(1, 500), min_size=2, max_size=20))
def test_choosing_happens_before_confirming_and_uses_every_cutoff_once(chosen):
    tune, confirm = tune_confirm(tuple(chosen))
    assert sorted(chosen) == [*tune, *confirm]
    assert max(tune) < min(confirm)
    assert 0 <= len(tune) - len(confirm) <= 1


def test_a_short_history_is_told_how_long_it_must_be():
    with pytest.raises(DataError) as caught:
        cutoffs(30, horizon=8, count=4, every=8)
    assert "need 33 periods; the history has 30" in caught.value.findings[0].found


def test_a_single_cutoff_cannot_be_nested():
    with pytest.raises(ValueError, match="at least 2"):
        tune_confirm((5,))


def test_a_horizon_of_nothing_is_a_programming_error():
    with pytest.raises(ValueError, match="at least 1"):
        cutoffs(30, horizon=0, count=4, every=8)
