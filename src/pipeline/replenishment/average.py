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

from pipeline.replenishment.chain import multiples
from pipeline.replenishment.history import LEAST_LEVEL, History
from pipeline.replenishment.panel import Floats

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
    index = history.season(known)
    recent = slice(max(known - MEMORY, 0), known)
    units = history.demand[recent]
    factor = history.by_department(index[:, history.iso[recent]]).T * history.usable[recent]
    slow_units, slow_weeks = _faded(units, SLOW), _faded(factor, SLOW)
    by_product = history.ratio(("average", known), (multiples(slow_units), multiples(slow_weeks)), "product")
    level = (slow_units + PRODUCT_WEEKS * by_product) / (slow_weeks + PRODUCT_WEEKS)
    lean = SLOW_WEEKS + SLOW_UNITS / np.maximum(level, LEAST_UNITS)
    level = (_faded(units, QUICK) + lean * level) / (_faded(factor, QUICK) + lean)
    targets = history.by_department(index[:, history.iso[known : known + history.lead_time]]).T
    return np.asarray(np.maximum(level, LEAST_LEVEL)[None, :] * targets, dtype=np.float64)


def _faded(rows: Floats, half_life: float) -> NDArray[np.float64]:
    """(N,) sum of weekly rows, the newest whole, one ``half_life`` weeks older by half.

    Added row by row: a product of matrices adds in an order that depends on how many series there are.
    """
    total = np.zeros(rows.shape[1], np.float64)
    for weight, row in zip(np.power(0.5, np.arange(len(rows))[::-1] / half_life), rows, strict=True):
        total += weight * row
    return total
