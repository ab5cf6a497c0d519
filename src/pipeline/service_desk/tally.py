"""From what happened to tickets to the additive components the KPIs are ratios of.

Hours waited are counted in the period in which they were waited, and a response is late in the period in which its
wait passes the limit. So the components of weeks add up to those of their span, no figure of a period changes with
later data, and tickets that still wait count with what they have waited so far: leaving a ticket to the end of the span
does not make it cheap.

A percentile is not additive. The 90th percentile is taken per team over the tickets that came in during the span (those
still waiting with their wait so far) and handed on times the team's tickets: the KPI is the mean of the teams'
percentiles, weighted by tickets, and the bootstrap draws teams. The additive companion is the share of late responses.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from pipeline.service_desk.clock import SLOT_HOURS, SLOTS, Bools, Floats, Ints
from pipeline.service_desk.vocabulary import CATEGORIES, CHANNELS, PRIORITIES

SLICES = ("category", "channel", "priority")
_VALUES = {"category": CATEGORIES, "channel": CHANNELS, "priority": PRIORITIES}
QUANTILE = 0.9
#: Columns of components that rest on single tickets.
COMPONENTS = (
    "response_hours", "tickets", "late", "high_hours", "high_tickets", "reopened", "closed", "open_hours",
)  # fmt: skip


def components(tickets: pd.DataFrame, begin: float, end: float, limit: float) -> dict[str, Floats]:
    """(N,) per ticket what it adds to each component in the span ``begin`` to ``end``.

    Args:
        tickets: columns ``arrival``, ``first``, ``closed``, ``reopened``, ``priority``; opening hours, NaN where it
            has not happened.
        begin: opening hours.
        end: opening hours.
        limit: hours of wait after which a response is late.
    """
    arrival, first, closed, reopened = (
        tickets[name].to_numpy(dtype=np.float64) for name in ("arrival", "first", "closed", "reopened")
    )

    def within(until: Floats) -> Floats:
        stop = np.minimum(np.where(np.isnan(until), end, until), end)
        return np.asarray(np.maximum(stop - np.maximum(arrival, begin), 0.0))

    came = (arrival >= begin) & (arrival < end)
    waited, crossing = within(first), arrival + limit
    late = (crossing >= begin) & (crossing < end) & ~(first <= crossing)
    high = tickets["priority"].to_numpy() == PRIORITIES.index("high")
    return {
        "response_hours": waited,
        "tickets": came.astype(np.float64),
        "late": late.astype(np.float64),
        "high_hours": waited * high,
        "high_tickets": (came & high).astype(np.float64),
        "reopened": ((reopened >= begin) & (reopened < end)).astype(np.float64),
        "closed": ((closed >= begin) & (closed < end)).astype(np.float64),
        "open_hours": within(closed),
    }


def rows_of(
    tickets: pd.DataFrame,
    teams: Sequence[int],
    shifts: Mapping[int, Ints],
    span: tuple[float, float],
    limit: float,
    counted: Bools | None = None,
) -> pd.DataFrame:
    """One row per team and slice cell: ``team`` (code), the slices as texts, and all components.

    All cells are there, those without tickets too, so that the rows of two arms stand in the same order.

    Hours of agents and the percentile belong to a team, not to a ticket; they are spread over its cells by tickets.

    Args:
        tickets: of the teams, with ``team``, the slice codes and what :func:`components` asks for.
        teams: codes of the teams.
        shifts: per team (weeks, 18) agents per half-day in the span.
        span: opening hours.
        limit: hours of wait after which a response is late.
        counted: (N,) tickets that count; None counts all.
    """
    begin, end = span
    parts = components(tickets, begin, end, limit)
    if counted is not None:
        parts = {name: values * counted for name, values in parts.items()}
    place = {team: number for number, team in enumerate(teams)}
    team: Ints = np.asarray(tickets["team"].map(place), dtype=np.int64)
    sizes = [len(_VALUES[name]) for name in SLICES]
    code = team
    for name, size in zip(SLICES, sizes, strict=True):
        code = code * size + tickets[name].to_numpy()
    cells = len(teams) * int(np.prod(sizes))
    frame = pd.DataFrame({name: np.bincount(code, parts[name], minlength=cells) for name in COMPONENTS})
    rest: Ints = np.arange(cells, dtype=np.int64)
    for name, size in zip(reversed(SLICES), reversed(sizes), strict=True):
        frame[name] = np.array(_VALUES[name], dtype=object)[rest % size]
        rest = np.asarray(rest // size)
    frame.insert(0, "team", np.asarray(list(teams))[rest])
    return _with_team_figures(frame, rest, tickets, team, parts["tickets"], shifts, teams, end)


def _with_team_figures(
    frame: pd.DataFrame,
    place: Ints,
    tickets: pd.DataFrame,
    team: Ints,
    came: Floats,
    shifts: Mapping[int, Ints],
    teams: Sequence[int],
    end: float,
) -> pd.DataFrame:
    total = np.bincount(place, frame["tickets"], minlength=len(teams))
    empty = total[place] == 0
    cells = len(frame) // max(len(teams), 1)
    share = np.where(empty, 1 / max(cells, 1), frame["tickets"] / np.where(empty, 1.0, total[place]))
    hours = np.array([float(shifts[one].sum()) * SLOT_HOURS for one in teams])
    weeks = np.array([shifts[one].size / SLOTS for one in teams])
    wait = tickets["first"].fillna(end).clip(upper=end).to_numpy() - tickets["arrival"].to_numpy()
    there = came > 0
    quantile = np.zeros(len(teams))
    for one in range(len(teams)):
        own = there & (team == one)
        quantile[one] = float(np.quantile(wait[own], QUANTILE)) if own.any() else 0.0
    frame["agent_hours"] = share * hours[place]
    frame["team_weeks"] = share * weeks[place]
    frame["p90_hours"] = frame["tickets"] * quantile[place]
    frame["p90_tickets"] = frame["tickets"]
    return frame
