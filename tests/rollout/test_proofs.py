"""The whole rule in hundreds of worlds: controls picked, effect measured, every gate asked.

What they print is kept in docs/rollout.md. Promises have theirs in test_prediction.py; the smaller proofs that every
change is tested by are in test_effect.py, test_matching.py and tests/evaluation/test_did.py.
"""

import numpy as np
import pytest

from pipeline.rollout.experiment import measure_stage, pick_arms
from pipeline.rollout.promotion import judge_field
from tests.rollout.test_effect import CHARTER, PILOT, promoted, worst_last_month
from tests.rollout.worlds import KPIS, START, Chain

pytestmark = pytest.mark.proof

WORLDS = 200
#: The milestone lies above what stores show anyway, so that only what was measured against controls stands in the way.
EASY = PILOT.model_copy(update={"milestone": 0.9, "worst_unit_limit": 0.9})


def at_random(chain):
    return [str(unit) for unit in np.random.default_rng(len(chain.rate)).choice(chain.names, 5, replace=False)]


def played(seed, choose=at_random, swing=0.02, **effects):
    """What the whole rule says of one world: its effect on the goal, and whether the stage goes up."""
    chain = Chain.drawn(seed, 60, swing=swing)
    treated = choose(chain)
    observed = chain.observed(treated, **effects)
    arms = pick_arms(CHARTER, EASY, observed, KPIS, units=treated, followers=(), start=START)
    found = measure_stage(CHARTER, observed, KPIS, arms)
    verdicts = {verdict.gate: verdict for verdict in judge_field(CHARTER, EASY, arms, found)}
    return found.goal.effect, promoted(verdicts), verdicts


def told(capsys, sentence):
    with capsys.disabled():
        print(f"\n{sentence}")  # noqa: T201


@pytest.mark.parametrize("effect", [-0.05, 0.0])
def test_the_interval_holds_the_true_effect_where_controls_were_matched(effect, capsys):
    found = [played(20_000 + seed, effect=effect, spread=0.01)[0] for seed in range(WORLDS)]
    covered = np.mean([one.low <= effect <= one.high for one in found])
    bias = np.mean([one.value for one in found]) - effect
    told(
        capsys, f"effect {effect:+.0%}: the 95 % interval held it in {covered:.1%} of {WORLDS} worlds, bias {bias:+.2%}"
    )
    assert 0.92 <= covered <= 0.98
    assert abs(bias) < 0.003


def test_worlds_without_an_effect_hardly_ever_go_up(capsys):
    up = np.mean([played(30_000 + seed)[1] for seed in range(WORLDS)])
    told(capsys, f"no effect: {up:.1%} of {WORLDS} worlds went up")
    assert up <= 0.05


def test_stores_chosen_for_a_bad_month_hardly_ever_go_up(capsys):
    """Regression to the mean: what was bad lately gets better by itself, and so do the controls that were as bad."""
    up = np.mean([played(40_000 + seed, worst_last_month, swing=0.03)[1] for seed in range(WORLDS)])
    told(capsys, f"regression to the mean: {up:.1%} of {WORLDS} worlds went up")
    assert up <= 0.05


def test_a_kpi_that_was_bought_with_stock_never_goes_up_and_a_real_effect_mostly_does(capsys):
    worlds = WORLDS // 2
    bought = [played(50_000 + seed, effect=-0.09, spread=0.01, stock=0.3) for seed in range(worlds)]
    real = [played(50_000 + seed, effect=-0.09, spread=0.01) for seed in range(worlds)]
    shares = [np.mean([up for _, up, _ in found]) for found in (bought, real)]
    told(
        capsys,
        f"bought with 30 % more stock: {shares[0]:.1%} of {worlds} went up; for no more stock {shares[1]:.1%}",
    )
    assert shares[0] == 0.0
    assert shares[1] >= 0.6
    blamed = [verdicts["field.guardrail.average_inventory"].blocks for _, _, verdicts in bought]
    assert all(blamed)
