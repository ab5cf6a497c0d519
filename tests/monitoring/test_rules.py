"""The retraining rule against an oracle that shares no code with it, and the properties the brakes promise."""

import itertools
import re
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.charter.rules import Metric
from pipeline.monitoring.rules import History, Observed, RuleError, judge, parse

WEEK = timedelta(weeks=1)
FIRST = date(2026, 1, 5)
METRICS = {
    "drift_share": Metric("drift_share", "data", "lower"),
    "quarantine_share": Metric("quarantine_share", "data", "lower"),
    "kpi": Metric("stockout_rate", "kpi", "lower"),
    "stockout_rate": Metric("stockout_rate", "kpi", "lower"),
    "fill": Metric("fill", "guardrail", "higher"),
}
TEXTS = (
    "drift_share > 0.5 for 1 period",
    "drift_share > 0.5 for 2 periods",
    "drift_share >= 0.5 for 3 periods",
    "drift_share > 0.5 for 2 periods or kpi worse than target for 2 periods",
    "drift_share > 0.5 for 1 period and kpi worse than 0.5 for 2 periods or fill worse than limit for 3 periods",
)
BENCHMARKS = {("stockout_rate", "target"): 0.5, ("fill", "limit"): 0.5}
VALUES = st.sampled_from([0.0, 0.4, 0.5, 0.6, 1.0, None])
SEEN = st.none() | st.fixed_dictionaries({"drift_share": VALUES, "stockout_rate": VALUES, "fill": VALUES})


def week(number: int) -> date:
    return FIRST + number * WEEK


def series(rows) -> list[Observed]:
    """One observation per row; None is a week nobody saw."""
    return [Observed(week(at), at, row, BENCHMARKS) for at, row in enumerate(rows) if row is not None]


def run(text: str, rows, clear_after: int, cool_down: int, trained: int | None = None) -> list[int]:
    """Weeks in which the rule fires when it is judged after every week that was seen."""
    rule, fired = parse(text, METRICS), []
    for at, row in enumerate(rows):
        if row is None:
            continue
        told = History(
            WEEK, [week(one) for one in fired], None if trained is None else week(trained), clear_after, cool_down
        )
        decision = judge(rule, series(rows[: at + 1]), told)
        assert decision.period == week(at)
        if decision.status == "fire":
            fired.append(at)
    return fired


def read_by_regex(text: str) -> list[list[tuple[str, str, float, int]]]:
    groups = []
    for group in text.split(" or "):
        parts = []
        for clause in group.split(" and "):
            match = re.fullmatch(r"(\w+) (>=|>|worse than) (\S+) for (\d+) periods?", clause)
            name, comparison, limit, periods = match.groups()
            name = "stockout_rate" if name == "kpi" else name
            number = 0.5 if limit in ("target", "limit") else float(limit)
            parts.append((name, comparison if name != "fill" else "below", number, int(periods)))
        groups.append(parts)
    return groups


def meets(value, comparison, number) -> bool:
    if value is None:
        return False
    if comparison == "below":
        return value < number
    return value >= number if comparison == ">=" else value > number


def oracle(text: str, rows, clear_after: int, cool_down: int, trained: int | None) -> list[int]:
    """The same, written down week by week with a regular expression and counters."""
    groups = read_by_regex(text)
    streaks = {part[:3]: 0 for group in groups for part in group}
    fired, armed, absent = [], True, 0
    for at, row in enumerate(rows):
        if row is None:
            streaks, absent = dict.fromkeys(streaks, 0), 0
            continue
        streaks = {key: count + 1 if meets(row[key[0]], *key[1:]) else 0 for key, count in streaks.items()}
        at_all = any(all(streaks[part[:3]] > 0 for part in group) for group in groups)
        complete = any(all(streaks[part[:3]] >= part[3] for part in group) for group in groups)
        absent = 0 if at_all else absent + 1
        armed = armed or absent >= clear_after
        rested = trained is None or at < trained or at - trained > cool_down
        if complete and armed and rested and all(at - last > cool_down for last in fired):
            fired.append(at)
            armed, absent = False, 0
    return fired


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(TEXTS), st.lists(SEEN, max_size=24), st.integers(1, 3), st.integers(0, 5),
    st.none() | st.integers(0, 10),
)  # fmt: skip
def test_it_fires_when_an_independent_simulation_fires(text, rows, clear_after, cool_down, trained):
    assert run(text, rows, clear_after, cool_down, trained) == oracle(text, rows, clear_after, cool_down, trained)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(0.2, 0.8), min_size=10, max_size=60), st.integers(1, 3), st.integers(0, 8), st.integers(1, 3))
