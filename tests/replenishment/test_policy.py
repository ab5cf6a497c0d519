"""Policies against textbook values and brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pipeline.replenishment.parameters import Business, OrderUpTo, Paths, SafetyStock
from pipeline.replenishment.policy import PATH_SEED, Forecast, deviation, lacking, order, quantile_order
from pipeline.replenishment.spread import PathSampler, Spread

EVEN = Spread((1.0, 100.0), (0.1, 0.1), 0.0)


def test_the_critical_ratio_of_vn2_is_five_sixths():
    assert Business(lead_time=3, holding_cost=0.2, shortage_cost=1.0).critical_ratio == pytest.approx(0.8333, abs=1e-4)


def test_the_newsvendor_of_nahmias_orders_fifteen_copies():
    """Mac's newsstand (Nahmias, Production and Operations Analysis, 6th ed., example 5.1 and 5.2).

    Copies cost 25 cents, sell at 75, are bought back at 10: critical ratio 0.5 / (0.5 + 0.15) = 0.77; with normal
    demand of mean 11.73 and deviation 4.74 the order is 15 copies (15.24).
    """
    demand = stats.norm(11.73, 4.74).ppf((np.arange(4000) + 0.5) / 4000)
    service = 0.5 / (0.5 + 0.15)
    assert quantile_order(np.floor(demand)[:, None].astype(np.float32), service)[0] == 15
    assert np.quantile(demand, service) == pytest.approx(15.24, abs=0.03)


def test_the_quantile_is_the_least_order_that_serves_the_share():
    shortfall = np.array([[0], [1], [2], [3], [10]], np.float32)
    assert [int(quantile_order(shortfall, level)[0]) for level in (0.2, 0.21, 0.6, 0.8, 0.81)] == [0, 1, 2, 3, 10]


def test_stock_left_over_is_never_ordered_back():
    assert quantile_order(np.full((5, 2), -3.0, np.float32), 0.9).tolist() == [0, 0]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 4))
def test_paths_run_stock_down_with_lost_sales_as_a_loop_does(seed, lead_time):
    draw = np.random.default_rng(seed)
    demand = draw.poisson(4, (6, lead_time, 3)).astype(np.float32)
    on_hand = draw.integers(0, 9, 3).astype(np.float32)
    on_order = draw.integers(0, 6, (lead_time - 1, 3)).astype(np.float32)
    found = lacking(demand, on_hand, on_order)
    for path in range(6):
        for series in range(3):
            stock = on_hand[series]
            for week in range(lead_time - 1):
                stock = max(stock + on_order[week, series] - demand[path, week, series], 0)
            assert found[path, series] == demand[path, lead_time - 1, series] - stock


def test_with_an_empty_shelf_and_one_week_the_path_policy_orders_the_quantile_of_demand():
    mean = np.array([[0.4, 2.0, 9.0, 40.0]], np.float32)
    law = stats.nbinom(10, 10 / (10 + mean[0]))
    for service in (0.5, 0.7, 0.8333, 0.95):
        ordered = order(
            Forecast(mean, EVEN), np.zeros(4, np.float32), np.zeros((0, 4), np.float32),
            Paths(service_level=service, paths=1000), 0.5,
        )  # fmt: skip
        assert np.abs(ordered - law.ppf(service)).max() <= 1, service


def test_a_path_policy_without_a_service_level_takes_the_critical_ratio():
    forecast = Forecast(np.full((1, 1), 30, np.float32), EVEN)
    nothing = np.zeros(1, np.float32), np.zeros((0, 1), np.float32)
    assert order(forecast, *nothing, Paths(), 0.9) == order(forecast, *nothing, Paths(service_level=0.9), 0.1)
    assert order(forecast, *nothing, Paths(), 0.9) > order(forecast, *nothing, Paths(), 0.6)


def test_the_last_order_is_the_cheapest_one_where_it_is_sold_or_held_once():
    """Brute force: of all whole orders, on the policy's own paths, with VN2's costs of the week of delivery."""
    mean = np.array([[0.6, 3.0, 11.0], [2.4, 2.0, 14.0]], np.float32)
    forecast, on_hand, on_order = Forecast(mean, EVEN), np.array([1, 2, 9], np.float32), np.ones((1, 3), np.float32)
    policy, ratio = Paths(service_level=0.7, paths=500), 1 / 1.2
    last = order(forecast, on_hand, on_order, policy, ratio, last=True)
    short = lacking(PathSampler(EVEN, 2, 500, PATH_SEED).demand(mean), on_hand, on_order)
    left = np.arange(60)[:, None, None] - short
    cost = np.where(left > 0, 0.2 * left, -left).mean(axis=1)
    assert cost[last, range(3)] == pytest.approx(cost.min(axis=0), rel=1e-6)
    assert (last == order(forecast, on_hand, on_order, Paths(service_level=ratio, paths=500), 0.5)).all()
    assert (last > order(forecast, on_hand, on_order, policy, ratio)).all()


def test_a_level_above_the_ratio_is_a_wish_that_the_last_order_keeps_and_other_policies_know_no_end():
    forecast, nothing = Forecast(np.full((2, 1), 30, np.float32), EVEN), (np.zeros(1, np.float32), np.zeros((1, 1)))
    for policy in (Paths(service_level=0.9), OrderUpTo(cover=3), SafetyStock(service_level=0.7)):
        assert order(forecast, *nothing, policy, 0.8, last=True) == order(forecast, *nothing, policy, 0.8)


def test_more_stock_never_means_a_larger_order():
    forecast = Forecast(np.full((3, 50), 5, np.float32), EVEN)
    on_order = np.ones((2, 50), np.float32)
    for policy in (Paths(service_level=0.85), OrderUpTo(cover=4), SafetyStock(service_level=0.9)):
        ordered = order(forecast, np.arange(50, dtype=np.float32), on_order, policy, 0.8)
        assert (np.diff(ordered) <= 0).all()
        assert ordered.dtype == np.int64


def test_order_up_to_fills_the_position_to_the_cover():
    forecast = Forecast(np.array([[4.0], [6.0]], np.float32), EVEN)
    ordered = order(forecast, np.array([3], np.float32), np.array([[2]], np.float32), OrderUpTo(cover=3), 0.8)
    assert ordered.tolist() == [15 - 5]


def test_safety_stock_is_z_deviations_of_demand_until_delivery():
    """Silver, Pyke, Peterson, § 7.7: S = mean over the protection interval + k sigma."""
    forecast = Forecast(np.array([[20.0], [20.0]], np.float32), EVEN)
    sigma = np.sqrt(2 * (20 + 0.1 * 400))
    assert deviation(forecast) == pytest.approx([sigma])
    ordered = order(forecast, np.zeros(1, np.float32), np.zeros((1, 1), np.float32), SafetyStock(service_level=0.95), 0)
    assert ordered.tolist() == [round(40 + 1.6449 * sigma)]


def test_correlated_weeks_need_more_safety_stock():
    tied = Spread(EVEN.means, EVEN.dispersions, 0.6)
    mean = np.full((3, 1), 10, np.float32)
    assert deviation(Forecast(mean, tied)) > deviation(Forecast(mean, EVEN))
