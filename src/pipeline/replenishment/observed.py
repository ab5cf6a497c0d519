"""What the chain sees of every store in every week: the components of the stock-out rate, and how much it sells.

Stock of past weeks and lost sales are on no record, so the KPIs that rest on them cannot be measured against controls.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.evaluation.observed import PERIOD, UNIT, Observed
from pipeline.replenishment.games import department_of
from pipeline.replenishment.panel import Panel

#: Columns of the table of stores that are slices, where it has them.
TAGS = ("cluster", "format", "region")


def observed(panel: Panel) -> Observed:
    """One row per store, week and department that was listed.

    Components: ``stockout_weeks`` and ``weeks`` (listed series-weeks, and those in which the shelf ran empty) and
    ``sold`` (units).
    """
    stores, store = np.unique(panel.series["store"].to_numpy(dtype=str), return_inverse=True)
    departments, department = np.unique(department_of(panel.series), return_inverse=True)
    # A matrix of series by groups would be sparse; adding up along a sorted order costs one pass instead.
    code = store * len(departments) + department
    order = np.argsort(code, kind="stable")
    first = np.flatnonzero(np.diff(code[order], prepend=-1))
    present = code[order][first]

    def added(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.add.reduceat(values[:, order], first, axis=1).ravel())

    listed = panel.listed.astype(np.float64)
    frame = pd.DataFrame(
        {
            UNIT: np.tile(stores[present // len(departments)], panel.periods).astype(object),
            PERIOD: np.repeat(panel.weeks.astype(str), len(present)).astype(object),
            "department": np.tile(departments[present % len(departments)], panel.periods).astype(object),
            "weeks": added(listed),
            "stockout_weeks": added(listed * ~panel.in_stock),
            "sold": added(panel.sales.astype(np.float64)),
        }
    )
    tags = [name for name in TAGS if name in panel.series.columns]
    if tags:
        known = panel.series.drop_duplicates("store").set_index("store")
        for name in tags:
            frame[name] = frame[UNIT].map(known[name])
    # An order placed at the end of a week arrives ``lead_time - 1`` weeks into the following ones.
    told = frame[frame["weeks"] > 0].reset_index(drop=True)
    return Observed(told, ("department", *tags), "sold", panel.lead_time - 1)
