import math
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.charter import Charter
from pipeline.charter.model import Guardrail
from pipeline.errors import CharterError
from pipeline.evaluation import gates
from pipeline.evaluation.kpis import evaluate
from pipeline.evaluation.outcomes import (
    Direction,
    Evaluation,
    Interval,
    KpiDefinition,
    KpiResult,
    Outcomes,
    SliceResult,
)
from pipeline.verdicts import Verdict

TODAY = date(2026, 11, 23)
RANK = {"fail": 0, "pass": 1}


Evaluate = Callable[..., Evaluation]


@pytest.fixture
def evaluation(charter: Charter, played: Callable[..., Outcomes], offer: dict[str, KpiDefinition]) -> Evaluate:
    def made(rate: float = 0.03, units: int = 20) -> Evaluation:
        outcomes = played({"small": rate, "baseline:today": 0.08}, units=units)
        return evaluate(charter, offer, outcomes, "small", "baseline:today", seed=1)

    return made


def judged(charter: Charter, found: Evaluation, **values: object) -> dict[str, Verdict]:
    stage = charter.stages[0]
    settings = {"iteration": 1, "today": TODAY, **values}
    return {verdict.gate: verdict for verdict in gates.judge(charter, stage, found, **settings)}


def result(value: tuple[float, float, float], baseline: float = 0.08, direction: Direction = "lower") -> KpiResult:
    kpi = KpiDefinition("stockout_rate", "Stock-out rate", "share", direction, "out", "cells")
    low, point, high = value
    shift = Interval(point - baseline, low - baseline, high - baseline)
    return KpiResult(kpi, "small", Interval(point, low, high), Interval(baseline, baseline, baseline), shift, units=20)


def test_a_good_arm_passes_every_gate_but_the_guardrail_it_breaks(charter: Charter, evaluation: Evaluate) -> None:
    verdicts = judged(charter, evaluation())
    assert {gate for gate, verdict in verdicts.items() if verdict.outcome != "pass"} == {"guardrail.inventory"}
    assert list(verdicts) == [
        "kpi.beats_baseline", "kpi.reaches_milestone", "kpi.reaches_target", "guardrail.inventory",
        "guardrail.margin", "slice.worst_unit", "budget.deadline", "budget.iterations", "progress.no_gain",
    ]  # fmt: skip


def test_the_reason_is_a_sentence_with_the_figures() -> None:
    goal = result((0.037, 0.041, 0.045))
    reason = gates._limit("g", "t", goal, 0.05, "the milestone", "block").reason
    assert reason == ("Stock-out rate was 4.1 % (95 % interval 3.7 % to 4.5 %), the milestone asks for at most 5.0 %.")
    assert gates.beats_baseline(goal).reason == (
        "Stock-out rate was 4.1 % against 8.0 % under the baseline on the same 20 units: -3.9 points "
        "(95 % interval -4.3 points to -3.5 points), so the gain is no matter of luck."
    )


def test_a_point_that_is_there_is_not_enough(charter: Charter) -> None:
    verdict = gates.reaches_milestone(result((0.04, 0.055, 0.07)), charter.stages[0])
    assert verdict.outcome == "fail"
    assert "the point is there, but the worse end of the interval, 7.0 %, is not" in verdict.reason


def test_the_target_blocks_on_the_last_rung_only(charter: Charter) -> None:
    goal = result((0.04, 0.05, 0.06))
    severities = [gates.reaches_target(goal, charter, stage).severity for stage in charter.stages]
    assert severities == ["warn", "block"]


def test_one_store_can_never_pass_a_gate_on_a_bound(charter: Charter, evaluation: Evaluate) -> None:
    verdicts = judged(charter, evaluation(rate=0.0, units=1))
    for gate in ("kpi.beats_baseline", "kpi.reaches_milestone", "kpi.reaches_target", "guardrail.margin"):
        assert verdicts[gate].outcome == "fail"
    assert "too few units to tell" in verdicts["kpi.reaches_milestone"].reason
    assert verdicts["kpi.reaches_milestone"].figures["value_high"] is None


