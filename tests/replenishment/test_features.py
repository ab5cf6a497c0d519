"""Features: no later data, and the same figures as slow loops."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.replenishment import offers
from pipeline.replenishment.chain import Groups
from pipeline.replenishment.features import GROUPS as IMPLEMENTED
from pipeline.replenishment.features import features_at
from pipeline.replenishment.history import History
from pipeline.replenishment.season import Few, expected_units, iso_week, seasonal_factors, sold_units
from tests.replenishment.made import GROUPS, made_panel, other_future


def test_every_group_a_charter_may_name_is_implemented():
    assert set(offers.FEATURES) == set(IMPLEMENTED) == set(GROUPS)


@pytest.mark.parametrize("known", [8, 40, 60, 90, 104])
def test_no_feature_changes_when_only_the_future_does(known):
    panel = made_panel()
    honest, names = features_at(History(panel.upto(known)), known, GROUPS)
    turned, _ = features_at(History(other_future(panel, known)), known, GROUPS)
    for position, name in enumerate(names):
        assert np.array_equal(honest[:, :, position], turned[:, :, position], equal_nan=True), name


def test_the_test_for_leaks_would_find_one():
    panel = made_panel()
    peeking = features_at(History(panel), 91, ("recent_sales",))[0]
    assert not np.array_equal(peeking, features_at(History(other_future(panel, 90)), 91, ("recent_sales",))[0])


def test_planned_discounts_and_holidays_are_those_of_the_target_week():
    panel = made_panel(lead_time=3)
    matrix, names = features_at(History(panel), panel.periods, ("promotions", "holidays"))
    for horizon in range(3):
        row = panel.periods + horizon
        assert np.array_equal(matrix[horizon, :, names.index("discount")], panel.promotion[row])
        assert (matrix[horizon, :, names.index("holiday")] == panel.holiday[row]).all()
        assert (matrix[horizon, :, names.index("horizon")] == horizon + 1).all()


def test_recent_means_leave_out_weeks_without_any_word_and_equal_a_loop():
    panel = made_panel()
    panel = replace(panel, sales=np.where(panel.in_stock, panel.sales, 0))
    history = History(panel)
    matrix, names = features_at(history, 100, ("recent_sales",))
    for window in (2, 8, 52):
        for series in range(panel.size):
            cells = [
                panel.sales[week, series]
                for week in range(100 - window, 100)
                if panel.in_stock[week, series] and panel.listed[week, series]
            ]
            expected = np.mean(cells) / history.level(100)[series] if cells else np.nan
            assert matrix[0, series, names.index(f"mean_{window}")] == pytest.approx(expected, rel=1e-4, nan_ok=True)


def test_weeks_since_the_last_sale_equal_a_loop():
    panel = made_panel(seed=4)
    panel = replace(panel, sales=np.where(np.random.default_rng(0).random(panel.sales.shape) < 0.7, 0, panel.sales))
    history = History(panel)
    matrix, names = features_at(history, 100, ("intermittency",))
    for series in range(panel.size):
        sold = [week for week in range(48, 100) if history.demand[week, series] > 0]
        assert matrix[0, series, names.index("weeks_since_sale")] == (99 - sold[-1] if sold else 52)


def test_last_year_is_the_week_a_year_before_the_target_and_its_neighbours():
    panel = made_panel()
    history = History(panel)
    matrix, names = features_at(history, 100, ("last_year",))
    for horizon in range(history.lead_time):
        rows = slice(100 + horizon - 53, 100 + horizon - 50)
        usable = history.usable[rows].sum(axis=0)
        mean = np.where(usable > 0, history.demand[rows].sum(axis=0) / np.maximum(usable, 1), np.nan)
        found = matrix[horizon, :, names.index("last_year")]
        assert found == pytest.approx(mean / history.level(100), rel=1e-3, nan_ok=True)


def test_the_iso_week_agrees_with_the_calendar_of_the_standard_library():
    weeks = np.datetime64("2018-01-01") + np.arange(600) * np.timedelta64(7, "D")
    assert iso_week(weeks).tolist() == [day.isocalendar().week - 1 for day in weeks.astype(object)]


def test_a_season_put_in_is_found_again_whatever_the_stock_outs():
    draw = np.random.default_rng(2)
    weeks = np.datetime64("2021-04-12") + np.arange(156) * np.timedelta64(7, "D")
    iso = iso_week(weeks)
    true = 1 + 0.5 * np.cos(2 * np.pi * np.arange(53) / 52)
    sales = draw.poisson(true[iso][:, None] * draw.lognormal(2, 0.5, 200)).astype(np.float32)
    usable = draw.random(sales.shape) > 0.2
    level = np.sum(sales * usable, axis=0) / usable.sum(axis=0)
    groups = Groups.of(np.arange(200) % 2, 2)
    expected = expected_units(Few.of(usable), slice(0, 156), level, groups)
    index = seasonal_factors(sold_units(sales, usable, groups), expected, iso)
    assert index.shape == (3, 53)
    assert index[-1, :52] == pytest.approx(true[:52], abs=0.06)


def test_without_a_year_of_history_there_is_no_season():
    panel = made_panel(weeks=30)
    assert History(panel).season(30) == pytest.approx(1.0)
