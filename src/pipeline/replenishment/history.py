"""What a panel says at the end of each week: masked means over any window, in one subtraction.

A cell is *known* when the product was listed and never ran out, so that its sales are demand; a censored one counts
with what its sales let suppose (:mod:`pipeline.replenishment.censoring`) or, without sales, not at all. Everything
asked of a :class:`History` at ``known`` weeks reads rows ``< known`` only; the planned calendars are the exception.
"""

from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.replenishment.censoring import uncensored
from pipeline.replenishment.panel import WEEK, Bools, Floats, Ints, Panel
from pipeline.replenishment.season import YEAR, iso_week, one_hot, seasonal_index

#: Weeks a new series' own mean is mixed with its product's mean, as if seen that often.
PRIOR_WEEKS = 2.0
#: The least level, so that its logarithm exists: one unit in two years.
LEAST_LEVEL = 0.01

Reals = NDArray[np.float64]


class History:
    """Prefix sums over the weeks of a panel.

    Attributes:
        panel: the panel.
        lead_time: horizons are 1 … lead_time.
        known: (T, N) sales are demand.
        demand, usable: (T, N) demand as far as it can be told, and whether it can.
        product, store, department: (N,) group codes.
        iso: (T + future,) ISO week minus one, of past and planned weeks.
        units, count, squares, sold_weeks: sums over usable cells: demand, cells, squared demand, cells with demand.
        known_weeks, listed_weeks: known and listed cells.
        plain_units, plain_count: sums over usable cells without a promotion.

    The sums are made when they are first asked for: a model that rests on few groups of features needs few of them.
    """

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self.lead_time = panel.lead_time
        self.known = panel.in_stock & panel.listed
        self._promoted: Bools = panel.promotion[: panel.periods] > 0
        self.demand, self.usable = uncensored(panel.sales, self.known, panel.listed, self._promoted)
        self.plain = self.usable & ~self._promoted
        self.product, self.store = codes(panel.series, "product"), codes(panel.series, "store")
        self.department = codes(panel.series, "department")
        self._membership = one_hot(self.department, int(self.department.max()) + 1)
        self.iso = iso_week(panel.weeks[0] + np.arange(len(panel.holiday)) * WEEK)
        # Plain dicts: a cache that holds the bound method would keep the whole history alive in a reference cycle.
        self._levels: dict[int, Reals] = {}
        self._seasons: dict[int, Floats] = {}

    @cached_property
    def units(self) -> Floats:
        """(T + 1, N) demand."""
        return prefix(self.demand)

    @cached_property
    def count(self) -> Floats:
        """(T + 1, N) usable cells."""
        return prefix(self.usable)

    @cached_property
    def squares(self) -> Floats:
        """(T + 1, N) squared demand."""
        return prefix(self.demand * self.demand)

    @cached_property
    def sold_weeks(self) -> Floats:
        """(T + 1, N) cells with demand."""
        return prefix(self.demand > 0)

    @cached_property
    def known_weeks(self) -> Floats:
        """(T + 1, N) known cells."""
        return prefix(self.known)

    @cached_property
    def listed_weeks(self) -> Floats:
        """(T + 1, N) listed cells."""
        return prefix(self.panel.listed)

    @cached_property
    def plain_units(self) -> Floats:
        """(T + 1, N) demand without a promotion."""
        return prefix(np.where(self._promoted, np.float32(0), self.demand))

    @cached_property
    def plain_count(self) -> Floats:
        """(T + 1, N) usable cells without a promotion."""
        return prefix(self.plain)

    def total(self, sums: Floats, known: int, window: int, back: int = 0) -> Reals:
        """(N,) sum over the ``window`` weeks that end ``back`` weeks before the end of week ``known``."""
        last = max(known - back, 0)
        return np.asarray(sums[last] - sums[max(last - window, 0)], dtype=np.float64)

    def mean(self, known: int, window: int, back: int = 0, *, plain: bool = False) -> Reals:
        """(N,) mean demand of the usable weeks in the window (plain: without promotion); NaN where there are none."""
        units, count = (self.plain_units, self.plain_count) if plain else (self.units, self.count)
        sums = self.total(units, known, window, back)
        # Where no week is usable nothing was added up either, and 0 / 0 is the NaN that is meant.
        with np.errstate(invalid="ignore"):
            return np.asarray(np.divide(sums, self.total(count, known, window, back), out=sums))

    def level(self, known: int) -> Reals:
        """(N,) size of each series: mean of its plain weeks of a year, shrunk to its product's mean."""
        if known not in self._levels:
            self._levels[known] = self._level(known)
        return self._levels[known]

    def season(self, known: int) -> Floats:
        """(departments + 1, 53) seasonal factors from the first ``known`` weeks."""
        if known not in self._seasons:
            self._seasons[known] = seasonal_index(
                self.demand[:known], self.plain[:known], self.iso[:known], self._membership
            )
        return self._seasons[known]

    def _level(self, known: int) -> Reals:
        units = self.total(self.plain_units, known, YEAR)
        weeks = self.total(self.plain_count, known, YEAR)
        by_product = group_ratio(units, weeks, self.product)
        return np.asarray(np.maximum((units + PRIOR_WEEKS * by_product) / (weeks + PRIOR_WEEKS), LEAST_LEVEL))


def prefix(values: Floats | Bools) -> Floats:
    """(T + 1, N) sums over all earlier weeks: row ``k`` is the sum of ``k`` weeks.

    float32 holds sums of units to 2^24 exactly enough. Added row by row, which is ten times faster than a running sum
    down the columns.
    """
    sums = np.zeros((len(values) + 1, values.shape[1]), np.float32)
    for week, row in enumerate(values):
        np.add(sums[week], row, out=sums[week + 1])
    return sums


def codes(series: pd.DataFrame, column: str) -> Ints:
    """(N,) group number of each series; all 0 when the panel has no such attribute."""
    if column not in series.columns:
        return np.zeros(len(series), np.int64)
    return np.asarray(pd.factorize(series[column], sort=True)[0], dtype=np.int64)


def group_ratio(above: Reals, below: Reals, groups: Ints) -> Reals:
    """(N,) ratio of group sums, per series; the ratio over all series where a group has nothing below."""
    top, bottom = np.bincount(groups, above), np.bincount(groups, below)
    overall = top.sum() / bottom.sum() if bottom.sum() > 0 else 0.0
    return np.asarray(np.divide(top, bottom, out=np.full(len(top), overall), where=bottom > 0)[groups])
