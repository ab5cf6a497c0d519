"""Features of every series at the end of a week, for each week up to the delivery of an order placed then.

All features are ratios to the series' level where that makes sense, so that one model serves a shop that sells one
unit a month and one that sells hundreds a week. A group of features is what a charter switches on or off.

``known`` is the number of weeks known; horizon ``h`` (1 … lead_time) is row ``known - 1 + h`` of the panel.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from pipeline.replenishment.history import History, group_ratio
from pipeline.replenishment.panel import Floats
from pipeline.replenishment.season import YEAR

Array = NDArray[np.floating]
Group = Callable[[History, int], dict[str, Array]]

LAGS = 4
WINDOWS = (2, 4, 8, 13, 26, 52)
QUARTER = 13
#: Promotions a series must have seen to weigh as much as its product's, and a product's as the chain's.
UPLIFT_PRIOR = 4.0


def recent_sales(history: History, known: int) -> dict[str, Array]:
    """Single last weeks and means over windows, relative to the level; censored weeks as supposed."""
    level = history.level(known)
    found: dict[str, Array] = {}
    for lag in range(LAGS):
        found[f"lag_{lag + 1}"] = history.mean(known, 1, back=lag) / level
    for window in WINDOWS:
        found[f"mean_{window}"] = history.mean(known, window) / level
    return found


def level(history: History, known: int) -> dict[str, Array]:
    """How much the series sells, on the log scale, and how much of a year it was seen."""
    size = history.level(known)
    return {"log_level": np.log(size), "seen_weeks": history.total(history.count, known, YEAR)}


def season(history: History, known: int) -> dict[str, Array]:
    """The target week's place in the year and its factor, relative to that of the weeks the recent sales are from."""
    index = history.season(known)
    targets = _targets(history, known)
    past = history.iso[max(known - QUARTER, 0) : known]
    angle = 2 * np.pi * history.iso[targets] / YEAR
    ones = np.ones((1, history.panel.size))
    by_department = index[history.department]
    recent = by_department[:, past].mean(axis=1)
    factor = by_department[:, history.iso[targets]].T
    return {
        "year_sin": np.sin(angle)[:, None] * ones,
        "year_cos": np.cos(angle)[:, None] * ones,
        "season_chain": index[-1, history.iso[targets]][:, None] * ones,
        "season_department": factor,
        "season_step": factor / recent[None, :],
    }


def intermittency(history: History, known: int) -> dict[str, Array]:
    """How often and how irregularly the series sells."""
    size = history.level(known)
    since = np.full(history.panel.size, YEAR, np.float64)
    sold = history.total(history.sold_weeks, known, YEAR)
    for back in range(min(known, YEAR) - 1, -1, -1):
        since[history.total(history.sold_weeks, known, 1, back=back) > 0] = back
    weeks = history.total(history.count, known, YEAR)
    mean = history.mean(known, YEAR)
    squares = _divided(history.total(history.squares, known, YEAR), weeks)
    quarter = history.total(history.count, known, QUARTER)
    return {
        "sold_share_13": _divided(history.total(history.sold_weeks, known, QUARTER), quarter),
        "sold_share_52": _divided(sold, weeks),
        "weeks_since_sale": since,
        "mean_when_sold": _divided(history.total(history.units, known, YEAR), sold) / size,
        "variation": _divided(np.sqrt(np.maximum(squares - mean**2, 0)), mean),
    }


def last_year(history: History, known: int) -> dict[str, Array]:
    """The same weeks a year ago, of the series and of its product in all stores, relative to that year's mean."""
    rows, of_product = [], []
    for horizon in range(1, history.lead_time + 1):
        back = YEAR - horizon
        middle = max(back - 1, 0)
        around_units = history.total(history.units, known, 3, back=middle)
        around_weeks = history.total(history.count, known, 3, back=middle)
        year_units = history.total(history.units, known, YEAR)
        year_weeks = history.total(history.count, known, YEAR)
        enough = known >= YEAR + 2
        rows.append(np.where(enough, _divided(around_units, around_weeks) / history.level(known), np.nan))
        ratio = group_ratio(around_units, np.maximum(around_weeks, 1e-9), history.product)
        year = group_ratio(year_units, np.maximum(year_weeks, 1e-9), history.product)
        of_product.append(np.where(enough, _divided(ratio, year), np.nan))
    return {"last_year": np.stack(rows), "last_year_product": np.stack(of_product)}


def hierarchy(history: History, known: int) -> dict[str, Array]:
    """What the same product in other stores, the store and the department sold lately against their own level."""
    size = history.level(known)
    found: dict[str, Array] = {}
    for name, groups in (("product", history.product), ("store", history.store), ("department", history.department)):
        for window in (4, QUARTER):
            weeks = history.total(history.count, known, window)
            found[f"{name}_{window}"] = group_ratio(history.total(history.units, known, window), weeks * size, groups)
    ones = np.ones(len(size))
    found["product_level"] = group_ratio(size, ones, history.product) / size
    found["store_level"] = group_ratio(size, ones, history.store) / size
    return found


