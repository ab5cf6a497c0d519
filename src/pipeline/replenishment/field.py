"""The synthetic retailer in the field: a directory in which a world lives, is exported, and is played on.

::

    LOCATION/world/world-0156.npz      the world at each clock that was reached
    LOCATION/exports-0156/*.parquet    what the chain's systems export at the newest clock
    LOCATION/plays/KEY/                outcomes of one play, and the clocks before and after it

A play is committed by one rename of its record. Before it, nothing has happened: a killed play is played again from
the same clock and, as everything is seeded, gives the same. After it, the same key is answered from the record.
"""

import fcntl
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.errors import DataError, Finding
from pipeline.evaluation.outcomes import Outcomes
from pipeline.language import say
from pipeline.problems import played
from pipeline.problems.base import Progress
from pipeline.replenishment import world
from pipeline.replenishment.benchmark import benchmark_orders
from pipeline.replenishment.demand import WorldSpec
from pipeline.replenishment.exports import export, read_exports
from pipeline.replenishment.games import AT_A_TIME, department_of
from pipeline.replenishment.panel import Bools, Panel
from pipeline.replenishment.parameters import Business
from pipeline.replenishment.replay import Decide
from pipeline.replenishment.season import YEAR
from pipeline.replenishment.tally import Cells, Weeks, cells, outcome_rows

WORLDS, PLAYS, EXPORTS = "world", "plays", "exports-"
#: Mean weekly sales that part slow, medium and fast series.
VOLUMES: tuple[tuple[str, float], ...] = (("slow", 2.0), ("medium", 8.0), ("fast", np.inf))


@dataclass(frozen=True)
class Players:
    """Who decides in a field period.

    Attributes:
        deciders: arm name → decider of the units; None stands for the retailer's own rule.
        treated: the arm the units really follow.
        series: (N,) series of the units; all others follow the retailer's own rule.
        counted: (N,) those the KPIs rest on.
    """

    deciders: Mapping[str, Decide | None]
    treated: str
    series: Bools
    counted: Bools


def tables_at(location: Path, spec: WorldSpec) -> dict[str, pd.DataFrame]:
    """The tables of the newest exports.

    Raises:
        DataError: when exports or the world's state cannot be read.
    """
    with exports_at(location, spec) as directory:
        return read_exports(directory)


@contextmanager
def exports_at(location: Path, spec: WorldSpec) -> Iterator[Path]:
    """The directory of the newest exports, which stay while they are read.

    Where nothing is yet, the retailer is founded and exported first. A directory that holds Parquet tables itself is
    read as it is.
    """
    if (location / "sales.parquet").exists():
        yield location
        return
    with _alone(location):
        clock = _clock(location)
        if clock is None:
            world.save(world.found(spec), location / WORLDS)
            clock = spec.weeks
        yield _exported(location, clock)


def play_field(
    location: Path,
    key: str,
    periods: int,
    business: Business,
    players: Callable[[Panel], Players],
    progress: Progress,
) -> Outcomes:
    """Move the world on, once per key, and play every arm's twin on the same weeks from the same state.

    Raises:
        DataError: when no world lives there, or its state or record cannot be read.
    """
    record = location / PLAYS / _file_name(key)
    with _alone(location):
        if not record.exists():
            before = _current(location)
            outcomes, after = _played(before, periods, business, players(world.observed(before)), progress)
            world.save(after, location / WORLDS)
            # From this rename on the weeks have happened.
            played.save(outcomes, record, before=before.clock, after=after.clock)
        outcomes = played.load(record)
        clock = _clock(location)
        if clock is not None:
            _exported(location, clock)
    return outcomes


def rewound(location: Path, key: str, target: Path) -> Path:
    """A copy of the retailer as it stood before the play of a key; the location itself where none was played.

    Raises:
        DataError: the record of the play cannot be read, or its world is gone.
    """
    record = location / PLAYS / _file_name(key)
    if not record.exists():
        return location
    world.save(world.load(location / WORLDS, played.notes(record)["before"]), target / WORLDS)
    return target


