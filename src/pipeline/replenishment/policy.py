"""Decision policies: from a demand forecast and the stock position to one order per series.

An order placed at the end of week ``t`` arrives at the start of week ``t + L`` (L: lead time). The arrivals of weeks
``t + 1 … t + L - 1`` are fixed; the order is for what they leave open in week ``t + L``.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pipeline.replenishment.panel import Floats, Ints
from pipeline.replenishment.parameters import OrderUpTo, Parameters, Paths, SafetyStock
from pipeline.replenishment.spread import PathSampler, Spread

#: Series handled at a time, so that the paths of a large chain stay in the processor's cache and in memory.
BLOCK = 4096
PATH_SEED = 8191


@dataclass(frozen=True)
class Forecast:
    """Demand until delivery: mean (L, N) of each week, and how far demand strays from it."""

    mean: Floats
    spread: Spread


def order(
    forecast: Forecast,
    on_hand: Floats,
    on_order: Floats,
    policy: Parameters,
    critical_ratio: float,
    *,
    last: bool = False,
) -> Ints:
    """Orders (N,) in whole units.

    Args:
        forecast: of weeks t + 1 … t + L.
        on_hand: (N,) stock at the end of week t.
        on_order: (L - 1, N) arrivals at the start of weeks t + 1 ….
        policy: the parameters of one of the policies; their type chooses it.
        critical_ratio: service level of a path policy that names none.
        last: no order follows, which a path policy knows how to use.
    """
    position = on_hand + on_order.sum(axis=0)
    if isinstance(policy, OrderUpTo):
        return order_up_to(forecast.mean.mean(axis=0) * policy.cover, position)
    if isinstance(policy, SafetyStock):
        return order_up_to(forecast.mean.sum(axis=0) + policy.z * deviation(forecast), position)
    if isinstance(policy, Paths):
        service = policy.service_level if policy.service_level is not None else critical_ratio
        # What other orders leave over is held for weeks, which asks for less than the newsvendor's ratio; what the last
        # one leaves over is held once and never sold, which is the newsvendor's own case.
        return _path_orders(
            forecast, on_hand, on_order, max(service, critical_ratio) if last else service, policy.paths
        )
    raise TypeError(f"no policy takes {type(policy).__name__}")


def order_up_to(target: NDArray[np.floating], position: NDArray[np.floating]) -> Ints:
    """(N,) what fills the stock position up to the target, to the nearest whole unit, never negative."""
    return np.maximum(np.floor(target - position + 0.5), 0).astype(np.int64)


def deviation(forecast: Forecast) -> NDArray[np.float64]:
    """(N,) standard deviation of demand until delivery, in units; weeks tied by the spread's correlation."""
    each = np.sqrt(forecast.spread.variance(forecast.mean))
    tie = forecast.spread.correlation
    return np.asarray(np.sqrt((1 - tie) * np.square(each).sum(axis=0) + tie * np.square(each.sum(axis=0))))


def lacking(demand: Floats, on_hand: Floats, on_order: Floats) -> Floats:
    """(P, N) units each path lacks in the week of delivery, negative where stock is left over.

    Stock runs through weeks t + 1 … t + L - 1 of each path with lost sales: demand above the stock is gone.

    Args:
        demand: (P, L, N) paths.
        on_hand: (N,) stock at the end of week t.
        on_order: (L - 1, N) fixed arrivals.
    """
    stock = np.broadcast_to(on_hand, (len(demand), len(on_hand)))
    for week, arriving in enumerate(on_order):
        stock = np.maximum(stock + arriving - demand[:, week], 0)
    return np.asarray(demand[:, len(on_order)] - stock, dtype=np.float32)


def quantile_order(shortfall: Floats, service_level: float) -> Ints:
    """(N,) the least whole order that serves at least this share of the paths (newsvendor on the empirical law).

    Silver, Pyke, Peterson, Inventory Management and Production Planning and Scheduling, 3rd ed., § 10.2: the least Q
    with P(D ≤ Q) ≥ shortage / (shortage + holding).
    """
    paths = len(shortfall)
    rank = min(max(int(np.ceil(service_level * paths - 1e-9)), 1), paths) - 1
    chosen = np.partition(shortfall, rank, axis=0)[rank]
    return np.asarray(np.maximum(np.ceil(chosen - 1e-4), 0), dtype=np.int64)


def _path_orders(forecast: Forecast, on_hand: Floats, on_order: Floats, service_level: float, paths: int) -> Ints:
    sampler = _sampler(forecast.spread, len(forecast.mean), paths)
    orders = np.empty(len(on_hand), np.int64)
    for first in range(0, len(orders), BLOCK):
        block = slice(first, first + BLOCK)
        demand = sampler.demand(forecast.mean[:, block])
        orders[block] = quantile_order(lacking(demand, on_hand[block], on_order[:, block]), service_level)
    return orders


@lru_cache(maxsize=8)
def _sampler(spread: Spread, horizons: int, paths: int) -> PathSampler:
    """Tables of quantiles are dear and the same for every decision of a game."""
    return PathSampler(spread, horizons, paths, PATH_SEED)
