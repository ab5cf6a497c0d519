"""Checks of people's oversight and of the surroundings: each fails on what it is there to find."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from pipeline.charter.compliance import DecisionLimits, Fairness
from pipeline.charter.difference import Change
from pipeline.compliance.controls import CHECKS
from pipeline.compliance.inputs import ControlInputs, Group, Repeated
from pipeline.compliance.software import Advisory
from pipeline.verdicts import Verdict

NEEDS = {
    "decision_limits": "account", "explanation": "account", "reproducible": "repeated", "record_keeping": "kept",
    "monitoring_live": "watched", "dependencies_recorded": "software",
}  # fmt: skip


def passes(inputs: ControlInputs, name: str) -> bool:
    return CHECKS[name](inputs).passed


def asking(inputs: ControlInputs, **changes: object) -> ControlInputs:
    compliance = inputs.charter.compliance.model_copy(update=changes)
    return replace(inputs, charter=inputs.charter.model_copy(update={"compliance": compliance}))


@pytest.mark.parametrize(("name", "part"), NEEDS.items())
def test_a_check_with_nothing_to_look_at_fails(inputs: ControlInputs, name: str, part: str) -> None:
    assert passes(inputs, name)
    assert not passes(replace(inputs, **{part: None}), name)


def test_limits_must_be_declared_and_seldom_be_needed(inputs: ControlInputs) -> None:
    assert not passes(asking(inputs, limits=DecisionLimits()), "decision_limits")
    tight = asking(inputs, limits=DecisionLimits(max_change=0.1))  # 12 beside 10 is more than a tenth
    answer = CHECKS["decision_limits"](tight)
    assert not answer.passed
    assert "Of 3 decisions of the next period, the limits changed 1 (33.3%): 1 for their change" in answer.reason
    lenient = asking(inputs, limits=DecisionLimits(max_change=0.1, most_limited=0.4))
    assert passes(lenient, "decision_limits")


def test_the_floor_is_each_groups_own_baseline(inputs: ControlInputs) -> None:
    worse = replace(inputs, groups=(*inputs.groups, Group("size", "small", 0.0601, 0.06)))
    assert not passes(worse, "fairness_floor")
    assert passes(asking(worse, fairness=Fairness(versus_baseline=1.01)), "fairness_floor")
    assert passes(asking(worse, fairness=Fairness(versus_baseline=1.0, slices=("region",))), "fairness_floor")
    assert not passes(asking(worse, fairness=Fairness(versus_baseline=1.0, slices=("colour",))), "fairness_floor")
    unknown = replace(inputs, groups=(Group("region", "north", float("nan"), 0.08),))
    assert not passes(unknown, "fairness_floor")
    assert not passes(asking(inputs, fairness=Fairness()), "fairness_floor")


def test_where_more_is_better_the_floor_lies_below(inputs: ControlInputs) -> None:
    goal = inputs.charter.kpi.model_copy(update={"direction": "higher"})
    higher = replace(inputs, charter=inputs.charter.model_copy(update={"kpi": goal}))
    assert passes(replace(higher, groups=(Group("region", "n", 0.97, 0.96),)), "fairness_floor")
    assert not passes(replace(higher, groups=(Group("region", "n", 0.95, 0.96),)), "fairness_floor")


def test_contributions_that_do_not_add_up_explain_nothing(inputs: ControlInputs) -> None:
    assert inputs.account is not None
    told = inputs.account.drivers
    assert told is not None
    for broken in (
        replace(told, gap=0.01),
        replace(told, gap=float("nan")),
        replace(told, names=np.array([["", ""]] * 2)),
    ):
        assert not passes(replace(inputs, account=replace(inputs.account, drivers=broken)), "explanation")


def test_another_model_passes_only_within_a_declared_tolerance(inputs: ControlInputs) -> None:
    other = replace(inputs, repeated=Repeated("a" * 64, "b" * 64, 0.004, "wape"))
    assert not passes(other, "reproducible")
    assert passes(asking(other, metric_tolerance=0.005), "reproducible")
    assert not passes(asking(other, metric_tolerance=0.003), "reproducible")
    same_figures = replace(inputs, repeated=Repeated("a" * 64, "b" * 64, 0.0, "wape"))
    assert not passes(same_figures, "reproducible")


def test_what_is_on_record_and_cannot_be_trained_on_again_fails_with_the_reason(inputs: ControlInputs) -> None:
    gone = Repeated("a" * 64, "", float("inf"), "", refused="The stored data was changed")
    answer = CHECKS["reproducible"](asking(replace(inputs, repeated=gone), metric_tolerance=1.0))
    assert not answer.passed
    assert "The stored data was changed" in answer.reason


def test_monitoring_must_be_deployed_scheduled_and_fresh(inputs: ControlInputs) -> None:
    watched = inputs.watched
    assert watched is not None
    stale = [
        replace(watched, deployed=False),
        replace(watched, scheduled=""),
        replace(watched, newest=date(2026, 11, 9)),
    ]
    for one in [*stale, replace(watched, newest=None)]:
        assert not passes(replace(inputs, watched=one), "monitoring_live")
    assert passes(replace(inputs, watched=replace(watched, newest=date(2026, 11, 10))), "monitoring_live")


def test_records_are_kept_half_a_year_and_none_is_missing(inputs: ControlInputs) -> None:
    assert not passes(asking(inputs, retention_days=182), "record_keeping")
    assert passes(asking(inputs, retention_days=30, legal_hold=True), "record_keeping")
    assert inputs.kept is not None
    gone = replace(inputs, kept=replace(inputs.kept, missing=("model of shelves/1/pilot: abc",)))
    answer = CHECKS["record_keeping"](gone)
    assert not answer.passed
    assert "1 records are gone or were changed: model of shelves/1/pilot" in answer.reason


@pytest.mark.parametrize(
    ("path", "substantial"),
    [
        ("kpi.name", True), ("scope.in", True), ("model.candidates[poisson].features", True), ("policy.name", True),
        ("model.candidates[new]", True), ("data.source", True), ("scope.leave_out.product", True),
        ("kpi.target", False), ("model.candidates[poisson].parameters.rounds", False), ("budget.money", False),
        ("policy.parameters.service_level", False), ("kpi.deadline", False), ("problem", True),
    ],
)  # fmt: skip
def test_changes_that_make_another_system_are_flagged(inputs: ControlInputs, path: str, substantial: bool) -> None:
    changed = replace(inputs, released=(Change(path, 1, 2, "neutral"),))
    assert passes(changed, "substantial_modification") is not substantial
    assert passes(replace(inputs, released=None), "substantial_modification")


def test_a_rehearsal_that_failed_or_was_not_looked_for_fails(inputs: ControlInputs) -> None:
    assert not passes(replace(inputs, readiness=()), "rollback_rehearsed")
    failed = Verdict("rollout.rehearsed", "t", "fail", "block", "Never thrown.", {})
    assert not passes(replace(inputs, readiness=(failed,)), "rollback_rehearsed")


def test_licences_and_fresh_advisories_are_asked_for(inputs: ControlInputs) -> None:
    found = inputs.software
    assert found is not None
    unnamed = replace(found, packages=(replace(found.packages[0], licence=""),))
    known = replace(found, advisories=(Advisory("numpy", "2.5.5", "CVE-1", ()),))
    for broken in (unnamed, known, replace(found, advisories=None), replace(found, as_of=date(2026, 10, 1))):
        assert not passes(replace(inputs, software=broken), "dependencies_recorded")
