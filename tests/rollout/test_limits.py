"""Stop rules, the sponsor's word, resources and the comparison of rungs."""

import math
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from pipeline.errors import Refused
from pipeline.evaluation.outcomes import Interval
from pipeline.ledger import Ledger
from pipeline.review import sign
from pipeline.rollout.limits import money, offered
from pipeline.rollout.reaffirming import agreed, reaffirm, sponsor_agrees, strategy_current
from pipeline.rollout.resources import (
    Usage,
    affordable,
    extrapolated,
    needs,
    peak_memory_gb,
    people_minutes,
    storage_gb,
)
from pipeline.rollout.rungs import RungEffect, holds_at_scale, measured_effects, record_effect
from pipeline.rollout.spending import planned
from pipeline.verdicts import Verdict
from tests.review.cases import REPORT, a_charter, kinds, start, under_review
from tests.rollout.worlds import GOAL

CHARTER = a_charter()
ALL = ("advance", "iterate", "hold", "stop")


def fails(gate, severity="warn"):
    return Verdict(gate, gate, "fail", severity, f"{gate} failed.", {})


@pytest.mark.parametrize("gate", ["budget.deadline", "budget.iterations", "budget.money", "progress.no_gain"])
def test_a_limit_leaves_stop_or_continue_and_both_to_the_sponsor(gate):
    found = offered(CHARTER, "pilot", ALL, [fails(gate), fails("kpi.reaches_milestone", "block")], 3)
    assert found.decisions == ("iterate", "stop")
    assert found.signers == {"iterate": ("sponsor",), "stop": ("sponsor",)}
    assert f"{gate} failed." in found.forced


def test_the_last_iteration_of_the_budget_is_a_limit_too_unless_it_reached_everything():
    missed = [fails("kpi.reaches_milestone", "block")]
    assert offered(CHARTER, "pilot", ALL, missed, 4).forced is None
    assert offered(CHARTER, "pilot", ALL, missed, 5).decisions == ("iterate", "stop")
    done = offered(CHARTER, "pilot", ALL, [fails("progress.no_gain")], 5)
    assert (done.decisions, done.forced) == (ALL, None)


def test_without_a_limit_everybody_signs_as_the_charter_says_a_stage_its_own_way():
    found = offered(CHARTER, "pilot", ALL, [fails("kpi.reaches_milestone", "block")], 1)
    assert found.decisions == ALL
    assert found.signers["advance"] == ("sponsor", "business_owner", "operations")
    stages = CHARTER.canonical()["stages"]
    stages[0]["sign"] = ["engineering", "operations"]
    other = a_charter(stages=stages)
    assert offered(other, "pilot", ALL, [], 1).signers["advance"] == ("engineering", "operations")
    assert offered(other, "regional", ALL, [], 1).signers["advance"] == ("sponsor", "business_owner", "operations")
    assert offered(other, "pilot", ALL, [], 1).signers["stop"] == ("sponsor",)


def test_money_is_what_the_entered_stages_plan():
    assert planned(CHARTER, ["pilot", "pilot", "regional"]).money == 2
    assert money(CHARTER, 10).outcome == "pass"
    assert money(CHARTER, 10).reason == "EUR 10 of 10 are planned for the stages entered so far."
    assert money(CHARTER, 10.5).blocks


def loosened():
    values = CHARTER.canonical()
    return a_charter(kpi={**values["kpi"], "target": 0.045}, scope={**values["scope"], "in": ["weekly orders", "all"]})


def say_yes(ledger, charter, actor="maria", reason="agreed in the board"):
    with ledger.transaction() as tx:
        return reaffirm(tx, charter, reason, actor=actor)


