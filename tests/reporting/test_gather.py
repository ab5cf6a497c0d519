import json
import sqlite3
from contextlib import closing
from datetime import date

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.charter.difference import Change
from pipeline.datasets.dataset import Dataset, Quarantine
from pipeline.evaluation.outcomes import Interval, KpiDefinition, Outcomes
from pipeline.evaluation.selection import Choice, Score
from pipeline.language import translator
from pipeline.reporting.gather import (
    REASONS_SHOWN,
    arms_shown,
    candidates_shown,
    changes_shown,
    data_shown,
    weekly_points,
)

RATE = KpiDefinition("rate", "Rate", "share", "lower", "out", "cells")


def dataset(refused: list[tuple[str, str]]) -> Dataset:
    rows = pd.DataFrame(
        [(table, place, reason, json.dumps({"row": place})) for place, (table, reason) in enumerate(refused)],
        columns=["table", "row", "reason", "content"],
    )
    counts = {table: sum(name == table for name, _ in refused) for table in "ab"}
    return Dataset(
        {}, "d" * 64, date(2026, 1, 5), Quarantine(rows, {t: 100 + n for t, n in counts.items()}, {"a": 100, "b": 100})
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from([f"reason {n}" for n in range(20)])), max_size=60))
def test_no_refused_row_is_lost_between_the_shown_reasons_and_the_rest(refused: list[tuple[str, str]]) -> None:
    shown = data_shown(dataset(refused))
    assert sum(reason.rows for reason in shown.reasons) + shown.other_refused == len(refused)
    assert len(shown.reasons) <= REASONS_SHOWN
    counts = [reason.rows for reason in shown.reasons]
    assert counts == sorted(counts, reverse=True)


def test_each_reason_bears_one_of_its_rows() -> None:
    shown = data_shown(dataset([("a", "negative"), ("b", "unknown"), ("a", "negative")]))
    assert [(r.table, r.reason, r.rows, r.example) for r in shown.reasons] == [
        ("a", "negative", 2, '{"row": 0}'),
        ("b", "unknown", 1, '{"row": 1}'),
    ]


def test_an_example_repeats_no_personal_data_whether_declared_or_seen() -> None:
    row = {"key": 7, "mail": "ana@example.com", "note": "likes tea", "first_name": "Ana"}
    refused = pd.DataFrame({"table": ["a"], "row": [0], "reason": ["negative"], "content": [json.dumps(row)]})
    clean = pd.DataFrame({"key": [1], "mail": ["ben@example.com"], "note": ["none"], "first_name": ["Ben"]})
    made = Dataset({"a": clean}, "d" * 64, date(2026, 1, 5), Quarantine(refused, {"a": 2}, {"a": 1}))
    assert json.loads(data_shown(made, ["a.note"]).reasons[0].example) == {"key": 7}


def test_alike_refusals_are_one_reason_that_can_be_said_in_chinese() -> None:
    twice = [("a", f"same key as row {row} (store, week), an exact copy") for row in range(3)]
    (found,) = data_shown(dataset(twice)).reasons
    assert (found.reason, found.rows) == ("a key that occurs twice (store, week), an exact copy", 3)
    assert translator("zh_Hans").show(found.reason) == "键重复（store, week），内容完全相同"


def test_weekly_points_are_the_ratio_of_sums_that_sql_gives() -> None:
    weekly = pd.DataFrame(
        [
            (arm, pd.Timestamp(period), out, cells)
            for period in ("2026-01-12", "2026-01-05")
            for arm, out, cells in (
                ("model", 1.0, 30.0),
                ("model", 2.0, 10.0),
                ("today", 5.0, 40.0),
                ("other", 9.0, 40.0),
            )
        ],
        columns=["arm", "period", "out", "cells"],
    )
    outcomes = Outcomes(pd.DataFrame(), (), 2, "field", "basis", weekly)
    points = weekly_points(outcomes, RATE, "model", "today", "week")
    with closing(sqlite3.connect(":memory:")) as connection, connection:
        weekly.assign(period=weekly["period"].dt.strftime("%Y-%m-%d")).to_sql("w", connection, index=False)
        query = "select period, arm, sum(out) / sum(cells) from w group by 1, 2"
        expected = {(period, arm): value for period, arm, value in connection.execute(query)}
    connection.close()
    assert [point.period for point in points] == ["2026-01-05", "2026-01-12"]
    for point in points:
        assert point.model == pytest.approx(expected[point.period, "model"])
        assert point.baseline == pytest.approx(expected[point.period, "today"])


def test_outcomes_without_periods_give_no_weekly_chart() -> None:
    assert weekly_points(Outcomes(pd.DataFrame(), (), 2, "replay", "basis"), RATE, "model", "today", "week") == ()


def test_arms_keep_the_order_they_were_played_in() -> None:
    summary = pd.DataFrame(
        [
            ("baseline:old", "rate", 0.08, 0.07, 0.09),
            ("boosted", "rate", 0.04, 0.03, 0.05),
            ("without F1", "rate", 0.05, 0.04, 0.06),
        ],
        columns=["arm", "kpi", "value", "low", "high"],
    )
    arms = arms_shown(summary, judged="boosted", labels={"baseline:old": "today's rule"})
    assert [(arm.name, arm.label, arm.kind) for arm in arms] == [
        ("baseline:old", "today's rule", "baseline"),
        ("boosted", "", "challenger"),
        ("without F1", "", "variant"),
    ]
    assert arms[1].values == {"rate": Interval(0.04, 0.03, 0.05)}


def test_candidates_are_shown_as_the_choice_ranked_them() -> None:
    point = Interval(0.04, 0.03, 0.05)
    choice = Choice(
        "b", (Score("b", point, point, point, 0.0), Score("a", point, point, point, 0.1)), (), (), "b is best"
    )
    shown = candidates_shown(choice, {"a": {"WAPE": 0.3}})
    assert [(c.name, c.chosen, c.metrics) for c in shown] == [("b", True, {}), ("a", False, {"WAPE": 0.3})]


def test_changes_are_written_as_a_person_writes_them() -> None:
    changes = (
        Change("scope.out", ["Fresh", "Frozen"], ["Fresh"], "widened"),
        Change("policy", None, {"name": "newsvendor", "round": True}, "neutral"),
    )
    shown = changes_shown(changes, lambda path: "feedback F1" if path == "scope.out" else "")
    assert [(c.old, c.new, c.kind, c.why) for c in shown] == [
        ("Fresh, Frozen", "Fresh", "widened", "feedback F1"),
        ("", "name: newsvendor; round: yes", "neutral", ""),
    ]