def test_a_kpi_that_is_not_measurable_passes_no_gate(charter: Charter) -> None:
    nothing = result((-math.inf, math.nan, math.inf), baseline=math.nan)
    assert gates.beats_baseline(nothing).outcome == "fail"
    assert gates.reaches_milestone(nothing, charter.stages[0]).outcome == "fail"
    assert gates.guardrail(charter.guardrails[0], nothing).outcome == "fail"
    assert gates.no_gain(nothing, charter, [Interval(0.05, 0, 1)] * 2).outcome == "fail"


def test_the_worst_unit_is_named(charter: Charter, evaluation: Evaluate) -> None:
    found = evaluation(rate=0.11)
    verdict = gates.worst_unit(found, charter, charter.stages[0])
    assert verdict.outcome == "fail"
    assert verdict.blocks
    assert verdict.figures["unit"] == found.units[0].value
    assert found.units[0].value in verdict.reason


def test_the_reason_on_the_worst_unit_holds_its_value_the_baseline_and_the_limit(
    charter: Charter, evaluation: Evaluate
) -> None:
    found = evaluation(rate=0.11)
    worst, stage = found.units[0], charter.stages[0]
    verdict = gates.worst_unit(found, charter, stage)
    shown = [f"{share:.1%}".replace("%", " %") for share in (worst.arm, worst.baseline, stage.worst_unit_limit)]
    for told in (worst.value, *shown, f"stage {stage.name} asks for at most"):
        assert told in verdict.reason
    assert verdict.figures == {"unit": worst.value, "value": worst.arm, "baseline": worst.baseline, "limit": 0.12}


def test_without_any_unit_nobody_may_advance(charter: Charter, evaluation: Evaluate) -> None:
    nothing = gates.worst_unit(replace(evaluation(), units=()), charter, charter.stages[0])
    some = gates.worst_unit(evaluation(), charter, charter.stages[0])
    assert (nothing.gate, nothing.title, nothing.severity) == (some.gate, some.title, some.severity)
    assert nothing.blocks
    assert nothing.reason == "No unit was measured."
    assert nothing.figures == {"unit": None}


def test_every_verdict_has_a_title_that_names_what_it_is_about(charter: Charter, evaluation: Evaluate) -> None:
    titles = {gate: verdict.title for gate, verdict in judged(charter, evaluation()).items()}
    assert titles == {
        "kpi.beats_baseline": "Stock-out rate beats today's rule",
        "kpi.reaches_milestone": f"Stock-out rate reaches the milestone of stage {charter.stages[0].name}",
        "kpi.reaches_target": "Stock-out rate reaches the target",
        "guardrail.inventory": "Average inventory stays within its guardrail",
        "guardrail.margin": "Margin stays within its guardrail",
        "slice.worst_unit": "The worst unit stays within its limit",
        "budget.deadline": "The deadline has not passed",
        "budget.iterations": "The iteration budget holds",
        "progress.no_gain": f"The KPI gained in the last {charter.budget.stop_after_no_gain} iterations",
    }


def test_only_the_target_before_the_last_rung_and_progress_warn_all_else_blocks(
    charter: Charter, evaluation: Evaluate
) -> None:
    severities = {gate: verdict.severity for gate, verdict in judged(charter, evaluation()).items()}
    assert {gate for gate, severity in severities.items() if severity != "block"} == {
        "kpi.reaches_target", "progress.no_gain",
    }  # fmt: skip


def test_a_guardrail_is_held_in_its_own_direction_whatever_the_kpis() -> None:
    """A charter may want a KPI to stay high that its domain calls better when low, for one of its rungs."""
    kept = Guardrail(name="stockout_rate", unit="share", direction="higher", limit=0.05)
    assert gates.guardrail(kept, result((0.06, 0.07, 0.08))).outcome == "pass"
    assert gates.guardrail(kept, result((0.04, 0.07, 0.08))).outcome == "fail"
    assert gates.guardrail(kept, result((0.04, 0.07, 0.08))).blocks
    assert "the guardrail asks for at least 5.0 %" in gates.guardrail(kept, result((0.06, 0.07, 0.08))).reason


