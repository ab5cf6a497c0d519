"""What a panel says at the end of each week: masked means over any window, in one subtraction.

A cell is *known* when the product was listed and never ran out, so that its sales are demand; a censored one counts
with what its sales let suppose (:mod:`pipeline.replenishment.censoring`) or, without sales, not at all. Everything
asked of a :class:`History` at ``known`` weeks reads rows ``< known`` only; the planned calendars are the exception.
"""

from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.replenishment.censoring import uncensored
from pipeline.replenishment.chain import Key, folded, group_sums, together
from pipeline.replenishment.panel import WEEK, Bools, Floats, Ints, Panel
from pipeline.replenishment.season import YEAR, expected_units, iso_week, one_hot, seasonal_factors, sold_units

#: Weeks a new series' own mean is mixed with its product's mean, as if seen that often.
PRIOR_WEEKS = 2.0
#: The least level, so that its logarithm exists: one unit in two years.
LEAST_LEVEL = 0.01

Reals = NDArray[np.float64]
Group = Literal["product", "department", "store"]


class History:
    """Prefix sums over the weeks of a panel.

    Attributes:
        panel: the panel.
        lead_time: horizons are 1 … lead_time.
        known: (T, N) sales are demand.
        demand, usable: (T, N) demand as far as it can be told, and whether it can.
        groups: (N,) group codes of each series by ``product``, ``store`` and ``department``, and the number of groups.
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
        self.groups: dict[Group, tuple[Ints, int]] = {
            "product": panel.chain.codes(panel.series, "product"),
            "department": panel.chain.codes(panel.series, "department"),
            "store": panel.chain.codes(panel.series, "store"),
        }
        self._membership = one_hot(*self.groups["department"])
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
            blocks = [slice(end - YEAR, end) for end in range(known, YEAR - 1, -YEAR)]
            shares = [expected_units(self.plain[block], self._block_level(block), self._membership) for block in blocks]
            shape = (2, 0, self._membership.shape[1])
            share = np.concatenate([np.zeros(shape), *shares], axis=1)
            sold, expected = together(lambda: self._sold, lambda: self.panel.chain.added(("expected", known), share))
            weeks = np.array([week for block in blocks for week in range(block.start, block.stop)], np.int64)
            self._seasons[known] = seasonal_factors(sold[:, weeks], expected, self.iso[weeks])
        return self._seasons[known]

    def by_department(self, factors: Floats) -> Floats:
        """(N, …) what stands for each department, for each series."""
        return np.asarray(factors[self.groups["department"][0]])

    def totals(self, key: Key, values: list[Reals], group: Group) -> tuple[Reals, Reals]:
        """Sums of each of V figures (N,) by group, and over the whole chain: (V, groups) and (V,).

        Stores lie whole in one part of a chain, so that theirs are summed where they are.
        """
        codes, size = self.groups[group]
        sums = np.stack([group_sums(each, codes, size) for each in values], axis=1)
        if group == "store":
            return folded(sums), folded(self.panel.chain.added(("store", *key), sums.sum(axis=2)))
        whole = self.panel.chain.added((group, *key), sums)
        return folded(whole), folded(whole.sum(axis=2))

    def ratio(self, key: Key, above: Reals, below: Reals, group: Group) -> Reals:
        """(N,) ratio of group sums, per series; the ratio over all series where a group has nothing below."""
        (top, bottom), (all_above, all_below) = self.totals(key, [above, below], group)
        overall = all_above / all_below if all_below > 0 else 0.0
        ratios = np.divide(top, bottom, out=np.full(len(top), overall), where=bottom > 0)
        return np.asarray(ratios[self.groups[group][0]])

    @cached_property
    def _sold(self) -> Reals:
        """(2, T, departments) sums of plain demand."""
        return self.panel.chain.added(("sold",), sold_units(self.demand, self.plain, self._membership))

    def _block_level(self, block: slice) -> Reals:
        """(N,) mean plain demand of the weeks of a block."""
        units = self.plain_units[block.stop] - self.plain_units[block.start]
        weeks = self.plain_count[block.stop] - self.plain_count[block.start]
        return np.asarray(units / np.maximum(weeks, 1), np.float64)

    def _level(self, known: int) -> Reals:
        units = self.total(self.plain_units, known, YEAR)
        weeks = self.total(self.plain_count, known, YEAR)
        by_product = self.ratio(("level", known), units, weeks, "product")
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
