"""The synthetic desk as it truly is: teams, customers and the tickets they open. Nothing here is shown to a model.

Every week of every team is drawn from its own seed, so that the world is the same however far and in whatever order it
is played. Arrivals follow week and day (Mondays and mornings are busiest, mail comes in at night), a slow level of each
team, and now and then an incident that brings a day's worth of tickets at once. Hours of work are lognormal around what
category, channel and customer make of them: a few tickets take a day (service times of this shape: Gans, Koole,
Mandelbaum 2003, § 6.3). Customers lose patience after an exponential time and escalate.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.service_desk.clock import OPENS, Bools, Floats, Ints, to_clock
from pipeline.service_desk.staffing import fixed_shifts
from pipeline.service_desk.vocabulary import CATEGORIES, CHANNELS, PRIORITIES, TIERS

REGIONS = ("central", "east", "north", "west")

#: Columns of tickets by name, each (N,).
Drawn = dict[str, NDArray[Any]]

#: Median hours of work by category, and log factors by channel.
_HOURS = np.array([0.30, 1.30, 1.00, 0.55, 1.60, 0.80])
_CHANNEL = np.array([-0.20, 0.10, -0.10, 0.0])
_NOISE, _CUSTOMER = 0.70, 0.40
_DAY_WEIGHTS = np.array([1.50, 1.15, 1.00, 0.95, 0.90, 0.35, 0.12])
#: Arrivals by hour of the day for mail and portal; telephone and chat are open when the desk is.
_HOUR_WEIGHTS = np.array(
    [2, 1, 1, 1, 2, 4, 9, 22, 48, 60, 55, 45, 30, 38, 48, 42, 34, 24, 14, 9, 7, 6, 4, 3], dtype=np.float64
)
_REOPENED = np.array([0.05, 0.10, 0.08, 0.05, 0.09, 0.08])
_INCIDENTS = 0.04
#: What a mismatch of skills and what comes back add to the hours a ticket takes; only to size the teams.
_OVERHEAD = 1.12


@dataclass(frozen=True)
class WorldSpec:
    """What fixes a world.

    Attributes:
        seed: of every draw.
        teams: number of teams.
        weeks: weeks of history at the foundation.
        burn_in: weeks before it, in which queues fill; never exported.
        first_monday: the first Monday of the history.
    """

    seed: int = 20260
    teams: int = 24
    weeks: int = 30
    burn_in: int = 3
    first_monday: str = "2026-04-27"

    @property
    def origin(self) -> np.datetime64:
        """The Monday on which the desk's clock begins, before the burn-in."""
        return np.datetime64(self.first_monday, "D") - np.timedelta64(7 * self.burn_in, "D")


@dataclass(frozen=True)
class Team:
    """One team.

    Attributes:
        name: such as ``T03``.
        region: where it sits.
        per_day: agents on duty on a weekday in today's plan.
        skills: (agents, categories) who knows what.
        mix: (categories,) shares of its tickets.
        rate: tickets a week at its usual level.
        customers: number of its customers.
        effect: (customers,) log factor on hours of work.
        tempers: (customers,) log factor on impatience.
        tier: (customers,) index of the tier.
        activity: (customers,) shares of its tickets.
    """

    name: str
    region: str
    per_day: int
    skills: Bools
    mix: Floats
    rate: float
    effect: Floats
    tempers: Floats
    tier: Ints
    activity: Floats

    @property
    def agents(self) -> int:
        """People of the team; four in five are on duty on a weekday."""
        return len(self.skills)

    @property
    def half_days(self) -> int:
        """Half-day shifts a week in today's plan."""
        return int(fixed_shifts(self.per_day).sum())


@lru_cache(maxsize=8)
def teams_of(spec: WorldSpec) -> tuple[Team, ...]:
    """All teams of a world."""
    return tuple(_team(spec, number) for number in range(spec.teams))


