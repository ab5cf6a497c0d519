from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest

from pipeline.charter import Charter
from pipeline.errors import DataError
from pipeline.evaluation.outcomes import KpiDefinition, Outcomes
from pipeline.evaluation.selection import choose

CUTOFFS = ("2026-01-05", "2026-02-02", "2026-03-02", "2026-03-30")
TODAY = "baseline:today"


Offer = dict[str, KpiDefinition]
Backtest = Callable[..., Outcomes]


@pytest.fixture
def backtest(played: Callable[..., Outcomes]) -> Backtest:
    """One rate per cutoff; ``stock`` is what the candidate holds more than the baseline."""

    def made(name: str, rates: tuple[float, ...], stock: float = 0.0) -> Outcomes:
        games = [played({name: rate, TODAY: 0.08}, seed=place) for place, rate in enumerate(rates)]
        frames = [game.frame.assign(cutoff=cutoff) for game, cutoff in zip(games, CUTOFFS, strict=False)]
        frame = pd.concat(frames, ignore_index=True)
        more = (frame["arm"] == name) * stock
        frame["stock"] = frame["cells"] * (9.92 + more)
        return replace(games[0], frame=frame, slices=("category", "cutoff"), kind="replay")

    return made


def test_earlier_cutoffs_choose_and_later_ones_confirm(charter: Charter, offer: Offer, backtest: Backtest) -> None:
    early = backtest("early", (0.03, 0.03, 0.09, 0.09))
    late = backtest("late", (0.05, 0.05, 0.02, 0.02))
    choice = choose(charter, offer, {"late": late, "early": early}, TODAY, seed=1)
    assert choice.challenger == "early"
    assert (choice.tuning, choice.confirming) == (CUTOFFS[:2], CUTOFFS[2:])
    best = choice.scores[0]
    assert best.tuning.value == pytest.approx(0.03, abs=0.01)
    assert best.confirming.value == pytest.approx(0.09, abs=0.02)
    assert "do not confirm" in choice.reason


def test_breaking_a_guardrail_loses_to_keeping_it(charter: Charter, offer: Offer, backtest: Backtest) -> None:
    greedy = backtest("greedy", (0.01,) * 4, stock=2.0)
    thrifty = backtest("thrifty", (0.06,) * 4)
    choice = choose(charter, offer, {"greedy": greedy, "thrifty": thrifty}, TODAY, seed=1)
    assert [score.candidate for score in choice.scores] == ["thrifty", "greedy"]
    assert choice.scores[1].breach == pytest.approx(2.0 / 9.92)
    assert "met every guardrail" in choice.reason


def test_if_none_keeps_the_guardrails_the_smallest_miss_wins(
    charter: Charter, offer: Offer, backtest: Backtest
) -> None:
    worse = backtest("worse", (0.01,) * 4, stock=2.0)
    less = backtest("less", (0.06,) * 4, stock=1.0)
    choice = choose(charter, offer, {"worse": worse, "less": less}, TODAY, seed=1)
    assert choice.challenger == "less"
    assert "missed a guardrail by the least (10.1% of it)" in choice.reason


def test_a_tie_goes_to_the_candidate_named_first(charter: Charter, offer: Offer, backtest: Backtest) -> None:
    twins = {name: backtest(name, (0.05,) * 4) for name in ("first", "second")}
    assert choose(charter, offer, twins, TODAY, seed=1).challenger == "first"


def test_one_cutoff_cannot_choose_and_confirm(charter: Charter, offer: Offer, backtest: Backtest) -> None:
    with pytest.raises(DataError, match="write at least 2"):
        choose(charter, offer, {"only": backtest("only", (0.05,))}, TODAY, seed=1)


def test_candidates_must_share_their_cutoffs(charter: Charter, offer: Offer, backtest: Backtest) -> None:
    games = {"long": backtest("long", (0.05,) * 4), "short": backtest("short", (0.05,) * 3)}
    with pytest.raises(DataError, match="different cutoffs"):
        choose(charter, offer, games, TODAY, seed=1)


def test_a_backtest_without_cutoffs_is_named(charter: Charter, played: Callable[..., Outcomes], offer: Offer) -> None:
    with pytest.raises(DataError, match="backtest of flat"):
        choose(charter, offer, {"flat": played({"flat": 0.05, TODAY: 0.08})}, TODAY, seed=1)
    with pytest.raises(DataError, match=r"model\.candidates"):
        choose(charter, offer, {}, TODAY, seed=1)