def test_a_guardrail_with_limit_and_factor_must_keep_both() -> None:
    guard = Guardrail(name="stockout_rate", unit="share", direction="lower", limit=0.09, versus_baseline=1.0)
    assert gates.guardrail(guard, result((0.06, 0.07, 0.08))).outcome == "pass"
    assert gates.guardrail(guard, result((0.06, 0.085, 0.088))).outcome == "fail"
    assert gates.guardrail(guard, result((0.06, 0.07, 0.095))).outcome == "fail"


def test_the_factor_is_judged_on_the_point_and_says_so() -> None:
    guard = Guardrail(name="stockout_rate", unit="share", direction="lower", versus_baseline=1.0)
    verdict = gates.guardrail(guard, result((0.07, 0.079, 0.09)))
    assert verdict.outcome == "pass"
    assert "judged on the point (difference -0.1 points, 95 % interval -1.0 points to +1.0 points)" in verdict.reason
    assert "was 7.9 % against 8.0 % under the baseline" in verdict.reason
    assert "asks for at most 1 times that, 8.0 %: kept, judged" in verdict.reason
    broken = gates.guardrail(guard, result((0.07, 0.081, 0.09)))
    assert "asks for at most 1 times that, 8.0 %: not kept, judged" in broken.reason


def test_deadline_and_budget_say_what_is_left(charter: Charter) -> None:
    last_day = gates.deadline(charter, charter.kpi.deadline)
    assert last_day.outcome == "pass"
    assert "0 days are left" in last_day.reason
    late = gates.deadline(charter, charter.kpi.deadline + timedelta(days=3))
    assert late.blocks
    assert "it passed 3 days ago" in late.reason
    assert gates.iterations(charter, 4).reason == "This is iteration 4 of 5 in the budget; 1 are left."
    assert gates.iterations(charter, 5).outcome == "pass"
    assert "0 are left" in gates.iterations(charter, 5).reason
    assert gates.iterations(charter, 6).blocks
    assert "overdrawn" in gates.iterations(charter, 6).reason


def test_two_iterations_without_gain_ask_to_stop_or_say_why(charter: Charter) -> None:
    past = [Interval(value, 0, 1) for value in (0.05, 0.052)]
    flat = gates.no_gain(result((0.05, 0.051, 0.06)), charter, past)
    assert (flat.outcome, flat.severity) == ("fail", "warn")
    assert flat.reason.endswith("decide to stop, or to go on and why.")
    assert gates.no_gain(result((0.04, 0.049, 0.06)), charter, past).outcome == "pass"
    early = gates.no_gain(result((0.05, 0.06, 0.07)), charter, past[:1])
    assert early.outcome == "pass"
    assert early.reason == "Too early to tell: it takes 3 iterations, this is number 2."


def test_where_more_is_better_the_best_is_the_highest(charter: Charter) -> None:
    past = [Interval(value, 0, 1) for value in (0.05, 0.08, 0.06, 0.07)]
    flat = gates.no_gain(result((0.07, 0.075, 0.08), direction="higher"), charter, past)
    assert (flat.outcome, flat.figures["best_before"], flat.figures["best_recent"]) == ("fail", 0.08, 0.075)
    gained = gates.no_gain(result((0.07, 0.081, 0.09), direction="higher"), charter, past)
    assert (gained.outcome, gained.figures["best_recent"]) == ("pass", 0.081)


def test_a_target_on_the_wrong_side_of_the_baseline_is_refused(charter: Charter) -> None:
    gates.check_target(charter, 0.08)
    with pytest.raises(CharterError, match="wrong side") as refused:
        gates.check_target(charter, 0.03)
    (finding,) = refused.value.findings
    assert finding.place == "kpi.target"
    assert "the target is 4.2 %, but today already gives 3.0 %" in finding.found
    with pytest.raises(CharterError, match="wrong side"):
        gates.check_target(charter, 0.042)
    assert finding.remedy.startswith("write a target below 3.0 %")
    with pytest.raises(CharterError, match="cannot be measured") as unmeasured:
        gates.check_target(charter, math.nan)
    (finding,) = unmeasured.value.findings
    assert finding.place == "kpi.baseline"
    assert finding.found == "policy today has no measurable stockout_rate on this history"
    assert finding.remedy
    higher = charter.model_copy(update={"kpi": charter.kpi.model_copy(update={"direction": "higher"})})
    with pytest.raises(CharterError, match="wrong side") as refused:
        gates.check_target(higher, 0.05)
    assert refused.value.findings[0].remedy.startswith("write a target above 5.0 %")


