"""Limits bind the games and the field as they bind what is served: held against serving itself, week by week."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.charter.compliance import Compliance, DecisionLimits
from pipeline.compliance.limits import limited
from pipeline.problems.base import Arm
from pipeline.replenishment.candidates import train
from pipeline.replenishment.games import prepare
from pipeline.replenishment.parameters import policy_of
from pipeline.replenishment.replay import replay
from pipeline.replenishment.teams import bounded, decider, players
from tests.replenishment.test_problem import loaded, nothing

STORES = ("0", "1", "2", "3")
LIMITS = {
    "change": DecisionLimits(max_change=0.3, free_units=1),
    "cap": DecisionLimits(cap=4.5),
    "refuse": DecisionLimits(outside_training="refuse"),
    "all": DecisionLimits(max_change=0.5, free_units=2, cap=6, outside_training="refuse"),
}


def limiting(rules, limits):
    return rules.model_copy(update={"compliance": Compliance(limits=limits)})


def shocked(panel):
    """Sales of the newest week a hundred times what the model ever saw, in some series."""
    sales = panel.sales.copy()
    sales[-1, ::3] = sales.max() * 100
    return replace(panel, sales=sales, in_stock=np.ones_like(panel.in_stock))


@pytest.mark.parametrize("name", LIMITS)
def test_a_bounded_decider_gives_what_serving_would_hand_out(problem, rules, place, model, name, monkeypatch):
    """Serving: the account of the model's own orders, then the limits; the games: the limits inside the decider."""
    held = limiting(rules, LIMITS[name])
    arm, panel = replace(model, charter=held), shocked(problem._newest(rules, place))
    monkeypatch.setattr(problem, "_newest", lambda *_: panel)
    account = problem.account(held, place, arm, None)
    served = limited(account, LIMITS[name])
    assert served.changed > 0
    everything = np.ones(panel.size, bool)
    orders = bounded(arm, panel, everything)(panel)
    written = account.with_values(served.amounts)
    placed = dict(zip(zip(written["Store"], written["Product"], strict=True), written[account.column], strict=True))
    series = zip(panel.series["store"], panel.series["product"], strict=True)
    assert orders.tolist() == [placed[type(written["Store"].iloc[0])(s), type(written["Product"].iloc[0])(p)]
                               for s, p in series]  # fmt: skip


def test_without_limits_the_decider_is_the_very_one(problem, rules, place, model):
    panel = problem._newest(rules, place)
    everything = np.ones(panel.size, bool)
    assert bounded(model, panel, everything)(panel).tolist() == decider(model, panel, everything)(panel).tolist()


def test_every_order_of_a_game_is_within_the_limits_and_the_kpi_is_of_these_orders(problem, rules, place, model):
    limits = DecisionLimits(max_change=0.2, free_units=1, cap=5)
    held = limiting(rules, limits)
    data = loaded(problem, rules, place)
    arms = (model, replace(model, name="held", charter=held))
    frame = problem.play(rules, data, place, arms, "poisson", STORES, 8, "k", nothing).frame
    cost = frame.groupby("arm")["cost"].sum()
    assert cost["held"] != cost["poisson"]
    # The same game once more by hand: today's rule beside the model on the shelf of each week.
    material = problem._games(held, data, STORES)
    game = prepare(material.games, material.cutoffs[-1])
    from pipeline.replenishment.candidates import loading

    own, rest = (
        loading(held, model.candidate, policy_of(held))(game.start),
        Arm("r", rules, baseline=rules.kpi.baseline.policy),
    )
    today = decider(rest, game.start, np.ones(game.start.size, bool))
    seen = []

    def decide(panel):
        orders = own(panel)
        seen.append((orders, np.where(panel.listed[-1], today(panel), 0)))
        return orders

    replay(game.start, game.demand, game.whole, decide, 6)
    for orders, before in seen:
        room = np.maximum(0.2 * before, 1)
        capped = orders == 5
        assert (orders <= 5).all()
        assert ((np.abs(orders - before) <= room + 1e-9) | capped).all()


def test_a_backtest_under_limits_is_the_one_that_is_played(problem, rules, place, tmp_path):
    held = limiting(rules, LIMITS["all"])
    data = loaded(problem, rules, place)
    trained_ = train(held, held.model.candidates[0], problem._games(held, data, STORES), tmp_path / "m", nothing)
    arm = Arm("poisson", held, trained_)
    played = problem.play(held, data, place, (arm,), "poisson", STORES, 8, "k", nothing).frame
    backtest = trained_.backtest.frame
    backtest = backtest[(backtest["arm"] == "poisson") & backtest["cutoff"].isin(played["cutoff"].unique())]
    assert played["cost"].sum() == pytest.approx(backtest["cost"].sum())


def test_in_the_field_the_arms_model_is_bounded_too(problem, rules, place, model):
    panel = problem._newest(rules, place)
    held = limiting(rules, DecisionLimits(cap=1))
    made = players(held, (replace(model, charter=held),), "poisson", STORES, panel)
    assert made.deciders["poisson"](panel).max() == 1 < decider(model, panel, made.counted)(panel).max()
