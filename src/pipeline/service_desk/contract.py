"""The contract of the desk's tables."""

from typing import Any

import pandas as pd
from pandera.pandas import Check, Column, DataFrameSchema

from pipeline.datasets.coercion import coerce
from pipeline.datasets.contracts import Schemas
from pipeline.datasets.dataset import Tables
from pipeline.service_desk.clock import OPENS, SLOT_HOURS
from pipeline.service_desk.vocabulary import CATEGORIES, CHANNELS, PRIORITIES, TIERS

EVENTS = ("first_response", "closed", "reopened", "reclosed", "escalated")


def contracts(tables: Tables) -> Schemas:
    """A schema per table, knowing the teams and tickets there are."""
    team = _known(tables, "teams", "team", "str")
    ticket = _known(tables, "tickets", "ticket", "int64")
    return {
        "teams": DataFrameSchema(
            {
                "team": Column(str),
                "region": Column(str),
                "agents": Column(int, Check.in_range(1, 500, error="1 ≤ agents ≤ 500")),
                "per_day": Column(int, Check.in_range(1, 500, error="1 ≤ per_day ≤ 500")),
                "skills": Column(str),
            },
            unique=["team"],
        ),
        "tickets": DataFrameSchema(
            {
                "ticket": Column(int, Check.gt(0, error="ticket > 0")),
                "team": Column(str, Check.isin(team, error="known team")),
                "opened": Column("datetime64[us]"),
                "customer": Column(str),
                "tier": _one_of("tier", TIERS),
                "category": _one_of("category", CATEGORIES),
                "channel": _one_of("channel", CHANNELS),
                "priority": _one_of("priority", PRIORITIES),
                "products": _count("products", 1),
                "attachments": _count("attachments", 0),
                "known_error": Column(bool),
                "users": _count("users", 1),
            },
            unique=["ticket"],
            strict="filter",
        ),
        "events": DataFrameSchema(
            {
                "ticket": Column(int, Check.isin(ticket, error="known ticket")),
                "event": _one_of("event", EVENTS),
                "at": Column("datetime64[us]"),
                "hours": Column(float, Check.in_range(0, 1000, error="0 ≤ hours ≤ 1000")),
            },
            unique=["ticket", "event"],
            strict="filter",
        ),
        "shifts": DataFrameSchema(
            {
                "team": Column(str, Check.isin(team, error="known team")),
                "begins": Column("datetime64[us]", Check(_begins, error="shifts begin at 7, 11 and 15 o'clock")),
                "agents": _count("agents", 0),
            },
            unique=["team", "begins"],
            strict="filter",
        ),
    }


def _begins(moment: Any) -> Any:
    return ((moment.dt.hour - OPENS) % SLOT_HOURS == 0) & (moment.dt.dayofweek < 6)


def _one_of(name: str, values: tuple[str, ...]) -> Column:
    return Column(str, Check.isin(list(values), error=f"known {name}"))


def _count(name: str, least: int) -> Column:
    return Column(int, Check.ge(least, error=f"{name} ≥ {least}"))


def _known(tables: Tables, table: str, column: str, kind: str) -> list[Any]:
    """The keys of a table; one that is missing is reported by the contract, not here."""
    frame: pd.DataFrame | None = tables.get(table)
    if frame is None or column not in frame.columns:
        return []
    keys = coerce(frame[column], kind, nullable=False)
    return sorted(set(keys.cells[keys.passed]))
