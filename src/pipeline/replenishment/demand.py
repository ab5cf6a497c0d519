"""What shoppers of the synthetic retailer want: the latent side of the world, which no chain and no model sees.

Everything here follows from the :class:`WorldSpec` alone. Parameters are stated in :mod:`.world`; a factor over
weeks is kept in the smallest shape it varies in (product, store, cluster × department) and multiplied out one week
at a time.

Demand of a series in a week is Poisson with a Gamma mean, that is negative binomial: variance ``m + m²/k``
(Hilbe, Negative Binomial Regression, 2nd ed., ch. 8). Each week has its own generator, keyed by seed and week, so
that two plays of the same week meet the same shoppers whatever was on the shelves (common random numbers: Law,
Simulation Modeling and Analysis, 5th ed., ch. 11.2).
"""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from statistics import NormalDist

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.replenishment.panel import FUTURE_WEEKS, WEEK, Bools, Ints, Weeks

Reals = NDArray[np.float64]

# One stream per source of chance: changing how one is drawn leaves all others as they were.
_STORES, _PRODUCTS, _AFFINITY, _PROMOTIONS, _SHOCKS, _RANGE, _DEMAND = range(7)

#: cluster: share of stores, shares of express / supermarket / hypermarket, pay-week effect, summer effect (log).
CLUSTERS: dict[str, tuple[float, tuple[float, float, float], float, float]] = {
    "city": (0.35, (0.6, 0.4, 0.0), 0.05, -0.15),
    "suburb": (0.30, (0.1, 0.6, 0.3), 0.12, 0.00),
    "country": (0.20, (0.3, 0.6, 0.1), 0.10, 0.05),
    "tourist": (0.15, (0.4, 0.5, 0.1), 0.03, 0.45),
}
FORMATS: dict[str, float] = {"express": 0.55, "supermarket": 1.0, "hypermarket": 1.8}
#: department: yearly amplitude (log), week of the peak, holiday effect (log), its two groups.
DEPARTMENTS: dict[str, tuple[float, float, float, tuple[str, str]]] = {
    "drinks": (0.35, 28.0, 0.35, ("water", "beer")),
    "frozen": (0.25, 28.0, 0.20, ("ice_cream", "meals")),
    "pantry": (0.12, 3.0, 0.25, ("pasta", "baking")),
    "snacks": (0.15, 50.0, 0.45, ("crisps", "chocolate")),
    "household": (0.05, 14.0, 0.05, ("cleaning", "paper")),
    "care": (0.12, 6.0, 0.05, ("skin", "remedies")),
}
SHIFTED_CLUSTERS = ("suburb", "country")
CASES = (1, 4, 6, 12)
DISCOUNTS = (0.1, 0.2, 0.3, 0.4)


@dataclass(frozen=True)
class WorldSpec:
    """Size, seed, timing and habits of a world; the defaults are the flagship case.

    Attributes:
        stores, products: how many there are; every store may list every product.
        weeks: of history; ``burn_in`` weeks before it are played and forgotten, ``field_weeks`` after it may be played.
        seed: of every draw.
        lead_time: weeks from an order to the shelf.
        first_week: Monday of the history's first week.
        shift_after, shift_factor: when demand shifts after the history, and by how much.
        cover: weeks of average sales a planner orders up to; with a lead time of 2 and a weekly review 3 are at risk.
        bent: log-sd of what years of "a bit more of this, less of that" made of each series' cover.
    """

    stores: int = 300
    products: int = 60
    weeks: int = 156
    seed: int = 20260
    lead_time: int = 2
    burn_in: int = 26
    first_week: date = date(2023, 1, 2)
    shift_after: int = 18
    shift_factor: float = 1.5
    field_weeks: int = 104
    cover: float = 4.4
    bent: float = 0.45

    def __post_init__(self) -> None:
        if self.first_week.weekday() != 0:
            raise ValueError(f"first_week {self.first_week} is not a Monday")
        if min(self.stores, self.products, self.weeks, self.lead_time) < 1 or min(self.burn_in, self.field_weeks) < 0:
            raise ValueError("stores, products, weeks and lead_time must be at least 1, burn_in and field_weeks 0")

    @property
    def series(self) -> int:
        """N, the number of store × product pairs."""
        return self.stores * self.products

    @property
    def last_row(self) -> int:
        """Rows that may be played, counted from the first burn-in week."""
        return self.burn_in + self.weeks + self.field_weeks


