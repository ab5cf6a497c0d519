"""The simulation against textbooks, and what must hold in every run."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.service_desk.floor import Course, Nature, Step, Tickets, work
from pipeline.service_desk.queueing import Rule, first_come_first_served
from pipeline.service_desk.staffing import mean_wait
from tests.service_desk.made import plain_tickets, worked

BATCHES = 20


def queue(servers: int, load: float, size: int, seed: int, rule=None):
    """Waits in an M/M/c queue with mean service of half an hour, the warm-up left out."""
    draw = np.random.default_rng(seed)
    arrival = np.cumsum(draw.exponential(0.5 / (load * servers), size))
    tickets = plain_tickets(arrival, draw.exponential(0.5, size))
    course = worked(tickets, servers, int(np.ceil(arrival[-1] / 4)) + 1, rule(tickets) if rule else None)
    return tickets, course, (course.first - arrival)[size // 10 :]


@pytest.mark.parametrize(("servers", "load"), [(1, 0.5), (1, 0.7), (2, 0.8), (5, 0.85)])
def test_mean_waits_are_those_of_the_textbook(servers, load):
    _, _, waits = queue(servers, load, 40_000, seed=servers)
    means = np.array([batch.mean() for batch in np.array_split(waits, BATCHES)])
    # Student's t for 19 degrees of freedom at 99.9 %, over batch means.
    half = 3.883 * means.std(ddof=1) / np.sqrt(BATCHES)
    expected = mean_wait(servers, load * servers / 0.5, 0.5)
    assert abs(waits.mean() - expected) < half
    assert half < 0.35 * expected


def test_two_classes_by_c_mu_wait_as_cobham_says():
    """Non-preemptive priority in M/G/1: W1 = R / (1 - r1), W2 = R / ((1 - r1)(1 - r)) (Cobham 1954)."""
    draw = np.random.default_rng(5)
    size, rates = 60_000, np.array([1.0, 0.5])
    kind = (draw.random(size) < rates[1] / rates.sum()).astype(int)
    hours = np.where(kind == 0, draw.exponential(0.3, size), draw.exponential(0.9, size))
    arrival = np.cumsum(draw.exponential(1 / rates.sum(), size))
    tickets = plain_tickets(arrival, hours, kind)
    rate = 1 / np.array([0.3, 0.9])[kind]
    course = worked(tickets, 1, int(arrival[-1] / 4) + 2, Rule(rate, 0.0, np.ones((1, 2))))
    waits = course.first - arrival
    used = rates * np.array([0.3, 0.9])
    residual = (rates * 2 * np.array([0.3, 0.9]) ** 2).sum() / 2
    expected = residual / (1 - used[0]) / np.array([1.0, 1 - used.sum()])
    found = [waits[kind == one].mean() for one in (0, 1)]
    assert found == pytest.approx(expected, rel=0.1)


def drawn(seed: int, size: int = 120) -> tuple[Tickets, np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    tickets = Tickets(
        np.sort(draw.uniform(0, 60, size)), draw.integers(0, 3, size), draw.lognormal(-0.5, 1.0, size),
        np.full(size, 0.3), draw.random(size), draw.exponential(5.0, size), draw.lognormal(-1.0, 0.5, size),
    )  # fmt: skip
    return tickets, draw.random((3, 18)) < 0.7, draw.random((3, 3)) < 0.7


RULES = {
    "first come": lambda size: first_come_first_served(size, 3, 3),
    "static": lambda size: Rule(np.linspace(1, 2, size), 0.0, np.ones((3, 3))),
    "ageing": lambda size: Rule(np.linspace(2, 1, size), 0.5, np.full((3, 3), 0.8)),
}


@pytest.mark.parametrize("name", RULES)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_no_ticket_is_lost_or_worked_on_twice_and_no_agent_in_two_places(name, seed):
    tickets, duty, skills = drawn(seed)
    size = len(tickets.arrival)
    course = work(tickets, Course.new(size), duty, skills, RULES[name](size), Nature(), 0.0, 72.0)
    done = ~np.isnan(course.closed)
    assert (np.isnan(course.first) == (course.step == Step.WAITING)).all()
    assert (course.first[~np.isnan(course.first)] >= tickets.arrival[~np.isnan(course.first)]).all()
    assert (course.closed[done] >= course.first[done]).all()
    assert (course.closed[done] <= 72.0 + 1e-9).all()
    # Hours worked fit into the hours agents were there.
    assert course.spent.sum() + course.spent_again.sum() <= duty.sum() * 4.0 + 1e-6
    back = ~np.isnan(course.reopened)
    assert (back <= done).all()
    assert (course.returns[done] == back[done]).all()
    assert not np.isnan(course.left).any()
    assert (course.spent[course.step == Step.WAITING] == 0).all()


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_first_come_is_first_served(seed):
    tickets, duty, skills = drawn(seed)
    none = Nature(reopened_mismatch=-1.0, reopened_haste=-1.0)
    quiet = Tickets(**{**vars(tickets), "chance": np.zeros(len(tickets.arrival))})
    course = work(quiet, Course.new(120), duty, skills, RULES["first come"](120), none, 0.0, 72.0)
    answered = course.first[~np.isnan(course.first)]
    assert (np.diff(answered) >= -1e-9).all()
    assert np.isnan(course.first[len(answered) :]).all()


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), name=st.sampled_from(sorted(RULES)))
def test_a_week_played_in_halves_is_the_week_played_at_once(seed, name):
    """Only where everybody goes home in between, as at the end of a week: duty of the two halves is planned apart."""
    tickets, duty, skills = drawn(seed)
    duty[:, 8] = False
    rule = RULES[name](120)
    whole = work(tickets, Course.new(120), duty, skills, rule, Nature(), 0.0, 72.0)
    half = work(tickets, Course.new(120), duty[:, :9], skills, rule, Nature(), 0.0, 36.0)
    both = work(tickets, half, duty[:, 9:], skills, rule, Nature(), 36.0, 72.0)
    for field in ("first", "closed", "reopened", "spent", "step"):
        np.testing.assert_allclose(getattr(both, field), getattr(whole, field), atol=1e-6)


def test_work_left_over_is_handed_on_and_not_lost():
    tickets = plain_tickets([0.0], [10.0])
    duty = np.array([[True, False, False, True, True]])
    course = worked(tickets, 1, 5, duty=duty)
    assert course.first[0] == 0.0
    assert course.step[0] == Step.DONE if not np.isnan(course.closed[0]) else course.left[0] == 0
    assert course.closed[0] == pytest.approx(18.0)
    assert course.spent[0] == pytest.approx(10.0)


def test_skills_and_haste_cost_what_nature_says():
    tickets = plain_tickets([0.0], [1.0])
    stranger = worked(tickets, 1, 1, nature=Nature(mismatch=1.5), skills=np.array([[False]]))
    assert stranger.spent[0] == pytest.approx(1.5)
    crowd = plain_tickets(np.zeros(8), np.full(8, 0.2))
    hasty = worked(crowd, 1, 1, nature=Nature(haste=0.5, long=3.0))
    # The first finds nobody behind it, the next three find six, five and four.
    assert hasty.spent.tolist() == pytest.approx([0.2, 0.1, 0.1, 0.1, 0.2, 0.2, 0.2, 0.2])
