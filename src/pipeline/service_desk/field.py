"""The synthetic desk in the field: a directory in which it lives, is exported, and is played on.

::

    LOCATION/world/desk-0033/      the desk at each clock that was reached
    LOCATION/exports-0033/         what its systems export at the newest clock
    LOCATION/plays/KEY/            outcomes of one play, and the clock after it

A play is committed by one rename of its record. Before it, nothing has happened: a killed play is played again from the
same clock and, as everything is seeded, gives the same. After it, the same key is answered from the record.
"""

import fcntl
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.errors import DataError, Finding
from pipeline.evaluation.outcomes import Outcomes
from pipeline.language import say
from pipeline.problems import played
from pipeline.problems.base import Progress
from pipeline.service_desk import desk as desks
from pipeline.service_desk.clock import WEEK_HOURS, monday
from pipeline.service_desk.desk import Desk, Plan
from pipeline.service_desk.exports import export, read_exports, ticket_rows
from pipeline.service_desk.tally import SLICES, rows_of
from pipeline.service_desk.vocabulary import CATEGORIES
from pipeline.service_desk.world import WorldSpec, teams_of

WORLDS, PLAYS, EXPORTS = "world", "plays", "exports-"

#: Per team (its number), the tickets as the desk sees them when they come in.
Visible = Mapping[int, pd.DataFrame]


@dataclass(frozen=True)
class Game:
    """What is played.

    Attributes:
        planners: arm → what makes each team's plan from the tickets as they come in.
        treated: the arm the teams really follow.
        teams: numbers of the teams; all others follow the desk's own rule.
        limit: hours after which a response is late.
        left_out: names of categories that count in no figure.
    """

    planners: Mapping[str, Callable[[Visible], Mapping[int, Plan]]]
    treated: str
    teams: tuple[int, ...]
    limit: float
    left_out: tuple[str, ...] = ()


def tables_at(location: Path, spec: WorldSpec) -> dict[str, pd.DataFrame]:
    """The newest exports; where nothing is yet, the desk is founded and exported first.

    A directory that holds Parquet tables itself is read as it is.

    Raises:
        DataError: exports or the desk's state cannot be read.
    """
    if (location / "tickets.parquet").exists():
        return read_exports(location)
    with _alone(location):
        clock = _clock(location)
        if clock is None:
            desk = desks.found(spec)
            desks.save(desk, location / WORLDS)
            clock = desk.clock
        return read_exports(_exported(location, clock))


def play_field(location: Path, key: str, weeks: int, cutoff: date, game: Game, progress: Progress) -> Outcomes:
    """Move the desk on, once per key, and play every arm's twin on the same weeks from the same state.

    Args:
        location: where it lives.
        key: names the play.
        weeks: how many are played.
        cutoff: Monday of the last week of the data that decisions rest on.
        game: who decides how.
        progress: called after each arm.

    Raises:
        DataError: no desk lives there, its state cannot be read, or it has moved on since the data was loaded.
    """
    record = location / PLAYS / _file_name(key)
    with _alone(location):
        if not record.exists():
            clock = _clock(location)
            if clock is None:
                remedy = "point --data to a directory founded by `landed run`; recorded tables cannot answer"
                raise DataError("there is no desk to play in", [Finding(str(location / WORLDS), "no desk", remedy)])
            before = desks.load(location / WORLDS, clock)
            reached = monday(clock - 1, before.spec.origin).item()
            if reached != cutoff:
                found = f"the last week of the data is that of {cutoff}, the desk's is that of {reached}"
                raise DataError(
                    "the desk has moved on since its data was loaded",
                    [Finding(str(location), found, "run the iteration again on newest data")],
                )
            outcomes, after = _played(before, weeks, game, progress)
            desks.save(after, location / WORLDS)
            # From this rename on the weeks have happened.
            played.save(outcomes, record, clock=after.clock)
        outcomes = played.load(record)
        now = _clock(location)
        if now is not None:
            _exported(location, now)
    return outcomes


def rewound(location: Path, key: str, target: Path) -> Path:
    """A copy of the desk as it stood before the play of a key; the location itself where none was played.

    Raises:
        DataError: a record of a play cannot be read, or the desk of that week is gone.
    """
    record = location / PLAYS / _file_name(key)
    if not record.exists():
        return location
    reached = played.notes(record)["clock"]
    clocks = sorted(int(path.name.split("-")[1]) for path in (location / WORLDS).glob("desk-*"))
    before = [clock for clock in clocks if clock < reached]
    if not before:
        finding = Finding(str(location / WORLDS), f"no desk before week {reached}", "restore it from a backup")
        raise DataError("the desk of that week is gone", [finding])
    desks.save(desks.load(location / WORLDS, before[-1]), target / WORLDS)
    return target


