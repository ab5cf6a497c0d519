"""Seasonal factors by ISO week, learned only from the weeks handed in."""

import numpy as np
from numpy.typing import NDArray

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


def one_hot(groups: Ints, size: int) -> Floats:
    """(N, size) membership of each series."""
    return np.asarray(groups[:, None] == np.arange(size)[None, :], dtype=np.float32)


def seasonal_index(sales: Floats, usable: Bools, week_of_year: Ints, membership: Floats) -> Floats:
    """(G + 1, 53) factors around 1: one row per group of series, and the whole chain last.

    Ratio to the yearly mean (Makridakis, Wheelwright, Hyndman, Forecasting, 3rd ed., ch. 3): history is cut into
    blocks of 52 weeks counted back from the end, so that each block holds a whole season; a week's factor is the sum
    of usable sales over the sum of what the series' block means would have sold in the same cells. Cells that are not
    usable weigh nothing on either side. Group rows are the chain's times a smoothed ratio that is drawn towards 1.

    Args:
        sales: (T, N) units.
        usable: (T, N) cells whose sales are demand.
        week_of_year: (T,) from :func:`iso_week`.
        membership: (N, G) from :func:`one_hot`.
    """
    groups = membership.shape[1]
    seen = np.zeros((ISO_WEEKS, groups), np.float64)
    expected = np.zeros((ISO_WEEKS, groups), np.float64)
    for end in range(len(sales), YEAR - 1, -YEAR):
        block = slice(end - YEAR, end)
        cells = usable[block].astype(np.float32)
        units = sales[block] * cells
        level = units.sum(axis=0) / np.maximum(cells.sum(axis=0), 1)
        np.add.at(seen, week_of_year[block], units @ membership)
        np.add.at(expected, week_of_year[block], cells @ (membership * level[:, None]))
    chain = _filled(seen.sum(axis=1), expected.sum(axis=1))
    # What is smoothed and shrunk is the ratio to the chain, so that a week that is high everywhere stays sharp.
    ratio = (_smooth(seen) + SHRINKAGE) / (_smooth(expected * chain[:, None]) + SHRINKAGE)
    index = np.vstack([ratio.T * chain, chain[None, :]])
    return np.asarray(index / index[:, :YEAR].mean(axis=1, keepdims=True), dtype=np.float32)


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
