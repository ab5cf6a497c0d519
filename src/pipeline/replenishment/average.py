"""The seasonal moving average: what a series sells with the season taken out, put back for the week asked.

Two exponentially weighted levels: a quick one that follows the series, and a slow one, itself drawn towards the mean
of the product in all stores, that the quick one leans on where it has seen little. By how many weeks it leans is
Bühlmann's credibility: the variance of a week around its level over that of the level's own moves. The one is about
``m + a m²`` for a level of ``m`` units, the other ``b m²``, so their ratio is ``a/b + (1/b)/m``: who sells one unit a
week shows a change of level later than who sells twenty. The season is the department's, which is itself drawn
strongly towards the chain's.
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.replenishment.history import LEAST_LEVEL, History, group_ratio

#: Weeks after which a week counts half in the quick level and in the slow one.
QUICK, SLOW = 6.0, 60.0
#: Weeks of the slow level the quick one is mixed with: so many, and so many more over the units sold a week.
SLOW_WEEKS, SLOW_UNITS = 4.0, 6.0
#: The same divided by no fewer units than these.
LEAST_UNITS = 0.1
#: Weeks of the product's mean the slow level is mixed with.
PRODUCT_WEEKS = 2.0
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
    lean = SLOW_WEEKS + SLOW_UNITS / np.maximum(level, LEAST_UNITS)
    level = (quick @ units + lean * level) / (quick @ factor + lean)
    targets = index[:, history.iso[known : known + history.lead_time]].T
    return np.asarray(np.maximum(level, LEAST_LEVEL)[None, :] * targets, dtype=np.float64)
