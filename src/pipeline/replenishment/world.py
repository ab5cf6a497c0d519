"""A synthetic grocery chain that answers back: what it sells depends on what was ordered.

No real chain can ship with this package, so the flagship case runs here. Demand is latent: the world knows it, the
exports and the panel never hold it. Twin plays of the same weeks under different orders meet the same shoppers.

**Assumptions.** Orders of a store are weekly, placed at the end of a week, and can be sold ``lead_time`` weeks later.
The central warehouse always delivers, in single units. Goods do not spoil. A shopper who finds the shelf empty is
lost: no backorder, no substitute, no second store. Sales of a week are ``min(stock at its start, demand)``. Staff
report a gap in every week in which a shopper asked in vain: ``in_stock`` is False exactly then, and how many asked
is not known. What is left on the shelves is counted at the end of every week. Promotions, holidays and pay weeks are
planned and known 13 weeks ahead. Prices, range and calendar do not depend on who orders.

**Demand** of a series in a week is negative binomial around a mean that is a product of:

- product level: log-normal, median 4.5 a week in a store of size 1, log-sd 1.2, held to 0.25 … 45;
- store size: express 0.55, supermarket 1, hypermarket 1.8, each × log-normal of log-sd 0.25;
- a store's own taste for a product: log-normal, log-sd 0.35;
- yearly season by department (log amplitude 0.05 household … 0.35 drinks) and a summer bump by cluster (city −0.15,
  tourist +0.45 in logs, centred on the end of July);
- pay weeks, those that hold the 28th: +3 % (tourist) … +12 % (suburb); Christmas and Easter weeks: +5 % (care,
  household) … +57 % (snacks), half of it in logs in the weeks of 17 and 31 December;
- promotions: about every 11 weeks for one or two weeks, 10–40 % off, uplift ``exp(e × discount)`` with e 1.8 … 3.5
  by product, and 15 % less in the week after;
- swings nobody can foresee: AR(1) in logs by product (sd 0.12, memory 0.95) and by store (sd 0.06, memory 0.8);
- a launch starts at half its level and is up after eight weeks;
- the shift: from week ``weeks + shift_after`` on a competitor is gone, and stores in suburb and country clusters
  sell ``shift_factor`` times as much, for good, complete after four weeks.

Week to week spread: Gamma shape 5 … 25 by product (a coefficient of variation of 0.2 … 0.45 on top of Poisson).

**Range.** 8 % of the products are launched and 5 % delisted in the history, one more of each in the field (weeks 8 and
14); 3 % of the series start late and 2 % end early by the choice of their store. A new series' shelf is filled once,
with the buyer's guess of four weeks; stock and orders of a delisted one go back to the warehouse.

**Today's rule** (:mod:`.habits`): order up to 4.4 weeks of the mean of the last 8 weeks' sales as rung up, at least
a facing of 1 or 2. The cover was bent by hand over the years: log-normal by department (log-sd 0.12,
centred), store (0.15) and series (0.45). 40 % of the stores round up to full cases; a
quarter of all stores forget 8 % of their orders.

So much for the flagship's chain, ``retailer``. The chain ``overstocked`` (60 stores, 30 products, 120 weeks) orders up
to 7 weeks, bent by a log-sd of 0.6, and no competitor leaves: it holds some 45 days of sales and still runs out in 3 to
4 % of the store-product-weeks, as the stock lies in the wrong places.

Two numbers were set by looking at an outcome, and only at that of today's rule: its cover and how far it was bent
series by series, until it ran out in 8 to 10 % of the store-product-weeks with some three weeks of stock on hand (seeds
20260 and 1 … 4: 8.6 … 9.0 %, 7.2 … 9.2 % of the units lost, 3.4 weeks). No model's result was looked at.
"""