def test_a_loosened_goal_and_a_wider_scope_bar_advance_until_the_sponsor_agrees(ledger):
    assert agreed(ledger, "shop") is None
    start(ledger, CHARTER)
    assert sponsor_agrees(ledger, CHARTER).outcome == "pass"
    asked = sponsor_agrees(ledger, loosened())
    assert asked.blocks
    assert asked.figures == {"changes": 2}
    assert "kpi.target: 0.04 → 0.045 (loosened)" in asked.reason
    with pytest.raises(Refused, match="the sponsor is maria"):
        say_yes(ledger, loosened(), "ana")
    with pytest.raises(Refused, match="reason: it is empty"):
        say_yes(ledger, loosened(), reason=" ")
    event = say_yes(ledger, loosened())
    assert [change["kind"] for change in event.body["changes"]] == ["loosened", "widened"]
    assert (event.actor, event.role, event.subject) == ("maria", "sponsor", loosened().digest)
    assert sponsor_agrees(ledger, loosened()).outcome == "pass"
    assert sponsor_agrees(ledger, CHARTER).outcome == "pass"  # tightened again: nobody is asked
    assert kinds(ledger).count("charter.reaffirm_refused") == 1


def test_a_charter_that_names_another_sponsor_does_not_make_one(ledger):
    start(ledger, CHARTER)
    values = loosened().canonical()
    people = [{**person, "role": "sponsor"} if person["id"] == "ana" else person for person in values["people"]]
    usurped = a_charter(
        kpi={**values["kpi"], "owner": "maria"}, people=people, strategy={**values["strategy"], "sponsor": "ana"},
    )  # fmt: skip
    with pytest.raises(Refused, match="the sponsor is maria"):
        say_yes(ledger, usurped, "ana")


def test_an_overdue_strategy_bars_advance_until_it_is_reaffirmed(tmp_path):
    # Looked at on 1 January 2026, every 13 weeks: due on 2 April.
    now = datetime(2026, 6, 1, tzinfo=UTC)
    with Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", now=lambda: now) as ledger:
        assert strategy_current(ledger, CHARTER, date(2026, 4, 2)).outcome == "pass"
        late = strategy_current(ledger, CHARTER, date(2026, 4, 12))
        assert late.blocks
        assert "by 2026-04-02, 10 days ago: maria must reaffirm it" in late.reason
        say_yes(ledger, CHARTER)
        assert strategy_current(ledger, CHARTER, date(2026, 8, 31)).outcome == "pass"
        assert strategy_current(ledger, CHARTER, date(2026, 9, 1)).blocks


def used(units, seconds=3600.0, stage="pilot", **changes):
    return replace(Usage(stage, units, seconds, 1.0, 0.5, 180.0), **changes)


def test_one_size_gives_all_from_fixed_to_proportional_and_two_sizes_a_line():
    found = extrapolated([5], [2.0], 50)
    assert (found.low, found.high) == (2.0, 20.0)
    line = extrapolated([5, 50], [2.0, 11.0], 300)
    assert line.value == pytest.approx(1 + 0.2 * 300)
    assert line.low == 11.0
    assert line.high == pytest.approx(66.0)
    assert extrapolated([5, 50], [2.0, 1.0], 300).low == 1.0
    steep = extrapolated([5, 50], [0.1, 20.0], 300)
    assert steep.high == pytest.approx(steep.value)
    assert steep.high > 120


def plan(**resources):
    stages = CHARTER.canonical()["stages"]
    for stage in stages:
        stage["resources"] = {"people_days": 5, "compute_hours": 100, "money": 1, **resources}
        stage["capacity"] = {"memory_gb": 4.0}
    return a_charter(stages=stages)


def test_the_next_stage_blocks_and_the_last_one_warns_when_the_upper_end_is_not_planned_for():
    fits, last = affordable(plan(), [used(2)], 4, 8)
    assert (fits.gate, fits.outcome, last.gate, last.outcome) == (
        "resources.next_stage", "pass", "resources.last_stage", "pass",
    )  # fmt: skip
    tight, far = affordable(plan(compute_hours=3), [used(2)], 4, 8)
    assert (tight.outcome, far.outcome, far.severity) == ("pass", "fail", "warn")
    assert "compute 1 to 4 hours, more than the 3 planned" in far.reason
    assert affordable(plan(compute_hours=1.5), [used(2)], 4, 8)[0].blocks
    assert affordable(plan(), [used(2, memory_gb=3.0)], 4, 8)[0].blocks
    assert affordable(plan(), [used(8, stage="chain")], 8, 8) == ()
    (only,) = affordable(plan(), [used(4, stage="regional")], 8, 8)
    assert only.gate == "resources.next_stage"


