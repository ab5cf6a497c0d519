"""Training rows: what was known at the end of a past week, and the demand of a week it should have foreseen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.replenishment.features import features_at
from pipeline.replenishment.history import History
from pipeline.replenishment.panel import Bools, Floats, Ints

#: Origins before this many weeks hold too little to learn from.
FIRST_ORIGIN = 26
#: Weeks a history must have before the first game: two seasons would be better, one is the least.
LEAST_HISTORY = 60
#: Origins used at most; further ones repeat nearly the same recent means.
MOST_ORIGINS = 60


@dataclass(frozen=True)
class Rows:
    """R training rows.

    Attributes:
        features: (R, F).
        demand: (R,) units; of censored cells what their sales let suppose.
        sold: (R,) units sold, equal to demand where the shelf never ran empty.
        censored: (R,) the shelf ran empty.
        level: (R,) size of the series at the origin; its logarithm is the model's offset.
        age: (R,) weeks from the target to the newest week.
        names: F feature names.
    """

    features: Floats
    demand: Floats
    sold: Floats
    censored: Bools
    level: Floats
    age: Floats
    names: tuple[str, ...]


@dataclass(frozen=True)
class Draw:
    """Which rows are drawn.

    Attributes:
        last: number of weeks whose demand may be a target.
        budget: rows at most; above it the same share of every origin is drawn, seeded.
    """

    last: int
    budget: int


def training_rows(history: History, first: int, last: int, groups: tuple[str, ...], budget: int, seed: int) -> Rows:
    """The rows of one draw; see :func:`drawn_rows`."""
    return drawn_rows(history, first, (Draw(last, budget),), groups, seed)[0]


def drawn_rows(
    history: History, first: int, draws: Sequence[Draw], groups: tuple[str, ...], seed: int
) -> tuple[Rows, ...]:
    """Rows whose target weeks lie before a draw's ``last``, from at most :data:`MOST_ORIGINS` origins, for each draw.

    Draws share most of their origins, and the features of an origin are made once for all of them.

    Args:
        history: of a panel; for a draw only its first ``last`` weeks are read.
        first: earliest origin, as a number of known weeks.
        draws: what is asked for.
        groups: feature groups.
        seed: of each draw.
    """
    asked = [_Asked.of(draw, first, seed) for draw in draws]
    for known in sorted(set().union(*(each.origins for each in asked))):
        features, names = features_at(history, known, groups)
        for each in asked:
            if known in each.origins:
                each.parts.append(_rows_at(history, known, each, features, names))
    return tuple(_joined(each.parts) for each in asked)


@dataclass(frozen=True)
class _Asked:
    """A draw under way: its origins, the rows each gives at most, its own random numbers, and what it has so far."""

    last: int
    origins: frozenset[int]
    quota: int
    draw: np.random.Generator
    parts: list[Rows]

    @classmethod
    def of(cls, draw: Draw, first: int, seed: int) -> "_Asked":
        origins = _origins(max(first, min(FIRST_ORIGIN, draw.last - 1)), draw.last)
        quota = draw.budget // len(origins)
        return cls(draw.last, frozenset(origins.tolist()), quota, np.random.default_rng(seed), [])


def _joined(parts: Sequence[Rows]) -> Rows:
    return Rows(
        features=np.concatenate([part.features for part in parts]),
        demand=np.concatenate([part.demand for part in parts]),
        sold=np.concatenate([part.sold for part in parts]),
        censored=np.concatenate([part.censored for part in parts]),
        level=np.concatenate([part.level for part in parts]),
        age=np.concatenate([part.age for part in parts]),
        names=parts[0].names,
    )


def _origins(first: int, last: int) -> Ints:
    """Evenly spread, the newest included: each has at least its first target before ``last``."""
    every = -(-(last - first) // MOST_ORIGINS)
    return np.arange(last - 1, first - 1, -max(every, 1))[::-1]


def _rows_at(history: History, known: int, asked: _Asked, features: Floats, names: tuple[str, ...]) -> Rows:
    reach = min(history.lead_time, asked.last - known)
    seen = history.usable[known : known + reach] & (history.count[known] > 0)
    horizon, series = np.nonzero(seen)
    if len(horizon) > asked.quota:
        kept = np.sort(asked.draw.choice(len(horizon), asked.quota, replace=False))
        horizon, series = horizon[kept], series[kept]
    return Rows(
        features=features[horizon, series],
        demand=history.demand[known + horizon, series],
        sold=history.panel.sales[known + horizon, series],
        censored=~history.known[known + horizon, series],
        level=history.level(known)[series].astype(np.float32),
        age=(asked.last - 1 - known - horizon).astype(np.float32),
        names=names,
    )


@dataclass(frozen=True)
class HeldOut:
    """Weeks kept back, seen from O origins: all (O, L, N).

    Attributes:
        origins: (O,) weeks known.
        demand: units; of censored cells what their sales let suppose.
        sold: units sold.
        known: sales are demand.
        censored: demand was more than the sales, which are above 0.
    """

    origins: tuple[int, ...]
    demand: Floats
    sold: Floats
    known: Bools
    censored: Bools


def held_out(history: History, last: int, weeks: int) -> HeldOut:
    """The last ``weeks`` of the first ``last`` weeks, from every origin whose targets all lie in them."""
    lead = history.lead_time
    origins = tuple(range(max(last - weeks, 1), last - lead + 1))

    def windows(values: NDArray[Any]) -> NDArray[Any]:
        return np.stack([values[known : known + lead] for known in origins])

    known, usable = windows(history.known), windows(history.usable)
    return HeldOut(origins, windows(history.demand), windows(history.panel.sales), known, np.asarray(usable & ~known))