import json
import os
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.errors import DataError, Finding
from pipeline.replenishment.demand import Truth, WorldSpec, truth_of
from pipeline.replenishment.habits import forgotten_in, habits_of, ordered_by_hand
from pipeline.replenishment.panel import FUTURE_WEEKS, Bools, Floats, Ints, Panel, Weeks

__all__ = ["Played", "World", "WorldSpec", "found", "load", "observed", "opened", "play", "save"]

_Scalar = TypeVar("_Scalar", bound=np.generic)
Counts = NDArray[np.int32]
#: Sees the panel up to now; returns (N,) whole units to order. Only those of its own series count.
Decide = Callable[[Panel], NDArray[np.integer]]
Controller = tuple[Bools, Decide]


@dataclass(frozen=True)
class World:
    """The retailer at the end of a week, before the orders of that evening. Arrays are read-only.

    Attributes:
        spec: what its latent side follows from.
        sold: (burn_in + clock, N) units sold.
        in_stock: same shape; False where a shopper asked in vain, and where not listed.
        stock: same shape; units in the stores at the end of each week.
        on_hand: (N,) units in the stores.
        on_order: (lead_time - 1, N) units arriving at the start of the next week, the one after, …
    """

    spec: WorldSpec
    sold: Floats
    in_stock: Bools
    stock: Floats
    on_hand: Ints
    on_order: Ints

    @property
    def clock(self) -> int:
        """Weeks on record since the first week of the history."""
        return len(self.sold) - self.spec.burn_in

    @property
    def week(self) -> date:
        """Monday of the last week on record."""
        day: date = truth_of(self.spec).weeks[len(self.sold) - 1].astype(object)
        return day


@dataclass(frozen=True)
class Played:
    """What happened in F weeks, latent demand included; all arrays (F, N), whole units.

    In every week ``start = end of the week before + arrived - withdrawn``, ``sold = min(start, demand)``,
    ``lost = demand - sold`` and ``end = start - sold``. ``ordered[f]`` was placed in the evening before week f.

    Attributes:
        weeks: (F,) Mondays.
        listed: whether the series was in the range; where it was not, everything is 0.
        arrived: orders delivered and shelves filled for new series.
        withdrawn: stock of delisted series taken back.
    """

    weeks: Weeks
    listed: Bools
    demand: Counts
    sold: Counts
    lost: Counts
    start: Counts
    end: Counts
    ordered: Counts
    arrived: Counts
    withdrawn: Counts


def opened(spec: WorldSpec) -> World:
    """The retailer before its first week: shelves filled once, nothing on order."""
    truth = truth_of(spec)
    size = spec.series
    return _frozen(
        World(
            spec,
            np.zeros((0, size), np.float32),
            np.zeros((0, size), np.bool_),
            np.zeros((0, size), np.float32),
            np.where(truth.listed(0), truth.fill, 0),
            np.zeros((spec.lead_time - 1, size), np.int64),
        )
    )


def found(spec: WorldSpec) -> World:
    """The retailer at the end of its history, played under today's rule after a burn-in."""
    return play(opened(spec), spec.burn_in + spec.weeks, ())[0]


def observed(world: World) -> Panel:
    """What the chain sees: sales, gaps, range, stock and calendars; never demand."""
    if world.clock < 1:
        raise ValueError("the world has no history yet")
    return _Books.of(world, 0).panel(len(world.sold), world.on_hand, world.on_order, world.spec.burn_in)


