"""Rolling games: the start state, what is scored, and that costs are those of a game played by hand."""

import os
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from pipeline.replenishment import world
from pipeline.replenishment.baselines import baseline
from pipeline.replenishment.benchmark import benchmark_orders
from pipeline.replenishment.candidates import model_decider
from pipeline.replenishment.demand import WorldSpec
from pipeline.replenishment.forecast import LightGBMForecaster
from pipeline.replenishment.games import ORDERS, play_game, prepare, rolling_games, start_state, weeks_played
from pipeline.replenishment.offers import KPIS
from pipeline.replenishment.panel import Panel, panel_from_tables
from pipeline.replenishment.parameters import Business, Paths
from pipeline.replenishment.tally import cells
from pipeline.replenishment.vn2 import read_vn2
from tests.replenishment.made import GROUPS, made_panel, other_future

BUSINESS = Business(lead_time=3, holding_cost=0.2, shortage_cost=1.0)
REAL = Path(os.environ.get("LANDED_VN2", Path(__file__).parents[3] / "shared" / "vn2"))


def nothing(*_: object) -> None:
    """No progress is shown."""


def none_ordered(start: Panel):
    return lambda panel: np.zeros(panel.size, np.int64)


def benchmark(start: Panel):
    return benchmark_orders


def test_a_game_has_six_orders_and_eight_weeks_at_a_lead_time_of_three():
    assert ORDERS == 6
    assert weeks_played(3) == 8
    assert weeks_played(2) == 7


def test_the_start_state_reproduces_the_official_one():
    if not REAL.exists():
        pytest.skip(f"the VN2 files are not at {REAL}; set LANDED_VN2 to their directory")
    panel = panel_from_tables(read_vn2(REAL, 3), 3)
    rebuilt = start_state(panel)
    assert np.array_equal(rebuilt.on_hand, panel.on_hand)
    assert np.array_equal(rebuilt.on_order, panel.on_order)


@pytest.mark.parametrize("lead_time", [1, 2, 3])
def test_where_stock_was_counted_a_game_starts_from_what_lay_there_and_was_on_its_way(lead_time):
    """Against the world itself at that very week, which the whole history was played on from."""
    spec = WorldSpec(stores=4, products=8, weeks=60, burn_in=8, lead_time=lead_time)
    then = world.found(spec)
    later, _ = world.play(then, weeks_played(lead_time) + 3, ())
    start, real = prepare(world.observed(later), 60).start, world.observed(then)
    stays = world.observed(later).listed[59 : 60 + lead_time].all(axis=0)
    assert stays.mean() > 0.8
    assert np.array_equal(start.on_hand[stays], real.on_hand[stays])
    assert np.array_equal(start.on_order[:, stays], real.on_order[:, stays])
    assert start.on_order.shape == (lead_time - 1, spec.series)


def test_series_that_ran_empty_in_the_played_weeks_are_left_out_and_the_basis_says_how_many():
    panel = made_panel()
    game = prepare(panel, 90)
    expected = [panel.in_stock[90:98, series].all() and panel.listed[90:98, series].all() for series in range(20)]
    assert game.scored.tolist() == expected
    outcomes = rolling_games(panel, [90], {"idle": none_ordered}, BUSINESS, nothing)
    assert f"{expected.count(False)} of 20 series-games left out" in outcomes.basis
    assert outcomes.frame["cost_weeks"].sum() == 8 * expected.count(True)
    assert outcomes.frame["weeks"].sum() == 6 * expected.count(True)


def test_costs_of_an_idle_decider_are_those_counted_by_hand():
    panel = made_panel()
    outcomes = rolling_games(panel, [90], {"idle": none_ordered}, BUSINESS, nothing)
    game = prepare(panel, 90)
    cost, lost_late, weeks_late = 0.0, 0.0, 0
    for series in np.flatnonzero(game.scored):
        stock = game.start.on_hand[series]
        for week in range(8):
            stock += game.start.on_order[week, series] if week < 2 else 0
            demand = panel.sales[90 + week, series]
            missed = max(demand - stock, 0)
            stock = max(stock - demand, 0)
            cost += 0.2 * stock + missed
            lost_late += missed if week >= 2 else 0
            weeks_late += int(week >= 2 and missed > 0)
    total = outcomes.frame.sum(numeric_only=True)
    assert total["cost"] == pytest.approx(cost, rel=1e-5)
    assert total["holding"] + total["shortage"] == pytest.approx(cost, rel=1e-5)
    assert total["lost"] == lost_late
    assert total["stockout_weeks"] == weeks_late
    assert outcomes.weekly is not None
    assert outcomes.weekly["cost"].sum() == pytest.approx(cost, rel=1e-5)


