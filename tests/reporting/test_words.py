import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluation.outcomes import Direction, Interval
from pipeline.reporting import words
from pipeline.reporting.evidence import Evidence
from pipeline.reporting.manifest import manifest, report_digest
from pipeline.verdicts import Verdict


def with_goal(
    evidence: Evidence, value: Interval, difference: Interval, kind: str = "field", baseline: float = 0.0812
) -> Evidence:
    goal = replace(evidence.goal, value=value, difference=difference, baseline=Interval(baseline, 0.07, 0.09))
    evaluation = replace(evidence.evaluation, kpis=(goal, *evidence.evaluation.kpis[1:]), kind=kind)
    return replace(evidence, evaluation=evaluation)


def test_a_sure_gain_that_keeps_the_target_reads_as_reached(evidence: Evidence) -> None:
    better = with_goal(evidence, Interval(0.0401, 0.036, 0.0418), Interval(-0.04, -0.045, -0.036))
    assert words.headline(better) == (
        "Stock-out rate fell from 8.1 % to 4.0 % (95 % interval 3.6 % to 4.2 %) in 5 stores (stage pilot); "
        "the target is 4.2 %: reached."
    )


def test_a_gain_whose_interval_crosses_the_target_is_not_called_reached(evidence: Evidence) -> None:
    assert words.headline(evidence).endswith("the target is 4.2 %: not certain yet, the interval crosses it.")


def test_a_difference_that_may_be_zero_is_neither_a_fall_nor_a_rise(evidence: Evidence) -> None:
    unclear = with_goal(evidence, Interval(0.079, 0.07, 0.09), Interval(-0.002, -0.009, 0.005))
    assert "no clear difference" in words.headline(unclear)
    assert "fell" not in words.headline(unclear)


def test_a_worse_figure_reads_as_a_rise(evidence: Evidence) -> None:
    worse = with_goal(evidence, Interval(0.099, 0.09, 0.11), Interval(0.02, 0.01, 0.03))
    assert words.headline(worse).startswith("Stock-out rate rose from 8.1 % to 9.9 %")
    assert words.headline(worse).endswith("not reached.")


def test_a_replay_says_would_have(evidence: Evidence) -> None:
    replayed = with_goal(evidence, Interval(0.0401, 0.036, 0.0418), Interval(-0.04, -0.045, -0.036), kind="replay")
    assert "would have fallen" in words.headline(replayed)
    assert "played against recorded history" in words.comparison(replayed)


def test_figures_that_round_to_the_target_are_told_apart(evidence: Evidence) -> None:
    close = with_goal(evidence, Interval(0.0424, 0.041, 0.044), Interval(-0.04, -0.045, -0.036))
    assert "exactly 4.24 % where the target is 4.20 %: not reached" in words.headline(close)


def test_too_few_units_for_an_interval_is_said(evidence: Evidence) -> None:
    one = with_goal(evidence, Interval(0.04, -math.inf, math.inf), Interval(-0.04, -math.inf, math.inf))
    assert "no interval: too few units to tell" in words.headline(one)
    assert "not certain yet" in words.headline(one)


@given(
    value=st.floats(-1, 1),
    spread=st.floats(0, 1),
    limit=st.floats(-1, 1),
    direction=st.sampled_from(["lower", "higher"]),
)
def test_reached_means_that_the_whole_interval_keeps_the_limit(
    value: float, spread: float, limit: float, direction: Direction
) -> None:
    interval = Interval(value, value - spread, value + spread)
    kept = interval.high <= limit if direction == "lower" else interval.low >= limit
    assert (words.compared(interval, limit, direction) == "reached") == kept


def verdict(gate: str, outcome: str, severity: str = "block") -> Verdict:
    return Verdict(gate, gate, outcome, severity, f"because of {gate}", {})


def test_a_light_shows_its_worst_verdict_and_why() -> None:
    found = words.lights([verdict("kpi.a", "pass"), verdict("kpi.b", "fail", "warn"), verdict("kpi.c", "fail")])
    assert found[0] == words.Light("Goal", "fail", ("because of kpi.c",))
    assert (found[0].symbol, found[0].word) == ("✗", "fail")


def test_a_waiver_is_a_warning_and_never_a_pass() -> None:
    controls = next(x for x in words.lights([verdict("control.a", "waived")]) if x.name == "Controls")
    assert controls.state == "warning"


def test_a_light_nobody_checked_says_so() -> None:
    assert {light.word for light in words.lights([])} == {"not checked"}


def test_no_verdict_falls_between_the_lights() -> None:
    unknown = verdict("weather.rain", "fail")
    found = words.lights([unknown])
    assert found[-1] == words.Light("Other checks", "fail", ("because of weather.rain",))


@pytest.mark.parametrize(
    ("decision", "names"),
    [
        ("advance", "sponsor (Ana Ruiz) and operations (Tom Okoye)"),
        ("iterate", "business owner (Maria Lind)"),
    ],
)
def test_signers_are_named_by_role(evidence: Evidence, decision: str, names: str) -> None:
    option = next(one for one in evidence.decisions if one.decision == decision)
    assert words.signers(evidence.charter, option) == names


def test_the_summary_holds_headline_lights_decisions_and_hash(evidence: Evidence) -> None:
    lines = words.summary_lines(evidence)
    assert words.headline(evidence) in lines
    assert any("Goal ! warning" in line and "Data ✓ pass" in line for line in lines)
    assert any(line.startswith("roll_back: not open: This is the lowest stage.") for line in lines)
    assert "Decisions in this case are recorded, not made by people." in lines
    assert lines[-1] == f"Report {report_digest(manifest(evidence))}"
