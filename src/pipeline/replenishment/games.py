"""Rolling games on recorded history: past cutoffs, six orders each, costs by week.

A game starts from the stock that was counted then; where the source counts none, from a state like the official one.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.evaluation.outcomes import Outcomes
from pipeline.language import say
from pipeline.problems.base import Progress
from pipeline.replenishment.benchmark import benchmark_orders
from pipeline.replenishment.panel import Bools, Floats, Panel
from pipeline.replenishment.parameters import Business
from pipeline.replenishment.replay import Course, Decide, replay
from pipeline.replenishment.season import YEAR
from pipeline.replenishment.tally import Cells, Weeks, cells, outcome_rows

#: Orders placed in a game, one a week.
ORDERS = 6

#: Games played at a time.
AT_A_TIME = 2

#: Makes a decider from the panel at the start of a game.
Builder = Callable[[Panel], Decide]


@dataclass(frozen=True)
class Game:
    """One past cutoff, ready to be played.

    Attributes:
        start: the panel at the first decision, with a rebuilt start state.
        demand: (F, N) recorded sales of the weeks played.
        scored: (N,) series whose demand was seen in every week played.
        whole: the panel the game was cut from, for its calendars.
    """

    start: Panel
    demand: Floats
    scored: Bools
    whole: Panel

    @property
    def cutoff(self) -> str:
        """ISO date of the last week known at the first decision."""
        return str(self.start.weeks[-1])


def weeks_played(lead_time: int) -> int:
    """Weeks from the first decision to the arrival week of the last order."""
    return ORDERS + lead_time - 1


def prepare(panel: Panel, known: int) -> Game:
    """The game that starts after the first ``known`` weeks."""
    played = slice(known, known + weeks_played(panel.lead_time))
    scored = np.asarray((panel.in_stock[played] & panel.listed[played]).all(axis=0))
    cut = panel.upto(known)
    start = start_state(cut) if panel.stock is None else recorded_state(cut, panel.stock, panel.sales)
    return Game(start, panel.sales[played], scored, panel)


def recorded_state(cut: Panel, stock: Floats, sales: Floats) -> Panel:
    """Stock as it was counted at the cutoff, and what was on its way then.

    What arrived in the weeks after the cutoff had been ordered before it. The books tell it: stock at a week's end less
    that of the week before, plus what was sold. A chain that holds too much starts a game with too much, as its field
    weeks will.
    """
    known, ahead = cut.periods, cut.lead_time - 1
    ends = stock[known - 1 : known + ahead]
    arrived = np.diff(ends, axis=0) + sales[known : known + ahead]
    # What went back to the warehouse with a delisted series is no delivery.
    return replace(cut, on_hand=ends[0], on_order=np.maximum(arrived, 0))


def start_state(panel: Panel) -> Panel:
    """Stock as the official start state has it, which this formula reproduces cell by cell.

    On hand is the mean of the last 52 weeks' sales as they stand, rounded up; the last arrival on the way fills up to
    twice that mean, rounded; nothing else is on the way.
    """
    mean = panel.sales[-YEAR:].mean(axis=0, dtype=np.float64)
    on_hand = np.ceil(mean)
    on_order = np.zeros_like(panel.on_order)
    if len(on_order):
        on_order[-1] = np.maximum(np.rint(2 * mean - on_hand), 0)
    return replace(panel, on_hand=on_hand.astype(np.float32), on_order=on_order)


def play_game(game: Game, decide: Decide, *, ends: bool = False) -> Course:
    """One decider through one game; ``ends``: its last order is the last for good, and the decider knows."""
    return replay(game.start, game.demand, game.whole, decide, ORDERS, ends=ends)


def rolling_games(
    panel: Panel, cutoffs: Sequence[int], builders: Mapping[str, Builder], business: Business, progress: Progress
) -> Outcomes:
    """Play every arm in every game.

    Args:
        panel: the whole history.
        cutoffs: weeks known at the first decision of each game.
        builders: arm name → what makes its decider from the game's start, seeing nothing later.
        business: costs and lead time; where it states a last order, games end as the business will.
        progress: called after each game.

    Returns:
        Outcomes with the slice columns ``cutoff`` and ``department``.
    """
    games = [prepare(panel, known) for known in cutoffs]
    played = []
    # Games do not touch each other, and LightGBM and numpy release the lock: two at a time on two cores.
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        for number, rows in enumerate(pool.map(lambda game: _game_outcomes(game, builders, business), games), start=1):
            played.append(rows)
            progress("rolling games", number, len(games))
    frames, weeklies = zip(*played, strict=True)
    left_out = sum(int((~game.scored).sum()) for game in games)
    weekly = pd.concat(weeklies).groupby(["arm", "period"], as_index=False, sort=False).sum()
    return Outcomes(
        frame=pd.concat(frames, ignore_index=True),
        slices=("cutoff", "department"),
        periods=weeks_played(panel.lead_time),
        kind="replay",
        basis=_basis(panel, len(cutoffs), left_out),
        weekly=weekly,
    )


def _game_outcomes(
    game: Game, builders: Mapping[str, Builder], business: Business
) -> tuple[pd.DataFrame, pd.DataFrame]:
    where = _cells(game)
    benchmark = _weeks(play_game(game, benchmark_orders))
    frames, weeklies = [], []
    for arm, build in builders.items():
        course = play_game(game, build(game.start), ends=business.last_order is not None)
        frame, weekly = outcome_rows(arm, _weeks(course), benchmark, business, where)
        frames.append(frame)
        weeklies.append(weekly)
    return pd.concat(frames), pd.concat(weeklies)


def _weeks(course: Course) -> Weeks:
    return Weeks(course.demand, course.sold, course.missed, course.end)


def _cells(game: Game) -> Cells:
    """Service and stock are judged from the week the first order arrives, costs in all weeks."""
    shape, series = game.demand.shape, game.start.series
    costed = np.broadcast_to(game.scored, shape)
    judged = costed.copy()
    judged[: game.start.lead_time - 1] = False
    first = game.start.periods
    keys = {
        "unit": series["store"].to_numpy(dtype=str),
        "cutoff": np.full(len(series), game.cutoff),
        "department": department_of(series),
    }
    return cells(keys, tuple(str(day) for day in game.whole.weeks[first : first + shape[0]]), judged, costed)


def department_of(series: pd.DataFrame) -> NDArray[np.str_]:
    """(N,) department, ``all`` when the panel knows none."""
    if "department" not in series.columns:
        return np.full(len(series), "all")
    return series["department"].to_numpy(dtype=str)


def _basis(panel: Panel, games: int, left_out: int) -> str:
    played = games * panel.size
    lead = panel.lead_time
    first = (
        say(", service and stock judged from week {week} on (nothing can change the weeks before)", week=lead)
        if lead > 1
        else ""
    )
    return say(
        "{games} past games of {orders} orders and {weeks} weeks over {series} series{first}; {left_out} of {played} "
        "series-games left out because the shelf ran empty or the product was not listed in a played week, so that its "
        "demand is not known",
        games=games, orders=ORDERS, weeks=weeks_played(lead), series=panel.size, first=first, left_out=left_out,
        played=played,
    )  # fmt: skip