def test_the_benchmark_costs_exactly_the_benchmark_in_every_cell():
    outcomes = rolling_games(made_panel(), [80, 90], {"b": benchmark, "idle": none_ordered}, BUSINESS, nothing)
    own = outcomes.frame[outcomes.frame["arm"] == "b"]
    assert own["cost"].to_numpy() == pytest.approx(own["benchmark_cost"].to_numpy())
    assert outcomes.slices == ("cutoff", "department")
    assert sorted(outcomes.frame["cutoff"].unique()) == [str(made_panel().weeks[known - 1]) for known in (80, 90)]


def test_every_arm_covers_the_same_cells():
    frame = rolling_games(made_panel(), [80, 90], {"b": benchmark, "idle": none_ordered}, BUSINESS, nothing).frame
    keys = ["unit", "cutoff", "department", "weeks", "demand"]
    one, other = (frame[frame["arm"] == arm][keys].reset_index(drop=True) for arm in ("b", "idle"))
    assert one.equals(other)


def test_every_kpi_can_be_taken_from_the_outcomes():
    frame = rolling_games(made_panel(), [90], {"b": benchmark}, BUSINESS, nothing).frame
    for kpi in KPIS.values():
        assert np.isfinite(frame[kpi.numerator].sum() / frame[kpi.denominator].sum()), kpi.name
        assert (frame[kpi.numerator] >= 0).all()


def by_model(start: Panel):
    model = LightGBMForecaster(groups=GROUPS, rounds=20, min_data_in_leaf=10).fit(start)
    return model_decider(model, Paths(service_level=0.7), BUSINESS.critical_ratio)


def by_average(start: Panel):
    return baseline("seasonal_average", start, BUSINESS, Paths(service_level=0.7))


@pytest.mark.parametrize("build", [by_average, by_model])
def test_a_game_that_ends_differs_in_its_last_order_only_and_is_played_where_the_business_has_an_end(build):
    panel = made_panel()
    game = prepare(panel, 90)
    endless, ending = (play_game(game, build(game.start), ends=ends) for ends in (False, True))
    assert np.array_equal(endless.ordered[:5], ending.ordered[:5])
    assert (endless.ordered[5] <= ending.ordered[5]).all()
    assert endless.ordered[5].sum() < ending.ordered[5].sum()
    for last_order, course in ((None, endless), (date(2024, 5, 13), ending)):
        business = BUSINESS.model_copy(update={"last_order": last_order})
        frame = rolling_games(panel, [90], {"one": build}, business, nothing).frame
        assert frame["cost"].sum() == pytest.approx(course.cost(0.2, 1.0)[:, game.scored].sum(), rel=1e-5)


@pytest.mark.parametrize("ends", [False, True])
@pytest.mark.parametrize("build", [benchmark, by_average, by_model])
def test_no_order_changes_when_only_weeks_after_it_do(build, ends):
    panel = made_panel()
    panel = replace(panel, in_stock=panel.listed.copy())
    one = prepare(panel, 90)
    turned = prepare(replace(other_future(panel, 93), in_stock=panel.in_stock, listed=panel.listed), 90)
    first, second = (play_game(game, build(game.start), ends=ends) for game in (one, turned))
    assert np.array_equal(first.ordered[:4], second.ordered[:4])
    assert not np.array_equal(first.ordered[4:6], second.ordered[4:6])
    assert (first.ordered[6:] == 0).all()


def test_cells_number_every_combination_once_and_know_its_labels():
    shape = (3, 4)
    where = cells(
        {"unit": np.array(["b", "a", "b", "a"]), "promotion": np.array([["n"] * 4, ["y"] * 4, ["n"] * 4])},
        ("1", "2", "3"), np.ones(shape, bool), np.ones(shape, bool),
    )  # fmt: skip
    for week in range(3):
        for series, unit in enumerate("baba"):
            label = where.labels.iloc[where.code[week, series]]
            assert (label["unit"], label["promotion"]) == (unit, "y" if week == 1 else "n")
