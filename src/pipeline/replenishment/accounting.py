"""A word on each single order: what today's rule would order, whether the model knows such a case, what moved it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.charter import Charter
from pipeline.compliance.account import Account, Drivers, Names, sample
from pipeline.problems.base import Arm
from pipeline.replenishment.benchmark import position
from pipeline.replenishment.chain import together
from pipeline.replenishment.forecast import THREADS, LightGBMForecaster
from pipeline.replenishment.limiting import features_of, outside_of
from pipeline.replenishment.panel import Bools, Ints, Panel
from pipeline.replenishment.parameters import Business
from pipeline.replenishment.teams import ASKED, asked_of, decider, orders_of

#: Drivers named for each order.
NAMED = 3
#: The place in the sequence of weeks is no reason for an order.
_NO_REASON = "horizon"


@dataclass(frozen=True)
class Told:
    """What there is to say of the panel's series, in their order.

    Attributes:
        orders, incumbent: (N,) the order, and what today's rule orders.
        by_model: (N,) whether the model decided.
        outside: (N,) a feature outside the range the model learned from; empty for none.
        standing: (N,) the inventory position the order starts from, in units.
        drivers: why; None where it was not asked for, or no model decides.
    """

    orders: Ints
    incumbent: Ints
    by_model: Bools
    outside: Names
    standing: NDArray[np.float64]
    drivers: Drivers | None

    def as_account(self, decisions: pd.DataFrame, lines: NDArray[np.int64], last: date) -> Account:
        """The same for the lines of the decisions, which may be in another order.

        Args:
            decisions: as the source asks for them; the last column holds the order.
            lines: (M,) the series of each line.
            last: the last week the orders know.
        """
        drivers = self.drivers
        if drivers is not None:
            place = np.full(len(self.orders), -1)
            place[lines] = np.arange(len(lines))
            there = place[drivers.rows] >= 0
            drivers = Drivers(place[drivers.rows][there], drivers.names[there], drivers.effects[there], drivers.gap)
        return Account(
            decisions=decisions,
            column=str(decisions.columns[-1]),
            by_model=self.by_model[lines],
            incumbent=self.incumbent[lines].astype(np.float64),
            outside=self.outside[lines],
            standing=self.standing[lines],
            cutoff=last,
            drivers=drivers,
        )


def side_by_side(parts: Sequence[Told]) -> Told:
    """What was said of the parts of a chain, as of one."""
    before = np.cumsum([0, *(len(part.orders) for part in parts[:-1])])
    drivers = [(start, part.drivers) for start, part in zip(before, parts, strict=True) if part.drivers is not None]
    return Told(
        orders=np.concatenate([part.orders for part in parts]),
        incumbent=np.concatenate([part.incumbent for part in parts]),
        by_model=np.concatenate([part.by_model for part in parts]),
        outside=np.concatenate([part.outside for part in parts]),
        standing=np.concatenate([part.standing for part in parts]),
        drivers=Drivers(
            rows=np.concatenate([start + one.rows for start, one in drivers]),
            names=np.concatenate([one.names for _, one in drivers]),
            effects=np.concatenate([one.effects for _, one in drivers]),
            gap=max(one.gap for _, one in drivers),
        )
        if drivers
        else None,
    )


def told(charter: Charter, arm: Arm, units: Sequence[str] | None, explained: int | None, panel: Panel) -> Told:
    """The orders of :func:`pipeline.replenishment.teams.orders_of`, each with what there is to say of it."""
    listed = panel.listed[-1]
    everywhere = np.ones(panel.size, np.bool_)
    rest = Arm("rest", charter, baseline=charter.kpi.baseline.policy)
    asked = asked_of(charter, units, panel)
    ours, drivers = asked & listed, None
    # All that may be asked of the whole chain comes first: a part is not taken apart twice.
    by_model = arm.candidate is not None and panel.chain.some(("ours",), ours)
    today, orders = together(
        lambda: decider(rest, panel, everywhere, "everywhere")(panel),
        lambda: orders_of(charter, arm, units, panel),
    )
    incumbent = np.where(listed, today, 0)
    outside: Names = np.full(panel.size, "", dtype=object)
    if arm.candidate is None or not by_model:
        ours = np.zeros(panel.size, np.bool_)
    else:
        model = LightGBMForecaster.load(arm.candidate.directory)
        rows = np.flatnonzero(ours)
        matrix = features_of(model, arm.charter, panel, asked, ASKED)[:, rows]
        outside[rows] = outside_of(model, matrix)
        if explained is None or explained > 0:
            chosen = sample(len(rows), explained, charter.seed)
            drivers = _drivers(model, matrix[:, chosen], rows[chosen])
    return Told(orders, incumbent, ours, outside, np.asarray(position(panel), np.float64), drivers)


def saved(business: Business, panel: Panel, overrides: pd.DataFrame) -> NDArray[np.float64]:
    """(M,) what each changed order saved against the model's, by the newsvendor's costs of the week of delivery.

    An order of the end of week ``t`` is there from the start of week ``t + L``. The stock it meets is what the position
    of week ``t`` left over after the sales of weeks ``t + 1 … t + L - 1``. Where the shelf ran empty in the week of
    delivery nobody knows how much was asked for: an order raised above the model's then saved at least the shortage
    between both, one cut below it cannot be judged. Saved is positive where the person did better.

    Args:
        business: costs per unit and week.
        panel: of the newest data.
        overrides: ``store``, ``product``, ``cutoff`` (date), ``model``, ``quantity`` and ``standing``.
    """
    place = pd.MultiIndex.from_frame(panel.series[["store", "product"]])
    column = place.get_indexer(pd.MultiIndex.from_frame(overrides[["store", "product"]].astype(str)))
    weeks = pd.Index(panel.weeks.astype("datetime64[D]"))
    row = weeks.get_indexer(pd.DatetimeIndex(overrides["cutoff"]).to_numpy().astype("datetime64[D]"))
    found = np.full(len(overrides), np.nan)
    figures = overrides[["model", "quantity", "standing"]].to_numpy(np.float64)
    for place_, (week, series) in enumerate(zip(row.tolist(), column.tolist(), strict=True)):
        arrives = week + panel.lead_time
        if week < 0 or series < 0 or arrives >= panel.periods:
            continue
        model, person, standing = figures[place_]
        stock = max(standing - float(panel.sales[week + 1 : arrives, series].sum()), 0.0)
        demand = float(panel.sales[arrives, series])
        if panel.in_stock[arrives, series]:
            found[place_] = _cost(business, stock + model, demand) - _cost(business, stock + person, demand)
        elif person >= model:
            found[place_] = business.shortage_cost * (person - model)
    return found


def _cost(business: Business, stock: float, demand: float) -> float:
    return business.holding_cost * max(stock - demand, 0.0) + business.shortage_cost * max(demand - stock, 0.0)


def _drivers(model: LightGBMForecaster, matrix: NDArray[np.float32], rows: NDArray[np.int64]) -> Drivers:
    """LightGBM's own SHAP values (TreeSHAP; Lundberg et al., Nature Machine Intelligence 2, 2020), mean over the weeks.

    The model predicts the logarithm of demand over the series' usual level, so that a contribution is a factor on it.
    """
    if not len(rows):
        return Drivers(rows, np.empty((0, NAMED), dtype=object), np.empty((0, NAMED)), 0.0)
    flat = np.ascontiguousarray(matrix).reshape(-1, matrix.shape[2])
    parts = np.asarray(model.booster_.predict(flat, pred_contrib=True, num_threads=THREADS), np.float64)
    raw = np.asarray(model.booster_.predict(flat, raw_score=True, num_threads=THREADS), np.float64)
    gap = float(np.abs(parts.sum(axis=1) - raw).max())
    names = np.array(model.names_, dtype=object)
    reasons = names != _NO_REASON
    mean = parts[:, :-1].reshape(*matrix.shape[:2], -1).mean(axis=0)[:, reasons]
    order = np.argsort(-np.abs(mean), axis=1, kind="stable")[:, :NAMED]
    top = np.take_along_axis(mean, order, axis=1)
    return Drivers(rows, np.where(top != 0, names[reasons][order], ""), np.exp(top), gap)