def play(world: World, periods: int, controllers: Sequence[Controller]) -> tuple[World, Played]:
    """Play weeks: each evening every controller orders for its own series, today's rule for all others.

    Args:
        world: where to start; it is not changed.
        periods: F, weeks to play.
        controllers: (mask (N,), decide) pairs; a decide sees the panel up to now and returns orders (N,).

    Returns:
        The world F weeks later, and what happened on the way.

    Raises:
        ValueError: when controllers overlap, an order is negative, not whole or of the wrong shape, or the weeks
            go beyond the spec's ``field_weeks``.
    """
    truth, first = truth_of(world.spec), len(world.sold)
    _check_play(world, periods, controllers)
    books = _Books.of(world, periods)
    record = {name: np.zeros((periods, world.spec.series), np.int32) for name in _RECORDED}
    on_hand, on_order = world.on_hand, world.on_order
    for step in range(periods):
        row = first + step
        orders = _orders(books, row, on_hand, on_order, controllers)
        week = _week(truth, row, on_hand, np.vstack([on_order, orders]))
        for name in _RECORDED:
            record[name][step] = week[name]
        books.sold[row], books.in_stock[row] = week["sold"], books.listed[row] & (week["lost"] == 0)
        books.stock[row] = week["end"]
        on_hand, on_order = week["end"], week["on_order"]
    after = _frozen(World(world.spec, books.sold, books.in_stock, books.stock, on_hand, on_order))
    rows = slice(first, first + periods)
    return after, Played(weeks=truth.weeks[rows], listed=books.listed[rows], **record)


_RECORDED = ("demand", "sold", "lost", "start", "end", "ordered", "arrived", "withdrawn")


def _check_play(world: World, periods: int, controllers: Sequence[Controller]) -> None:
    if len(world.sold) + periods > world.spec.last_row:
        raise ValueError(f"the world ends {world.spec.field_weeks} weeks after its history; raise field_weeks")
    if controllers and world.clock < 1:
        raise ValueError("controllers need a history to look at")
    if (np.sum([mask for mask, _ in controllers], axis=0) > 1).any():
        raise ValueError("two controllers order for the same series")


def _orders(books: "_Books", row: int, on_hand: Ints, on_order: Ints, controllers: Sequence[Controller]) -> Ints:
    """(N,) what is ordered in the evening before week ``row``."""
    if row == 0:
        return np.zeros_like(on_hand)
    spec = books.truth.spec
    forgotten = forgotten_in(spec, row)
    orders = ordered_by_hand(books.panel(row, on_hand, on_order, 0), habits_of(spec), forgotten)
    for mask, decide in controllers:
        panel = books.panel(row, on_hand, on_order, spec.burn_in)
        chosen = _checked(decide(panel), orders.shape)
        orders = np.where(mask, np.where(panel.listed[-1], chosen, 0), orders)
    return orders


def _week(truth: Truth, row: int, on_hand: Ints, coming: Ints) -> dict[str, Ints]:
    """One week of all series; ``coming`` is (lead_time, N): its first row arrives now, its last was just ordered."""
    listed, ordered = truth.listed(row), coming[-1]
    new = listed & ~truth.listed(row - 1) if row else np.zeros_like(listed)
    withdrawn = np.where(listed, 0, on_hand)
    coming = np.where(listed, coming, 0)
    arrived = coming[0] + np.where(new, truth.fill, 0)
    start = on_hand - withdrawn + arrived
    demand = truth.demand(row)
    sold = np.minimum(start, demand)
    return {
        "demand": demand, "sold": sold, "lost": demand - sold, "start": start, "end": start - sold,
        "ordered": ordered, "arrived": arrived, "withdrawn": withdrawn, "on_order": coming[1:],
    }  # fmt: skip


def _checked(orders: NDArray[np.integer], shape: tuple[int, ...]) -> Ints:
    """Orders as integers; a controller that returns anything else is wrong, not the world."""
    values = np.asarray(orders)
    if values.shape != shape:
        raise ValueError(f"a controller returned orders of shape {values.shape} instead of {shape}")
    if not np.issubdtype(values.dtype, np.integer) or (values < 0).any():
        raise ValueError(
            f"a controller returned {values.dtype} orders, least {values.min()}; whole units ≥ 0 are asked"
        )
    return values.astype(np.int64)