def _played(
    before: world.World, periods: int, business: Business, players: Players, progress: Progress
) -> tuple[Outcomes, world.World]:
    total = len(players.deciders) + 1
    played_so_far = count(1)

    def twin(decide: Decide | None) -> tuple[world.World, world.Played]:
        result = world.play(before, periods, [] if decide is None else [(players.series, decide)])
        progress("field weeks", next(played_so_far), total)
        return result

    # Twins do not touch each other, and LightGBM and numpy release the lock: two at a time on two cores.
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        reached = list(pool.map(twin, [benchmark_orders, *players.deciders.values()]))
    benchmark = _weeks(reached[0][1])
    ends = dict(zip(players.deciders, reached[1:], strict=True))
    after = ends[players.treated][0]
    twins = {arm: course for arm, (_, course) in ends.items()}
    panel = world.observed(before)
    first = next(iter(twins.values()))
    where = _cells(panel, world.observed(after), first, players.counted)
    rows = [outcome_rows(arm, _weeks(twin), benchmark, business, where) for arm, twin in twins.items()]
    outcomes = Outcomes(
        frame=pd.concat([frame for frame, _ in rows], ignore_index=True),
        slices=("department", "promotion", "volume"),
        periods=periods,
        kind="field",
        basis=_basis(where, panel, periods, players),
        weekly=pd.concat([weekly for _, weekly in rows], ignore_index=True),
    )
    return outcomes, after


def _weeks(twin: world.Played) -> Weeks:
    return Weeks(twin.demand, twin.sold, twin.lost, twin.end)


def _cells(panel: Panel, later: Panel, twin: world.Played, counted: Bools) -> Cells:
    """Listed weeks of counted series; service and stock from the week the first order of the period arrives."""
    costed = twin.listed & counted[None, :]
    judged = costed.copy()
    judged[: panel.lead_time - 1] = False
    promoted = later.promotion[panel.periods : panel.periods + len(twin.weeks)] > 0
    keys = {
        "unit": panel.series["store"].to_numpy(dtype=str),
        "department": department_of(panel.series),
        "promotion": np.where(promoted, "yes", "no"),
        "volume": volume_of(panel),
    }
    return cells(keys, tuple(str(day) for day in twin.weeks), judged, costed)


def volume_of(panel: Panel) -> NDArray[np.str_]:
    """(N,) slow, medium or fast by the mean sales of a year's listed weeks."""
    listed = np.maximum(panel.listed[-YEAR:].sum(axis=0), 1)
    mean = panel.sales[-YEAR:].sum(axis=0) / listed
    names = np.array([name for name, _ in VOLUMES])
    position = np.searchsorted([limit for _, limit in VOLUMES], mean, side="right")
    return np.asarray(names[np.minimum(position, len(names) - 1)])


def _basis(where: Cells, panel: Panel, periods: int, players: Players) -> str:
    units = len(np.unique(panel.series["store"].to_numpy(dtype=str)[players.counted]))
    lead = panel.lead_time
    first = (
        say(", service and stock from week {week} on, when the first order of the period arrives", week=lead)
        if lead > 1
        else ""
    )
    return say(
        "{weeks} field weeks from {begin} to {end} in {units} stores, {series} listed series-weeks{first}; the stores "
        "followed {treated}, every other way of deciding was played as a twin from the same state against the same "
        "shoppers",
        weeks=periods, begin=str(where.periods[0]), end=str(where.periods[-1]), units=units,
        series=f"{int(where.costed.sum()):,}", first=first, treated=players.treated,
    )  # fmt: skip


def _clock(location: Path) -> int | None:
    """The clock the last committed play reached, or that of the foundation; None where no world lives."""
    plays = location / PLAYS
    records = [path for path in plays.iterdir() if not path.name.startswith(".")] if plays.is_dir() else []
    reached = [played.notes(record)["after"] for record in records]
    if reached:
        return max(reached)
    worlds = location / WORLDS
    found = [int(path.stem.split("-")[1]) for path in worlds.glob("world-*.npz")] if worlds.is_dir() else []
    return min(found, default=None)


def _current(location: Path) -> world.World:
    clock = _clock(location)
    if clock is None:
        remedy = "point --data to a directory founded by `landed run`; recorded tables cannot answer new orders"
        raise DataError("there is no retailer to play in", [Finding(str(location / WORLDS), "no world", remedy)])
    return world.load(location / WORLDS, clock)


def _exported(location: Path, clock: int) -> Path:
    """The exports of this clock, made when they are not there; older ones go."""
    directory = location / f"{EXPORTS}{clock:04d}"
    if not directory.exists():
        export(world.load(location / WORLDS, clock), directory)
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
        remedy = "choose a directory that can be written, with --data"
        raise DataError(
            "the retailer's directory cannot be used", [Finding(str(location), str(error), remedy)]
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _file_name(key: str) -> str:
    """The key as a directory name."""
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", key)
    if not name.strip("._"):
        raise ValueError(f"{key!r} cannot name a play")
    return name.lstrip(".")
