"""The history's sums against plain means, and that it lets go of its memory."""

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.replenishment import history as module
from pipeline.replenishment.average import seasonal_mean
from pipeline.replenishment.features import GROUPS, features_at
from pipeline.replenishment.history import Growing, History
from tests.replenishment.made import made_panel


def test_a_history_is_freed_as_soon_as_nobody_holds_it():
    gc.disable()
    try:
        history = History(made_panel(weeks=80, stores=2, seed=1))
        history.level(70)
        history.season(70)
        gone = weakref.ref(history)
        del history
        assert gone() is None
    finally:
        gc.enable()


def test_what_is_remembered_is_what_would_be_computed_anew():
    panel = made_panel(weeks=80, stores=2, seed=1)
    history = History(panel)
    first = [history.level(known).copy() for known in (60, 70)], [history.season(known).copy() for known in (60, 70)]
    for known, level, season in zip((60, 70), *first, strict=True):
        assert np.array_equal(history.level(known), level)
        assert np.array_equal(History(panel).season(known), season)


@settings(max_examples=12)
@given(st.lists(st.integers(54, 90), min_size=2, max_size=5), st.integers(0, 3), st.booleans())
def test_a_history_that_grows_says_to_the_bit_what_a_new_one_says(weeks, seed, served):
    whole, growing = made_panel(weeks=90, stores=3, seed=seed), Growing()
    if served:
        # No shelf ran empty before week 70, so that nothing is supposed until then.
        whole = replace(whole, in_stock=whole.in_stock | (whole.listed & (np.arange(90)[:, None] < 70)))
    for known in weeks:
        panel = whole.upto(known)
        grown, fresh = growing(panel), History(panel)
        assert np.array_equal(grown.demand, fresh.demand)
        assert np.array_equal(grown.usable, fresh.usable)
        assert np.array_equal(seasonal_mean(grown, known), seasonal_mean(fresh, known))
        found, wanted = (features_at(each, known, tuple(GROUPS))[0] for each in (grown, fresh))
        assert np.array_equal(found, wanted, equal_nan=True)


def test_only_new_weeks_are_looked_at_unless_those_before_are_others(monkeypatch):
    taken_over, growing = [], Growing()
    told = module.uncensored

    def watched(*arguments):
        taken_over.append(0 if arguments[-1] is None else len(arguments[-1].demand))
        return told(*arguments)

    monkeypatch.setattr(module, "uncensored", watched)
    panel = made_panel(weeks=80, stores=2)
    for seen in (panel.upto(70), panel.upto(72), panel):
        growing(seen)
    assert taken_over == [0, 70, 72]
    other = panel.sales.copy()
    other[3, 0] += 1
    growing(replace(panel, sales=other))
    growing(panel.upto(75))
    growing(panel.take(np.arange(5)))
    assert taken_over[3:] == [0, 0, 0]


@pytest.mark.parametrize("name", ["in_stock", "listed", "promotion"])
def test_another_past_is_not_taken_over(name):
    panel = made_panel(weeks=80, stores=2)
    other = getattr(panel, name).copy()
    other[5, 1] = not other[5, 1]
    turned, growing = replace(panel, **{name: other}), Growing()
    growing(panel.upto(70))
    assert np.array_equal(growing(turned).demand, History(turned).demand)
    assert np.array_equal(growing(turned).plain, History(turned).plain)
