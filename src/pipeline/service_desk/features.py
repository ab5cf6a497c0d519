"""What is known about a ticket the moment it comes in, as numbers, by the groups a charter names."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.service_desk.clock import DAY_HOURS, WEEK_HOURS, Floats, week_of
from pipeline.service_desk.log import Log
from pipeline.service_desk.vocabulary import CATEGORIES, CHANNELS, PRIORITIES, TIERS

#: A customer's mean is drawn towards that of all by as many tickets.
_PRIOR = 4.0

Columns = dict[str, NDArray[np.float64]]


def features(log: Log, tickets: pd.DataFrame, groups: tuple[str, ...]) -> tuple[Floats, tuple[str, ...]]:
    """(N, F) features of tickets and their names.

    Args:
        log: what is known; for each ticket only what was known at the beginning of the week it came in is used.
        tickets: columns as in :class:`Log`; they may have come in after the log's end.
        groups: names out of :data:`pipeline.service_desk.offers.FEATURES`.
    """
    columns: Columns = {}
    for group in groups:
        columns |= _GROUPS[group](log, tickets)
    return np.column_stack(list(columns.values())).astype(np.float64), tuple(columns)


def _kind(_: Log, tickets: pd.DataFrame) -> Columns:
    return _one_hot(tickets, "category", CATEGORIES) | _one_hot(tickets, "channel", CHANNELS)


def _customer(_: Log, tickets: pd.DataFrame) -> Columns:
    return _one_hot(tickets, "priority", PRIORITIES) | _one_hot(tickets, "tier", TIERS)


def _details(_: Log, tickets: pd.DataFrame) -> Columns:
    return {
        "products": tickets["products"].to_numpy(dtype=np.float64),
        "attachments": tickets["attachments"].to_numpy(dtype=np.float64),
        "known_error": tickets["known_error"].to_numpy(dtype=np.float64),
        "log_users": np.log(tickets["users"].to_numpy(dtype=np.float64)),
    }


def _time(_: Log, tickets: pd.DataFrame) -> Columns:
    day, hour = np.divmod(tickets["arrival"].to_numpy() % WEEK_HOURS, DAY_HOURS)
    return {"weekday": day, "hour": hour}


def _customer_history(log: Log, tickets: pd.DataFrame) -> Columns:
    """What the customer's earlier tickets took, how often they came back and how often they were escalated."""
    known = log.tickets
    size = (len(log.customers) + 1, log.weeks + 2)
    customer = known["customer"].to_numpy()
    closed = known["closed"].to_numpy()
    done = ~np.isnan(closed)
    # Counted from the week after: within a week nobody recomputes a customer's history.
    week = np.minimum(week_of(np.where(done, closed, 0.0)) + 1, log.weeks + 1)

    def so_far(values: Floats, rows: NDArray[np.bool_], weeks: NDArray[np.int64]) -> Floats:
        added = np.zeros(size)
        np.add.at(added, (customer[rows], weeks[rows]), values[rows])
        return np.asarray(added.cumsum(axis=1))

    log_hours = np.log(np.maximum(known["spent"].to_numpy(), 1e-3))
    count = so_far(np.ones(len(known)), done, week)
    hours = so_far(log_hours, done, week)
    escalated = known["escalated"].to_numpy()
    angry = ~np.isnan(escalated)
    after = np.minimum(week_of(np.where(angry, escalated, 0.0)) + 1, log.weeks + 1)
    escalations = so_far(np.ones(len(known)), angry, after)
    row = tickets["customer"].to_numpy()
    column = np.clip(week_of(tickets["arrival"].to_numpy()), 0, log.weeks)
    seen = np.where(row >= 0, count[row, column], 0.0)
    total = count[:, column].sum(axis=0)
    mean = hours[:, column].sum(axis=0) / np.maximum(total, 1.0)
    angry_mean = escalations[:, column].sum(axis=0) / np.maximum(total, 1.0)
    return {
        "customer_tickets": np.log1p(seen),
        "customer_log_hours": (np.where(row >= 0, hours[row, column], 0.0) + _PRIOR * mean) / (seen + _PRIOR),
        "customer_escalations": (np.where(row >= 0, escalations[row, column], 0.0) + _PRIOR * angry_mean)
        / (seen + _PRIOR),
    }


def _one_hot(tickets: pd.DataFrame, column: str, values: tuple[str, ...]) -> Columns:
    codes = tickets[column].to_numpy()
    return {f"{column}_{name}": (codes == place).astype(np.float64) for place, name in enumerate(values)}


_GROUPS: dict[str, Callable[[Log, pd.DataFrame], Columns]] = {
    "kind": _kind,
    "customer": _customer,
    "details": _details,
    "time": _time,
    "customer_history": _customer_history,
}
