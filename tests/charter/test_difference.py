import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.charter import Charter, charter_from_canonical, difference

Step = str | int
ORDERS = "weekly orders of the stores for all listed products"


def _at(values: Any, path: tuple[Step, ...]) -> Any:
    for step in path:
        values = values[step]
    return values


def _changed(charter: Charter, *edits: tuple[tuple[Step, ...], Any]) -> Charter:
    values = copy.deepcopy(charter.canonical())
    for path, value in edits:
        _at(values, path[:-1])[path[-1]] = value
    return charter_from_canonical(values)


#: path in the canonical values, an easier (or wider) value, how the path is shown, kind there, kind of the way back
MOVES: list[tuple[tuple[Step, ...], Any, str, str, str]] = [
    (("kpi", "target"), 0.05, "kpi.target", "loosened", "tightened"),
    (("kpi", "deadline"), "2028-01-31", "kpi.deadline", "loosened", "tightened"),
    (("kpi", "baseline", "measured_over"), 13, "kpi.baseline.measured_over", "loosened", "tightened"),
    (("kpi", "baseline", "policy"), "seasonal_naive", "kpi.baseline.policy", "loosened", "loosened"),
    (("kpi", "unit"), "points", "kpi.unit", "loosened", "loosened"),
    (("guardrails", 0, "limit"), 0.06, "guardrails[lost_units_share].limit", "loosened", "tightened"),
    (
        ("guardrails", 1, "versus_baseline"),
        1.2,
        "guardrails[average_inventory].versus_baseline",
        "loosened",
        "tightened",
    ),
    (("stages", 0, "milestone"), 0.06, "stages[pilot].milestone", "loosened", "tightened"),
    (("stages", 2, "worst_unit_limit"), 0.1, "stages[chain].worst_unit_limit", "loosened", "tightened"),
    (("stages", 0, "periods"), 6, "stages[pilot].periods", "loosened", "tightened"),
    (("stages", 0, "units"), 6, "stages[pilot].units", "widened", "neutral"),
    (("stages", 0, "units"), ["S001"], "stages[pilot].units", "widened", "widened"),
    (("stages", 0, "stay"), [], "stages[pilot].stay", "loosened", "tightened"),
    (("sign", "advance"), ["sponsor", "operations"], "sign.advance", "loosened", "tightened"),
    (("compliance", "sets"), [], "compliance.sets", "loosened", "tightened"),
    (("compliance", "limits", "max_change"), 2.0, "compliance.limits.max_change", "tightened", "loosened"),
    (
        ("compliance", "limits", "outside_training"),
        "refuse",
        "compliance.limits.outside_training",
        "tightened",
        "loosened",
    ),
    (
        ("compliance", "fairness", "versus_baseline"),
        1.1,
        "compliance.fairness.versus_baseline",
        "tightened",
        "loosened",
    ),
    (("compliance", "risk_class"), "high", "compliance.risk_class", "tightened", "loosened"),
    (("compliance", "retention_days"), 30, "compliance.retention_days", "loosened", "tightened"),
    (("compliance", "legal_hold"), True, "compliance.legal_hold", "tightened", "loosened"),
    (("compliance", "metric_tolerance"), 0.01, "compliance.metric_tolerance", "loosened", "tightened"),
    (("data", "max_quarantine_share"), 0.05, "data.max_quarantine_share", "loosened", "tightened"),
    (("data", "min_coverage"), 0.9, "data.min_coverage", "loosened", "tightened"),
    (("data", "minimum_history"), 52, "data.minimum_history", "loosened", "tightened"),
    (("data", "tables", 0, "freshness_days"), 30, "data.tables[sales].freshness_days", "loosened", "tightened"),
    (("strategy", "review_every_weeks"), 52, "strategy.review_every_weeks", "loosened", "tightened"),
    (("budget", "money"), 300000.0, "budget.money", "loosened", "tightened"),
    (("budget", "iterations"), 9, "budget.iterations", "loosened", "tightened"),
    (("budget", "stop_after_no_gain"), 5, "budget.stop_after_no_gain", "loosened", "tightened"),
    (
        ("scope", "in"),
        ["weekly orders of the stores for all listed products", "more"],
        "scope.in",
        "widened",
        "neutral",
    ),
    (("scope", "out"), [], "scope.out", "widened", "neutral"),
    (("schedule", "monitor"), None, "schedule.monitor", "loosened", "tightened"),
    (("schedule", "retrain"), None, "schedule.retrain", "loosened", "tightened"),
    (("schedule", "time_zone"), "Europe/Berlin", "schedule.time_zone", "neutral", "neutral"),
    (("retrain", "when"), "kpi worse than target for 9 periods", "retrain.when", "loosened", "loosened"),
    (("retrain", "clear_after"), 5, "retrain.clear_after", "loosened", "tightened"),
    (("retrain", "cool_down"), 9, "retrain.cool_down", "loosened", "tightened"),
    (("kpi", "owner"), "omar.haddad", "kpi.owner", "neutral", "neutral"),
    (("policy", "parameters", "service_level"), 0.95, "policy.parameters.service_level", "neutral", "neutral"),
    (("model", "candidates", 0, "features"), ["level"], "model.candidates[poisson].features", "neutral", "neutral"),
    (("business", "lead_time"), 3, "business.lead_time", "neutral", "neutral"),
    (("title",), "Another", "title", "neutral", "neutral"),
]


