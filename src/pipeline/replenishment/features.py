"""Features of series at the end of a week, for each week up to the delivery of an order placed then.

All features are ratios to the series' level where that makes sense, so that one model serves a shop that sells one
unit a month and one that sells hundreds a week. A group of features is what a charter switches on or off.

``known`` is the number of weeks known; horizon ``h`` (1 … lead_time) is row ``known - 1 + h`` of the panel.
"""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pipeline.replenishment.chain import Reals, multiples, together
from pipeline.replenishment.history import EVERY, Chosen, Group, History
from pipeline.replenishment.panel import Floats
from pipeline.replenishment.season import YEAR

Array = NDArray[np.floating]
Maker = Callable[[History, int, Chosen], dict[str, Array]]

LAGS = 4
WINDOWS = (2, 4, 8, 13, 26, 52)
QUARTER = 13
#: Promotions a series must have seen to weigh as much as its product's, and a product's as the chain's.
UPLIFT_PRIOR = 4.0


def recent_sales(history: History, known: int, chosen: Chosen) -> dict[str, Array]:
    """Single last weeks and means over windows, relative to the level; censored weeks as supposed."""
    level, mean = history.level(known)[chosen], partial(history.mean, known, chosen=chosen)
    found: dict[str, Array] = {}
    for lag in range(LAGS):
        found[f"lag_{lag + 1}"] = mean(1, back=lag) / level
    for window in WINDOWS:
        found[f"mean_{window}"] = mean(window) / level
    return found


def level(history: History, known: int, chosen: Chosen) -> dict[str, Array]:
    """How much the series sells, on the log scale, and how much of a year it was seen."""
    size = history.level(known)[chosen]
    return {"log_level": np.log(size), "seen_weeks": history.total(history.count, known, YEAR, chosen=chosen)}


def season(history: History, known: int, chosen: Chosen) -> dict[str, Array]:
    """The target week's place in the year and its factor, relative to that of the weeks the recent sales are from."""
    index = history.season(known)
    targets = _targets(history, known)
    past = history.iso[max(known - QUARTER, 0) : known]
    angle = 2 * np.pi * history.iso[targets] / YEAR
    recent = history.by_department(index[:, past].mean(axis=1), chosen)
    factor = history.by_department(index[:, history.iso[targets]], chosen).T
    ones = np.ones((1, len(recent)))
    return {
        "year_sin": np.sin(angle)[:, None] * ones,
        "year_cos": np.cos(angle)[:, None] * ones,
        "season_chain": index[-1, history.iso[targets]][:, None] * ones,
        "season_department": factor,
        "season_step": factor / recent[None, :],
    }


def intermittency(history: History, known: int, chosen: Chosen) -> dict[str, Array]:
    """How often and how irregularly the series sells."""
    size, total = history.level(known)[chosen], partial(history.total, known=known, chosen=chosen)
    newest = history.demand[max(known - YEAR, 0) : known, chosen][::-1] > 0
    sold = total(history.sold_weeks, window=YEAR)
    weeks = total(history.count, window=YEAR)
    mean = history.mean(known, YEAR, chosen=chosen)
    squares = _divided(total(history.squares, window=YEAR), weeks)
    quarter = total(history.count, window=QUARTER)
    return {
        "sold_share_13": _divided(total(history.sold_weeks, window=QUARTER), quarter),
        "sold_share_52": _divided(sold, weeks),
        "weeks_since_sale": np.where(newest.any(axis=0), newest.argmax(axis=0), YEAR),
        "mean_when_sold": _divided(total(history.units, window=YEAR), sold) / size,
        "variation": _divided(np.sqrt(np.maximum(squares - mean**2, 0)), mean),
    }


def last_year(history: History, known: int, chosen: Chosen) -> dict[str, Array]:
    """The same weeks a year ago, of the series and of its product in all stores, relative to that year's mean."""
    enough, horizons = known >= YEAR + 2, range(1, history.lead_time + 1)
    level, year, *around = together(
        lambda: history.level(known)[chosen],
        lambda: _of_product(history, known, YEAR, 0, chosen),
        *(partial(_of_product, history, known, 3, _middle(horizon), chosen) for horizon in horizons),
    )
    rows = [history.mean(known, 3, back=_middle(horizon), chosen=chosen) / level for horizon in horizons]
    of_product = [_divided(ratio, year) for ratio in around]
    return {
        "last_year": np.where(enough, np.stack(rows), np.nan),
        "last_year_product": np.where(enough, np.stack(of_product), np.nan),
    }


def _middle(horizon: int) -> int:
    """Weeks from the end of the week after the target's own a year ago to the end of the history."""
    return max(YEAR - horizon - 1, 0)


def _of_product(history: History, known: int, window: int, back: int, chosen: Chosen) -> Array:
    """(n,) mean demand of each series' product in the window; 0 where no week is usable."""
    units, weeks = (history.total(sums, known, window, back) for sums in (history.units, history.count))
    figures = multiples(units), multiples(np.maximum(weeks, 1e-9))
    return history.ratio(("sold", known, window, back), figures, "product", chosen)