shares = st.floats(0, 0.3)
directions = st.sampled_from(["lower", "higher"])


@given(point=shares, below=shares, above=shares, step=st.floats(0, 0.2), direction=directions, baseline=shares,
       past=st.lists(shares, max_size=4))  # fmt: skip
def test_a_better_kpi_never_turns_a_pass_into_a_fail(
    charter: Charter, point: float, below: float, above: float, step: float, direction: Direction, baseline: float,
    past: list[float],
) -> None:  # fmt: skip
    way = -step if direction == "lower" else step
    figures = (point - below, point, point + above)
    pair = [result(figures, baseline, direction), result(tuple(f + way for f in figures), baseline, direction)]  # type: ignore[arg-type]
    before, after = (verdicts_on(charter, goal, past) for goal in pair)
    for gate, verdict in before.items():
        assert RANK[after[gate].outcome] >= RANK[verdict.outcome], gate


@given(point=shares, width=shares, limit=shares, step=st.floats(0, 0.2), direction=directions)
def test_a_stricter_limit_never_turns_a_fail_into_a_pass(
    point: float, width: float, limit: float, step: float, direction: Direction
) -> None:
    goal = result((point - width, point, point + width), 0.1, direction)
    strict = limit - step if direction == "lower" else limit + step
    loose, tight = (gates._limit("g", "t", goal, value, "the milestone", "block") for value in (limit, strict))
    assert RANK[tight.outcome] <= RANK[loose.outcome]
    factor = Guardrail(name="stockout_rate", unit="share", direction=direction, versus_baseline=1 + limit)
    stricter = factor.model_copy(update={"versus_baseline": 1 + strict})
    assert RANK[gates.guardrail(stricter, goal).outcome] <= RANK[gates.guardrail(factor, goal).outcome]


def verdicts_on(charter: Charter, goal: KpiResult, past: list[float]) -> dict[str, Verdict]:
    """Every gate that looks at the KPI, on one made-up result."""
    direction = goal.kpi.direction
    kpi = charter.kpi.model_copy(update={"direction": direction})
    limits = {"name": "stockout_rate", "unit": "share", "direction": direction}
    guards = (Guardrail(**limits, limit=0.1), Guardrail(**limits, versus_baseline=1.1))
    changed = charter.model_copy(update={"kpi": kpi, "guardrails": guards})
    unit = SliceResult("unit", "S001", "stockout_rate", goal.value.value, goal.baseline.value, 1.0)
    found = Evaluation("small", "baseline:today", (goal,), (unit,), (), "made up", "field", 6)
    previous = [Interval(value, value, value) for value in past]
    verdicts = gates.judge(changed, charter.stages[0], found, iteration=1, today=TODAY, previous=previous)
    return {f"{place} {verdict.gate}": verdict for place, verdict in enumerate(verdicts)}


_BOUNDED = "value value_low value_high units"
FIGURES = {
    "kpi.beats_baseline": "difference difference_low difference_high baseline baseline_low baseline_high units",
    "kpi.reaches_milestone": f"{_BOUNDED} limit", "kpi.reaches_target": f"{_BOUNDED} limit",
    "guardrail.inventory": f"{_BOUNDED} allowed difference difference_low difference_high",
    "guardrail.margin": f"{_BOUNDED} limit",
    "slice.worst_unit": "unit value baseline limit",
    "budget.deadline": "deadline today days_left", "budget.iterations": "iteration budget",
    "progress.no_gain": "iterations best_recent best_before",
}  # fmt: skip


def test_every_verdict_keeps_its_figures_under_names_that_reports_and_bundles_know(
    charter: Charter, evaluation: Evaluate
) -> None:
    verdicts = judged(charter, evaluation(), previous=[Interval(0.05, 0, 1)] * 3)
    assert {gate: {*verdict.figures} for gate, verdict in verdicts.items()} == {
        gate: {*names.split()} for gate, names in FIGURES.items()
    }
    assert verdicts["budget.iterations"].figures == {"iteration": 1, "budget": charter.budget.iterations}
