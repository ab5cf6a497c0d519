"""Seasonal factors by ISO week, learned only from the weeks handed in."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.replenishment.chain import Groups, folded, multiples
from pipeline.replenishment.panel import Bools, Floats, Ints, Weeks

Reals = NDArray[np.float64]

#: ISO years have 52 or 53 weeks.
ISO_WEEKS = 53
YEAR = 52
#: Units of expected sales in a week of the year after which a group's own factor weighs as much as the chain's. Chosen
#: on games: at 200 the factors of departments that sell some hundred units a week are mostly noise.
SHRINKAGE = 2000.0


def iso_week(weeks: Weeks) -> Ints:
    """(T,) ISO 8601 week number minus one, 0..52, of each Monday.

    The ISO week of a Monday is the number of its Thursday's week within the Thursday's year (ISO 8601, 3.2.2).
    """
    thursday = weeks.astype("datetime64[D]") + np.timedelta64(3, "D")
    day_of_year = (thursday - thursday.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64)
    return np.asarray(day_of_year // 7, dtype=np.int64)


def sold_units(demand: Floats, usable: Bools, groups: Groups) -> Reals:
    """(2, T, G) sums of usable demand (T, N) by week and group, as multiples that add up exactly."""
    sums = np.empty((2, len(demand), groups.size))
    for week, (units, cells) in enumerate(zip(demand, usable, strict=True)):
        sums[:, week] = groups.sums(multiples(np.where(cells, units, np.float32(0))))
    return sums


@dataclass(frozen=True)
class Few:
    """Cells (T, N) by those that are fewer: the usable ones or the others.

    Attributes:
        usable: the usable ones are listed.
        series: (K,) series of each listed cell, week by week.
        starts: (T + 1,) where each week begins among them.
    """

    usable: bool
    series: Ints
    starts: Ints

    @classmethod
    def of(cls, usable: Bools) -> "Few":
        """Of cells that are usable or not."""
        counts = usable.sum(axis=1)
        most = 2 * int(counts.sum()) > usable.size
        listed = (usable.shape[1] - counts) if most else counts
        week = np.repeat(np.arange(len(usable)), listed)
        series = np.flatnonzero(~usable if most else usable) - week * usable.shape[1]
        return cls(not most, series, np.append(0, np.cumsum(listed)))


def expected_units(few: Few, block: slice, level: Reals, groups: Groups) -> Reals:
    """(2, W, G) what the series' levels (N,) would have sold in the usable cells of a block, by week and group.

    As multiples: what all would have sold less what they would have in other cells is then the same to the last bit.
    """
    parts, weeks = multiples(level), block.stop - block.start
    starts = few.starts[block.start : block.stop + 1]
    series = few.series[starts[0] : starts[-1]]
    place = np.repeat(np.arange(weeks) * groups.size, np.diff(starts)) + groups.codes[series]
    listed = np.stack([np.bincount(place, part[series], weeks * groups.size) for part in parts])
    sums: Reals = listed.reshape(2, weeks, groups.size).astype(np.float64, copy=False)
    return sums if few.usable else groups.sums(parts)[:, None] - sums


def seasonal_factors(sold: Reals, expected: Reals, week_of_year: Ints) -> Floats:
    """(G + 1, 53) factors around 1: one row per group of series, and the whole chain last.

    Ratio to the yearly mean (Makridakis, Wheelwright, Hyndman, Forecasting, 3rd ed., ch. 3): history is cut into
    blocks of 52 weeks counted back from the end, so that each block holds a whole season; a week's factor is the sum
    of usable sales over the sum of what the series' block means would have sold in the same cells. Cells that are not
    usable weigh nothing on either side. Group rows are the chain's times a smoothed ratio that is drawn towards 1.

    Args:
        sold: (2, W, G) from :func:`sold_units`, of the weeks of all blocks.
        expected: (2, W, G) from :func:`expected_units`, likewise, each block with its own levels.
        week_of_year: (W,) from :func:`iso_week`.
    """
    seen, meant = (_by_iso_week(sums, week_of_year) for sums in (sold, expected))
    chain = _filled(folded(seen.sum(axis=2)), folded(meant.sum(axis=2)))
    # What is smoothed and shrunk is the ratio to the chain, so that a week that is high everywhere stays sharp.
    ratio = (_smooth(folded(seen)) + SHRINKAGE) / (_smooth(folded(meant) * chain[:, None]) + SHRINKAGE)
    index = np.vstack([ratio.T * chain, chain[None, :]])
    return np.asarray(index / index[:, :YEAR].mean(axis=1, keepdims=True), dtype=np.float32)


def _by_iso_week(sums: Reals, week_of_year: Ints) -> Reals:
    """(2, 53, G) from (2, W, G)."""
    total = np.zeros((2, ISO_WEEKS, sums.shape[2]))
    for part, rows in zip(total, sums, strict=True):
        np.add.at(part, week_of_year, rows)
    return total


def _filled(seen: Reals, expected: Reals) -> Reals:
    """(53,) ratio; weeks never seen take the mean of their neighbours, or 1."""
    known = expected > 0
    if not known.any():
        return np.ones(ISO_WEEKS)
    position = np.arange(ISO_WEEKS)
    return np.asarray(np.interp(position, position[known], seen[known] / expected[known]), dtype=np.float64)


def _smooth(values: Reals) -> Reals:
    """(53, G) weighted with its neighbours in the circle of the year; small groups are noisy week by week."""
    return np.asarray(0.5 * values + 0.25 * (np.roll(values, 1, axis=0) + np.roll(values, -1, axis=0)))