def test_people_are_counted_by_signoffs_not_by_waiting(ledger):
    charter = plan()
    assert people_minutes(ledger, charter, 1, "pilot") == 3 * 60
    review = under_review(ledger, charter=charter)
    assert people_minutes(ledger, charter, 1, "pilot") == 3 * 60
    sign(ledger, review.id, "ana", "iterate", "why", REPORT)
    assert people_minutes(ledger, charter, 1, "pilot") == 60
    sign(ledger, review.id, "lena", "iterate", "why", REPORT)
    assert people_minutes(ledger, charter, 1, "pilot") == 2 * 60
    for number, stage in ((2, "pilot"), (1, "regional")):
        assert people_minutes(ledger, charter, number, stage) == 3 * 60  # nobody signed there
    found = {need.name: need for need in needs(charter, charter.stage("chain"), 8, [used(2)])}
    assert found["people"].expected.high == pytest.approx(180 / 60 / 8)
    assert found["storage"].planned is None
    assert found["storage"].fits


def test_memory_and_storage_are_measured(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one").write_bytes(b"x" * 3000)
    assert storage_gb([tmp_path / "a", tmp_path / "none"]) == pytest.approx(3e-6)
    assert 0.01 < peak_memory_gb() < 100


def rung(stage, effect, half=0.01, treated=5):
    return RungEffect(
        stage, 3, treated, 10, 13, 0.05, 0.05 - effect, Interval(effect, effect - half, effect + half), "2026-06-01"
    )


def test_a_pilots_gain_that_shrinks_at_scale_shows():
    alone = holds_at_scale(GOAL, [rung("pilot", -0.04)])
    assert alone.outcome == "pass"
    assert (alone.gate, alone.severity, alone.figures) == ("field.holds_at_scale", "warn", {"rungs": 1})
    assert "one stage only" in alone.reason
    same = holds_at_scale(GOAL, [rung("pilot", -0.04), rung("regional", -0.035)])
    assert (same.outcome, same.figures["kept"]) == ("pass", pytest.approx(0.875))
    assert (same.gate, same.title) == (alone.gate, alone.title)
    half = holds_at_scale(GOAL, [rung("pilot", -0.04, 0.05), rung("regional", -0.035), rung("chain", -0.015, 0.05)])
    assert (half.outcome, half.severity) == ("fail", "warn")
    assert "keeps 38 % of the first effect: +2.5 points" in half.reason
    sure = holds_at_scale(GOAL, [rung("pilot", -0.04, 0.002), rung("regional", -0.03, 0.002)])
    assert sure.outcome == "fail"
    higher = replace(GOAL, direction="higher")
    assert holds_at_scale(higher, [rung("pilot", 0.04, 0.002), rung("regional", 0.03, 0.002)]).outcome == "fail"
    assert holds_at_scale(higher, [rung("pilot", 0.04, 0.002), rung("regional", 0.05, 0.002)]).outcome == "pass"


def test_measured_rungs_are_read_back_newest_per_stage(ledger):
    wide = replace(rung("regional", -0.03), effect=Interval(-0.03, float("-inf"), float("inf")))
    rungs = [rung("pilot", -0.02), wide, rung("pilot", -0.04)]
    with ledger.transaction() as tx:
        for one in rungs:
            record_effect(tx, "shop", one, actor="scheduler")
    assert measured_effects(ledger, "shop") == (wide, rungs[2])
    assert measured_effects(ledger, "other") == ()


def test_an_effect_that_could_not_be_measured_is_read_back_as_none(ledger):
    with ledger.transaction() as tx:
        record_effect(
            tx, "shop", replace(rung("pilot", -0.02), effect=Interval(math.nan, -1.0, 1.0)), actor="scheduler"
        )
    (found,) = measured_effects(ledger, "shop")
    assert math.isnan(found.effect.value)
    assert (found.effect.low, found.effect.high) == (-1.0, 1.0)
