"""The weeks of forecast the benchmark should order up to, tuned on games that were over when the history ends."""

import math

import numpy as np

from pipeline.replenishment.benchmark import BENCHMARK_COVER, BENCHMARK_WEEKS, benchmark_orders
from pipeline.replenishment.games import play_game, prepare, weeks_played
from pipeline.replenishment.panel import Panel
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
    step = math.ceil(history.size / MOST_SERIES)
    panel = history.take(np.arange(0, history.size, step))
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
