"""Erlang C by another formula, and what every roster must keep."""

from math import factorial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.service_desk.staffing import erlang_c, fixed_shifts, mean_wait, on_duty, square_root_shifts


@given(st.integers(1, 25), st.floats(0.05, 0.98))
def test_erlang_c_is_the_sum_formula(servers, use):
    load = use * servers
    top = load**servers / factorial(servers) * servers / (servers - load)
    expected = top / (sum(load**k / factorial(k) for k in range(servers)) + top)
    assert erlang_c(servers, load) == pytest.approx(expected, rel=1e-9)


def test_one_server_waits_as_m_m_1():
    assert mean_wait(1, 1.6, 0.5) == pytest.approx(0.8 * 0.5 / 0.2)
    assert mean_wait(2, 5.0, 0.5) == float("inf")


loads = st.lists(st.floats(0.01, 5.0), min_size=18, max_size=18).map(np.array)


@given(loads, st.integers(3, 7))
def test_shifts_use_todays_hours_and_no_more_than_people_can_work(load, per_day):
    agents, hours = int(np.ceil(per_day / 0.8)), int(fixed_shifts(per_day).sum())
    shifts = square_root_shifts(load, hours, agents)
    assert shifts.sum() == hours
    assert (shifts >= 0).all()
    assert (shifts <= agents).all()
    assert (shifts.reshape(6, 3).sum(axis=1) <= 2 * agents).all()


@given(loads, st.integers(0, 17))
def test_more_load_in_a_half_day_never_brings_fewer_agents_there(load, slot):
    more = load.copy()
    more[slot] *= 1.5
    assert square_root_shifts(more, 42, 5)[slot] >= square_root_shifts(load, 42, 5)[slot]


@given(loads, st.integers(3, 7))
def test_everybody_works_two_half_days_at_most_and_as_many_as_planned_are_there(load, per_day):
    agents = int(np.ceil(per_day / 0.8))
    shifts = np.tile(square_root_shifts(load, int(fixed_shifts(per_day).sum()), agents), 2)
    duty = on_duty(shifts, agents)
    assert (duty.sum(axis=0) == shifts).all()
    assert duty.reshape(agents, -1, 3).sum(axis=2).max() <= 2
