"""How the planners of the synthetic retailer order today: so many weeks of recent sales, with each store's own habits.

The rule sees what the tills saw. It takes a week of empty shelves for a week of little demand, knows neither season
nor promotion, and its weeks of cover were typed in by hand years ago, so that stock is plentiful in the wrong places.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pipeline.replenishment.demand import Reals, WorldSpec, truth_of
from pipeline.replenishment.panel import Bools, Ints, Panel

_HABITS, _FORGOTTEN = 101, 102

#: Weeks of sales the rule averages over.
WINDOW = 8


@dataclass(frozen=True)
class Habits:
    """How each series is ordered by hand.

    Attributes:
        cover: (N,) weeks of average sales to order up to: set by department and store, then bent by hand.
        facing: (N,) units the shelf should show at least.
        case: (N,) orders are rounded up to multiples of it; 1 in stores that order single units.
        forgetful: (N,) chance that the order of a week is not placed.
    """

    cover: Reals
    facing: Ints
    case: Ints
    forgetful: Reals


@lru_cache(maxsize=4)
def habits_of(spec: WorldSpec) -> Habits:
    """The habits that belong to a world."""
    truth = truth_of(spec)
    rng = np.random.default_rng((spec.seed, _HABITS))
    shape = (spec.stores, spec.products)
    # Centred, so that six draws do not make a whole chain careful or careless.
    by_department = rng.normal(0.0, 0.12, int(truth.department.max()) + 1)
    department = np.exp(by_department - by_department.mean())[truth.department]
    store = rng.lognormal(0.0, 0.15, (spec.stores, 1))
    cover = spec.cover * department * store * rng.lognormal(0.0, spec.bent, shape)
    by_case = rng.random((spec.stores, 1)) < 0.4
    case_size = truth.products["case_size"].to_numpy(dtype=np.int64)
    case = np.where(by_case, case_size, 1)
    forgetful = np.broadcast_to(np.where(rng.random((spec.stores, 1)) < 0.25, 0.08, 0.0), shape)
    facing = np.broadcast_to(np.where(case_size > 1, 2, 1), shape)
    return Habits(cover.ravel(), facing.ravel(), case.ravel(), forgetful.ravel())


def ordered_by_hand(panel: Panel, habits: Habits, forgotten: Bools) -> Ints:
    """(N,) orders of today's rule at the end of the panel's last week."""
    sales, listed = panel.sales[-WINDOW:], panel.listed[-WINDOW:]
    average = sales.sum(axis=0, dtype=np.float64) / np.maximum(listed.sum(axis=0), 1)
    target = np.maximum(np.ceil(habits.cover * average), habits.facing)
    position = panel.on_hand.astype(np.float64) + panel.on_order.sum(axis=0)
    missing = np.maximum(target - position, 0.0)
    cases = np.ceil(missing / habits.case) * habits.case
    orders: Ints = np.where(panel.listed[-1] & ~forgotten, cases, 0.0).astype(np.int64)
    return orders


def forgotten_in(spec: WorldSpec, row: int) -> Bools:
    """(N,) orders nobody places in the evening before this week; the same in every play of the week."""
    rng = np.random.default_rng((spec.seed, _FORGOTTEN, row))
    forgotten: Bools = rng.random(spec.series) < habits_of(spec).forgetful
    return forgotten
