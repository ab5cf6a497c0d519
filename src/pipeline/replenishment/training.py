"""Training rows: what was known at the end of a past week, and the demand of a week it should have foreseen."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.replenishment.chain import together
from pipeline.replenishment.features import features_at
from pipeline.replenishment.history import EVERY, Chosen, History
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

    def take(self, places: Ints) -> "Rows":
        """These rows, in this order."""
        return Rows(
            features=self.features[places],
            demand=self.demand[places],
            sold=self.sold[places],
            censored=self.censored[places],
            level=self.level[places],
            age=self.age[places],
            names=self.names,
        )


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

    def at(known: int) -> list[Rows | None]:
        """The rows of an origin for each draw; its features are let go again."""
        made: list[Any] = together(
            # Not needed yet, but asked of a chain in parts along with the candidates.
            partial(history.level, known),
            *(partial(_candidates, history, known, each) for each in asked),
        )
        cells = [_drawn(history, each, *found) if found else None for each, found in zip(asked, made[1:], strict=True)]
        places = np.zeros(history.panel.size, np.int64)
        for found in filter(None, cells):
            places[found[1]] = 1
        series = np.flatnonzero(places)
        places[series] = np.arange(len(series))
        features, names = features_at(history, known, groups, series)
        # Each feature lies together in memory, and is taken from there.
        planes = np.moveaxis(features, -1, 0).reshape(len(names), -1)
        return [
            _rows_at(history, known, each, names, planes[:, found[0] * len(series) + places[found[1]]].T, *found)
            if found
            else None
            for each, found in zip(asked, cells, strict=True)
        ]

    origins = together(*(partial(at, known) for known in sorted(set().union(*(each.origins for each in asked)))))
    return tuple(joined([rows for rows in drawn if rows is not None]) for drawn in zip(*origins, strict=True))


def whole_draw(parts: Sequence[Rows]) -> Rows:
    """The rows of one draw of a chain, from those of its parts: by origin, horizon and series, as in one piece."""
    if len(parts) == 1:
        return parts[0]
    rows = joined(parts)
    horizon = rows.features[:, rows.names.index("horizon")]
    return rows.take(np.lexsort((horizon, -(rows.age + horizon))))


@dataclass(frozen=True)
class _Asked:
    """A draw under way: its origins, the rows each gives at most, and its own random numbers."""

    last: int
    origins: frozenset[int]
    quota: int
    draw: np.random.Generator

    @classmethod
    def of(cls, draw: Draw, first: int, seed: int) -> "_Asked":
        origins = _origins(max(first, min(FIRST_ORIGIN, draw.last - 1)), draw.last)
        quota = draw.budget // len(origins)
        return cls(draw.last, frozenset(origins.tolist()), quota, np.random.default_rng(seed))


def joined(parts: Sequence[Rows]) -> Rows:
    """Rows after each other."""
    return Rows(
        # Each feature lies together, in the parts too.
        features=np.concatenate([part.features.T for part in parts], axis=1).T,
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


def _candidates(history: History, known: int, asked: _Asked) -> tuple[Bools, Ints] | None:
    """Cells (reach, N) a draw may take from an origin, and how many there are by horizon and part of the chain."""
    if known not in asked.origins:
        return None
    reach = min(history.lead_time, asked.last - known)
    seen = np.asarray(history.usable[known : known + reach] & (history.count[known] > 0))
    (counts,) = history.panel.chain.joined(("candidates", known, asked.last), seen.sum(axis=1, keepdims=True))
    return seen, counts


def _drawn(history: History, asked: _Asked, seen: Bools, counts: Ints) -> tuple[Ints, Ints]:
    """Horizon and series of the cells a draw takes."""
    horizon, series = np.nonzero(seen)
    total = int(counts.sum())
    if total > asked.quota:
        # Places among all candidates of the chain, by horizon and series: those before, and those of the own part.
        before = (np.cumsum(counts) - counts.ravel()).reshape(counts.shape)[:, history.panel.chain.place]
        places = [start + np.arange(own) for start, own in zip(before, seen.sum(axis=1), strict=True)]
        taken = np.zeros(total, np.bool_)
        taken[asked.draw.choice(total, asked.quota, replace=False)] = True
        kept = taken[np.concatenate(places)]
        horizon, series = horizon[kept], series[kept]
    return horizon, series


def _rows_at(
    history: History, known: int, asked: _Asked, names: tuple[str, ...], features: Floats, horizon: Ints, series: Ints
) -> Rows:
    return Rows(
        features=features,
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


def held_origins(history: History, last: int, weeks: int) -> tuple[int, ...]:
    """Every origin whose targets all lie in the last ``weeks`` of the first ``last`` weeks."""
    return tuple(range(max(last - weeks, 1), last - history.lead_time + 1))


def held_out(history: History, last: int, weeks: int, chosen: Chosen = EVERY) -> HeldOut:
    """The last ``weeks`` of the first ``last`` weeks, from all their origins, of the chosen series."""
    origins = held_origins(history, last, weeks)

    def windows(values: NDArray[Any]) -> NDArray[Any]:
        return np.stack([values[known : known + history.lead_time, chosen] for known in origins])

    known, usable = windows(history.known), windows(history.usable)
    return HeldOut(origins, windows(history.demand), windows(history.panel.sales), known, np.asarray(usable & ~known))
