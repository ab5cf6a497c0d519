"""What the desk's own systems export: tickets, their events, shifts and teams; a few broken rows included.

Broken rows are added to the good ones, never put in their place, so that a contract that does its work keeps every good
row. What is true but nobody recorded (a customer's patience, the hours another agent would have taken) is not exported.
"""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.datasets.parquet import read_parquet
from pipeline.errors import DataError, Finding
from pipeline.service_desk.clock import SLOT_HOURS, SLOTS, WEEK_HOURS, Floats, to_time
from pipeline.service_desk.desk import Desk
from pipeline.service_desk.vocabulary import CATEGORIES, CHANNELS, PRIORITIES, TIERS
from pipeline.service_desk.world import teams_of

TABLES = ("tickets", "events", "shifts", "teams")
#: Weeks exported at most; older ones are archived.
NEWEST = 40
#: Broken rows of each kind.
PER_FAULT = 6
TICKET_FAULTS: tuple[tuple[str, str, Any], ...] = (
    ("unknown team", "team", "TEST"),
    ("unknown channel", "channel", "fax?"),
    ("no category", "category", None),
    ("negative users", "users", "-3"),
    ("text in products", "products", "two"),
    ("no moment", "opened", None),
    ("impossible date", "opened", "2026-02-30 10:00:00"),
    ("duplicate", "attachments", "0"),
)
EVENT_FAULTS: tuple[tuple[str, str, Any], ...] = (
    ("unknown event", "event", "pinged"),
    ("unknown ticket", "ticket", "0"),
    ("negative hours", "hours", "-1.5"),
    ("no moment", "at", None),
)


