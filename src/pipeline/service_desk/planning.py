"""From predictions to the decision: each team's queue order and its shifts, by an arm's own charter."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from pipeline.charter.compliance import DecisionLimits
from pipeline.compliance.limits import held
from pipeline.problems.base import Arm
from pipeline.service_desk.clock import SLOT_HOURS, SLOTS, Floats, Ints, week_of
from pipeline.service_desk.desk import Plan
from pipeline.service_desk.log import Log, encoded
from pipeline.service_desk.parameters import Cmu, business_of, policy_of
from pipeline.service_desk.prediction import Predictor
from pipeline.service_desk.queueing import Rule, first_come_first_served
from pipeline.service_desk.staffing import fixed_shifts, square_root_shifts
from pipeline.service_desk.vocabulary import CATEGORIES, PRIORITIES

#: Weeks the day's shape and the level of arrivals are taken from, and the hours a ticket takes.
_SHAPE_WEEKS, _LEVEL_WEEKS, _HOURS_WEEKS = 20, 5, 12
#: A class of priority outweighs any wait within one.
_CLASS = 1e6
_ORDER = np.array([{"high": 2.0, "normal": 1.0, "low": 0.0}[name] for name in PRIORITIES])

#: Hours of work and relative urgency of tickets as they come in.
Expect = Callable[[Log, pd.DataFrame], tuple[Floats, Floats]]


def plans(arm: Arm, log: Log, tickets: Mapping[int, pd.DataFrame], weeks: int) -> dict[int, Plan]:
    """Per team (code) how it works in the weeks after the log's end.

    Args:
        arm: a trained candidate under its charter's policy, or a baseline.
        log: what is known when the weeks begin.
        tickets: per team, its tickets as they come in, those of the weeks included. What a week's shifts rest on came
            in before that week.
        weeks: how many.

    A model keeps within the limits of its charter: shifts to those of amounts, and a ticket outside the training range,
    where the charter refuses it, is taken for an average one, of which the oldest comes first.
    """
    if arm.candidate is not None:
        return with_predictor(arm, Predictor.load(arm.candidate.directory), log, tickets, weeks)
    if arm.baseline == "category_averages":
        return _by_policy(arm, category_averages, log, tickets, weeks)
    if arm.baseline == "priority_first":
        return {
            team: Plan(_priority_first(log, team, rows), _fixed(log, team, weeks)) for team, rows in tickets.items()
        }
    if arm.baseline == "incumbent":
        return todays_plans(log, tickets, weeks)
    raise ValueError(f"arm {arm.name} has neither a model nor a known baseline")


def todays_plans(log: Log, tickets: Mapping[int, pd.DataFrame], weeks: int) -> dict[int, Plan]:
    """First come first served and fixed shifts in every team."""
    return {
        team: Plan(first_come_first_served(len(rows), len(log.skills[team]), len(CATEGORIES)), _fixed(log, team, weeks))
        for team, rows in tickets.items()
    }


def planner_of(arm: Arm, log: Log, weeks: int) -> Callable[[Mapping[int, pd.DataFrame]], dict[int, Plan]]:
    """What plans the weeks after the log's end from tickets as the desk writes them down when they come in."""

    def planner(rows: Mapping[int, pd.DataFrame]) -> dict[int, Plan]:
        tickets = {team: encoded(frame, log.teams, log.customers, log.origin) for team, frame in rows.items()}
        return plans(arm, log, tickets, weeks)

    return planner


def with_predictor(
    arm: Arm, predictor: Predictor, log: Log, tickets: Mapping[int, pd.DataFrame], weeks: int
) -> dict[int, Plan]:
    """The same by a model that is in memory."""
    limits = arm.charter.compliance.limits
    expect = predictor.expected if limits.outside_training == "allow" else _refusing(predictor)
    found = _by_policy(arm, expect, log, tickets, weeks)
    if limits.max_change is None and limits.cap is None:
        return found
    return {team: replace(plan, shifts=_held(limits, plan.shifts, _fixed(log, team, weeks)))
            for team, plan in found.items()}  # fmt: skip


def _held(limits: DecisionLimits, shifts: Ints, today: Ints) -> Ints:
    """Agents per half-day, each within the limits beside today's plan."""
    none = np.full(shifts.size, "", dtype=object)
    found = held(limits, shifts.ravel().astype(np.float64), today.ravel().astype(np.float64), none)
    return found.amounts.astype(np.int64).reshape(shifts.shape)


def _refusing(predictor: Predictor) -> Expect:
    """The model where it knows such tickets; of any other ticket, what is usual for all."""

    def expect(log: Log, tickets: pd.DataFrame) -> tuple[Floats, Floats]:
        hours, urgency = predictor.expected(log, tickets)
        known = predictor.outside(log, tickets) == ""
        return np.where(known, hours, _usual_hours(log)), np.where(known, urgency, 1.0)

    return expect


