"""What the desk knows: its clean tables as columns on one clock, and the same cut off at an earlier week."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from pipeline.datasets.dataset import Tables
from pipeline.service_desk.clock import WEEK_HOURS, Bools, Ints, to_clock
from pipeline.service_desk.vocabulary import CATEGORIES, CHANNELS, PRIORITIES, TIERS

#: Columns that tell when something happened; NaN where it has not.
EVENTS = ("first", "closed", "reopened", "reclosed", "escalated")
#: Hours booked, known once the work is closed.
BOOKED = {"spent": "closed", "spent_again": "reclosed"}
_NAMES = {"first_response": "first"}
_CODES = {"category": CATEGORIES, "channel": CHANNELS, "priority": PRIORITIES, "tier": TIERS}
_PLAIN = ("ticket", "products", "attachments", "known_error", "users")


@dataclass(frozen=True)
class Log:
    """The history of a desk.

    Attributes:
        origin: the Monday its clock begins.
        weeks: whole weeks it holds.
        teams: one row per team, sorted by name: ``team``, ``region``, ``agents``, ``per_day``, ``skills``.
        customers: their names; a ticket's ``customer`` is a position in them.
        tickets: one row per ticket, sorted by team and arrival. Columns: ``ticket``, ``arrival`` (opening hours),
            ``team``, ``customer``, ``category``, ``channel``, ``priority``, ``tier`` (codes), ``products``,
            ``attachments``, ``known_error``, ``users``, :data:`EVENTS` and :data:`BOOKED` (opening hours).
        shifts: agents per half-day: ``team`` (code), ``slot`` (from the origin), ``agents``.
    """

    origin: np.datetime64
    weeks: int
    teams: pd.DataFrame
    customers: tuple[str, ...]
    tickets: pd.DataFrame
    shifts: pd.DataFrame

    @cached_property
    def skills(self) -> tuple[Bools, ...]:
        """Per team (agents, categories): who knows what."""
        return tuple(
            np.array([[name in agent.split() for name in CATEGORIES] for agent in text.split(";")])
            for text in self.teams["skills"]
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the teams by code."""
        return tuple(self.teams["team"].astype(str))

    def codes(self, units: tuple[str, ...]) -> Ints:
        """Codes of some teams, in order."""
        return np.flatnonzero(self.teams["team"].isin(list(units)).to_numpy())

    def upto(self, weeks: int) -> "Log":
        """The log as it was after some weeks: later tickets are not there, later events have not happened."""
        end = weeks * WEEK_HOURS
        there = self.tickets[self.tickets["arrival"] < end].reset_index(drop=True)
        masked = {name: there[name].where(there[name] <= end) for name in EVENTS}
        booked = {name: there[name].where(there[when] <= end) for name, when in BOOKED.items()}
        shifts = self.shifts[self.shifts["slot"] < weeks * 18]
        return replace(self, weeks=weeks, tickets=there.assign(**masked, **booked), shifts=shifts)

    def of(self, teams: Ints) -> "Log":
        """Only the tickets of some teams."""
        return replace(self, tickets=self.tickets[self.tickets["team"].isin(teams)].reset_index(drop=True))

    def left_out(self, values: dict[str, tuple[str, ...]]) -> Bools:
        """(N,) tickets that a charter's scope leaves out, by column and value."""
        out = np.zeros(len(self.tickets), np.bool_)
        for column, names in values.items():
            if column in _CODES:
                out |= self.tickets[column].isin([_CODES[column].index(name) for name in names]).to_numpy()
        return out


def log_of(tables: Tables) -> Log:
    """The log of clean tables. Its first week is that of the first shift, its last that of the last shift."""
    begins = tables["shifts"]["begins"]
    first = begins.min()
    origin = np.datetime64((first - pd.Timedelta(days=first.dayofweek)).date(), "D")
    weeks = int((begins.max() - pd.Timestamp(origin)).days // 7) + 1
    teams = tables["teams"].sort_values("team", ignore_index=True)
    customers = tuple(sorted(tables["tickets"]["customer"].astype(str).unique()))
    tickets = encoded(tables["tickets"], teams, customers, origin)
    tickets = tickets[tickets["arrival"].between(0, weeks * WEEK_HOURS, inclusive="left")]
    tickets = _with_events(tickets, tables["events"], origin)
    shifts = pd.DataFrame(
        {
            "team": pd.Index(teams["team"]).get_indexer(pd.Index(tables["shifts"]["team"])),
            "slot": (to_clock(begins.to_numpy().astype("datetime64[s]"), origin) // 4).astype(np.int64),
            "agents": tables["shifts"]["agents"].to_numpy(),
        }
    )
    return Log(origin, weeks, teams, customers, tickets, shifts)


def encoded(rows: pd.DataFrame, teams: pd.DataFrame, customers: tuple[str, ...], origin: np.datetime64) -> pd.DataFrame:
    """Tickets as they come in, in codes and on the clock, sorted by team and arrival; an unknown customer is -1."""
    frame = rows[list(_PLAIN)].astype(dict.fromkeys(_PLAIN, np.int64))
    frame["arrival"] = to_clock(rows["opened"].to_numpy().astype("datetime64[s]"), origin)
    frame["team"] = pd.Index(teams["team"]).get_indexer(pd.Index(rows["team"]))
    frame["customer"] = pd.Index(customers).get_indexer(pd.Index(rows["customer"]))
    for name, values in _CODES.items():
        frame[name] = pd.Index(values).get_indexer(pd.Index(rows[name]))
    return frame.sort_values(["team", "arrival", "ticket"], kind="stable", ignore_index=True)


def _with_events(tickets: pd.DataFrame, events: pd.DataFrame, origin: np.datetime64) -> pd.DataFrame:
    """A column per event, joined by ticket."""
    place = pd.Index(tickets["ticket"]).get_indexer(pd.Index(events["ticket"]))
    kind = events["event"].to_numpy(dtype=str)
    at = to_clock(events["at"].to_numpy().astype("datetime64[s]"), origin)
    hours = events["hours"].to_numpy(dtype=np.float64)
    columns = {name: np.full(len(tickets), np.nan) for name in (*EVENTS, *BOOKED)}
    for event in np.unique(kind):
        rows = (kind == event) & (place >= 0)
        name = _NAMES.get(str(event), str(event))
        columns[name][place[rows]] = at[rows]
        for booked, when in BOOKED.items():
            if when == name:
                columns[booked][place[rows]] = hours[rows]
    return tickets.assign(**columns).reset_index(drop=True)