def _team(spec: WorldSpec, number: int) -> Team:
    draw = np.random.default_rng([spec.seed, 1, number])
    per_day, customers = int(draw.integers(3, 6)), int(draw.integers(30, 60))
    agents = int(np.ceil(per_day / 0.8))
    # Everybody knows four of the six categories, and somebody knows each.
    skills = np.ones((agents, len(CATEGORIES)), np.bool_)
    for agent in range(agents):
        skills[agent, [(2 * agent) % 6, (2 * agent + 1 + agent // 3) % 6]] = False
    activity = draw.pareto(1.6, customers) + 0.3
    team = Team(
        name=f"T{number + 1:02d}",
        region=REGIONS[number % len(REGIONS)],
        per_day=per_day,
        skills=skills,
        mix=draw.dirichlet(np.full(len(CATEGORIES), 6.0)),
        rate=0.0,
        effect=draw.normal(0, _CUSTOMER, customers),
        tempers=draw.normal(0, 0.5, customers),
        tier=draw.choice(len(TIERS), customers, p=[0.5, 0.35, 0.15]),
        activity=activity / activity.sum(),
    )
    load = float(draw.uniform(0.80, 0.90))
    mean = float(_tickets(team, 4000, draw)["work"].mean()) * _OVERHEAD
    return Team(**{**vars(team), "rate": load * 4.0 * team.half_days / mean})


def tickets_of(spec: WorldSpec, number: int, week: int) -> Drawn:
    """The tickets one team gets in one week, in the order in which they come, with all that is true of them.

    Arrays by name: ``ticket``, ``team``, ``opened`` (moment), ``arrival`` (opening hours), what the desk sees
    (``customer``, ``tier``, ``category``, ``channel``, ``priority``, ``products``, ``attachments``, ``known_error``,
    ``users``) and what it does not (``work``, ``work_again``, ``chance``, ``draw``, ``away``, ``patience``). Texts are
    codes.

    Args:
        spec: of the world.
        number: of the team.
        week: from 0, burn-in included.
    """
    team = teams_of(spec)[number]
    draw = np.random.default_rng([spec.seed, 2, number, week])
    days = draw.poisson(team.rate * _levels(spec, number)[week] * _DAY_WEIGHTS / _DAY_WEIGHTS.sum())
    if draw.random() < _INCIDENTS:
        days[draw.integers(0, 5)] += int(draw.poisson(0.15 * team.rate))
    drawn = _tickets(team, int(days.sum()), draw)
    day = np.repeat(np.arange(7), days)
    seconds = ((week * 7 + day) * 86400 + _second_of_day(drawn["channel"], draw)).astype(np.int64)
    opened = spec.origin.astype("datetime64[s]") + seconds * np.timedelta64(1, "s")
    order = np.argsort(opened, kind="stable")
    return {name: values[order] for name, values in drawn.items()} | {
        "opened": opened[order],
        "arrival": to_clock(opened[order], spec.origin),
        "team": np.full(len(order), number),
        "ticket": week * 1_000_000 + number * 10_000 + np.arange(len(order)),
    }


def _tickets(team: Team, size: int, draw: np.random.Generator) -> Drawn:
    customer = draw.choice(len(team.activity), size, p=team.activity)
    category = draw.choice(len(CATEGORIES), size, p=team.mix)
    channel = draw.choice(len(CHANNELS), size, p=[0.15, 0.35, 0.25, 0.25])
    priority = draw.choice(len(PRIORITIES), size, p=[0.2, 0.3, 0.5])
    products, attachments = 1 + draw.poisson(0.6, size), draw.poisson(0.8, size)
    known_error = draw.random(size) < 0.2
    users = np.minimum(1 + np.floor(draw.pareto(1.5, size)), 500).astype(np.int64)
    log_hours = np.log(_HOURS)[category] + _CHANNEL[channel] + team.effect[customer]
    log_hours += 0.12 * (products - 1) + 0.15 * np.log(users) - 0.8 * known_error
    # A form of the portal does half of an access request; hardware cannot be mended by telephone.
    log_hours += -0.6 * ((category == 0) & (channel == 3)) + 0.3 * ((category == 1) & (channel == 2))
    impatience = np.array([1.2, -0.7, 0.0])[priority] + np.array([0.0, 0.4, 1.0])[team.tier[customer]]
    impatience += team.tempers[customer] + 0.2 * np.log(users)
    return {
        "customer": customer,
        "tier": team.tier[customer],
        "category": category,
        "channel": channel,
        "priority": priority,
        "products": products,
        "attachments": attachments,
        "known_error": known_error,
        "users": users,
        "work": np.exp(log_hours + _NOISE * draw.standard_normal(size)),
        "work_again": 0.5 * np.exp(log_hours + _NOISE * draw.standard_normal(size)),
        "chance": _REOPENED[category],
        "draw": draw.random(size),
        "away": draw.exponential(14.0, size),
        "patience": draw.exponential(1.0, size) / (0.004 * np.exp(impatience)),
    }


def _second_of_day(channel: Ints, draw: np.random.Generator) -> NDArray[np.int64]:
    spoken = (channel == CHANNELS.index("chat")) | (channel == CHANNELS.index("phone"))
    hours = np.arange(24)
    open_hours = np.where((hours >= OPENS) & (hours < 19), _HOUR_WEIGHTS, 0.0)
    chosen = np.where(
        spoken,
        draw.choice(24, len(channel), p=open_hours / open_hours.sum()),
        draw.choice(24, len(channel), p=_HOUR_WEIGHTS / _HOUR_WEIGHTS.sum()),
    )
    return np.asarray(chosen * 3600 + draw.integers(0, 3600, len(channel)))


@lru_cache(maxsize=256)
def _levels(spec: WorldSpec, number: int) -> Floats:
    """(weeks,) how busy the team is beside its usual level: a slow wave of the year and an autoregressive drift."""
    weeks = 300
    draw = np.random.default_rng([spec.seed, 3, number])
    drift = np.zeros(weeks)
    for week in range(1, weeks):
        drift[week] = 0.85 * drift[week - 1] + draw.normal(0, 0.05)
    year = 0.05 * np.sin(2 * np.pi * np.arange(weeks) / 52 + draw.uniform(0, 2 * np.pi))
    return np.asarray(np.exp(drift + year))
