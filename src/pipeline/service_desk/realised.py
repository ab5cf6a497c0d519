"""What really happened, week by week: a service desk's own records tell every KPI but the comparison with today's rule.

What today's rule would have given in the same week nobody saw; that is for controls to tell.
"""

from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd

from pipeline.evaluation.kpis import summary
from pipeline.evaluation.observed import PERIOD, UNIT, Observed
from pipeline.evaluation.outcomes import Outcomes
from pipeline.service_desk.clock import SLOTS, WEEK_HOURS, Bools, Ints, monday
from pipeline.service_desk.log import Log
from pipeline.service_desk.offers import KPIS
from pipeline.service_desk.tally import COMPONENTS, SLICES, rows_of

#: Weeks told at most.
NEWEST = 26
#: What is recorded.
SEEN = {name: kpi for name, kpi in KPIS.items() if kpi.denominator != "today_hours"}
COLUMNS = ["period", "group", "kpi", "value", "low", "high", "units"]


def observed(log: Log, limit: float, left_out: Bools) -> Observed:
    """One row per team, week and slice cell with all components; the team's region is a slice too."""
    frames = [_week(log, week, limit, left_out) for week in range(log.weeks)]
    whole = pd.concat(frames, ignore_index=True)
    region = dict(zip(log.names, log.teams["region"].astype(str), strict=True))
    whole["region"] = whole[UNIT].map(region)
    met = (whole[[*COMPONENTS, "team_weeks"]] != 0).any(axis=1)
    return Observed(whole[met].reset_index(drop=True), (*SLICES, "region"), "tickets")


def realised(log: Log, limit: float, left_out: Bools, followers: Mapping[str, date], seed: int) -> pd.DataFrame:
    """KPIs per week, group (``all``, ``model``) and KPI, as :meth:`pipeline.problems.base.Problem.realised` says.

    A queue and a shift of a week are decided before it, so a team counts as following from its first period on.
    """
    told = []
    for week in range(max(log.weeks - NEWEST, 0), log.weeks):
        day = date.fromisoformat(str(monday(week, log.origin)))
        frame = _week(log, week, limit, left_out).drop(columns=[*SLICES, PERIOD])
        frame = frame.groupby(UNIT, as_index=False).sum()
        following = frame[UNIT].map(lambda team: followers.get(str(team), date.max))
        for group, rows in (("all", frame), ("model", frame[following <= day])):
            if len(rows):
                outcomes = Outcomes(rows.assign(arm="realised"), (), 1, "replay", "recorded weeks")
                told.append(summary(outcomes, SEEN, seed).assign(period=day, group=group))
    found = pd.concat(told, ignore_index=True) if told else pd.DataFrame(columns=COLUMNS)
    found = found[np.isfinite(found["value"].astype(np.float64))]
    return found[COLUMNS].sort_values(["period", "group", "kpi"], ignore_index=True)


def _week(log: Log, week: int, limit: float, left_out: Bools) -> pd.DataFrame:
    """Components of one week by team and slice cell, from nothing that happened later."""
    begin, end = week * WEEK_HOURS, (week + 1) * WEEK_HOURS
    tickets = log.tickets
    there = (tickets["arrival"] < end) & (
        ~(tickets["closed"] < begin) | tickets["reopened"].between(begin, end, inclusive="left")
    )
    teams = range(len(log.teams))
    rows = tickets[there].reset_index(drop=True)
    counted = ~left_out[there.to_numpy()]
    frame = rows_of(rows, list(teams), _shifts(log, week), (begin, end), limit, counted)
    frame.insert(0, UNIT, np.array(log.names, dtype=object)[frame.pop("team")])
    frame.insert(1, PERIOD, str(monday(week, log.origin)))
    return frame


def _shifts(log: Log, week: int) -> dict[int, Ints]:
    """Per team (1, 18) agents on duty as recorded."""
    own = log.shifts[log.shifts["slot"] // SLOTS == week]
    table = np.zeros((len(log.teams), SLOTS), np.int64)
    table[own["team"], own["slot"] % SLOTS] = own["agents"]
    return {team: table[[team]] for team in range(len(log.teams))}
