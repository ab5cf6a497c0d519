"""The weeks of forecast the benchmark should order up to, tuned on games that were over when the history ends."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from pipeline.replenishment.benchmark import BENCHMARK_COVER, BENCHMARK_WEEKS, benchmark_orders
from pipeline.replenishment.chain import Chain
from pipeline.replenishment.games import play_game, prepare, weeks_played
from pipeline.replenishment.panel import PER_SERIES, Panel
from pipeline.replenishment.parameters import Business

#: Covers beyond the lead time that are tried, in weeks.
BEYOND = (-0.5, 0.0, 0.5, 1.0, 1.5, 2.0)
#: Games played, and weeks between their beginnings.
GAMES, EVERY = 3, 8
#: Series the games are played on at most, evenly drawn: one number is tuned.
MOST_SERIES = 600


def tuned_cover(history: Panel, business: Business) -> float:
    """The cover with the least cost in the newest games that fit into the history; the official one where none does.

    Args:
        history: what is known; nothing after it is read, and the games end within it.
        business: costs and lead time.
    """
    panel = _sampled(history)
    newest = panel.periods - weeks_played(panel.lead_time)
    known = [newest - EVERY * back for back in range(GAMES) if newest - EVERY * back >= BENCHMARK_WEEKS]
    if not known:
        return BENCHMARK_COVER
    games = [prepare(panel, weeks) for weeks in known]

    def cost(cover: float) -> float:
        courses = [(game, play_game(game, lambda seen: benchmark_orders(seen, cover))) for game in games]
        holding, shortage = business.holding_cost, business.shortage_cost
        return sum(float(course.cost(holding, shortage)[:, game.scored].sum()) for game, course in courses)

    return min((panel.lead_time + beyond for beyond in BEYOND), key=cost)


def _sampled(history: Panel) -> Panel:
    """Every so many series of the whole chain, the same in each of its parts."""
    before, size = history.chain.span(history.size)
    places = np.arange(0, size, math.ceil(size / MOST_SERIES)) - before
    own = history.take(places[(places >= 0) & (places < history.size)], "sample")
    names = [name for name in PER_SERIES if getattr(own, name) is not None]
    pieces = own.chain.joined(("cells",), *(getattr(own, name) for name in names))
    cells: dict[str, Any] = dict(zip(names, pieces, strict=True))
    # Games do not ask which series is which.
    series = pd.DataFrame(index=pd.RangeIndex(len(places)))
    return replace(own, series=series, chain=Chain(), **cells)
