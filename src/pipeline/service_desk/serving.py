"""Tomorrow's decisions: each team's queue in order, and the shifts of the coming week."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.charter import Charter
from pipeline.problems.base import Arm
from pipeline.service_desk.clock import SLOT_HOURS, SLOTS, WEEK_HOURS, to_time
from pipeline.service_desk.desk import Plan
from pipeline.service_desk.log import Log
from pipeline.service_desk.planning import plans

#: What a decision is about, and the column that holds it.
ABOUT, DECISION = ("team", "kind", "ticket", "begins"), "decision"


def decisions(charter: Charter, arm: Arm, units: Sequence[str] | None, log: Log) -> pd.DataFrame:
    """One row per waiting ticket and per half-day shift.

    Columns: ``team``, ``kind`` (``queue`` or ``shift``), ``ticket`` (0 for a shift), ``begins`` of the half-day (empty
    for a ticket), ``decision`` (the ticket's place in the queue, from 1, or the agents on duty) and ``by``, the name of
    whoever decided.

    Args:
        charter: names the rule of the teams that do not follow.
        arm: whom the units follow.
        units: teams that follow it; None: all.
        log: newest.
    """
    codes = range(len(log.teams)) if units is None else log.codes(tuple(units)).tolist()
    rest = Arm(charter.kpi.baseline.policy, charter, baseline=charter.kpi.baseline.policy)
    now, frames = log.weeks * WEEK_HOURS, []
    tickets = {team: frame.reset_index(drop=True) for team, frame in log.tickets.groupby("team")}
    none = log.tickets.head(0)
    for who, teams in ((arm, codes), (rest, [team for team in range(len(log.teams)) if team not in set(codes)])):
        found = plans(who, log, {team: tickets.get(team, none) for team in teams}, 1) if teams else {}
        for team, plan in found.items():
            frames.append(_queue(tickets.get(team, none), plan, now).assign(team=log.names[team], by=who.name))
            frames.append(_week(log, plan).assign(team=log.names[team], by=who.name))
    whole = pd.concat(frames, ignore_index=True)
    place = whole["decision"].where(whole["kind"] == "queue", 0)
    order = whole.assign(place=place).sort_values(["team", "kind", "place", "begins"]).index
    return whole.loc[order, [*ABOUT, DECISION, "by"]].reset_index(drop=True)


def _queue(tickets: pd.DataFrame, plan: Plan, now: float) -> pd.DataFrame:
    """Tickets that wait for a first response or came back, by the index of an agent who knows their category."""
    again = tickets["reopened"].notna() & tickets["reclosed"].isna()
    waits = np.flatnonzero((tickets["first"].isna() | again).to_numpy())
    since = np.where(again, tickets["reopened"], tickets["arrival"])[waits]
    rule = plan.rule
    index = rule.rate[waits] * (rule.base + rule.ageing * (now - since)) * rule.factor.max()
    order = waits[np.lexsort((since, -index))]
    return pd.DataFrame(
        {
            "kind": "queue",
            "ticket": tickets["ticket"].to_numpy()[order],
            "begins": "",
            DECISION: np.arange(1, len(order) + 1),
        }
    )


def _week(log: Log, plan: Plan) -> pd.DataFrame:
    begins = to_time(log.weeks * WEEK_HOURS + np.arange(SLOTS, dtype=np.float64) * SLOT_HOURS, log.origin)
    return pd.DataFrame(
        {
            "kind": "shift",
            "ticket": 0,
            "begins": np.char.replace(np.datetime_as_string(begins, unit="m"), "T", " ").astype(object),
            DECISION: plan.shifts[0],
        }
    )
