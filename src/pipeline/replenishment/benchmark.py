"""The benchmark of the VN2 challenge, as its organisers state it.

Mean of 13 weeks of deseasonalised in-stock sales times a global ISO-week factor; order up to four weeks of forecast.
"""

import math

import numpy as np
from numpy.typing import NDArray

from pipeline.replenishment.panel import WEEK, Ints, Panel
from pipeline.replenishment.policy import order_up_to
from pipeline.replenishment.season import ISO_WEEKS, iso_week

#: Weeks of forecast the official benchmark orders up to.
BENCHMARK_COVER = 4.0
BENCHMARK_WEEKS = 13


def benchmark_orders(panel: Panel, cover: float = BENCHMARK_COVER) -> Ints:
    """Order up to ``cover`` weeks of the official forecast, the last week by the part of it that is covered."""
    forecast = benchmark_forecast(panel, math.ceil(cover))
    covered = np.clip(cover - np.arange(len(forecast)), 0, 1)
    return order_up_to((covered[:, None] * forecast).sum(axis=0), position(panel))


def benchmark_forecast(panel: Panel, weeks: int) -> NDArray[np.float64]:
    """(weeks, N) mean of 13 weeks of deseasonalised in-stock sales, times the global factor of each coming ISO week."""
    known = panel.in_stock & panel.listed
    iso = iso_week(panel.weeks)
    factor = global_factors(panel)
    recent = slice(-BENCHMARK_WEEKS, None)
    adjusted = np.where(known[recent], panel.sales[recent] / factor[iso[recent]][:, None], 0.0)
    count = known[recent].sum(axis=0)
    level = np.divide(adjusted.sum(axis=0), count, out=np.zeros(panel.size), where=count > 0)
    return np.asarray(factor[iso_week(_ahead(panel, weeks))][:, None] * level[None, :])


def global_factors(panel: Panel) -> NDArray[np.float64]:
    """(53,) mean in-stock sales of each ISO week over the mean of all weeks; 1 for a week never seen."""
    known = panel.in_stock & panel.listed
    # Whole numbers add up exactly in any order, and so over the parts of a chain too.
    share = np.stack([(panel.sales * known).sum(axis=1, dtype=np.float64), known.sum(axis=1, dtype=np.float64)])
    units, cells = panel.chain.added(("weeks", panel.periods), share)
    mean = np.divide(units, cells, out=np.zeros(len(cells)), where=cells > 0)
    iso, used = iso_week(panel.weeks), cells > 0
    sums = np.bincount(iso[used], mean[used], minlength=ISO_WEEKS)
    counts = np.bincount(iso[used], minlength=ISO_WEEKS)
    factors = np.divide(sums, counts, out=np.full(ISO_WEEKS, np.nan), where=counts > 0)
    factors = factors / np.nanmean(factors) if used.any() else np.ones(ISO_WEEKS)
    return np.where(np.isfinite(factors) & (factors > 0), factors, 1.0)


def position(panel: Panel) -> NDArray[np.floating]:
    """(N,) inventory position: on hand and on the way."""
    return np.asarray(panel.on_hand + panel.on_order.sum(axis=0))


def _ahead(panel: Panel, weeks: int) -> NDArray[np.datetime64]:
    return np.asarray(panel.weeks[-1] + np.arange(1, weeks + 1) * WEEK)