@pytest.mark.parametrize(("path", "value", "shown", "there", "back"), MOVES, ids=[move[2] for move in MOVES])
def test_a_move_and_its_way_back_are_judged(
    charter: Charter, path: tuple[Step, ...], value: Any, shown: str, there: str, back: str
) -> None:
    moved = _changed(charter, (path, value))
    (change,) = difference(charter, moved)
    assert (change.path, change.kind) == (shown, there)
    assert (change.old, change.new) == (_at(charter.canonical(), path), value)
    assert change.needs_sponsor == (there in ("loosened", "widened"))
    (returned,) = difference(moved, charter)
    assert (returned.path, returned.kind) == (shown, back)


def test_where_higher_is_better_a_lower_target_is_looser(charter: Charter) -> None:
    higher = _changed(charter, (("kpi", "direction"), "higher"), (("guardrails", 0, "direction"), "higher"))
    eased = _changed(higher, (("kpi", "target"), 0.01), (("guardrails", 0, "limit"), 0.01))
    assert {change.path: change.kind for change in difference(higher, eased)} == {
        "kpi.target": "loosened",
        "guardrails[lost_units_share].limit": "loosened",
    }
    assert {change.kind for change in difference(eased, higher)} == {"tightened"}


def test_numbers_of_another_kpi_cannot_be_compared_and_count_as_loosened(charter: Charter) -> None:
    other = _changed(charter, (("kpi", "name"), "cost"), (("kpi", "target"), 0.01), (("stages", 2, "milestone"), 0.01))
    assert {change.path: change.kind for change in difference(charter, other)} == {
        "kpi.name": "loosened",
        "kpi.target": "loosened",
        "stages[chain].milestone": "loosened",
    }


def test_a_guardrail_dropped_is_loosened_and_one_added_is_tightened(charter: Charter) -> None:
    fewer = _changed(charter, (("guardrails",), charter.canonical()["guardrails"][:1]))
    (dropped,) = difference(charter, fewer)
    assert (dropped.path, dropped.kind, dropped.new) == ("guardrails[average_inventory]", "loosened", None)
    (added,) = difference(fewer, charter)
    assert (added.path, added.kind, added.old) == ("guardrails[average_inventory]", "tightened", None)


def test_a_guardrail_that_swaps_its_kind_of_limit_needs_the_sponsor(charter: Charter) -> None:
    swapped = _changed(charter, (("guardrails", 0, "limit"), None), (("guardrails", 0, "versus_baseline"), 1.0))
    changes = difference(charter, swapped)
    assert {change.path.split(".")[-1]: change.kind for change in changes} == {
        "limit": "loosened",
        "versus_baseline": "tightened",
    }


def test_a_rung_added_widens_one_skipped_loosens_and_the_top_taken_off_is_neutral(charter: Charter) -> None:
    stages = charter.canonical()["stages"]
    without_middle = _changed(charter, (("stages",), [stages[0], stages[2]]))
    without_top = _changed(charter, (("stages",), stages[:2]))
    assert [(c.path, c.kind) for c in difference(charter, without_middle)] == [("stages[regional]", "loosened")]
    assert [(c.path, c.kind) for c in difference(without_middle, charter)] == [("stages[regional]", "widened")]
    assert [(c.path, c.kind) for c in difference(charter, without_top)] == [("stages[chain]", "neutral")]


def test_rows_left_out_less_widen_the_scope(charter: Charter) -> None:
    some = _changed(charter, (("scope", "leave_out"), {"product": ["p1", "p2"], "store": ["s1"]}))
    fewer = _changed(charter, (("scope", "leave_out"), {"product": ["p1"]}))
    assert {c.path: c.kind for c in difference(some, fewer)} == {
        "scope.leave_out.product": "widened",
        "scope.leave_out.store": "widened",
    }
    assert {c.kind for c in difference(fewer, some)} == {"neutral"}