@dataclass(frozen=True)
class _Books:
    """Room for the record of a play, so that each week's panel is a set of views and nothing is copied."""

    truth: Truth
    sold: Floats
    in_stock: Bools
    stock: Floats
    listed: Bools
    promotion: Floats

    @classmethod
    def of(cls, world: World, periods: int) -> "_Books":
        """The record so far, with room for ``periods`` more weeks."""
        truth, rows = truth_of(world.spec), len(world.sold)
        sold = np.zeros((rows + periods, world.spec.series), np.float32)
        in_stock, stock = np.zeros(sold.shape, np.bool_), np.zeros_like(sold)
        sold[:rows], in_stock[:rows], stock[:rows] = world.sold, world.in_stock, world.stock
        discount = truth.discount[: rows + periods + FUTURE_WEEKS].astype(np.float32)
        promotion = np.tile(discount, (1, world.spec.stores))
        return cls(truth, sold, in_stock, stock, truth.listed_between(0, rows + periods), promotion)

    def panel(self, row: int, on_hand: Ints, on_order: Ints, start: int) -> Panel:
        """The panel before week ``row``, its record beginning at ``start``."""
        span, reach = slice(start, row), slice(start, row + FUTURE_WEEKS)
        truth = self.truth
        return Panel(
            weeks=truth.weeks[span],
            series=_series_of(truth.spec),
            sales=_read_only(self.sold[span]),
            in_stock=_read_only(self.in_stock[span]),
            listed=_read_only(self.listed[span]),
            promotion=_read_only(self.promotion[reach]),
            holiday=truth.holiday[reach].astype(np.float32),
            pay_week=truth.pay_week[reach].astype(np.float32),
            on_hand=on_hand.astype(np.float32),
            on_order=on_order.astype(np.float32),
            stock=_read_only(self.stock[span]),
        )


def save(world: World, directory: Path) -> Path:
    """Write the observable state as ``world-{clock:04d}.npz`` (no pickle); a half-written file is never left."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"world-{world.clock:04d}.npz"
    spec = {**asdict(world.spec), "first_week": world.spec.first_week.isoformat()}
    # The rename is atomic; the process id keeps two writers apart.
    part = path.with_suffix(f".{os.getpid()}.part")
    with part.open("wb") as file:
        np.savez(
            file, spec=np.array(json.dumps(spec)), sold=world.sold.astype(np.uint16), in_stock=world.in_stock,
            stock=world.stock.astype(np.uint32), on_hand=world.on_hand, on_order=world.on_order,
        )  # fmt: skip
    part.replace(path)
    return path


def load(directory: Path, clock: int) -> World:
    """Read the world of this clock back.

    Raises:
        DataError: when there is none, or its file does not read.
    """
    path = directory / f"world-{clock:04d}.npz"
    try:
        with path.open("rb") as opened_file, np.load(opened_file, allow_pickle=False) as file:
            values = json.loads(str(file["spec"]))
            spec = WorldSpec(**{**values, "first_week": date.fromisoformat(values["first_week"])})
            sold, stock = (file[name].astype(np.float32) for name in ("sold", "stock"))
            return _frozen(World(spec, sold, file["in_stock"], stock, file["on_hand"], file["on_order"]))
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as exc:
        raise DataError(
            "the synthetic retailer's state cannot be read",
            [
                Finding(
                    str(path), str(exc) or type(exc).__name__, "remove the file; the world is founded and played anew"
                )
            ],
        ) from exc


@lru_cache(maxsize=4)
def _series_of(spec: WorldSpec) -> pd.DataFrame:
    return truth_of(spec).series()


def _read_only(values: NDArray[_Scalar]) -> NDArray[_Scalar]:
    """A view nobody can write through."""
    view = values.view()
    view.flags.writeable = False
    return view


def _frozen(world: World) -> World:
    return replace(
        world,
        sold=_read_only(world.sold),
        in_stock=_read_only(world.in_stock),
        on_hand=_read_only(world.on_hand),
        on_order=_read_only(world.on_order),
    )