def promotions(history: History, known: int) -> dict[str, Array]:
    """The planned discount, what promotions did before, and recent sales free of them."""
    panel, size = history.panel, history.level(known)
    targets = _targets(history, known)
    planned = panel.promotion
    past = planned[max(known - 4, 0) : known]
    uplift = _uplift(history, known)
    return {
        "discount": planned[targets],
        "discount_before": planned[targets - 1],
        "discount_recent": past.max(axis=0),
        "discount_last_week": planned[known - 1],
        "plain_4": history.mean(known, 4, plain=True) / size,
        "plain_13": history.mean(known, QUARTER, plain=True) / size,
        "uplift": uplift,
        "promoted_sales": np.where(planned[targets] > 0, uplift[None, :], 1.0),
    }


def holidays(history: History, known: int) -> dict[str, Array]:
    """Holidays and pay weeks around the target week, and those the recent sales come from."""
    panel = history.panel
    targets = _targets(history, known)
    after = np.minimum(targets + 1, len(panel.holiday) - 1)
    ones = np.ones((1, panel.size))
    recent = panel.holiday[max(known - 4, 0) : known].mean()
    return {
        "holiday": panel.holiday[targets][:, None] * ones,
        "holiday_after": panel.holiday[after][:, None] * ones,
        "holiday_before": panel.holiday[targets - 1][:, None] * ones,
        "holiday_recent": np.full(panel.size, recent),
        "pay_week": panel.pay_week[targets][:, None] * ones,
    }


def stockouts(history: History, known: int) -> dict[str, Array]:
    """How often the shelf ran empty, so that the recent means rest on fewer weeks."""
    found: dict[str, Array] = {}
    for window in (1, 4, QUARTER, YEAR):
        listed = history.total(history.listed_weeks, known, window)
        kept = history.total(history.known_weeks, known, window)
        found[f"censored_{window}"] = 1 - _divided(kept, listed)
    return found


#: Feature groups by the name a charter uses; :mod:`pipeline.replenishment.offers` names the same.
GROUPS: Mapping[str, Group] = {
    "recent_sales": recent_sales,
    "level": level,
    "season": season,
    "intermittency": intermittency,
    "last_year": last_year,
    "hierarchy": hierarchy,
    "promotions": promotions,
    "holidays": holidays,
    "stockouts": stockouts,
}


def features_at(history: History, known: int, groups: tuple[str, ...]) -> tuple[Floats, tuple[str, ...]]:
    """All features of all series at the end of week ``known``.

    Returns:
        (lead_time, N, F) float32 and the F names, ``horizon`` first. Missing values are NaN. Each feature lies
        together in memory, as (lead_time, N): written between the others it would touch all of them.
    """
    shape = (history.lead_time, history.panel.size)
    columns: dict[str, Array] = {"horizon": np.arange(1.0, shape[0] + 1)[:, None] * np.ones((1, shape[1]))}
    for group in groups:
        columns |= GROUPS[group](history, known)
    planes = np.empty((len(columns), *shape), np.float32)
    for plane, values in zip(planes, columns.values(), strict=True):
        plane[:] = values
    return np.moveaxis(planes, 0, -1), tuple(columns)


def _targets(history: History, known: int) -> NDArray[np.int64]:
    """(L,) rows of the target weeks; they may lie beyond the known weeks, where only calendars reach."""
    return np.arange(known, known + history.lead_time)


def _uplift(history: History, known: int) -> Array:
    """(N,) sales in promoted weeks over the level: the series' own, shrunk to its product's and the chain's."""
    size = history.level(known)
    promoted_units = history.units[known] - history.plain_units[known]
    promoted_weeks = history.count[known] - history.plain_count[known]
    expected = promoted_weeks * size
    chain = promoted_units.sum() / expected.sum() if expected.sum() > 0 else 1.0
    units = np.bincount(history.product, promoted_units)
    base = np.bincount(history.product, expected)
    prior = np.bincount(history.product, size) / np.maximum(np.bincount(history.product), 1) * UPLIFT_PRIOR
    by_product = ((units + chain * prior) / (base + prior))[history.product]
    own = size * UPLIFT_PRIOR
    return np.asarray((promoted_units + by_product * own) / (expected + own))


def _divided(above: Array, below: Array) -> Array:
    """Ratio, NaN where there is nothing below."""
    return np.asarray(np.divide(above, below, out=np.full(np.shape(above), np.nan), where=np.asarray(below) > 0))