def test_a_signing_role_swapped_for_another_is_loosened(charter: Charter) -> None:
    swapped = _changed(charter, (("sign", "stop"), ["business_owner"]))
    assert [(c.path, c.kind) for c in difference(charter, swapped)] == [("sign.stop", "loosened")]


def test_another_order_is_a_neutral_change_because_the_digest_sees_it(charter: Charter) -> None:
    people = charter.canonical()["people"]
    charter = _changed(charter, (("controls",), ["leakage", "four_eyes"]))
    turned = _changed(charter, (("people",), people[::-1]), (("controls",), ["four_eyes", "leakage"]))
    assert [(c.path, c.kind) for c in difference(charter, turned)] == [("people", "neutral"), ("controls", "neutral")]


def test_one_and_one_point_nought_differ_as_they_do_for_the_digest(charter: Charter) -> None:
    one = _changed(charter, (("business", "lead_time"), 1))
    nought = _changed(charter, (("business", "lead_time"), 1.0))
    true = _changed(charter, (("business", "lead_time"), True))
    assert len({one.digest, nought.digest, true.digest}) == 3
    assert difference(one, nought)
    assert difference(one, true)


_KEYS = st.sampled_from([move[:2] for move in MOVES if move[0][0] != "kpi" or move[0][1] in ("target", "deadline")])


@settings(max_examples=60, deadline=None)
@given(edits=st.lists(_KEYS, max_size=6), others=st.lists(_KEYS, max_size=6))
def test_a_difference_is_empty_exactly_when_the_digests_are_equal(
    charter: Charter, edits: list[Any], others: list[Any]
) -> None:
    one, other = _changed(charter, *edits), _changed(charter, *others)
    assert difference(one, one) == ()
    changes = difference(one, other)
    assert (changes == ()) == (one.digest == other.digest)
    assert len({change.path for change in changes}) == len(changes)
    assert [change.path for change in changes] == [change.path for change in difference(other, one)]


@settings(max_examples=60, deadline=None)
@given(values=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_loosened_one_way_is_tightened_the_other(charter: Charter, values: tuple[float, float]) -> None:
    one, other = (_changed(charter, (("kpi", "target"), value)) for value in values)
    kinds = [change.kind for change in difference(one, other)] + [change.kind for change in difference(other, one)]
    if json.dumps(values[0]) == json.dumps(values[1]):
        assert kinds == []
    elif values[0] != values[1]:
        assert sorted(kinds) == ["loosened", "tightened"]
        assert (kinds[0] == "loosened") == (values[1] > values[0])


def _staged(charter: Charter, units: Any, **more: Any) -> Charter:
    """The charter whose pilot has other units."""
    values = copy.deepcopy(charter.canonical())
    values["stages"][0] |= {"units": units, **more}
    return charter_from_canonical(values)


@pytest.mark.parametrize(
    ("one", "other", "kinds"),
    [
        ({"share": 0.1}, {"share": 0.2}, {"stages[pilot].units.share": "widened"}),
        ({"share": 0.2}, {"share": 0.1}, {"stages[pilot].units.share": "neutral"}),
        (["S1", "S2"], ["S1", "S2", "S3"], {"stages[pilot].units": "widened"}),
        (["S1", "S2"], ["S2"], {"stages[pilot].units": "neutral"}),
        ({"region": "north"}, {"region": "south"}, {"stages[pilot].units.region": "widened"}),
        (5, {"region": "south"}, {"stages[pilot].units": "widened"}),
    ],
)
def test_units_chosen_in_another_way_may_be_any_units(
    charter: Charter, one: Any, other: Any, kinds: dict[str, str]
) -> None:
    found = difference(_staged(charter, one), _staged(charter, other))
    assert {change.path: change.kind for change in found} == kinds


def test_controls_gates_and_signers_of_a_stage_only_ever_tighten_by_more(charter: Charter) -> None:
    strict = _staged(charter, 5, controls=12, enter=["drift.*"], sign=["sponsor", "operations"])
    there = {change.path: change.kind for change in difference(charter, strict)}
    back = {change.path: change.kind for change in difference(strict, charter)}
    paths = {f"stages[pilot].{key}" for key in ("controls", "enter", "sign")}
    assert there == dict.fromkeys(paths, "tightened")
    assert back == dict.fromkeys(paths, "loosened")