def test_noise_around_the_threshold_fires_at_most_once_in_a_cool_down(noise, periods, cool_down, clear_after):
    rows = [{"drift_share": value} for value in noise]
    fired = run(f"drift_share > 0.5 for {periods} periods", rows, clear_after, cool_down)
    assert all(later - earlier > cool_down for earlier, later in itertools.pairwise(fired))
    # Between two fires lies a quiet stretch: a condition that simply stays fires once.
    for earlier, later in itertools.pairwise(fired):
        quiet = "".join("0" if value > 0.5 else "1" for value in noise[earlier + 1 : later])
        assert "1" * clear_after in quiet


@given(st.integers(1, 6), st.integers(0, 6))
def test_it_never_fires_with_fewer_periods_than_asked(asked, there):
    fired = run(f"drift_share > 0.5 for {asked} periods", [{"drift_share": 1.0}] * there, 2, 4)
    assert bool(fired) == (there >= asked)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(TEXTS), st.lists(SEEN.filter(bool), min_size=1, max_size=8), st.data())
def test_worse_figures_never_silence_a_rule_that_fires(text, rows, data):
    def status(of):
        return judge(parse(text, METRICS), series(of), History(WEEK)).status

    place = data.draw(st.integers(0, len(rows) - 1))
    worse = [dict(row) for row in rows]
    worse[place] = {"drift_share": 1.0, "stockout_rate": 1.0, "fill": 0.0}
    if status(rows) == "fire":
        assert status(worse) == "fire"


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(TEXTS), st.lists(SEEN, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_the_order_and_number_of_equal_observations_changes_nothing(text, rows, random):
    once = series(rows)
    shuffled = once * 3
    random.shuffle(shuffled)
    rule, told = parse(text, METRICS), History(WEEK, [FIRST], None, 1, 0)
    assert judge(rule, shuffled, told) == judge(rule, once, told)


def test_corrected_figures_take_the_place_of_earlier_ones_wherever_they_stand_in_the_list():
    rule = parse("drift_share > 0.5 for 2 periods", METRICS)
    high = series([{"drift_share": 0.9}, {"drift_share": 0.9}])
    corrected = Observed(FIRST, 9, {"drift_share": 0.1}, BENCHMARKS)
    assert judge(rule, high, History(WEEK)).status == "fire"
    assert judge(rule, [corrected, *high], History(WEEK)).status == "armed"


def test_a_week_nobody_saw_breaks_the_streak():
    bad = {"drift_share": 0.9}
    assert run("drift_share > 0.5 for 2 periods", [bad, None, bad], 2, 4) == []
    assert run("drift_share > 0.5 for 2 periods", [bad, None, bad, bad], 2, 4) == [3]


def test_a_week_nobody_saw_does_not_count_as_clear():
    bad, good = {"drift_share": 0.9}, {"drift_share": 0.1}
    assert run("drift_share > 0.5 for 1 period", [bad, good, None, good, bad], 2, 0) == [0]
    assert run("drift_share > 0.5 for 1 period", [bad, good, good, None, bad], 2, 0) == [0, 4]


def test_the_reason_holds_the_figures_and_the_benchmark():
    rows = series([{"stockout_rate": 0.61}, {"stockout_rate": 0.72}])
    decision = judge(parse("kpi worse than target for 2 periods", METRICS), rows, History(WEEK))
    assert decision.status == "fire"
    assert decision.reason == "stockout_rate was > 0.5 (target) for 2 periods (0.61, 0.72)."
    (figures,) = decision.figures.values()
    assert figures["values"] == {"2026-01-05": 0.61, "2026-01-12": 0.72}


@pytest.mark.parametrize(
    ("history", "word"),
    [
        (History(WEEK, [week(1)], None, 1, 4), "fired at 2026-01-12"),
        (History(WEEK, [], week(0), 1, 4), "training ended at 2026-01-05"),
        (History(WEEK, [week(0)], None, 3, 0), "not absent for 3 periods"),
    ],
)
def test_a_brake_says_why(history, word):
    rows = series([{"drift_share": 0.9}] * 3)
    decision = judge(parse("drift_share > 0.5 for 2 periods", METRICS), rows, history)
    assert decision.status == "cooling"
    assert word in decision.reason


@pytest.mark.parametrize(
    ("text", "position", "found", "expected"),
    [
        ("", 1, "the end of the rule", "write a figure: drift_share, quarantine_share, kpi"),
        ("drift > 0.3 for 2 periods", 1, "`drift`", "drift_share"),
        ("drift_share is 0.3 for 2 periods", 13, "`is`", ">, >=, < or <= and a number"),
        ("drift_share > much for 2 periods", 15, "`much`", "a number"),
        ("drift_share > 30 % for 2 periods", 18, "`%`", "`for N periods`"),
        ("drift_share > 0.3", 18, "the end of the rule", "`for N periods`"),
        ("drift_share > 0.3 for 0 periods", 23, "`0`", "1 to 52"),
        ("drift_share > 0.3 for 2.5 periods", 23, "`2.5`", "whole number"),
        ("drift_share > 0.3 for 99999999999999999999 periods", 23, "`99999999999999999999`", "1 to 52"),
        ("drift_share > 0.3 for 2 weeks", 25, "`weeks`", "`periods`"),
        ("drift_share > 1e999 for 2 periods", 15, "`1e999`", "finite"),
        ("drift_share worse than target for 2 periods", 13, "`worse`", "write >, >="),
        ("kpi worse then target for 2 periods", 11, "`then`", "`worse than`"),
        ("kpi worse than limit for 2 periods", 16, "`limit`", "target, baseline or a number"),
        ("fill worse than target for 2 periods", 17, "`target`", "limit, baseline or a number"),
        ("kpi > 1 for 2 periods kpi > 1 for 2 periods", 23, "`kpi`", "`or`, `and`"),
        ("kpi > 1 for 2 periods or", 25, "the end of the rule", "a figure"),
        ("(kpi > 1 for 2 periods)", 1, "`(`", "a figure"),
        ("__import__('os') > 1 for 2 periods", 1, "`__import__`", "a figure"),
    ],
)
def test_a_text_that_is_no_rule_names_the_place_the_word_and_what_may_stand_there(text, position, found, expected):
    with pytest.raises(RuleError) as caught:
        parse(text, METRICS)
    assert (caught.value.position, caught.value.found) == (position, found)
    assert expected in caught.value.expected


@given(st.text(max_size=80))
def test_any_text_is_a_rule_or_a_rule_error(text):
    position = 1
    try:
        parse(text, METRICS)
    except RuleError as error:
        position = error.position
    assert 1 <= position <= len(text) + 1


WORDS = st.sampled_from(
    ["drift_share", "kpi", "fill", ">", "<=", "0.3", "for", "2", "periods", "or", "and", "worse", "than", "target", "x"]
)


@given(st.lists(WORDS, max_size=14).map(" ".join))
def test_any_sequence_of_the_grammars_words_is_a_rule_or_a_rule_error(text):
    try:
        rule = parse(text, METRICS)
    except RuleError:
        return
    # What was read is what was written: clause texts joined again give the text.
    joined = " or ".join(" and ".join(clause.text for clause in group) for group in rule.groups)
    assert joined == text


def test_and_binds_tighter_than_or():
    rule = parse("kpi > 1 for 1 period or kpi > 2 for 1 period and kpi > 3 for 1 period", METRICS)
    assert [len(group) for group in rule.groups] == [1, 2]


def test_no_text_is_ever_evaluated():
    for name in ("charter/rules.py", "monitoring/rules.py"):
        source = (Path(__file__).parents[2] / "src" / "pipeline" / name).read_text(encoding="utf-8")
        assert not re.search(r"\b(eval|exec|compile)\(", source.replace("re.compile(", "")), name
