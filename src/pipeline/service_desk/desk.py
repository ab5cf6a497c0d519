"""The desk of the synthetic world at a moment, and how it moves on: every team by its own plan."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.errors import DataError, Finding
from pipeline.service_desk.clock import WEEK_HOURS, Ints
from pipeline.service_desk.floor import Course, Nature, Tickets, work
from pipeline.service_desk.queueing import Rule, first_come_first_served
from pipeline.service_desk.staffing import fixed_shifts, on_duty
from pipeline.service_desk.vocabulary import CATEGORIES
from pipeline.service_desk.world import WorldSpec, teams_of, tickets_of

_DRAWN = ("arrival", "category", "work", "chance", "draw", "away", "work_again")
COURSE = tuple(Course.__dataclass_fields__)


@dataclass(frozen=True)
class Plan:
    """How one team works for some weeks.

    Attributes:
        rule: the order of the queue; its rates stand in the order of the team's rows.
        shifts: (weeks, 18) agents per half-day shift.
    """

    rule: Rule
    shifts: Ints


@dataclass(frozen=True)
class Desk:
    """The world at the beginning of a week.

    Attributes:
        spec: what fixes the world.
        clock: weeks passed, burn-in included.
        tickets: one row per ticket that came in, sorted by team and arrival: what :func:`tickets_of` draws and the
            columns of :class:`Course`.
        shifts: (teams, weeks, 18) agents per shift in every week passed.
    """

    spec: WorldSpec
    clock: int
    tickets: pd.DataFrame
    shifts: Ints


def found(spec: WorldSpec) -> Desk:
    """A desk with its history, in which every team followed today's rule."""
    empty = Desk(spec, 0, pd.DataFrame(), np.zeros((spec.teams, 0, len(fixed_shifts(1))), np.int64))
    return moved(empty, coming(empty, spec.burn_in + spec.weeks), {}, spec.burn_in + spec.weeks)


def coming(desk: Desk, weeks: int) -> dict[int, pd.DataFrame]:
    """Per team, its tickets: those that are there and those of the next weeks, which nobody has looked at yet."""
    known = dict(iter(desk.tickets.groupby("team"))) if len(desk.tickets) else {}
    whole = {}
    for number in range(desk.spec.teams):
        parts = [tickets_of(desk.spec, number, week) for week in range(desk.clock, desk.clock + weeks)]
        fresh = pd.DataFrame({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})
        untouched = fresh.assign(**vars(Course.new(len(fresh))))
        whole[number] = pd.concat([known[number], untouched], ignore_index=True) if number in known else untouched
    return whole


def today(desk: Desk, number: int, size: int, weeks: int) -> Plan:
    """Today's rule for one team: first come first served, fixed shifts."""
    team = teams_of(desk.spec)[number]
    rule = first_come_first_served(size, team.agents, len(CATEGORIES))
    return Plan(rule, np.tile(fixed_shifts(team.per_day), (weeks, 1)))


def worked(desk: Desk, number: int, tickets: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """One team's tickets after the weeks of a plan."""
    team = teams_of(desk.spec)[number]
    weeks = len(plan.shifts)
    course = work(
        Tickets(**{name: tickets[name].to_numpy() for name in _DRAWN}),
        Course(**{name: tickets[name].to_numpy() for name in COURSE}),
        on_duty(plan.shifts.ravel(), team.agents),
        team.skills,
        plan.rule,
        Nature(),
        desk.clock * WEEK_HOURS,
        (desk.clock + weeks) * WEEK_HOURS,
    )
    return tickets.assign(**vars(course))


def moved(desk: Desk, whole: Mapping[int, pd.DataFrame], treated: Mapping[int, pd.DataFrame], weeks: int) -> Desk:
    """The desk after some weeks.

    Args:
        desk: before them.
        whole: from :func:`coming`.
        treated: per team that followed a plan, its tickets afterwards; all others follow today's rule.
        weeks: how many.
    """
    parts, shifts = [], []
    for number in range(desk.spec.teams):
        plan = today(desk, number, len(whole[number]), weeks)
        done = treated.get(number)
        parts.append(worked(desk, number, whole[number], plan) if done is None else done)
        shifts.append(plan.shifts)
    past = np.concatenate([desk.shifts, np.stack(shifts)], axis=1)
    return Desk(desk.spec, desk.clock + weeks, pd.concat(parts, ignore_index=True), past)


def save(desk: Desk, directory: Path) -> None:
    """Write the desk of this clock; what is there already stays, as the same clock is the same desk."""
    directory.mkdir(parents=True, exist_ok=True)
    place = directory / f"desk-{desk.clock:04d}"
    if place.exists():
        return
    part = directory / f".{place.name}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    desk.tickets.to_parquet(part / "tickets.parquet", index=False)
    np.save(part / "shifts.npy", desk.shifts, allow_pickle=False)
    (part / "spec.json").write_text(json.dumps(asdict(desk.spec)) + "\n", encoding="utf-8")
    part.rename(place)


def load(directory: Path, clock: int) -> Desk:
    """Read the desk of a clock back.

    Raises:
        DataError: a file is missing or unreadable.
    """
    place = directory / f"desk-{clock:04d}"
    try:
        tickets = pd.read_parquet(place / "tickets.parquet")
        shifts = np.load(place / "shifts.npy", allow_pickle=False)
        spec = WorldSpec(**json.loads((place / "spec.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, pa.ArrowException) as error:
        finding = Finding(str(place), f"{type(error).__name__}: {error}", "restore it, or point --data to a new folder")
        raise DataError("the desk's state cannot be read", [finding]) from error
    return Desk(spec, clock, tickets, shifts)
