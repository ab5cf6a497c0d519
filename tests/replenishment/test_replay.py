"""The closed loop: the worked example of the VN2 game, the balance of stock, and what a decider gets to see."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.replenishment.panel import Panel
from pipeline.replenishment.replay import replay
from tests.replenishment.made import made_panel


def one_series(on_hand: float, on_order: list[float]) -> tuple[Panel, Panel]:
    """The panel at the start, and one that reaches to the end for its calendars."""
    whole = made_panel(weeks=20, stores=1, products=1).take(np.array([0]))
    whole = replace(whole, listed=np.ones_like(whole.listed))
    start = replace(
        whole.upto(10),
        on_hand=np.array([on_hand], np.float32),
        on_order=np.array(on_order, np.float32).reshape(-1, 1),
    )
    return start, whole


def test_the_worked_example_of_the_vn2_game_comes_out_to_the_cent():
    start, whole = one_series(5, [0, 4])
    orders = iter([6, 0, 0, 0])
    demand = np.array([[3], [4], [5], [2]], np.float32)
    course = replay(start, demand, whole, lambda panel: np.array([next(orders)]), orders=4)
    assert course.start[:, 0].tolist() == [5, 6, 8, 3]
    assert course.sold[:, 0].tolist() == [3, 4, 5, 2]
    assert course.end[:, 0].tolist() == [2, 2, 3, 1]
    assert course.cost(0.2, 1.0)[:, 0] == pytest.approx([0.4, 0.4, 0.6, 0.2])


def test_what_is_missed_is_lost_and_costs_the_shortage():
    start, whole = one_series(1, [0, 0])
    course = replay(start, np.array([[4], [1]], np.float32), whole, lambda panel: np.array([0]), orders=2)
    assert course.missed[:, 0].tolist() == [3, 1]
    assert course.cost(0.2, 1.0).sum() == pytest.approx(4.0)


@settings(max_examples=40, deadline=None)
@given(
    demand=st.lists(st.integers(0, 30), min_size=1, max_size=9),
    ordered=st.lists(st.integers(0, 30), min_size=9, max_size=9),
    on_hand=st.integers(0, 20),
    due=st.lists(st.integers(0, 10), min_size=0, max_size=3),
    count=st.integers(0, 9),
)
def test_stock_balances_in_every_week_and_nothing_is_lost_on_the_way(demand, ordered, on_hand, due, count):
    start, whole = one_series(on_hand, due)
    lead_time = len(due) + 1
    stream = iter(ordered)
    course = replay(start, np.array(demand, np.float32)[:, None], whole, lambda p: np.array([next(stream)]), count)
    before = np.concatenate([[on_hand], course.end[:-1, 0]])
    assert np.array_equal(course.start[:, 0], before + course.arrived[:, 0])
    assert np.array_equal(course.end[:, 0], course.start[:, 0] - course.sold[:, 0])
    assert np.array_equal(course.sold[:, 0] + course.missed[:, 0], course.demand[:, 0])
    assert (course.end >= 0).all()
    assert ((course.missed == 0) | (course.end == 0)).all()
    arriving = [*due, *ordered[: min(count, len(demand))]][: len(demand)]
    assert course.arrived[: len(arriving), 0].tolist() == arriving, f"lead time {lead_time}"
    assert course.arrived[len(arriving) :].sum() == 0


def test_a_decider_sees_what_the_shelf_showed_and_never_the_demand():
    start, whole = one_series(2, [0, 0])
    seen: list[Panel] = []

    def look(panel: Panel) -> np.ndarray:
        seen.append(panel)
        return np.array([0])

    replay(start, np.array([[1], [7], [7]], np.float32), whole, look, orders=3)
    assert [panel.periods for panel in seen] == [10, 11, 12]
    assert [panel.on_hand.tolist() for panel in seen] == [[2], [1], [0]]
    last = seen[-1]
    assert last.sales[-2:, 0].tolist() == [1, 1]
    assert last.in_stock[-2:, 0].tolist() == [True, False]
    assert last.promotion.shape[0] == 12 + whole.future


def test_a_decider_is_told_of_the_last_order_where_ordering_ends_with_it():
    start, whole = one_series(2, [0, 0])
    for ends, expected in ((False, [False] * 3), (True, [False, False, True])):
        told: list[bool] = []

        def look(panel: Panel, told: list[bool] = told) -> np.ndarray:
            told.append(panel.last_order)
            return np.array([0])

        replay(start, np.ones((5, 1), np.float32), whole, look, orders=3, ends=ends)
        assert told == expected


def test_decisions_do_not_change_when_only_later_demand_does():
    whole = made_panel(weeks=60)
    start = replace(whole.upto(50))
    start = replace(start, on_hand=np.full(20, 5, np.float32), on_order=np.zeros((2, 20), np.float32))

    def order(panel: Panel) -> np.ndarray:
        return (2 * panel.sales[-1]).astype(np.int64)

    one = replay(start, np.full((8, 20), 2, np.float32), whole, order, 6)
    demand = np.full((8, 20), 2, np.float32)
    demand[4:] = 50
    other = replay(start, demand, whole, order, 6)
    assert np.array_equal(one.ordered[:5], other.ordered[:5])
    assert not np.array_equal(one.ordered[5], other.ordered[5])
