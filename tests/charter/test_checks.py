import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.charter import Charter, charter_from_canonical, check_charter
from pipeline.charter.checks import looser
from pipeline.errors import Finding

TODAY = date(2026, 11, 23)
Refuse = Callable[..., dict[str, Finding]]


@dataclass(frozen=True)
class Case:
    name: str
    old: str
    new: str
    path: str
    found: str
    remedy: str


MARIA = '{id: maria.costa, name: Maria Costa, role: sponsor, channel: "mailto:maria.costa@example.com"}'
ANA = "  - {id: ana.silva,"
CASES = [
    Case(
        "shrinking ladder",
        "    units: 50\n",
        "    units: 4@@\n",
        "stages[regional].units",
        "4 units after 5 on 'pilot'",
        "more than 5",
    ),
    Case(
        "standing ladder",
        "    units: 300\n",
        "    units: 50@@\n",
        "stages[chain].units",
        "50 units after 50",
        "more than 50",
    ),
    Case(
        "shrinking shares",
        "    units: 300\n",
        "    units: {share: 0.1}\n    periods: 1\n    milestone: 0.042\n    worst_unit_limit: 0.09\n"
        "    resources: {people_days: 0, compute_hours: 0, money: 0}\n"
        "  - name: whole\n    units: {share: 0.1}@@\n",
        "stages[whole].units.share",
        "the share 0.1 after 0.1 on 'chain'",
        "more than 0.1",
    ),
    Case(
        "units of the rung below left out",
        "    units: 300\n",
        "    units: [S001, S002]\n    periods: 1\n    milestone: 0.042\n    worst_unit_limit: 0.09\n"
        "    resources: {people_days: 0, compute_hours: 0, money: 0}\n"
        "  - name: whole\n    units: [S001, S003, S004]@@\n",
        "stages[whole].units",
        "without 'S002' of 'chain'",
        "add S002",
    ),
    Case(
        "a unit twice",
        "    units: 300\n",
        "    units:\n      - S001\n      - S001@@\n" + "".join(f"      - S{number:03d}\n" for number in range(2, 60)),
        "stages[chain].units[#2]",
        "'S001' a second time",
        "remove the repetition",
    ),
    Case(
        "too few controls to tell an effect from luck",
        "    controls: 50                      # 13 weeks show about one point\n",
        "    controls: 5@@\n",
        "stages[regional].controls",
        "5 controls",
        "at least 6",
    ),
    Case(
        "a stage signed by one role",
        "    units: 50\n",
        "    units: 50\n    sign: [sponsor]@@\n",
        "stages[regional].sign",
        "1 roles",
        "at least two roles",
    ),
    Case(
        "easing milestone",
        "    milestone: 0.046\n",
        "    milestone: 0.051@@\n",
        "stages[regional].milestone",
        "0.051 after the stricter 0.05",
        "0.05 or less",
    ),
    Case(
        "last milestone eases the target",
        "    milestone: 0.042 ",
        "    milestone: 0.043@@ ",
        "stages[chain].milestone",
        "easier than the target 0.042",
        "0.042 or less",
    ),
    Case(
        "milestone in per cent",
        "    milestone: 0.05\n",
        "    milestone: 5@@\n",
        "stages[pilot].milestone",
        "5, though the unit is a share",
        "5 % is 0.05",
    ),
    Case(
        "guardrail in per cent",
        "    limit: 0.042\n",
        "    limit: 4.2@@\n",
        "guardrails[lost_units_share].limit",
        "share",
        "0.042",
    ),
    Case(
        "guardrail without limit",
        "    limit: 0.042\n",
        "",
        "guardrails[lost_units_share]",
        "neither limit nor",
        "exactly one",
    ),
    Case(
        "guardrail with two limits",
        "    limit: 0.042\n",
        "    limit: 0.042\n    versus_baseline: 1.0\n",
        "guardrails[lost_units_share]",
        "limit and versus_baseline",
        "exactly one",
    ),
    Case(
        "guardrail is the goal",
        "  - name: lost_units_share ",
        "  - name: stockout_rate@@ ",
        "guardrails[stockout_rate].name",
        "the goal itself",
        "another KPI",
    ),
    Case(
        "guardrail twice",
        "  - name: lost_units_share ",
        "  - name: average_inventory ",
        "guardrails[average_inventory].name",
        "a second time",
        "each name once",
    ),
    Case(
        "person twice",
        ANA,
        f"  - {MARIA}@@\n{ANA}",
        "people[maria.costa].id",
        "'maria.costa' a second time",
        "each id once",
    ),
    Case(
        "table twice",
        "{name: state,",
        "{name: sales,@@",
        "data.tables[sales].name",
        "'sales' a second time",
        "each name once",
    ),
    Case(
        "candidate twice",
        "- name: tweedie",
        "- name: poisson@@",
        "model.candidates[poisson].name",
        "a second time",
        "each name once",
    ),
    Case("stage twice", "- name: regional", "- name: pilot@@", "stages[pilot].name", "a second time", "each name once"),
    Case(
        "control twice",
        "  sets: [",
        "  sets: [baseline, @@",
        "compliance.sets[#2]",
        "'baseline' a second time",
        "remove the repetition",
    ),
    Case(
        "sponsor unknown",
        "sponsor: maria.costa",
        "sponsor: bob@@",
        "strategy.sponsor",
        "'bob', who is not among",
        "maria.costa",
    ),
    Case(
        "sponsor in another role",
        "sponsor: maria.costa",
        "sponsor: ana.silva@@",
        "strategy.sponsor",
        "whose role is business_owner",
        "role is sponsor",
    ),
    Case(
        "decision without signature",
        "  stop: [sponsor]                                  #",
        "  #",
        "sign.stop",
        "the key is missing",
        "stop: ",
    ),
    Case("decision with no role", "  stop: [sponsor]", "  stop: []@@", "sign.stop", "an empty list", "nobody signs"),
    Case(
        "one role advances",
        "  advance: [sponsor, business_owner, operations] ",
        "  advance: [sponsor]@@ ",
        "sign.advance",
        "one role only",
        "at least two roles",
    ),
    Case(
        "one role twice",
        "  hold: [business_owner] ",
        "  hold: [business_owner, business_owner]@@ ",
        "sign.hold[#2]",
        "a second time",
        "remove",
    ),
    Case(
        "role nobody fills",
        "role: operations,",
        "role: compliance,",
        "sign.roll_back[#1]",
        "the role operations, which nobody fills",
        "add a person with `role: operations`",
    ),
    Case(
        "stages dearer than the budget",
        "  money: 250000",
        "  money: 219999@@",
        "budget.money",
        "219,999 EUR, while the stages plan 220,000",
        "at least 220000",
    ),
    Case("no iteration", "  iterations: 6 ", "  iterations: 0@@ ", "budget.iterations", "the number 0", "at least 1"),
    Case("one person", "people:\n", "people: []@@\nx:\n", "people", "a list of 0", "at least 2"),
    Case(
        "in and out of scope",
        "  out:\n",
        "  out:\n    - weekly orders of the stores for all listed products@@\n",
        "scope.out[#1]",
        "also in scope",
        "one of the two",
    ),
    Case(
        "baseline longer than history",
        "measured_over: 26 ",
        "measured_over: 105@@ ",
        "kpi.baseline.measured_over",
        "105 periods",
        "at most 104",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_no_single_field_can_know_is_told_at_its_place(refuse: Refuse, case: Case) -> None:
    finding = refuse((case.old, case.new))[case.path]
    assert case.found in finding.found
    assert re.search(case.remedy, finding.remedy)


def test_direction_decides_which_milestone_is_stricter(fresh: dict[str, Any]) -> None:
    fresh["kpi"] |= {"direction": "higher", "unit": "units", "target": 9.0}
    for stage, milestone in zip(fresh["stages"], (5.0, 7.0, 9.0), strict=True):
        stage["milestone"] = milestone
    assert check_charter(charter_from_canonical(fresh), TODAY) == ()
    fresh["stages"][2]["milestone"] = 8.0
    (advice,) = check_charter(charter_from_canonical(fresh), TODAY)
    assert advice.path == ("stages", 2, "milestone")


@given(shift=st.integers(-400, 400))
def test_only_a_day_after_the_deadline_is_too_late(charter: Charter, shift: int) -> None:
    today = charter.kpi.deadline + timedelta(days=shift)
    paths = [advice.path for advice in check_charter(charter, today)]
    assert (("kpi", "deadline") in paths) == (shift > 0)


@given(units=st.lists(st.integers(1, 9), min_size=3, max_size=3))
def test_a_ladder_is_accepted_exactly_when_it_grows(canonical: dict[str, Any], units: list[int]) -> None:
    stages = [{**stage, "units": count} for stage, count in zip(canonical["stages"], units, strict=True)]
    advice = check_charter(charter_from_canonical({**canonical, "stages": stages}), TODAY)
    assert (not advice) == all(lower < upper for lower, upper in pairwise(units))


@given(milestones=st.lists(st.sampled_from([0.05, 0.046, 0.043, 0.042, 0.04]), min_size=3, max_size=3))
def test_milestones_are_accepted_exactly_when_they_never_ease_and_reach_the_target(
    canonical: dict[str, Any], milestones: list[float]
) -> None:
    stages = [{**stage, "milestone": value} for stage, value in zip(canonical["stages"], milestones, strict=True)]
    advice = check_charter(charter_from_canonical({**canonical, "stages": stages}), TODAY)
    fine = milestones == sorted(milestones, reverse=True) and milestones[-1] <= 0.042
    assert (not advice) == fine


@given(one=st.floats(-9, 9), other=st.floats(-9, 9))
def test_looser_mirrors_with_the_direction(one: float, other: float) -> None:
    assert looser(one, other, "lower") == looser(-one, -other, "higher")
    assert not (looser(one, other, "lower") and looser(other, one, "lower"))


def test_an_overdue_strategy_review_is_known_but_refuses_nothing(charter: Charter) -> None:
    assert charter.strategy.next_review == date(2027, 1, 4)
    assert check_charter(charter, date(2027, 6, 1)) == ()
