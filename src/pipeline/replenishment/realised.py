"""What really happened, week by week: the KPIs that a chain's own records can tell.

A stock-out is what the staff reported (``in_stock``), so the stock-out rate is known of every week. Stock is known of
every week where the source counts it then, else of the newest one alone. How many customers asked in vain nobody
recorded: lost units and cost cannot be told here.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.evaluation.kpis import summary
from pipeline.evaluation.outcomes import Outcomes
from pipeline.replenishment.offers import KPIS
from pipeline.replenishment.panel import WEEK, Bools, Ints, Panel
from pipeline.replenishment.tally import DAYS

#: Weeks told at most.
NEWEST = 26
#: KPIs that rest on reports of empty shelves, and those that rest on counted stock.
SEEN, COUNTED = ("stockout_rate",), ("average_inventory", "turnover_days")
COLUMNS = ["period", "group", "kpi", "value", "low", "high", "units"]


def realised(panel: Panel, state: pd.DataFrame, followers: Mapping[str, date], seed: int) -> pd.DataFrame:
    """KPIs per week, group (``all``, ``model``) and KPI, as :meth:`pipeline.problems.base.Problem.realised` says.

    Args:
        panel: of the series in scope.
        state: the clean table of stock; where it names another week than the panel's last, stock is not told.
        followers: store to the first week it follows the model; an order placed for that week arrives
            ``lead_time - 1`` weeks later, and the store counts from then on.
        seed: of the bootstrap.
    """
    stores, code = np.unique(panel.series["store"].to_numpy(dtype=str), return_inverse=True)
    since = np.array([np.datetime64(followers.get(str(store), date.max), "D") for store in stores])
    changed = since[code] + (panel.lead_time - 1) * WEEK
    counted = _counted(panel, state)
    told = []
    for group, members in (("model", changed), ("all", np.full(panel.size, panel.weeks[0]))):
        batches: dict[tuple[tuple[str, ...], tuple[str, ...]], list[pd.DataFrame]] = defaultdict(list)
        for week in range(max(panel.periods - NEWEST, 0), panel.periods):
            chosen = panel.listed[week] & (members <= panel.weeks[week])
            if chosen.any():
                kpis = (*SEEN, *(COUNTED if counted[week] else ()))
                frame = _components(panel, week, chosen, stores, code)
                batches[tuple(frame["unit"]), kpis].append(frame)
        told += [_told(frames, kpis, seed).assign(group=group) for (_, kpis), frames in batches.items()]
    found = pd.concat(told, ignore_index=True) if told else pd.DataFrame(columns=COLUMNS)
    return found[COLUMNS].sort_values(["period", "group", "kpi"], ignore_index=True)


def _counted(panel: Panel, state: pd.DataFrame) -> Bools:
    """(T,) weeks at whose end the stock is known."""
    if panel.stock is not None:
        return np.ones(panel.periods, np.bool_)
    known = np.zeros(panel.periods, np.bool_)
    taken = state["week"].to_numpy().astype("datetime64[D]") if "week" in state.columns else panel.weeks[-1:]
    known[-1] = (taken == panel.weeks[-1]).all()
    return known


def _components(panel: Panel, week: int, chosen: Bools, stores: NDArray[np.str_], code: Ints) -> pd.DataFrame:
    """One row per store with a chosen series: the additive components of its week; the week is the arm.

    All are whole numbers, so that sums over resampled stores are exact, however many weeks are summed at once.
    """
    stock = np.nan_to_num(panel.on_hand) if panel.stock is None else panel.stock[week]
    parts = {
        "weeks": chosen,
        "stockout_weeks": chosen & ~panel.in_stock[week],
        "inventory": chosen * stock,
        "stock_days": chosen * stock * DAYS,
        "sold": chosen * panel.sales[week],
    }
    frame = pd.DataFrame({name: np.bincount(code, part, minlength=len(stores)) for name, part in parts.items()})
    frame.insert(0, "unit", stores)
    frame.insert(0, "arm", str(panel.weeks[week]))
    return frame[frame["weeks"] > 0]


def _told(frames: list[pd.DataFrame], kpis: tuple[str, ...], seed: int) -> pd.DataFrame:
    """The KPIs of weeks with the same stores, each week on the same draws as if it were alone."""
    outcomes = Outcomes(pd.concat(frames, ignore_index=True), (), 1, "replay", "recorded weeks")
    found = summary(outcomes, {name: KPIS[name] for name in kpis}, seed)
    found["period"] = [date.fromisoformat(arm) for arm in found["arm"]]
    measurable: pd.DataFrame = found[np.isfinite(found["value"])]
    return measurable