def export(desk: Desk, directory: Path) -> Path:
    """Write all tables of the desk's clock; they appear by one rename."""
    part = directory.with_name(f".{directory.name}-{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for name, frame in tables_of(desk).items():
        frame.to_parquet(part / f"{name}.parquet", index=False)
    shutil.rmtree(directory, ignore_errors=True)
    part.rename(directory)
    return directory


def read_exports(directory: Path) -> dict[str, pd.DataFrame]:
    """Read the tables as they are, broken rows included.

    Raises:
        DataError: naming every table that is missing or does not read.
    """
    frames, findings = {}, []
    for name in TABLES:
        path = directory / f"{name}.parquet"
        try:
            frames[name] = read_parquet(path)
        except FileNotFoundError:
            findings.append(Finding(str(path), "no such file", "export the table, or correct --data"))
        except (OSError, ValueError) as error:
            findings.append(Finding(str(path), f"not readable as Parquet: {error}", "export the table again"))
    if findings:
        raise DataError(f"the exports in {directory} are incomplete", findings)
    return frames


def tables_of(desk: Desk) -> dict[str, pd.DataFrame]:
    """The tables by name, as :func:`export` writes them."""
    first = max(desk.spec.burn_in, desk.clock - NEWEST)
    seen = desk.tickets[desk.tickets["arrival"].between(first * WEEK_HOURS, desk.clock * WEEK_HOURS, inclusive="left")]
    draw = np.random.default_rng([desk.spec.seed, 4, desk.clock])
    return {
        "tickets": _with_faults(ticket_rows(desk, seen), TICKET_FAULTS, draw),
        "events": _with_faults(_events(desk, seen), EVENT_FAULTS, draw),
        "shifts": _shifts(desk, first),
        "teams": _teams(desk),
    }


def ticket_rows(desk: Desk, seen: pd.DataFrame) -> pd.DataFrame:
    """Tickets as the desk sees them when they come in."""
    teams = np.array([team.name for team in teams_of(desk.spec)], dtype=object)
    team = teams[seen["team"]]
    customer = [f"{name}-C{number:02d}" for name, number in zip(team, seen["customer"], strict=True)]
    return pd.DataFrame(
        {
            "ticket": seen["ticket"].to_numpy(),
            "team": team,
            "opened": _moments(seen["opened"].to_numpy()),
            "customer": np.array(customer, dtype=object),
            "tier": np.array(TIERS, dtype=object)[seen["tier"]],
            "category": np.array(CATEGORIES, dtype=object)[seen["category"]],
            "channel": np.array(CHANNELS, dtype=object)[seen["channel"]],
            "priority": np.array(PRIORITIES, dtype=object)[seen["priority"]],
            "products": seen["products"].astype(str).to_numpy(dtype=object),
            "attachments": seen["attachments"].astype(str).to_numpy(dtype=object),
            "known_error": seen["known_error"].to_numpy(),
            "users": seen["users"].astype(str).to_numpy(dtype=object),
        }
    )


def _events(desk: Desk, seen: pd.DataFrame) -> pd.DataFrame:
    """One row per thing that happened by the clock; ``hours`` is what agents booked on the ticket until it was done."""
    now = desk.clock * WEEK_HOURS
    escalated = (seen["arrival"] + seen["patience"]).where(
        seen["patience"] < seen["first"].fillna(now) - seen["arrival"]
    )
    happened = {
        "first_response": (seen["first"], None),
        "closed": (seen["closed"], seen["spent"]),
        "reopened": (seen["reopened"], None),
        "reclosed": (seen["reclosed"], seen["spent_again"]),
        "escalated": (escalated, None),
    }
    parts = []
    for event, (at, hours) in happened.items():
        there = (at < now).to_numpy() | ((at == now).to_numpy() & (event in ("closed", "reclosed")))
        parts.append(
            pd.DataFrame(
                {
                    "ticket": seen["ticket"].to_numpy()[there].astype(str).astype(object),
                    "event": event,
                    "at": _moments(to_time(at.to_numpy()[there], desk.spec.origin)),
                    "hours": "0" if hours is None else _texts(hours.to_numpy()[there]),
                }
            )
        )
    return pd.concat(parts, ignore_index=True).sort_values(["at", "ticket"], kind="stable", ignore_index=True)


def _shifts(desk: Desk, first: int) -> pd.DataFrame:
    """Agents on duty per half-day, as rostered and worked."""
    weeks = np.arange(first, desk.clock)
    begins = weeks[:, None] * WEEK_HOURS + np.arange(SLOTS) * SLOT_HOURS
    moments = _moments(to_time(begins.ravel(), desk.spec.origin))
    return pd.DataFrame(
        {
            "team": np.repeat([team.name for team in teams_of(desk.spec)], len(moments)).astype(object),
            "begins": np.tile(moments, desk.spec.teams),
            "agents": desk.shifts[:, first : desk.clock].ravel(),
        }
    )


def _teams(desk: Desk) -> pd.DataFrame:
    """``skills`` has one group of categories per agent, parted by semicolons."""
    return pd.DataFrame(
        [
            {
                "team": team.name,
                "region": team.region,
                "agents": team.agents,
                "per_day": team.per_day,
                "skills": "; ".join(
                    " ".join(name for name, known in zip(CATEGORIES, agent, strict=True) if known)
                    for agent in team.skills
                ),
            }
            for team in teams_of(desk.spec)
        ]
    )


def _with_faults(
    frame: pd.DataFrame, faults: tuple[tuple[str, str, Any], ...], draw: np.random.Generator
) -> pd.DataFrame:
    """The frame with copies of good rows after it, each with one thing changed."""
    rows = draw.choice(len(frame), len(faults) * PER_FAULT, replace=len(frame) < len(faults) * PER_FAULT)
    bad = frame.iloc[np.sort(rows)].reset_index(drop=True)
    for place, (_, column, value) in enumerate(faults):
        bad[column] = bad[column].astype(object)
        bad.loc[place * PER_FAULT : (place + 1) * PER_FAULT - 1, column] = value
    if frame["ticket"].dtype != object:
        bad["ticket"] = bad["ticket"].astype(frame["ticket"].dtype)
    return pd.concat([frame, bad], ignore_index=True)


def _moments(times: Any) -> Any:
    return np.char.replace(np.datetime_as_string(times.astype("datetime64[s]")), "T", " ").astype(object)


def _texts(hours: Floats) -> Any:
    return np.char.mod("%.4f", hours).astype(object)