def hierarchy(history: History, known: int, chosen: Chosen) -> dict[str, Array]:
    """What the same product in other stores, the store and the department sold lately against their own level."""
    size = history.level(known)
    sizes = multiples(size), multiples(np.ones(len(size)))
    groups: tuple[Group, ...] = ("product", "store", "department")

    def lately(window: int) -> tuple[Reals, Reals]:
        units, weeks = (history.total(sums, known, window) for sums in (history.units, history.count))
        return multiples(units), multiples(weeks * size)

    sold = {window: lately(window) for window in (4, QUARTER)}
    asked = {
        f"{group}_{window}": partial(history.ratio, ("lately", known, window), figures, group, chosen)
        for group in groups
        for window, figures in sold.items()
    }
    levels = {f"{group}_level": partial(history.ratio, ("size", known), sizes, group, chosen) for group in groups[:2]}
    found = dict(zip((*asked, *levels), together(*asked.values(), *levels.values()), strict=True))
    return {name: values / size[chosen] if name in levels else values for name, values in found.items()}


def promotions(history: History, known: int, chosen: Chosen) -> dict[str, Array]:
    """The planned discount, what promotions did before, and recent sales free of them."""
    size = history.level(known)[chosen]
    planned = history.panel.promotion[max(known - 4, 0) : known + history.lead_time, chosen]
    past, targets = planned[: -history.lead_time], planned[-history.lead_time :]
    uplift = _uplift(history, known)[chosen]
    return {
        "discount": targets,
        "discount_before": planned[-history.lead_time - 1 : -1],
        "discount_recent": past.max(axis=0),
        "discount_last_week": past[-1],
        "plain_4": history.mean(known, 4, plain=True, chosen=chosen) / size,
        "plain_13": history.mean(known, QUARTER, plain=True, chosen=chosen) / size,
        "uplift": uplift,
        "promoted_sales": np.where(targets > 0, uplift[None, :], 1.0),
    }


def holidays(history: History, known: int, chosen: Chosen) -> dict[str, Array]:
    """Holidays and pay weeks around the target week, and those the recent sales come from."""
    panel = history.panel
    targets = _targets(history, known)
    after = np.minimum(targets + 1, len(panel.holiday) - 1)
    ones = np.ones((1, len(history.groups["product"].codes[chosen])))
    recent = panel.holiday[max(known - 4, 0) : known].mean()
    return {
        "holiday": panel.holiday[targets][:, None] * ones,
        "holiday_after": panel.holiday[after][:, None] * ones,
        "holiday_before": panel.holiday[targets - 1][:, None] * ones,
        "holiday_recent": recent * ones,
        "pay_week": panel.pay_week[targets][:, None] * ones,
    }


def stockouts(history: History, known: int, chosen: Chosen) -> dict[str, Array]:
    """How often the shelf ran empty, so that the recent means rest on fewer weeks."""
    found: dict[str, Array] = {}
    for window in (1, 4, QUARTER, YEAR):
        listed = history.total(history.listed_weeks, known, window, chosen=chosen)
        kept = history.total(history.known_weeks, known, window, chosen=chosen)
        found[f"censored_{window}"] = 1 - _divided(kept, listed)
    return found


#: Feature groups by the name a charter uses; :mod:`pipeline.replenishment.offers` names the same.
GROUPS: Mapping[str, Maker] = {
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


def features_at(
    history: History, known: int, groups: tuple[str, ...], chosen: Chosen = EVERY
) -> tuple[Floats, tuple[str, ...]]:
    """All features of the chosen series at the end of week ``known``; what they share is made of all series.

    Returns:
        (lead_time, n, F) float32 and the F names, ``horizon`` first. Missing values are NaN. Each feature lies
        together in memory, as (lead_time, n): written between the others it would touch all of them.
    """
    shape = (history.lead_time, len(history.groups["product"].codes[chosen]))
    columns: dict[str, Array] = {"horizon": np.arange(1.0, shape[0] + 1)[:, None] * np.ones((1, shape[1]))}
    for found in together(*(partial(GROUPS[group], history, known, chosen) for group in groups)):
        columns |= found
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
    figures = [multiples(each) for each in (promoted_units, expected, size, np.ones(len(size)))]
    (units, base, sizes, series), (all_units, all_base, *_) = history.totals(("uplift", known), figures, "product")
    chain = all_units / all_base if all_base > 0 else 1.0
    prior = sizes / np.maximum(series, 1) * UPLIFT_PRIOR
    by_product = np.divide(units + chain * prior, base + prior, out=np.ones(len(prior)), where=series > 0)
    by_product = by_product[history.groups["product"].codes]
    own = size * UPLIFT_PRIOR
    return np.asarray((promoted_units + by_product * own) / (expected + own))


def _divided(above: Array, below: Array) -> Array:
    """Ratio, NaN where there is nothing below."""
    return np.asarray(np.divide(above, below, out=np.full(np.shape(above), np.nan), where=np.asarray(below) > 0))