def _usual_hours(log: Log) -> float:
    """Mean booked hours of the newest weeks' tickets, whatever they are about."""
    spent = log.tickets.loc[log.tickets["arrival"] >= (log.weeks - _SHAPE_WEEKS) * SLOTS * SLOT_HOURS, "spent"]
    return float(spent.mean()) if spent.notna().any() else 1.0


def category_averages(log: Log, tickets: pd.DataFrame) -> tuple[Floats, Floats]:
    """Mean booked hours by category in the newest weeks, all equally urgent: what needs no model."""
    known = log.tickets[log.tickets["arrival"] >= (log.weeks - _SHAPE_WEEKS) * SLOTS * SLOT_HOURS]
    mean = known.groupby("category")["spent"].mean().reindex(range(len(CATEGORIES)))
    hours = mean.fillna(known["spent"].mean()).fillna(1.0).to_numpy(dtype=np.float64)
    return hours[tickets["category"].to_numpy()], np.ones(len(tickets))


def _by_policy(arm: Arm, expect: Expect, log: Log, tickets: Mapping[int, pd.DataFrame], weeks: int) -> dict[int, Plan]:
    policy, business = policy_of(arm.charter), business_of(arm.charter)
    return {
        team: Plan(
            _index_rule(policy, business.mismatch, log, team, *expect(log, rows)),
            _shifts(policy, log, team, rows, weeks),
        )
        for team, rows in tickets.items()
    }


def _index_rule(policy: Cmu, mismatch: float, log: Log, team: int, hours: Floats, urgency: Floats) -> Rule:
    cost = 1 - policy.urgency + policy.urgency * urgency
    known = log.skills[team]
    factor = np.where(known, 1.0, 1 / mismatch) if policy.skills else np.ones(known.shape)
    return Rule(cost / np.maximum(hours, 1e-3), policy.ageing, factor)


def _priority_first(log: Log, team: int, rows: pd.DataFrame) -> Rule:
    rate = _CLASS ** _ORDER[rows["priority"].to_numpy()]
    return Rule(rate, 1.0, np.ones(log.skills[team].shape), base=0.0)


def _fixed(log: Log, team: int, weeks: int) -> Ints:
    return np.tile(fixed_shifts(int(log.teams["per_day"].iloc[team])), (weeks, 1))


def _shifts(policy: Cmu, log: Log, team: int, rows: pd.DataFrame, weeks: int) -> Ints:
    fixed = _fixed(log, team, weeks)
    if policy.staffing == "fixed":
        return fixed
    hours = hours_per_ticket(log, team)
    arrival = rows["arrival"].to_numpy()
    return np.stack(
        [
            square_root_shifts(
                expected_arrivals(arrival, log.weeks + week) * hours / SLOT_HOURS,
                int(fixed[week].sum()),
                len(log.skills[team]),
            )
            for week in range(weeks)
        ]
    )


def expected_arrivals(arrival: Floats, week: int) -> Floats:
    """(18,) tickets expected in each half-day of a week, from those that came in before it.

    The shape of the week is the mean of the last weeks, its level that of the last few (a seasonal mean with a moving
    level: Gans, Koole, Mandelbaum 2003, § 6.2).
    """
    slot = np.floor_divide(arrival[week_of(arrival) < week], SLOT_HOURS).astype(np.int64)
    first = max(week - _SHAPE_WEEKS, int(slot.min()) // SLOTS if len(slot) else week, 0)
    counts = np.bincount(np.maximum(slot - first * SLOTS, -1) + 1, minlength=(week - first) * SLOTS + 1)[1:]
    by_week = counts[: (week - first) * SLOTS].reshape(-1, SLOTS).astype(np.float64)
    if not by_week.size or not by_week.sum():
        return np.ones(SLOTS)
    # A few tickets a week are expected everywhere, so that no shift is thought to be idle.
    shape = by_week.mean(axis=0) + 0.25
    return np.asarray(shape / shape.sum() * by_week[-_LEVEL_WEEKS:].sum(axis=1).mean())


def hours_per_ticket(log: Log, team: int) -> float:
    """Hours agents booked lately over tickets that came in: what comes back is counted with the ticket."""
    known = log.tickets[
        (log.tickets["team"] == team)
        & (log.tickets["arrival"] >= (log.weeks - _HOURS_WEEKS) * SLOTS * SLOT_HOURS)
        & log.tickets["closed"].notna()
    ]
    if not len(known):
        return 1.0
    return float((known["spent"] + known["spent_again"].fillna(0.0)).mean())
