"""Baselines against loops that follow their description word by word."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.replenishment import offers
from pipeline.replenishment.baselines import baseline, incumbent_orders, naive_forecast
from pipeline.replenishment.benchmark import benchmark_forecast, benchmark_orders, global_factors
from pipeline.replenishment.cover import tuned_cover
from pipeline.replenishment.games import prepare
from pipeline.replenishment.panel import WEEK
from pipeline.replenishment.parameters import Business, Paths
from tests.replenishment.made import made_panel, other_future

BUSINESS = Business(lead_time=3, holding_cost=0.2, shortage_cost=1.0)


def test_the_official_benchmark_is_what_its_description_says():
    panel = made_panel()
    known = panel.in_stock & panel.listed
    by_week: dict[int, list[float]] = {}
    for week in range(panel.periods):
        iso = panel.weeks[week].astype(object).isocalendar().week
        by_week.setdefault(iso, []).append(float(panel.sales[week][known[week]].mean()))
    factor = {iso: np.mean(means) for iso, means in by_week.items()}
    middle = np.mean(list(factor.values()))
    factor = {iso: mean / middle for iso, mean in factor.items()}
    orders = benchmark_orders(panel)
    for series in range(panel.size):
        adjusted = [
            panel.sales[week, series] / factor[panel.weeks[week].astype(object).isocalendar().week]
            for week in range(panel.periods - 13, panel.periods)
            if known[week, series]
        ]
        level = np.mean(adjusted) if adjusted else 0.0
        ahead = [(panel.weeks[-1] + step * WEEK).astype(object).isocalendar().week for step in range(1, 5)]
        target = sum(level * factor.get(iso, 1.0) for iso in ahead)
        position = panel.on_hand[series] + panel.on_order[:, series].sum()
        assert orders[series] == max(np.floor(target - position + 0.5), 0)


def test_todays_rule_takes_an_empty_shelf_for_little_demand():
    panel = made_panel()
    empty = replace(panel, in_stock=np.zeros_like(panel.in_stock))
    assert np.array_equal(incumbent_orders(panel, cover=4.0, weeks=8), incumbent_orders(empty, cover=4.0, weeks=8))
    target = np.ceil(4.0 * panel.sales[-8:].mean(axis=0))
    expected = np.maximum(target - panel.on_hand - panel.on_order.sum(axis=0), 0)
    assert np.array_equal(incumbent_orders(panel, cover=4.0, weeks=8), expected)


def test_seasonal_naive_is_last_year_or_else_the_recent_mean():
    panel = made_panel(weeks=70)
    forecast = naive_forecast(panel, 4)
    known = panel.in_stock & panel.listed
    for ahead in range(4):
        row = 70 + ahead - 52
        for series in range(panel.size):
            recent = [panel.sales[week, series] for week in range(57, 70) if known[week, series]]
            fallback = np.mean(recent) if recent else 0.0
            expected = panel.sales[row, series] if known[row, series] else fallback
            assert forecast[ahead, series] == pytest.approx(expected, rel=1e-5)


def test_factors_are_around_one_and_weeks_never_seen_are_one():
    factors = global_factors(made_panel(weeks=30))
    seen = factors != 1.0
    assert 25 <= seen.sum() <= 30
    assert factors[seen].mean() == pytest.approx(1.0)


def test_a_series_without_any_recent_stock_is_forecast_as_nothing_by_the_benchmark():
    panel = made_panel()
    in_stock = panel.in_stock.copy()
    in_stock[-13:, 3] = False
    assert benchmark_forecast(replace(panel, in_stock=in_stock), 4)[:, 3].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("name", offers.BASELINES)
def test_every_baseline_orders_whole_units_and_never_less_than_none(name):
    panel = made_panel()
    orders = baseline(name, panel, BUSINESS, Paths())(panel)
    assert orders.shape == (panel.size,)
    assert orders.dtype == np.int64
    assert (orders >= 0).all()


def played_by_hand(panel, known: int, cover: float, business: Business) -> float:
    """Cost of a game under the benchmark with a cover, series by series and week by week."""
    game = prepare(panel, known)
    stock, due = game.start.on_hand.copy(), [*game.start.on_order.copy()]
    seen, cost = game.start, 0.0
    for week in range(8):
        ordered = np.zeros(panel.size)
        if week < 6:
            state = replace(seen, on_hand=stock, on_order=np.stack(due))
            forecast = benchmark_forecast(state, 6)
            whole = int(cover)
            target = forecast[:whole].sum(axis=0) + (cover - whole) * forecast[whole]
            ordered = np.maximum(np.floor(target - stock - due[0] - due[1] + 0.5), 0)
        begin, demand = stock + due[0], game.demand[week]
        stock, due = np.maximum(begin - demand, 0), [due[1], ordered]
        missed = np.maximum(demand - begin, 0)
        cost += float((business.holding_cost * stock + business.shortage_cost * missed)[game.scored].sum())
        later = panel.upto(known + week + 1)
        sales, in_stock = seen.sales, seen.in_stock
        seen = replace(later, sales=np.vstack([sales, demand - missed]), in_stock=np.vstack([in_stock, missed == 0]))
    return cost


@pytest.mark.parametrize("shortage", [0.3, 1.0, 6.0])
def test_the_tuned_cover_is_the_cheapest_in_games_played_by_hand(shortage):
    panel, business = made_panel(weeks=60), Business(lead_time=3, holding_cost=0.2, shortage_cost=shortage)
    covers = [2.5, 3.0, 3.5, 4.0, 4.5, 5.0]
    costs = [sum(played_by_hand(panel, known, cover, business) for known in (52, 44, 36)) for cover in covers]
    assert tuned_cover(panel, business) == covers[int(np.argmin(costs))]


def test_a_cover_is_tuned_on_nothing_after_the_history_and_is_the_official_one_without_any():
    panel = made_panel(weeks=80)
    later = other_future(panel, 60)
    assert tuned_cover(panel.upto(60), BUSINESS) == tuned_cover(later.upto(60), BUSINESS)
    assert tuned_cover(panel.upto(15), BUSINESS) == 4.0


def test_an_unknown_baseline_is_a_mistake_in_the_program():
    with pytest.raises(ValueError, match="no baseline"):
        baseline("guess", made_panel(), BUSINESS, Paths())
