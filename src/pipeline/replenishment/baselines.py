"""Ways to decide without machine learning, always played beside the candidates.

``incumbent``
    Today's rule of thumb: order up to some weeks of the recent average of sales as they stand, stock-outs included.
``seasonal_naive``
    Demand will be what it was in the same week last year; order up to as many weeks as the official benchmark.
``seasonal_average``
    Seasonal moving average under the same path policy as the models: what good decisions give without learning.
``official_benchmark``
    The benchmark of the VN2 challenge; see :mod:`pipeline.replenishment.benchmark`.
``tuned_benchmark``
    The same with the weeks it covers tuned to the costs; see :mod:`pipeline.replenishment.cover`.
"""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from pipeline.replenishment.average import seasonal_mean
from pipeline.replenishment.benchmark import BENCHMARK_COVER, BENCHMARK_WEEKS, benchmark_orders, position
from pipeline.replenishment.cover import tuned_cover
from pipeline.replenishment.forecast import calibrate
from pipeline.replenishment.history import Growing, History
from pipeline.replenishment.panel import Ints, Panel
from pipeline.replenishment.parameters import Business, Parameters
from pipeline.replenishment.policy import Forecast, order, order_up_to
from pipeline.replenishment.replay import Decide
from pipeline.replenishment.season import YEAR


def baseline(name: str, history: Panel, business: Business, policy: Parameters) -> Decide:
    """The decider of this name.

    Args:
        name: one of :data:`pipeline.replenishment.offers.BASELINES`.
        history: what is known when the game starts; calibrates what needs calibrating.
        business: costs and the incumbent's parameters.
        policy: the charter's policy, which ``seasonal_average`` decides by.
    """
    if name == "incumbent":
        return partial(incumbent_orders, cover=business.incumbent_cover, weeks=business.incumbent_weeks)
    if name == "official_benchmark":
        return benchmark_orders
    if name == "tuned_benchmark":
        return partial(benchmark_orders, cover=tuned_cover(history, business))
    if name == "seasonal_naive":
        return naive_orders
    if name == "seasonal_average":
        return average_decider(history, policy, business.critical_ratio)
    raise ValueError(f"no baseline is called {name}")


def incumbent_orders(panel: Panel, *, cover: float, weeks: int) -> Ints:
    """Order up to ``cover`` weeks of the mean of the last ``weeks`` listed weeks' sales as rung up.

    A week of empty shelves counts as a week of little demand: that is today's mistake, and it is meant.
    """
    listed = panel.listed[-weeks:].sum(axis=0)
    average = panel.sales[-weeks:].sum(axis=0, dtype=np.float64) / np.maximum(listed, 1)
    return order_up_to(np.ceil(cover * average), position(panel))


def naive_orders(panel: Panel) -> Ints:
    """Order up to the demand of the same weeks a year ago."""
    return order_up_to(naive_forecast(panel, int(BENCHMARK_COVER)).sum(axis=0), position(panel))


def naive_forecast(panel: Panel, weeks: int) -> NDArray[np.float64]:
    """(weeks, N) sales of the same week last year; the recent in-stock mean where that is not known."""
    known = panel.in_stock & panel.listed
    recent = known[-BENCHMARK_WEEKS:]
    count = recent.sum(axis=0)
    units = (panel.sales[-BENCHMARK_WEEKS:] * recent).sum(axis=0)
    mean = np.divide(units, count, out=np.zeros(panel.size), where=count > 0)
    found = np.tile(mean, (weeks, 1))
    for week in range(weeks):
        row = panel.periods + week - YEAR
        if row >= 0:
            found[week] = np.where(known[row], panel.sales[row], mean)
    return found


def average_decider(history: Panel, policy: Parameters, critical_ratio: float) -> Decide:
    """The seasonal moving average, its spread calibrated on the last weeks of ``history``."""
    past = History(history)
    spread = calibrate(past, history.periods, partial(seasonal_mean, past))[0]
    growing = Growing()

    def decide(panel: Panel) -> Ints:
        forecast = Forecast(seasonal_mean(growing(panel), panel.periods).astype(np.float32), spread)
        return order(forecast, panel.on_hand, panel.on_order, policy, critical_ratio, last=panel.last_order)

    return decide
