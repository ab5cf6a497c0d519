"""The seasonal moving average: a recent mean with the season taken out, put back for the week asked."""

import numpy as np
from numpy.typing import NDArray

from pipeline.replenishment.history import History

#: Weeks averaged: long enough to calm single weeks, short enough to follow a shift.
AVERAGE_WEEKS = 13


def seasonal_mean(history: History, known: int) -> NDArray[np.float64]:
    """(L, N) mean demand of the weeks after the first ``known``, with the factors of each series' department.

    The level is units over seasonal factors summed over the usable cells (a ratio estimate, so that one quiet week
    with a small factor cannot blow it up); a series without one takes its yearly level.
    """
    index = history.season(known)[history.department]
    recent = slice(max(known - AVERAGE_WEEKS, 0), known)
    cells = history.usable[recent]
    units = history.demand[recent].sum(axis=0, dtype=np.float64)
    factors = (index[:, history.iso[recent]].T * cells).sum(axis=0, dtype=np.float64)
    level = np.divide(units, factors, out=history.level(known).copy(), where=factors > 0)
    targets = history.iso[known : known + history.lead_time]
    return np.asarray(level[None, :] * index[:, targets].T, dtype=np.float64)
