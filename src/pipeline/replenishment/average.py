"""The seasonal moving average: what a series sells with the season taken out, put back for the week asked.

Two exponentially weighted levels: a quick one that follows the series, and a slow one, itself drawn towards the mean
of the product in all stores, that the quick one leans on where it has seen little (Bühlmann's credibility: weight by
weeks seen). The season is the department's, which is itself drawn strongly towards the chain's.
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.replenishment.history import LEAST_LEVEL, History, group_ratio

#: Weeks after which a week counts half in the quick level and in the slow one.
QUICK, SLOW = 12.0, 60.0
#: Weeks of the slow level the quick one is mixed with, and of the product's mean the slow one is.
SLOW_WEEKS, PRODUCT_WEEKS = 8.0, 2.0
#: Weeks read; those before weigh less than a quarter in the slow level.
MEMORY = 130


def seasonal_mean(history: History, known: int) -> NDArray[np.float64]:
    """(L, N) mean demand of the weeks after the first ``known``.

    A level is weighted units over weighted seasonal factors of the usable cells (a ratio estimate, so that one quiet
    week with a small factor cannot blow it up).
    """
    index = history.season(known)[history.department]
    recent = slice(max(known - MEMORY, 0), known)
    units, factor = history.demand[recent], index[:, history.iso[recent]].T * history.usable[recent]
    age = np.arange(len(units))[::-1]
    # float32 as the history: sums over the weeks of a whole chain in one product of a row and a matrix.
    quick, slow = (np.power(0.5, age / half).astype(np.float32) for half in (QUICK, SLOW))
    slow_units, slow_weeks = np.asarray(slow @ units, np.float64), np.asarray(slow @ factor, np.float64)
    by_product = group_ratio(slow_units, slow_weeks, history.product)
    level = (slow_units + PRODUCT_WEEKS * by_product) / (slow_weeks + PRODUCT_WEEKS)
    level = (quick @ units + SLOW_WEEKS * level) / (quick @ factor + SLOW_WEEKS)
    targets = index[:, history.iso[known : known + history.lead_time]].T
    return np.asarray(np.maximum(level, LEAST_LEVEL)[None, :] * targets, dtype=np.float64)