#: The chains that ship, by the source a charter names; seed and lead time are the charter's. ``overstocked`` holds too
#: much of nearly everything, and unevenly; nothing in its world changes while it is played.
CHAINS: dict[str, WorldSpec] = {
    "retailer": WorldSpec(),
    "overstocked": WorldSpec(stores=60, products=30, weeks=120, cover=7.0, bent=0.6, shift_factor=1.0),
}


@dataclass(frozen=True)
class Truth:
    """The latent world. Rows are weeks counted from the first burn-in week; series are store-major.

    Attributes:
        spec: what it follows from.
        weeks: (A,) Mondays.
        stores: S rows: store, cluster, format.
        products: P rows: product, department, group, case_size, price.
        level: (S, P) mean weekly demand in an ordinary week.
        season: (A, S, D) season, holidays and pay weeks by store and department.
        department: (P,) position of each product's department in D.
        by_product: (A, P) promotion, product shock and launch.
        by_store: (A, S) store shock and demand shift.
        shape: (P,) Gamma shape k of the week-to-week spread.
        discount: (A, P) planned promotions.
        holiday: (A,) weight, 0..1.
        pay_week: (A,) 0 or 1.
        first: (S, P) row of the first listed week.
        last: (S, P) row after the last listed week.
        fill: (N,) units put on the shelf when a series is listed.
    """

    spec: WorldSpec
    weeks: Weeks
    stores: pd.DataFrame
    products: pd.DataFrame
    level: Reals
    season: Reals
    department: Ints
    by_product: Reals
    by_store: Reals
    shape: Reals
    discount: Reals
    holiday: Reals
    pay_week: Reals
    first: Ints
    last: Ints
    fill: Ints

    def mean(self, row: int) -> Reals:
        """(S, P) expected demand of a week, whether listed or not."""
        season = self.season[row][:, self.department]
        expected: Reals = self.level * season * self.by_product[row] * self.by_store[row][:, None]
        return expected

    def demand(self, row: int) -> Ints:
        """(N,) units shoppers ask for in a week; 0 where the product is not in the range."""
        rng = np.random.default_rng((self.spec.seed, _DEMAND, row))
        rate = rng.gamma(np.broadcast_to(self.shape, self.level.shape)) * (self.mean(row) / self.shape)
        asked: Ints = rng.poisson(rate).ravel()
        return np.where(self.listed(row), asked, 0)

    def listed(self, row: int) -> Bools:
        """(N,) whether the product is in the range of the store in that week."""
        inside: Bools = ((self.first <= row) & (row < self.last)).ravel()
        return inside

    def listed_between(self, start: int, stop: int) -> Bools:
        """(stop - start, N) the same for many weeks."""
        rows = np.arange(start, stop)[:, None]
        inside: Bools = (self.first.ravel() <= rows) & (rows < self.last.ravel())
        return inside

    def series(self) -> pd.DataFrame:
        """N rows: store, product and the attributes of both, as strings, in series order."""
        stores = self.stores.loc[self.stores.index.repeat(len(self.products))].reset_index(drop=True)
        products = pd.concat([self.products] * len(self.stores), ignore_index=True)
        frame = pd.concat([stores[["store"]], products, stores.drop(columns="store")], axis=1)
        return frame.astype(str)


@lru_cache(maxsize=4)
def truth_of(spec: WorldSpec) -> Truth:
    """The latent world of a spec; the same spec gives the same world on every machine."""
    rows = spec.last_row + FUTURE_WEEKS
    start = np.datetime64(spec.first_week, "D") - spec.burn_in * WEEK
    weeks = start + np.arange(rows) * WEEK
    stores, size = _stores(spec)
    products, rate, shape, elasticity = _products(spec)
    rng = np.random.default_rng((spec.seed, _AFFINITY))
    level = size[:, None] * rate * rng.lognormal(-0.5 * 0.35**2, 0.35, (spec.stores, spec.products))
    first, last = _range(spec)
    discount = _promotions(spec, rows)
    holiday, pay_week = _holidays(weeks), _pay_weeks(weeks)
    by_product, by_store = _shocks(spec, rows)
    by_product *= _promotion_effect(discount, elasticity) * _launch(first.min(axis=0), rows)
    by_store *= _shift(spec, rows, stores)
    fill = np.ceil(4.0 * level * rng.lognormal(0.0, 0.3, level.shape)).astype(np.int64)
    return Truth(
        spec=spec, weeks=weeks, stores=stores, products=products, level=level,
        season=_season(weeks, holiday, pay_week, stores),
        department=np.array([list(DEPARTMENTS).index(name) for name in products["department"]], np.int64),
        by_product=by_product, by_store=by_store, shape=shape, discount=discount, holiday=holiday,
        pay_week=pay_week, first=first, last=last, fill=fill.ravel(),
    )  # fmt: skip


