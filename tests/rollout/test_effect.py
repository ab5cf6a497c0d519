"""Effects and promotion: real ones go up; luck, regression to the mean and a KPI bought with stock do not."""

import math
from dataclasses import replace

import numpy as np
import pytest

from pipeline.errors import DataError
from pipeline.evaluation.observed import Cube, Observed
from pipeline.rollout.arms import Arms, Balance
from pipeline.rollout.breach import breaches
from pipeline.rollout.doubts import least_share
from pipeline.rollout.effect import Groups, course, measure
from pipeline.rollout.experiment import measure_stage, pick_arms, plan_power
from pipeline.rollout.promotion import FEW, detectable, entering, judge_field, no_field
from tests.review.cases import a_charter
from tests.rollout.worlds import GOAL, KPIS, START, Chain, weeks

STAGE = {
    "name": "pilot", "units": 5, "controls": 10, "periods": 13, "milestone": 0.16, "worst_unit_limit": 0.25,
    "resources": {"people_days": 1, "compute_hours": 1, "money": 1},
}  # fmt: skip
GUARD = {"name": "average_inventory", "unit": GOAL.unit, "direction": "lower", "versus_baseline": 1.05}
CHARTER = a_charter(
    stages=[STAGE, {**STAGE, "name": "chain", "units": 40, "enter": ["field.power"]}], guardrails=[GUARD]
)
PILOT = CHARTER.stage("pilot")


def played(seed, treated=None, stores=60, **effects):
    """Arms picked before the release, the field as it then went, and the verdicts."""
    chain = Chain.drawn(seed, stores)
    units = treated(chain) if treated else list(np.random.default_rng(seed).choice(chain.names, 5, replace=False))
    observed = chain.observed(units, **effects)
    arms = pick_arms(CHARTER, PILOT, observed, KPIS, units=units, followers=(), start=START)
    found = measure_stage(CHARTER, observed, KPIS, arms)
    return arms, found, {verdict.gate: verdict for verdict in judge_field(CHARTER, PILOT, arms, found)}


def promoted(verdicts):
    return not any(verdict.blocks for verdict in verdicts.values())


def worst_last_month(chain):
    """Stores that somebody would choose because they were bad lately."""
    cube = Cube(chain.observed().frame, ("out", "cells"))
    last = cube.sums(GOAL, chain.names, weeks(4, 0))
    return [chain.names[place] for place in np.argsort(last[:, 0] / last[:, 1])[-5:]]


def test_a_real_effect_is_measured_and_goes_up():
    arms, found, verdicts = played(3, effect=-0.09, spread=0.01)
    assert promoted(verdicts), [verdict.reason for verdict in verdicts.values() if verdict.blocks]
    goal = found.goal
    assert goal.effect.low < -0.09 < goal.effect.high < 0
    assert goal.after.value == pytest.approx(goal.expected + goal.effect.value)
    assert goal.expected == pytest.approx(goal.before + goal.controls[1] - goal.controls[0])
    assert found.periods == 13
    assert {part.value for part in found.slices} == {"north", "south"}
    assert [unit.after for unit in found.units] == sorted((unit.after for unit in found.units), reverse=True)
    assert {unit.unit for unit in found.units} == set(arms.treated)
    assert verdicts["field.worst_unit"].figures["unit"] == found.units[0].unit


FIGURES = {
    "field.effect": "effect effect_low effect_high expected",
    "field.worst_slice": "slice of units bound limit value value_low value_high effect effect_low effect_high",
}


def test_the_figures_of_the_field_are_under_names_that_reports_know_and_a_slice_is_held_by_its_worse_end():
    _, found, verdicts = played(3, treated=lambda chain: chain.names[:40], effect=-0.09, spread=0.01)
    for gate, names in FIGURES.items():
        assert {*verdicts[gate].figures} == {*names.split()}, gate
    assert verdicts["field.effect"].figures["effect"] == found.goal.effect.value
    worst = max(found.slices, key=lambda part: part.after.high)
    assert worst.units >= FEW
    told = verdicts["field.worst_slice"]
    assert (told.figures["of"], told.figures["bound"]) == (worst.value, worst.after.high)
    assert "the worse end of its interval" in told.reason
    assert "is held against at most 25.0 %" in told.reason