def _played(before: Desk, weeks: int, game: Game, progress: Progress) -> tuple[Outcomes, Desk]:
    whole = desks.coming(before, weeks)
    seen = {team: ticket_rows(before, whole[team]) for team in game.teams}
    own_rule = {team: desks.today(before, team, len(whole[team]), weeks) for team in game.teams}
    today, today_weekly = _counted(before, weeks, game, whole, own_rule)[:2]
    frames, weekly, treated, shifts = [], [], {}, {}
    names = np.array([team.name for team in teams_of(before.spec)], dtype=object)
    for number, (arm, planner) in enumerate(game.planners.items(), start=1):
        plans = planner(seen)
        frame, by_week, done = _counted(before, weeks, game, whole, plans)
        if arm == game.treated:
            treated, shifts = done, {team: plans[team].shifts for team in game.teams}
        frame["today_hours"], by_week["today_hours"] = today["response_hours"], today_weekly["response_hours"]
        frame.insert(0, "unit", names[frame.pop("team")])
        frames.append(frame.assign(arm=arm))
        weekly.append(by_week.assign(arm=arm))
        progress("arms", number, len(game.planners))
    after = desks.moved(before, whole, treated, weeks)
    for team, worked in shifts.items():
        after.shifts[team, before.clock :] = worked
    played = pd.concat(frames, ignore_index=True)
    one = played[played["arm"] == game.treated]
    basis = say(
        "{weeks} field weeks from {begin} in {teams} teams, {tickets} tickets; the teams followed {treated}, every "
        "other way of deciding was played as a twin from the same queues against the same tickets; waits in opening "
        "hours",
        weeks=weeks, begin=str(monday(before.clock, before.spec.origin)), teams=len(game.teams),
        tickets=f"{int(one['tickets'].sum()):,}", treated=game.treated,
    )  # fmt: skip
    return Outcomes(played, SLICES, weeks, "field", basis, pd.concat(weekly, ignore_index=True)), after


def _counted(
    before: Desk, weeks: int, game: Game, whole: Mapping[int, pd.DataFrame], plans: Mapping[int, Plan]
) -> tuple[pd.DataFrame, pd.DataFrame, dict[int, pd.DataFrame]]:
    """Components of the whole span by team and slice cell, of each week over all teams, and the tickets afterwards."""
    done = {team: desks.worked(before, team, whole[team], plans[team]) for team in game.teams}
    shifts = {team: plans[team].shifts for team in game.teams}
    begin = before.clock * WEEK_HOURS
    tickets = pd.concat([done[team] for team in game.teams], ignore_index=True)
    # What was closed and answered before the span counts in nothing.
    tickets = tickets[~(tickets["closed"] < begin) | (tickets["reopened"] >= begin)].reset_index(drop=True)
    codes = [CATEGORIES.index(name) for name in game.left_out]
    counted = ~tickets["category"].isin(codes).to_numpy(dtype=np.bool_)
    frame = rows_of(tickets, game.teams, shifts, (begin, begin + weeks * WEEK_HOURS), game.limit, counted)
    parts = []
    for week in range(weeks):
        span = (begin + week * WEEK_HOURS, begin + (week + 1) * WEEK_HOURS)
        own = {team: plan[week : week + 1] for team, plan in shifts.items()}
        sums = rows_of(tickets, game.teams, own, span, game.limit, counted).drop(columns=["team", *SLICES]).sum()
        day = str(monday(before.clock + week, before.spec.origin))
        parts.append(sums.to_frame().T.assign(period=day))
    return frame, pd.concat(parts, ignore_index=True), done


def _clock(location: Path) -> int | None:
    """The clock the last committed play reached, or that of the foundation; None where no desk lives."""
    plays = location / PLAYS
    made = [path for path in plays.iterdir() if not path.name.startswith(".")] if plays.is_dir() else []
    reached = [played.notes(path)["clock"] for path in made]
    if reached:
        return max(reached)
    worlds = location / WORLDS
    found = [int(path.name.split("-")[1]) for path in worlds.glob("desk-*")] if worlds.is_dir() else []
    return min(found, default=None)


def _exported(location: Path, clock: int) -> Path:
    """The exports of this clock, made when they are not there; older ones go."""
    directory = location / f"{EXPORTS}{clock:04d}"
    if not directory.exists():
        export(desks.load(location / WORLDS, clock), directory)
    for old in location.glob(f"{EXPORTS}*"):
        if old != directory:
            shutil.rmtree(old, ignore_errors=True)
    return directory


@contextmanager
def _alone(location: Path) -> Iterator[None]:
    """One process at a time founds, exports or plays."""
    try:
        location.mkdir(parents=True, exist_ok=True)
        lock = (location / ".lock").open("a")
    except OSError as error:
        finding = Finding(str(location), str(error), "choose a directory that can be written, with --data")
        raise DataError("the desk's directory cannot be used", [finding]) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _file_name(key: str) -> str:
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", key).lstrip(".")
    if not name.strip("_."):
        raise ValueError(f"{key!r} cannot name a play")
    return name