def _stores(spec: WorldSpec) -> tuple[pd.DataFrame, Reals]:
    """S stores and their size; the clusters are mixed over the store numbers."""
    rng = np.random.default_rng((spec.seed, _STORES))
    shares = np.array([values[0] for values in CLUSTERS.values()])
    edges = np.cumsum(shares)
    cluster = rng.permutation(np.searchsorted(edges, (np.arange(spec.stores) + 0.5) / spec.stores * edges[-1]))
    names = np.array(list(CLUSTERS))[cluster]
    formats = np.array([rng.choice(list(FORMATS), p=CLUSTERS[name][1]) for name in names])
    size = np.array([FORMATS[name] for name in formats]) * rng.lognormal(-0.5 * 0.25**2, 0.25, spec.stores)
    width = max(3, len(str(spec.stores)))
    ids = [f"S{number + 1:0{width}d}" for number in range(spec.stores)]
    return pd.DataFrame({"store": ids, "cluster": names, "format": formats}).astype("str"), size


def _products(spec: WorldSpec) -> tuple[pd.DataFrame, Reals, Reals, Reals]:
    """P products, their weekly rate in a store of size 1, their Gamma shape and their price elasticity.

    Rates are the quantiles of a log-normal dealt out at random, so that a small world too has slow and fast movers.
    """
    rng = np.random.default_rng((spec.seed, _PRODUCTS))
    count = spec.products
    quantile = NormalDist().inv_cdf
    normal = np.array([quantile((rank + 0.5) / count) for rank in range(count)])
    rate = np.clip(np.exp(np.log(4.5) + 1.2 * rng.permutation(normal)), 0.25, 45.0)
    shape = np.exp(rng.uniform(np.log(5.0), np.log(25.0), count))
    elasticity = rng.uniform(1.8, 3.5, count)
    names = list(DEPARTMENTS)
    department = [names[number % len(names)] for number in range(count)]
    group = [DEPARTMENTS[name][3][number // len(names) % 2] for number, name in enumerate(department)]
    case = np.array(CASES)[np.searchsorted((1.0, 4.0, 12.0), rate)]
    width = max(2, len(str(count)))
    frame = pd.DataFrame(
        {
            "product": pd.Series([f"P{number + 1:0{width}d}" for number in range(count)], dtype="str"),
            "department": pd.Series(department, dtype="str"),
            "group": pd.Series(group, dtype="str"),
            "case_size": case,
            "price": np.round(rng.lognormal(1.0, 0.5, count), 2),
        }
    )
    return frame, rate, shape, elasticity


def _range(spec: WorldSpec) -> tuple[Ints, Ints]:
    """(S, P) first and last listed row: launches, delistings and changes of single stores' ranges."""
    rng = np.random.default_rng((spec.seed, _RANGE))
    end = spec.last_row + FUTURE_WEEKS
    first = np.zeros((spec.stores, spec.products), np.int64)
    last = np.full_like(first, end)
    now = spec.burn_in + spec.weeks
    launched, delisted = round(spec.products * 0.08), round(spec.products * 0.05)
    chosen = rng.permutation(spec.products)
    new, old, soon, gone = np.split(chosen, np.cumsum([launched, delisted, min(1, launched)]))
    history = (spec.burn_in + spec.weeks // 6, now - spec.weeks // 8)
    first[:, new] = rng.integers(*history, len(new))
    last[:, old] = rng.integers(spec.burn_in + spec.weeks // 3, now - spec.weeks // 8, len(old))
    first[:, soon] = now + 8
    last[:, gone[: min(1, delisted)]] = now + 14
    # Single stores take a product up later, or drop it, on their own.
    late, early = rng.random(first.shape) < 0.03, rng.random(first.shape) < 0.02
    whole = (first == 0) & (last == end)
    first = np.where(late & whole, rng.integers(*history, first.shape), first)
    last = np.where(early & ~late & whole, rng.integers(*history, first.shape), last)
    return first, last


def _promotions(spec: WorldSpec, rows: int) -> Reals:
    """(A, P) planned discounts: every ~11 weeks, one or two weeks long."""
    rng = np.random.default_rng((spec.seed, _PROMOTIONS))
    discount = np.zeros((rows, spec.products))
    for product in range(spec.products):
        row = int(rng.integers(0, 12))
        while row < rows:
            length = int(rng.integers(1, 3))
            discount[row : row + length, product] = rng.choice(DISCOUNTS, p=(0.25, 0.4, 0.25, 0.1))
            row += length + 4 + int(rng.geometric(1 / 7))
    return discount


def _promotion_effect(discount: Reals, elasticity: Reals) -> Reals:
    """Uplift ``exp(elasticity × discount)``, and a dip in the week after because shoppers have stocked up."""
    after = np.zeros_like(discount, np.bool_)
    after[1:] = (discount[:-1] > 0) & (discount[1:] == 0)
    effect: Reals = np.exp(elasticity * discount) * np.where(after, 0.85, 1.0)
    return effect


def _shocks(spec: WorldSpec, rows: int) -> tuple[Reals, Reals]:
    """(A, P) and (A, S) unforeseeable swings: AR(1) in logs, of a product everywhere and of a store in everything."""
    rng = np.random.default_rng((spec.seed, _SHOCKS))
    product = _autoregressive(rng.standard_normal((rows, spec.products)), 0.95, 0.12)
    store = _autoregressive(rng.standard_normal((rows, spec.stores)), 0.80, 0.06)
    return np.exp(product), np.exp(store)


def _autoregressive(noise: Reals, memory: float, deviation: float) -> Reals:
    """AR(1) of the given stationary standard deviation, down the rows."""
    values = noise * deviation
    step = np.sqrt(1.0 - memory**2)
    for row in range(1, len(values)):
        values[row] = memory * values[row - 1] + step * values[row]
    return values


def _launch(first: Ints, rows: int) -> Reals:
    """(A, P) a new product starts at half its level and reaches it in eight weeks."""
    age = np.arange(rows)[:, None] - first
    return np.where(first > 0, np.clip(0.5 + age / 16.0, 0.5, 1.0), 1.0)


def _shift(spec: WorldSpec, rows: int, stores: pd.DataFrame) -> Reals:
    """(A, S) a competitor leaves: lasting growth in some clusters, complete after four weeks."""
    begin = spec.burn_in + spec.weeks + spec.shift_after
    progress = np.clip((np.arange(rows) - begin + 1) / 4.0, 0.0, 1.0)
    hit = stores["cluster"].isin(SHIFTED_CLUSTERS).to_numpy()
    return np.where(hit, np.exp(progress[:, None] * np.log(spec.shift_factor)), 1.0)


def _season(weeks: Weeks, holiday: Reals, pay_week: Reals, stores: pd.DataFrame) -> Reals:
    """(A, S, D) yearly season, summer by cluster, holidays and pay weeks."""
    day = (weeks - weeks.astype("datetime64[Y]")).astype(np.float64)
    week = day / 7.0
    columns = []
    for amplitude, peak, at_holiday, _ in DEPARTMENTS.values():
        columns.append(amplitude * np.cos(2 * np.pi * (week - peak) / 52.18) + at_holiday * holiday)
    by_department = np.stack(columns, axis=1)
    summer = np.exp(-0.5 * ((week - 30.5) / 3.5) ** 2)
    by_cluster = {name: values[2] * pay_week + values[3] * summer for name, values in CLUSTERS.items()}
    by_store = np.stack([by_cluster[name] for name in stores["cluster"]], axis=1)
    effect: Reals = np.exp(by_department[:, None, :] + by_store[:, :, None])
    return effect


def _holidays(weeks: Weeks) -> Reals:
    """(A,) 1 in the weeks of Christmas and Easter, 0.5 in the week before Christmas and around New Year."""
    monday = [day.astype(object) for day in weeks]
    return np.array([max(_holiday_weight(first + timedelta(days=ahead)) for ahead in range(7)) for first in monday])


def _holiday_weight(day: date) -> float:
    if (day.month, day.day) == (12, 24) or day == _easter(day.year):
        return 1.0
    return 0.5 if (day.month, day.day) in {(12, 17), (12, 31)} else 0.0


@lru_cache(maxsize=256)
def _easter(year: int) -> date:
    """Easter Sunday, Gregorian (Meeus, Astronomical Algorithms, ch. 8)."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return date(int(year), int(month), int(day) + 1)


def _pay_weeks(weeks: Weeks) -> Reals:
    """(A,) 1 in the week that holds the 28th of a month."""
    monday = [day.astype(object) for day in weeks]
    return np.array([float(any((first + timedelta(days=ahead)).day == 28 for ahead in range(7))) for first in monday])
