"""The dense, week-major picture of a chain: what features, forecasts, policies and replays work on.

Weeks run down, series (store × product) run across, so that one week of all series is one contiguous row and every
step of a replay is one array operation over all series.

An order placed at the end of week ``t`` can be sold from the start of week ``t + lead_time`` on. At the end of week
``t`` the arrivals of weeks ``t + 1 … t + lead_time - 1`` are therefore already fixed: they are ``on_order``.
"""

from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.datasets.dataset import Tables
from pipeline.errors import DataError, Finding
from pipeline.replenishment.chain import Chain

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Weeks = NDArray[np.datetime64]

WEEK = np.timedelta64(7, "D")
#: How many weeks ahead the calendars of promotions and holidays are kept.
FUTURE_WEEKS = 13
#: Arrays of a panel whose last axis is the series.
PER_SERIES = ("sales", "in_stock", "listed", "promotion", "on_hand", "on_order", "stock")


@dataclass(frozen=True)
class Panel:
    """T weeks of N series, and the stock at the end of the last week.

    Attributes:
        weeks: (T,) ``datetime64[D]``, Mondays without a gap.
        series: N rows: ``store``, ``product`` and the static attributes of both, all strings; row i is column i.
        sales: (T, N) units sold as recorded. Where ``in_stock`` is False they are a lower bound of demand (VN2
            records 0 there): never read them as demand. 0 where the series is not listed.
        in_stock: (T, N) the shelf never ran empty in that week, so that sales are demand. False where not listed.
        listed: (T, N) the product is in the range of the store.
        promotion: (T + future, N) planned discount depth, 0..1.
        holiday: (T + future,) weight of a holiday in that week, 0..1.
        pay_week: (T + future,) 1 in the week most wages are paid.
        on_hand: (N,) units in stock at the end of the last week; NaN when the panel was cut at a past week.
        on_order: (lead_time - 1, N) units arriving at the start of the next week, the one after, …; NaN likewise.
        stock: (T, N) units on hand at the end of each week, 0 where not listed; None where the source does not tell.
        last_order: the order placed now is the last one there will ever be.
        chain: what figures over all series are asked of; the panel itself unless it is a part.
    """

    weeks: Weeks
    series: pd.DataFrame
    sales: Floats
    in_stock: Bools
    listed: Bools
    promotion: Floats
    holiday: Floats
    pay_week: Floats
    on_hand: Floats
    on_order: Floats
    stock: Floats | None = None
    last_order: bool = False
    chain: Chain = field(default_factory=Chain)

    @property
    def periods(self) -> int:
        """T, the number of weeks."""
        return len(self.weeks)

    @property
    def last(self) -> date:
        """Monday of the last week."""
        day: date = self.weeks[-1].astype("datetime64[D]").item()
        return day

    @property
    def size(self) -> int:
        """N, the number of series."""
        return len(self.series)

    @property
    def future(self) -> int:
        """Weeks the calendars reach beyond the last week."""
        return len(self.holiday) - len(self.weeks)

    @property
    def lead_time(self) -> int:
        """Weeks from placing an order (end of a week) to the start of the week it can be sold in."""
        return len(self.on_order) + 1

    def upto(self, periods: int) -> "Panel":
        """The panel as it stood after its first ``periods`` weeks; arrays are views.

        The calendars keep the same reach into the future. Stock is only recorded for the last week, so that of an
        earlier cut is NaN: set it with :func:`dataclasses.replace`.
        """
        if not 0 < periods <= self.periods:
            raise ValueError(f"a panel of {self.periods} weeks cannot be cut after {periods}")
        if periods == self.periods:
            return self
        return replace(
            self,
            weeks=self.weeks[:periods],
            sales=self.sales[:periods],
            in_stock=self.in_stock[:periods],
            listed=self.listed[:periods],
            promotion=self.promotion[: periods + self.future],
            holiday=self.holiday[: periods + self.future],
            pay_week=self.pay_week[: periods + self.future],
            on_hand=np.full_like(self.on_hand, np.nan),
            on_order=np.full_like(self.on_order, np.nan),
            stock=None if self.stock is None else self.stock[:periods],
            last_order=False,
        )

    def take(self, chosen: Bools | Ints, view: str = "") -> "Panel":
        """The panel of the chosen series: a mask (N,) or positions, in that order; arrays are copies.

        ``view`` names the choice where the panel may be a part of a chain: the same choice in all parts.
        """
        positions = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen.astype(np.int64)
        return replace(
            self,
            series=self.series.iloc[positions].reset_index(drop=True),
            sales=np.take(self.sales, positions, axis=1),
            in_stock=np.take(self.in_stock, positions, axis=1),
            listed=np.take(self.listed, positions, axis=1),
            promotion=np.take(self.promotion, positions, axis=1),
            on_hand=self.on_hand[positions],
            on_order=np.take(self.on_order, positions, axis=1),
            stock=None if self.stock is None else np.take(self.stock, positions, axis=1),
            chain=self.chain.narrowed(view),
        )