def test_worlds_without_an_effect_are_promoted_in_at_most_one_of_twenty():
    """The milestone lies above what the stores show anyway: only the effect's own gates stand in the way."""
    easy = PILOT.model_copy(update={"milestone": 0.9, "worst_unit_limit": 0.9})
    gone_up, worlds = 0, 200
    for seed in range(worlds):
        chain = Chain.drawn(10_000 + seed, 15)
        groups = Groups(tuple(chain.names[:5]), tuple(chain.names[5:]), START, 26)
        observed = Observed(chain.observed().frame, (), "sold")
        found = measure(observed, {"stockout_rate": GOAL}, "stockout_rate", groups, seed)
        verdicts = {verdict.gate: verdict for verdict in judge_field(CHARTER, easy, some_arms(chain), found)}
        gone_up += promoted(verdicts)
    assert gone_up <= 0.05 * worlds


def some_arms(chain):
    """Arms that nothing is wrong with."""
    names = chain.names
    return Arms(
        "shop", "pilot", "stockout_rate", tuple(names[:5]), tuple(names[:5]), tuple(names[5:]), (), START, 26, 1,
        "made", (Balance("level", 0.0, 0.0),), "All is balanced.",
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
def test_stores_chosen_for_a_bad_month_are_refused_whatever_happens_next(seed):
    """Regression to the mean: before and after alone they look much better, and nothing was done to them."""
    chain = Chain.drawn(seed, 60, swing=0.03)
    treated = worst_last_month(chain)
    cube = Cube(chain.observed().frame, ("out", "cells"))
    month, field = (cube.sums(GOAL, treated, span).sum(axis=0) for span in (weeks(4, 0), weeks(0, 13)))
    assert field[0] / field[1] < month[0] / month[1] - 0.02
    easy = PILOT.model_copy(update={"milestone": 0.9, "worst_unit_limit": 0.9})
    observed = chain.observed()
    arms = pick_arms(CHARTER, easy, observed, KPIS, units=treated, followers=(), start=START)
    verdicts = {
        item.gate: item for item in judge_field(CHARTER, easy, arms, measure_stage(CHARTER, observed, KPIS, arms))
    }
    assert not promoted(verdicts)
    assert verdicts["field.effect"].outcome == "fail" or verdicts["field.balance"].blocks
    assert "best found" in arms.note or arms.worst <= 0.1


def test_a_kpi_bought_with_more_stock_is_refused_by_its_guardrail_alone():
    _, found, verdicts = played(3, effect=-0.09, stock=0.3)
    assert verdicts["field.effect"].outcome == "pass"
    assert [gate for gate, verdict in verdicts.items() if verdict.blocks] == ["field.guardrail.average_inventory"]
    stock = found.kpi("average_inventory")
    assert stock.effect.value == pytest.approx(0.3 * stock.before, rel=0.1)


def test_a_point_estimate_alone_never_promotes():
    """An effect that is there by its point, in stores that differ so much that its interval holds zero."""
    for seed in range(40):
        _, found, verdicts = played(seed, effect=-0.03, spread=0.06)
        if found.goal.effect.value < 0 < found.goal.effect.high:
            assert verdicts["field.effect"].blocks
            return
    pytest.fail("no such world among 40")


def test_groups_that_drifted_apart_before_are_seen():
    chain = Chain.drawn(5, 30)
    observed = chain.observed()
    frame = observed.frame.copy()
    treated = chain.names[:10]
    late = frame["unit"].isin(treated) & frame["period"].isin(weeks(5, 0))
    frame.loc[late, "out"] += 0.12 * frame.loc[late, "cells"]
    groups = Groups(tuple(treated), tuple(chain.names[10:]), START, 26)
    before = measure(observed, KPIS, "stockout_rate", groups, 1).pre_trend
    after = measure(Observed(frame, observed.slices, observed.volume), KPIS, "stockout_rate", groups, 1).pre_trend
    assert before.parallel
    assert not after.parallel
    assert after.largest.value == pytest.approx(0.12, abs=0.03)
    assert after.block[1] == weeks(1, 0)[0]


def test_placebos_are_the_controls_own_and_too_few_of_them_rule_nothing_out():
    chain = Chain.drawn(5, 15)
    observed = chain.observed(chain.names[:5], -0.09)
    groups = Groups(tuple(chain.names[:5]), tuple(chain.names[5:]), START, 26)
    found = measure(observed, KPIS, "stockout_rate", groups, 1).placebo
    assert found.splits == math.comb(10, 5)
    assert found.middle[0] == pytest.approx(-found.middle[1])  # every split has its mirror image
    few = Groups(tuple(chain.names[:5]), tuple(chain.names[5:9]), START, 26)
    assert not measure(observed, KPIS, "stockout_rate", few, 1).placebo.beaten
    assert least_share(10, 5) == 1 / (1 + math.comb(10, 5)) == found.share  # the real one beats them all
    assert least_share(7, 5) == 1 / (1 + math.comb(7, 3))  # as many treated as controls are left beside them
    assert least_share(1, 5) == least_share(10, 0) == 1.0
    # The treated do not enter: with another real effect the same placebo effects are counted against it.
    other = measure(chain.observed(chain.names[:5], 0.0), KPIS, "stockout_rate", groups, 1).placebo
    assert other.splits == found.splits
    assert found.share < 0.05 < other.share <= 1
    assert not other.beaten


def test_a_field_too_short_and_a_kpi_nobody_measured_are_said():
    chain = Chain.drawn(3, 30)
    observed = chain.observed(chain.names[:5], -0.09)
    short = Observed(observed.frame[observed.frame["period"] < weeks(0, 13)[6]], ("region",), "sold")
    groups = Groups(tuple(chain.names[:5]), tuple(chain.names[5:]), START, 26)
    found = measure(short, {"stockout_rate": GOAL}, "stockout_rate", groups, 1)
    verdicts = {item.gate: item for item in judge_field(CHARTER, PILOT, some_arms(chain), found)}
    assert verdicts["field.periods"].figures == {"periods": 6, "asked": 13}
    assert verdicts["field.periods"].blocks
    assert "field.guardrail.average_inventory" not in verdicts
    guard = verdicts["field.unmeasured.average_inventory"]
    assert (guard.outcome, guard.severity) == ("fail", "warn")
    assert "not measured in the field" in guard.reason


def test_a_guardrail_nobody_can_observe_is_said_to_be_so_bars_nothing_and_asks_for_no_rollback():
    chain = Chain.drawn(3, 30)
    observed = chain.observed(chain.names[:5], -0.09)
    unseen = replace(
        observed, frame=observed.frame.drop(columns="stock"), unseen={"stock": "nobody counts the shelves"}
    )
    groups = Groups(tuple(chain.names[:5]), tuple(chain.names[5:]), START, 26)
    found = measure(unseen, KPIS, "stockout_rate", groups, 1)
    verdicts = judge_field(CHARTER, PILOT, some_arms(chain), found)
    (guard,) = [item for item in verdicts if item.gate.startswith("field.unmeasured.")]
    assert (
        guard.reason
        == "Stock cannot be observed in the field, as nobody counts the shelves; only the replay judges it."
    )
    assert not guard.blocks
    assert PILOT.stay == ("guardrail.*", "field.guardrail.*")
    assert guard not in breaches(verdicts, PILOT)
    # Who wants it shown before going up says so, and is not taken at less.
    strict = CHARTER.stage("chain").model_copy(update={"enter": ("field.guardrail.average_inventory",)})
    assert [item.gate for item in entering(verdicts, strict) if item.blocks] == [
        "enter.field.guardrail.average_inventory"
    ]


def test_units_that_dropped_out_and_an_empty_field_are_refused():
    chain = Chain.drawn(3, 15)
    frame = chain.observed().frame
    groups = Groups(tuple(chain.names[:5]), tuple(chain.names[5:]), START, 26)
    gone = frame[(frame["unit"] != "S007") | (frame["period"] < START)]
    with pytest.raises(DataError, match=r"1 units have no stockout_rate .* such as S007"):
        measure(Observed(gone, (), "sold"), KPIS, "stockout_rate", groups, 1)
    with pytest.raises(DataError, match="nothing was measured from"):
        measure(Observed(frame[frame["period"] < START], (), "sold"), KPIS, "stockout_rate", groups, 1)


def test_a_kpi_without_history_is_compared_after_the_start_only():
    chain = Chain.drawn(3, 30)
    frame = chain.observed(chain.names[:10], stock=0.2).frame
    frame.loc[frame["period"] < START, "stock"] = np.nan
    groups = Groups(tuple(chain.names[:10]), tuple(chain.names[10:]), START, 26)
    stock = measure(Observed(frame, (), "sold"), KPIS, "stockout_rate", groups, 1).kpi("average_inventory")
    assert not stock.paired
    assert math.isnan(stock.before)
    assert stock.expected == stock.controls[1]
    assert stock.effect.value == pytest.approx(2.0, rel=0.1)


def test_a_stage_says_before_the_release_what_it_can_detect_and_the_next_one_may_ask_for_it():
    chain = Chain.drawn(8, 60, before=104)
    observed = chain.observed()
    arms = pick_arms(CHARTER, PILOT, observed, KPIS, units=chain.names[:5], followers=(), start=START)
    weak = plan_power(CHARTER, PILOT, observed, KPIS, arms, baseline=0.045)
    strong = plan_power(CHARTER, PILOT, observed, KPIS, arms, baseline=0.16)
    assert (weak.wanted, strong.wanted) == (pytest.approx(0.005), pytest.approx(0.12))
    verdicts = (detectable(weak, "stores", "week"), no_field(PILOT))
    assert [(item.outcome, item.severity) for item in verdicts] == [("fail", "warn"), ("fail", "warn")]
    stricter = entering(verdicts, CHARTER.stage("chain"))
    assert [item.blocks for item in stricter] == [True, False]
    assert not any(item.blocks for item in entering((detectable(strong, "stores", "week"),), CHARTER.stage("chain")))
    (unknown,) = entering((), CHARTER.stage("chain"))
    assert unknown.blocks


def test_a_second_model_on_the_same_rung_is_measured_on_its_own_weeks_against_the_span_before_the_first():
    """Weeks under the first model are neither "before" nor "after": the figure is the one without them in the data."""
    chain = Chain.drawn(5, 60, after=26)
    units = chain.names[:5]
    observed = chain.observed(units, effect=-0.09)
    arms = pick_arms(CHARTER, PILOT, observed, KPIS, units=units, followers=(), start=START)
    since = weeks(0, 14)[13]
    found = measure_stage(CHARTER, observed, KPIS, arms, skip=1, since=since)
    between = observed.frame["period"].between(START, since, inclusive="left")
    alone = measure_stage(CHARTER, replace(observed, frame=observed.frame[~between]), KPIS, arms, skip=1)
    assert (found.periods, found.groups.first) == (12, since)
    assert [item.effect for item in found.kpis] == [item.effect for item in alone.kpis]
    assert found.goal.before == alone.goal.before
    assert found.units == alone.units
    assert (found.pre_trend, found.placebo) == (alone.pre_trend, alone.placebo)
    both = measure_stage(CHARTER, observed, KPIS, arms, skip=1)
    assert (both.periods, both.goal.before) == (25, found.goal.before)
    assert both.goal.effect != found.goal.effect
    # Its own weeks count, not those of the model before it.
    asked = {verdict.gate: verdict for verdict in judge_field(CHARTER, PILOT, arms, found)}["field.periods"]
    assert asked.figures["periods"] == 13


def test_the_course_is_the_ratio_of_sums_of_both_groups_in_each_week():
    chain = Chain.drawn(6, 30)
    observed = chain.observed(chain.names[:4], effect=-0.09)
    groups = Groups(tuple(chain.names[:4]), tuple(chain.names[10:16]), START, 26)
    told = course(observed, GOAL, groups, observed.periods)
    assert [point[0] for point in told] == list(observed.periods)
    for place, units in ((1, groups.treated), (2, groups.controls)):
        rows = observed.frame[observed.frame["unit"].isin(units)].groupby("period")[["out", "cells"]].sum()
        assert [point[place] for point in told] == pytest.approx(list(rows["out"] / rows["cells"]))
