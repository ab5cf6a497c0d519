"""What the service desk knows about its data: coverage, what is still open, ages, leaks and drift."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.charter import Charter
from pipeline.datasets.contracts import duplicates_in
from pipeline.datasets.dataset import DataFacts, Dataset, Tables
from pipeline.evaluation.stability import psi
from pipeline.language import say
from pipeline.service_desk.clock import SLOTS, WEEK_HOURS, week_of
from pipeline.service_desk.features import features
from pipeline.service_desk.log import BOOKED, EVENTS, Log
from pipeline.service_desk.vocabulary import CATEGORIES, CHANNELS, PRIORITIES, TIERS

#: Weeks compared for drift.
SPAN = 6
#: Few bins: the index of no shift is about 2 (bins - 1) over the number of values, which are a few hundred.
_BINS = 5
_DATED = {"tickets": "opened", "events": "at", "shifts": "begins"}
_LEAK_ROWS = 2000


def facts_of(charter: Charter, dataset: Dataset, log: Log, earlier: Log | None) -> DataFacts:
    """The facts of a dataset; ``earlier`` is the log of the previous one, None for the first."""
    expected = len(log.teams) * log.weeks * SLOTS
    there = len(log.shifts.drop_duplicates(["team", "slot"]))
    open_share = float(log.tickets["closed"].isna().mean())
    groups = tuple(dict.fromkeys(group for candidate in charter.model.candidates for group in candidate.features))
    return DataFacts(
        periods=log.weeks,
        units=len(log.teams),
        series=len(log.teams),
        coverage=min(there / max(expected, 1), 1.0),
        censored=open_share,
        ages_days=ages(dataset.tables),
        duplicates=duplicates_in(dataset.quarantine),
        leaks=leaks(log, groups, charter.seed),
        drift=drift(log, earlier) if earlier is not None else {},
        notes=(
            say(
                "{share} of tickets are not closed yet: nobody knows yet what they will take",
                share=f"{100 * open_share:.1f} %",
            ),
        ),
    )


def ages(tables: Tables) -> dict[str, int]:
    """Days the newest row of each dated table lies behind the newest of all."""
    newest = {name: tables[name][column].max() for name, column in _DATED.items() if len(tables[name])}
    latest = max(newest.values())
    return {name: int((latest - at).days) for name, at in newest.items()}


def leaks(log: Log, groups: tuple[str, ...], seed: int) -> tuple[str, ...]:
    """Features that change when only the future changes.

    The features of tickets up to an earlier week are computed twice: from the log cut there, and from one in which
    everything later is noise.
    """
    draw = np.random.default_rng(seed)
    found: set[str] = set()
    for share in (0.5, 0.8):
        known = max(int(log.weeks * share), 1)
        past = log.upto(known)
        rows = past.tickets.iloc[:: max(len(past.tickets) // _LEAK_ROWS, 1)]
        honest, names = features(past, rows, groups)
        seeing, _ = features(_other_future(log, known, draw), rows, groups)
        same = np.isclose(honest, seeing, rtol=1e-9, atol=1e-12, equal_nan=True)
        found |= {name for place, name in enumerate(names) if not same[:, place].all()}
    return tuple(sorted(found))


def _other_future(log: Log, known: int, draw: np.random.Generator) -> Log:
    """The same log with events after a week moved, and what was booked then replaced by noise."""
    end = known * WEEK_HOURS
    tickets = log.tickets
    changed: dict[str, NDArray[Any]] = {}
    for name in EVENTS:
        at = tickets[name].to_numpy()
        changed[name] = np.where(at > end, end + draw.exponential(50.0, len(at)), at)
    for name, when in BOOKED.items():
        hours, later = tickets[name].to_numpy(), tickets[when].to_numpy() > end
        changed[name] = np.where(later, draw.exponential(20.0, len(hours)), hours)
    late = (tickets["arrival"] > end).to_numpy()
    category = np.where(late, draw.integers(0, len(CATEGORIES), len(tickets)), tickets["category"].to_numpy())
    return replace(log, tickets=tickets.assign(**changed, category=category))


def drift(now: Log, before: Log) -> dict[str, float]:
    """Population stability index of the newest weeks against as many of the earlier dataset, per column."""
    current, reference = _window(now), _window(before)
    return {name: psi(current[name], reference[name], _BINS) for name in current}


def frames(now: Log, before: Log | None, rows: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Current and reference tickets, each a seeded sample; without an earlier dataset, the weeks before the newest."""
    current = _described(_newest(now))
    reference = _described(_newest(before if before is not None else now.upto(max(now.weeks - SPAN, 1))))
    return _sample(current, rows, seed), _sample(reference, rows, seed)


def _newest(log: Log) -> pd.DataFrame:
    return log.tickets[week_of(log.tickets["arrival"].to_numpy()) >= log.weeks - SPAN]


def _window(log: Log) -> dict[str, pd.Series]:
    rows = _newest(log)
    weekly = rows.groupby(["team", week_of(rows["arrival"].to_numpy())]).size().to_numpy(dtype=np.float64)
    level = weekly / max(float(weekly.mean()), 1e-9)
    return {
        "tickets_per_team_week": pd.Series(level),
        "hours_booked": rows["spent"],
        "users": rows["users"].astype(np.float64),
        "products": rows["products"].astype(np.float64),
    }


def _described(rows: pd.DataFrame) -> pd.DataFrame:
    """Texts for people; waits are left out, as the decisions change them."""
    texts = {"category": CATEGORIES, "channel": CHANNELS, "priority": PRIORITIES, "tier": TIERS}
    frame = pd.DataFrame({name: np.array(values, dtype=object)[rows[name]] for name, values in texts.items()})
    frame["products"] = rows["products"].to_numpy()
    frame["attachments"] = rows["attachments"].to_numpy()
    frame["users"] = rows["users"].to_numpy()
    frame["known_error"] = rows["known_error"].to_numpy()
    frame["hours_booked"] = rows["spent"].to_numpy()
    return frame


def _sample(frame: pd.DataFrame, rows: int, seed: int) -> pd.DataFrame:
    return (frame.sample(rows, random_state=seed) if len(frame) > rows else frame).reset_index(drop=True)