def panel_from_tables(
    tables: Tables, lead_time: int, future: int = FUTURE_WEEKS, span: tuple[date, date] | None = None
) -> Panel:
    """Build the panel from clean long tables by one factorisation and one scatter.

    Args:
        tables: ``sales`` (store, product, week, units, in_stock, and stock where it is recorded), ``state`` (store,
            product, on_hand, due_1 … due_{lead_time - 1}), ``products`` and ``stores`` with their attributes; optional
            ``promotions`` (product, week, discount) and ``calendar`` (week, holiday, pay_week). A week without a row is
            a week in which the series was not listed.
        lead_time: weeks, at least 1; see the module.
        future: weeks the calendars reach beyond the last week of sales; unknown weeks are 0.
        span: first and last week; those of the sales if not given.

    Raises:
        DataError: when ``state`` lacks an arrival the lead time asks for.
    """
    sales, state = tables["sales"], tables["state"]
    keys = _SeriesKeys.of(tables)
    column = keys.positions(sales)
    days = sales["week"].to_numpy().astype("datetime64[D]")
    first, last = (days.min(), days.max()) if span is None else np.array(span, "datetime64[D]")
    periods = int((last - first) // WEEK) + 1
    weeks = first + np.arange(periods) * WEEK
    cell = ((days - first) // WEEK).astype(np.int64) * keys.size + column
    shape = (periods, keys.size)
    units = np.zeros(periods * keys.size, np.float32)
    in_stock = np.zeros(periods * keys.size, np.bool_)
    listed = np.zeros(periods * keys.size, np.bool_)
    units[cell] = sales["units"].to_numpy()
    in_stock[cell] = sales["in_stock"].to_numpy(dtype=np.bool_)
    listed[cell] = True
    reach = first + np.arange(periods + future) * WEEK
    on_hand, on_order = _stock(state, keys, lead_time)
    stock = None
    if "stock" in sales.columns:
        stock = np.zeros(periods * keys.size, np.float32)
        stock[cell] = sales["stock"].to_numpy()
    return Panel(
        weeks=weeks,
        series=keys.attributes(tables),
        sales=units.reshape(shape),
        in_stock=in_stock.reshape(shape),
        listed=listed.reshape(shape),
        promotion=_promotion(tables.get("promotions"), reach, keys),
        holiday=_calendar(tables.get("calendar"), "holiday", reach),
        pay_week=_calendar(tables.get("calendar"), "pay_week", reach),
        on_hand=on_hand,
        on_order=on_order,
        stock=None if stock is None else stock.reshape(shape),
    )


@dataclass(frozen=True)
class _SeriesKeys:
    """The series of the panel, sorted by store and product, and the way from table rows to columns."""

    stores: pd.Index
    products: pd.Index
    column: Ints  # (stores × products,) column of the panel, -1 where there is no such series

    @classmethod
    def of(cls, tables: Tables) -> "_SeriesKeys":
        """Every pair that has sales or stock."""
        stores = pd.Index(np.sort(tables["stores"]["store"].astype(str).to_numpy(dtype=object)))
        products = pd.Index(np.sort(tables["products"]["product"].astype(str).to_numpy(dtype=object)))
        present = np.zeros(len(stores) * len(products), np.bool_)
        for name in ("sales", "state"):
            present[_pairs(tables[name], stores, products)] = True
        column = np.where(present, np.cumsum(present) - 1, -1)
        return cls(stores, products, column)

    @property
    def size(self) -> int:
        return int(self.column.max()) + 1

    def positions(self, table: pd.DataFrame) -> Ints:
        """(rows,) the panel column of each row."""
        return self.column[_pairs(table, self.stores, self.products)]

    def attributes(self, tables: Tables) -> pd.DataFrame:
        """N rows: store, product and the attributes of both, as strings."""
        pair = np.flatnonzero(self.column >= 0)
        series = pd.DataFrame(
            {"store": self.stores[pair // len(self.products)], "product": self.products[pair % len(self.products)]}
        ).astype(str)
        for name, key in (("products", "product"), ("stores", "store")):
            attributes = tables[name].astype(str).drop_duplicates(key)
            series = series.merge(attributes, on=key, how="left", validate="many_to_one")
        return series.astype(str)

    def products_of(self) -> Ints:
        """(N,) position of each series' product."""
        return np.flatnonzero(self.column >= 0) % len(self.products)


def _pairs(table: pd.DataFrame, stores: pd.Index, products: pd.Index) -> Ints:
    store = _codes(table["store"], stores)
    product = _codes(table["product"], products)
    return store * len(products) + product


def _codes(values: pd.Series, index: pd.Index) -> Ints:
    """Positions in the index; factorised first, so that only distinct strings are looked up."""
    codes, uniques = pd.factorize(values)
    found = index.get_indexer(pd.Index(np.asarray(uniques, dtype=object)).astype(str).astype(object))
    if (found < 0).any():
        unknown = sorted(str(value) for value in np.asarray(uniques, dtype=object)[found < 0])[:5]
        raise DataError(
            f"column {values.name} names what no master table knows",
            [
                Finding(
                    f"column {values.name}", f"unknown {', '.join(unknown)}", "pass the tables through their contract"
                )
            ],
        )
    return found[codes].astype(np.int64)


def _stock(state: pd.DataFrame, keys: _SeriesKeys, lead_time: int) -> tuple[Floats, Floats]:
    """On hand (N,) and on order (lead_time - 1, N); a series without a row has nothing."""
    names = ["on_hand", *(f"due_{ahead}" for ahead in range(1, lead_time))]
    missing = [name for name in names if name not in state.columns]
    if missing:
        raise DataError(
            f"a lead time of {lead_time} weeks needs the arrivals of {lead_time - 1}",
            [Finding(f"state, column {name}", "missing", f"add the column {name}") for name in missing],
        )
    stock = np.zeros((len(names), keys.size), np.float32)
    stock[:, keys.positions(state)] = state[names].to_numpy(dtype=np.float32).T
    return stock[0], stock[1:]


def _promotion(promotions: pd.DataFrame | None, reach: Weeks, keys: _SeriesKeys) -> Floats:
    """(T + future, N) discount of the product of each series."""
    by_product = np.zeros((len(reach), len(keys.products)), np.float32)
    if promotions is not None and len(promotions):
        week = (promotions["week"].to_numpy().astype("datetime64[D]") - reach[0]) // WEEK
        inside = (week >= 0) & (week < len(reach))
        product = _codes(promotions["product"], keys.products)
        by_product[week[inside], product[inside]] = promotions["discount"].to_numpy(dtype=np.float32)[inside]
    return np.take(by_product, keys.products_of(), axis=1)


def _calendar(calendar: pd.DataFrame | None, column: str, reach: Weeks) -> Floats:
    """(T + future,) values by week; 0 where the calendar says nothing."""
    values = np.zeros(len(reach), np.float32)
    if calendar is not None and column in calendar.columns:
        week = (calendar["week"].to_numpy().astype("datetime64[D]") - reach[0]) // WEEK
        inside = (week >= 0) & (week < len(reach))
        values[week[inside]] = calendar[column].to_numpy(dtype=np.float32)[inside]
    return values
