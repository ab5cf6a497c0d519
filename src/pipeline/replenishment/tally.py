"""From weeks played to the additive components the KPIs are ratios of."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.replenishment.panel import Bools, Ints
from pipeline.replenishment.parameters import Business

Array = NDArray[np.floating] | NDArray[np.integer]
DAYS = 7.0


@dataclass(frozen=True)
class Weeks:
    """What happened in F weeks to N series: all (F, N) units."""

    demand: Array
    sold: Array
    missed: Array
    end: Array

    def cost(self, business: Business) -> NDArray[np.float64]:
        """(F, N) holding cost of the stock left, shortage cost of the demand missed."""
        return np.asarray(business.holding_cost * self.end + business.shortage_cost * self.missed, dtype=np.float64)


@dataclass(frozen=True)
class Cells:
    """Which rows of the outcome a series-week adds to.

    Attributes:
        code: (F, N) row number.
        labels: one row per row number: ``unit`` and the slice columns.
        periods: (F,) ISO date of each week.
        judged: (F, N) weeks that orders could change, of series that are counted: service and stock rest on them.
        costed: (F, N) all weeks of series that are counted: costs rest on them.
    """

    code: Ints
    labels: pd.DataFrame
    periods: tuple[str, ...]
    judged: Bools
    costed: Bools


def cells(keys: dict[str, NDArray[np.str_]], periods: tuple[str, ...], judged: Bools, costed: Bools) -> Cells:
    """Number the combinations of the keys; each key is (N,) or (F, N) text."""
    shape = judged.shape
    code = np.zeros(shape, np.int64)
    names: list[NDArray[np.str_]] = []
    for values in keys.values():
        uniques, number = np.unique(values, return_inverse=True)
        code = code * len(uniques) + np.broadcast_to(number.reshape(values.shape), shape)
        names.append(uniques)
    present, code = np.unique(code, return_inverse=True)
    labels: dict[str, NDArray[np.str_]] = {}
    rest = present
    for key, uniques in reversed(list(zip(keys, names, strict=True))):
        labels[key] = uniques[rest % len(uniques)]
        rest = rest // len(uniques)
    return Cells(code.reshape(shape), pd.DataFrame(labels)[list(keys)], periods, judged, costed)


def tally(weeks: Weeks, benchmark: Weeks, business: Business, where: Cells) -> dict[str, NDArray[np.float64]]:
    """(F, N) components by name, 0 where a cell does not count.

    ``weeks`` and ``stock`` rest on the judged weeks, ``cost`` and its parts on all; see :class:`Cells`.
    """
    judged, costed = where.judged.astype(np.float64), where.costed.astype(np.float64)
    return {
        "weeks": judged,
        "stockout_weeks": judged * (weeks.missed > 0),
        "demand": judged * weeks.demand,
        "sold": judged * weeks.sold,
        "lost": judged * weeks.missed,
        "inventory": judged * weeks.end,
        "stock_days": judged * weeks.end * DAYS,
        "cost_weeks": costed,
        "holding": costed * business.holding_cost * weeks.end,
        "shortage": costed * business.shortage_cost * weeks.missed,
        "cost": costed * weeks.cost(business),
        "benchmark_cost": costed * benchmark.cost(business),
        "decided_cost": judged * weeks.cost(business),
        "benchmark_decided_cost": judged * benchmark.cost(business),
    }


def by_cell(arm: str, components: dict[str, NDArray[np.float64]], where: Cells) -> pd.DataFrame:
    """One row per cell in which anything counts, with ``arm``, the labels and the sums."""
    size = len(where.labels)
    sums = {
        name: np.bincount(where.code.ravel(), values.ravel(), minlength=size) for name, values in components.items()
    }
    frame = pd.concat([where.labels, pd.DataFrame(sums)], axis=1)
    frame.insert(0, "arm", arm)
    return frame[frame["cost_weeks"] > 0].reset_index(drop=True)


def outcome_rows(
    arm: str, weeks: Weeks, benchmark: Weeks, business: Business, where: Cells
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of an arm by cell, and by week.

    The weekly rows rest on all weeks of the counted series, so that a chart shows what the orders met at the start.
    """
    frame = by_cell(arm, tally(weeks, benchmark, business, where), where)
    return frame, _by_week(arm, tally(weeks, benchmark, business, replace(where, judged=where.costed)), where)


def _by_week(arm: str, components: dict[str, NDArray[np.float64]], where: Cells) -> pd.DataFrame:
    """One row per week, with ``arm``, ``period`` and the sums."""
    frame = pd.DataFrame({name: values.sum(axis=1) for name, values in components.items()})
    frame.insert(0, "period", list(where.periods))
    frame.insert(0, "arm", arm)
    return frame
