"""What a panel says at the end of each week: masked means over any window, in one subtraction.

A cell is *known* when the product was listed and never ran out, so that its sales are demand; a censored one counts
with what its sales let suppose (:mod:`pipeline.replenishment.censoring`) or, without sales, not at all. Everything
asked of a :class:`History` at ``known`` weeks reads rows ``< known`` only; the planned calendars are the exception.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.replenishment.censoring import Uncensored, uncensored
from pipeline.replenishment.chain import Groups, Key, folded, multiples, together
from pipeline.replenishment.panel import WEEK, Bools, Floats, Ints, Panel
from pipeline.replenishment.season import YEAR, Few, expected_units, iso_week, seasonal_factors, sold_units

#: Weeks a new series' own mean is mixed with its product's mean, as if seen that often.
PRIOR_WEEKS = 2.0
#: The least level, so that its logarithm exists: one unit in two years.
LEAST_LEVEL = 0.01

#: Running sums between two weeks nobody asked for are kept every so many weeks.
STEP = 13

Reals = NDArray[np.float64]
Group = Literal["product", "department", "store"]
#: Series a figure is asked of.
Chosen = Ints | slice
EVERY = slice(None)


class Running:
    """Sums over the weeks before: ``sums[k]`` (N,) is float32 of the first ``k`` weeks.

    float32 holds sums of units to 2^24 exactly enough. A row is made when it is asked for, from the last one before it:
    an order reads few of them, and they would be the largest part of what it holds in memory.
    """

    def __init__(self, size: int, week: Callable[[int], NDArray[Any]]) -> None:
        self._week = week
        self._rows: dict[int, Floats] = {0: np.zeros(size, np.float32)}

    def __getitem__(self, known: int) -> Floats:
        start = known
        while start not in self._rows:
            start -= 1
        if start < known:
            sums = self._rows[start].copy()
            for week in range(start, known):
                np.add(sums, self._week(week), out=sums)
                if (week + 1) % STEP == 0:
                    self._rows[week + 1] = sums.copy()
            self._rows[known] = sums
        return self._rows[known]


class History:
    """Running sums over the weeks of a panel.

    Attributes:
        panel: the panel.
        lead_time: horizons are 1 … lead_time.
        known: (T, N) sales are demand.
        told: demand as far as it can be told; its ``demand`` and ``usable`` (T, N) stand here too.
        groups: of the series by ``product``, ``store`` and ``department``.
        iso: (T + future,) ISO week minus one, of past and planned weeks.
        units, count, squares, sold_weeks: sums over usable cells: demand, cells, squared demand, cells with demand.
        known_weeks, listed_weeks: known and listed cells.
        plain_units, plain_count: sums over usable cells without a promotion.

    The sums are made when they are first asked for: a model that rests on few groups of features needs few of them.
    What is told of single series can be asked of some of them (``chosen``, n of the N): the same as of all, taken from.
    """

    def __init__(self, panel: Panel, before: "History | None" = None) -> None:
        """Of a panel; where it begins with the weeks of another history, only its new weeks are looked at."""
        self.panel = panel
        self.lead_time = panel.lead_time
        self.known = panel.in_stock & panel.listed
        self._promoted: Bools = panel.promotion[: panel.periods] > 0
        past = before if before is not None and before.begins(panel) else None
        self.told: Uncensored = uncensored(
            panel.sales, self.known, panel.listed, self._promoted, None if past is None else past.told
        )
        self.demand, self.usable = self.told.demand, self.told.usable
        self.plain = self.usable & ~self._promoted
        self._sold_before: Reals | None = past.__dict__.get("sold") if past is not None else None
        self.groups: dict[Group, Groups] = {
            "product": panel.chain.groups(panel.series, "product"),
            "department": panel.chain.groups(panel.series, "department"),
            "store": panel.chain.groups(panel.series, "store"),
        }
        self.iso = iso_week(panel.weeks[0] + np.arange(len(panel.holiday)) * WEEK)
        # Plain dicts: a cache that holds the bound method would keep the whole history alive in a reference cycle.
        self._levels: dict[int, Reals] = {}
        self._seasons: dict[int, Floats] = {}
        self._blocks: dict[int, Reals] = {}

    @cached_property
    def units(self) -> Running:
        """Demand."""
        return self._running(self.demand.__getitem__)

    @cached_property
    def count(self) -> Running:
        """Usable cells."""
        return self._running(self.usable.__getitem__)

    @cached_property
    def squares(self) -> Running:
        """Squared demand."""
        demand = self.demand
        return self._running(lambda week: demand[week] * demand[week])

    @cached_property
    def sold_weeks(self) -> Running:
        """Cells with demand."""
        demand = self.demand
        return self._running(lambda week: demand[week] > 0)

    @cached_property
    def known_weeks(self) -> Running:
        """Known cells."""
        return self._running(self.known.__getitem__)

    @cached_property
    def listed_weeks(self) -> Running:
        """Listed cells."""
        return self._running(self.panel.listed.__getitem__)

    @cached_property
    def plain_units(self) -> Running:
        """Demand without a promotion."""
        demand, promoted = self.demand, self._promoted
        return self._running(lambda week: np.where(promoted[week], np.float32(0), demand[week]))

    @cached_property
    def plain_count(self) -> Running:
        """Usable cells without a promotion."""
        return self._running(self.plain.__getitem__)

    def total(self, sums: Running, known: int, window: int, back: int = 0, chosen: Chosen = EVERY) -> Reals:
        """(n,) sum over the ``window`` weeks that end ``back`` weeks before the end of week ``known``."""
        last = max(known - back, 0)
        return np.asarray(sums[last][chosen] - sums[max(last - window, 0)][chosen], dtype=np.float64)

    def mean(self, known: int, window: int, back: int = 0, *, plain: bool = False, chosen: Chosen = EVERY) -> Reals:
        """(n,) mean demand of the usable weeks in the window (plain: without promotion); NaN where there are none."""
        units, count = (self.plain_units, self.plain_count) if plain else (self.units, self.count)
        sums = self.total(units, known, window, back, chosen)
        # Where no week is usable nothing was added up either, and 0 / 0 is the NaN that is meant.
        with np.errstate(invalid="ignore"):
            return np.asarray(np.divide(sums, self.total(count, known, window, back, chosen), out=sums))

    def level(self, known: int) -> Reals:
        """(N,) size of each series: mean of its plain weeks of a year, shrunk to its product's mean."""
        if known not in self._levels:
            self._levels[known] = self._level(known)
        return self._levels[known]

    def season(self, known: int) -> Floats:
        """(departments + 1, 53) seasonal factors from the first ``known`` weeks."""
        if known not in self._seasons:
            blocks = [slice(end - YEAR, end) for end in range(known, YEAR - 1, -YEAR)]
            shape = (2, 0, self.groups["department"].size)
            share = np.concatenate([np.zeros(shape), *map(self._expected, blocks)], axis=1)
            sold, expected = together(lambda: self.sold, lambda: self.panel.chain.added(("expected", known), share))
            weeks = np.array([week for block in blocks for week in range(block.start, block.stop)], np.int64)
            self._seasons[known] = seasonal_factors(sold[:, weeks], expected, self.iso[weeks])
        return self._seasons[known]

    def by_department(self, factors: Floats, chosen: Chosen = EVERY) -> Floats:
        """(n, …) what stands for each department, for each series."""
        return np.asarray(factors[self.groups["department"].codes[chosen]])

    def totals(self, key: Key, figures: Sequence[Reals], group: Group) -> tuple[Reals, Reals]:
        """Sums of each of V figures (2, N), as multiples, by group, and over the whole chain: (V, groups) and (V,).

        Stores lie whole in one part of a chain, so that theirs are summed where they are.
        """
        sums = np.stack([self.groups[group].sums(each) for each in figures], axis=1)
        if group == "store":
            return folded(sums), folded(self.panel.chain.added(("store", *key), sums.sum(axis=2)))
        whole = self.panel.chain.added((group, *key), sums)
        return folded(whole), folded(whole.sum(axis=2))

    def ratio(self, key: Key, figures: Sequence[Reals], group: Group, chosen: Chosen = EVERY) -> Reals:
        """(n,) ratio of group sums, per series; the ratio over all series where a group has nothing below.

        Args:
            key: names the figures.
            figures: what is above and below, of all series whichever are asked: (2, N) each, as multiples.
            group: what is summed by.
            chosen: series asked of.
        """
        (top, bottom), (all_above, all_below) = self.totals(key, figures, group)
        overall = all_above / all_below if all_below > 0 else 0.0
        ratios = np.divide(top, bottom, out=np.full(len(top), overall), where=bottom > 0)
        return np.asarray(ratios[self.groups[group].codes[chosen]])

    @cached_property
    def sold(self) -> Reals:
        """(2, T, departments) sums of plain demand."""
        past = self._sold_before
        done = 0 if past is None else past.shape[1]
        own = sold_units(self.demand[done:], self.plain[done:], self.groups["department"])
        return self.panel.chain.added(("sold",), own if past is None else np.concatenate([past, own], axis=1))

    @cached_property
    def _few(self) -> Few:
        return Few.of(self.plain)

    def _expected(self, block: slice) -> Reals:
        """(2, weeks, departments) what the series' mean plain demand in a block would have sold in its plain cells."""
        if block.stop not in self._blocks:
            units = self.plain_units[block.stop] - self.plain_units[block.start]
            weeks = self.plain_count[block.stop] - self.plain_count[block.start]
            level = np.asarray(units / np.maximum(weeks, 1), np.float64)
            self._blocks[block.stop] = expected_units(self._few, block, level, self.groups["department"])
        return self._blocks[block.stop]

    def begins(self, panel: Panel) -> bool:
        """Whether this is the history of the panel's first weeks, of a whole chain, to the bit."""
        own, weeks = self.panel, self.panel.periods
        return (
            weeks <= panel.periods
            and panel.chain.answers is None
            and own.chain == panel.chain
            and (own.series is panel.series or own.series.equals(panel.series))
            and own.weeks[0] == panel.weeks[0]
            and all(
                np.array_equal(getattr(own, name)[:weeks], getattr(panel, name)[:weeks])
                for name in ("sales", "in_stock", "listed", "promotion")
            )
        )

    def _level(self, known: int) -> Reals:
        units = self.total(self.plain_units, known, YEAR)
        weeks = self.total(self.plain_count, known, YEAR)
        by_product = self.ratio(("level", known), (multiples(units), multiples(weeks)), "product")
        return np.asarray(np.maximum((units + PRIOR_WEEKS * by_product) / (weeks + PRIOR_WEEKS), LEAST_LEVEL))

    def _running(self, week: Callable[[int], NDArray[Any]]) -> Running:
        return Running(self.panel.size, week)


class Growing:
    """The history of a panel that gains weeks from one question to the next, as in a game."""

    def __init__(self) -> None:
        self._newest: History | None = None

    def __call__(self, panel: Panel) -> History:
        """The panel's history; what earlier weeks say is not worked out again."""
        self._newest = History(panel, self._newest)
        return self._newest
