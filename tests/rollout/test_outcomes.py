"""Field results: late, partial, corrected; nothing is lost and the newest value counts."""

import json
import math
from datetime import date

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import DataError
from pipeline.evaluation.outcomes import Interval
from pipeline.ledger import Ledger, verify
from pipeline.rollout.outcomes import (
    add_delivery,
    complete_only,
    completeness,
    deliveries_of,
    field_results,
    history_of,
    read_delivery,
)
from pipeline.rollout.prediction import Figure
from pipeline.rollout.promises import Promise, calibration, expected_of, interval_of, realised, triple
from tests.rollout.test_ladder import a_release
from tests.rollout.test_switch import measured
from tests.rollout.worlds import GOAL, KPIS

TODAY = date(2026, 11, 23)
UNITS = ("s0", "s1", "s2")


def read(tmp_path, text):
    path = tmp_path / "field.csv"
    path.write_text("unit,period,out,cells\n" + text, encoding="utf-8")
    return read_delivery(path, KPIS, UNITS, TODAY)


def bring(ledger, folder, rows, name="field.csv"):
    frame = pd.DataFrame(rows, columns=["unit", "period", "out", "cells"]).astype({"out": float, "cells": float})
    return add_delivery(ledger, folder, "shop", frame, name, actor="joao")


def test_late_partial_and_corrected_deliveries_end_in_the_newest_value_of_each_figure(file_ledger, tmp_path):
    first = bring(file_ledger, tmp_path, [("s0", "2026-11-02", 3, 10), ("s1", "2026-11-02", 2, None)])
    assert (first.number, first.new, first.corrected, first.late) == (1, 3, 0, 0)
    second = bring(file_ledger, tmp_path, [("s0", "2026-11-09", 1, 10)])
    assert (second.new, second.late) == (2, 0)
    third = bring(file_ledger, tmp_path, [("s1", "2026-11-02", 2, 8), ("s0", "2026-11-02", 4, None)])
    assert (third.new, third.corrected, third.unchanged, third.late) == (1, 1, 1, 3)
    found = field_results(file_ledger, tmp_path, "shop").set_index(["unit", "period"])
    assert found.loc[("s0", "2026-11-02")].to_dict() == {"cells": 10.0, "out": 4.0}  # a blank takes nothing back
    assert found.loc[("s1", "2026-11-02")].to_dict() == {"cells": 8.0, "out": 2.0}
    kept = history_of(file_ledger, tmp_path, "shop")
    mine = kept[(kept["unit"] == "s0") & (kept["period"] == "2026-11-02") & (kept["component"] == "out")]
    assert list(mine[["delivery", "value"]].itertuples(index=False, name=None)) == [(1, 3.0), (3, 4.0)]
    assert [one.number for one in deliveries_of(file_ledger, "shop")] == [1, 2, 3]
    told = [*file_ledger.events(kind="outcomes.delivered")]
    assert [event.subject for event in told] == ["shop/1", "shop/2", "shop/3"]
    names = ("delivery", "file", "first", "last", "new", "corrected", "unchanged", "late")
    assert {name: told[2].body[name] for name in names} == {
        "delivery": 3, "file": "field.csv", "first": "2026-11-02", "last": "2026-11-02",
        "new": 1, "corrected": 1, "unchanged": 1, "late": 3,
    }  # fmt: skip
    assert told[2].body["digest"] == third.digest
    assert verify(file_ledger).intact


def test_the_same_delivery_twice_changes_nothing_but_an_older_one_again_is_a_correction(file_ledger, tmp_path):
    rows, others = [("s0", "2026-11-02", 3, 10)], [("s0", "2026-11-02", 5, 10)]
    assert bring(file_ledger, tmp_path, rows) == bring(file_ledger, tmp_path, rows)
    bring(file_ledger, tmp_path, others)
    again = bring(file_ledger, tmp_path, rows)
    assert (again.number, again.corrected) == (3, 1)
    assert field_results(file_ledger, tmp_path, "shop")["out"].tolist() == [3.0]


@settings(max_examples=8, deadline=None)
@given(
    st.lists(
        st.dictionaries(st.tuples(st.sampled_from(UNITS), st.integers(1, 3)), st.integers(0, 9), min_size=1), max_size=5
    )
)
def test_the_results_agree_with_a_plain_dictionary(tmp_path_factory, moves):
    folder = tmp_path_factory.mktemp("field")
    known = {}
    with Ledger(f"sqlite:///{folder / 'ledger.db'}") as ledger:
        for move in moves:
            bring(ledger, folder, [(unit, f"2026-11-0{day}", out, 10) for (unit, day), out in sorted(move.items())])
            known.update({(unit, f"2026-11-0{day}"): float(out) for (unit, day), out in move.items()})
        found = field_results(ledger, folder, "shop")
    assert {(row.unit, row.period): row.out for row in found.itertuples()} == known


def test_a_period_counts_when_every_unit_reported(file_ledger, tmp_path):
    bring(file_ledger, tmp_path, [(unit, "2026-11-02", 1, 10) for unit in UNITS])
    bring(file_ledger, tmp_path, [("s0", "2026-11-09", 1, 10), ("s1", "2026-11-09", 1, None)])
    results = field_results(file_ledger, tmp_path, "shop")
    states = completeness(results, GOAL, UNITS, "2026-11-01")
    assert [(state.period, state.reported, state.missing) for state in states] == [
        ("2026-11-02", 3, ()), ("2026-11-09", 1, ("s1", "s2")),
    ]  # fmt: skip
    assert complete_only(results, states)["period"].unique().tolist() == ["2026-11-02"]
    assert completeness(results, GOAL, UNITS, "2026-11-03")[0].period == "2026-11-09"
    assert completeness(results, KPIS["average_inventory"], UNITS, "2026-11-01") == ()


def test_a_changed_or_missing_delivery_is_told(file_ledger, tmp_path):
    one = bring(file_ledger, tmp_path, [("s0", "2026-11-02", 3, 10)])
    path = tmp_path / "shop" / f"{one.digest}.csv"
    path.write_text(path.read_text().replace("3", "1"), encoding="utf-8")
    with pytest.raises(DataError, match="not what delivery 1 brought"):
        field_results(file_ledger, tmp_path, "shop")
    path.unlink()
    with pytest.raises(DataError, match="delivery 1 cannot be read"):
        field_results(file_ledger, tmp_path, "shop")


def test_a_file_is_read_with_blanks_as_nothing_delivered(tmp_path):
    frame = read(tmp_path, "s1,2026-11-09,,10\ns0,2026-11-02,0,10\n")
    assert frame["unit"].tolist() == ["s0", "s1"]
    assert frame["out"].isna().tolist() == [False, True]
    frame.to_parquet(tmp_path / "field.parquet")
    pd.testing.assert_frame_equal(read_delivery(tmp_path / "field.parquet", KPIS, UNITS, TODAY), frame)


def test_units_whose_names_are_numbers_keep_their_zeros(tmp_path):
    (tmp_path / "field.csv").write_text("unit,period,out,cells\n007,2026-11-02,1,10\n7,2026-11-02,2,10\n")
    frame = read_delivery(tmp_path / "field.csv", KPIS, ("007", "7"), TODAY)
    assert dict(zip(frame["unit"], frame["out"], strict=True)) == {"007": 1.0, "7": 2.0}


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ("s9,2026-11-02,1,10\n", "column unit: a unit nobody knows in line 2"),
        ("s0,2026-11-02,1,10\ns0,02.11.2026,1,10\n", "column period: no date as YYYY-MM-DD in line 3"),
        ("s0,2027-01-04,1,10\n", "a period that has not begun by 2026-11-23 in line 2"),
        ("s0,2026-11-02,1,10\ns0,2026-11-02,2,10\n", "stand there twice in line 2, 3"),
        ("s0,2026-11-02,many,10\n", "column out: no number in line 2"),
        ("s0,2026-11-02,nan,10\n", "column out: no number in line 2"),
        ("s0,2026-11-02,-1,10\n", "column out: a number below zero in line 2"),
    ],
)
def test_faults_are_told_with_their_lines(tmp_path, rows, found):
    with pytest.raises(DataError) as caught:
        read(tmp_path, rows)
    assert found in str(caught.value)


def test_a_file_that_is_no_field_result_is_refused(tmp_path):
    path = tmp_path / "field.csv"
    path.write_text("unit,when,outs\ns0,2026-11-02,1\n", encoding="utf-8")
    with pytest.raises(DataError, match="column period: it is missing") as caught:
        read_delivery(path, KPIS, UNITS, TODAY)
    assert "column outs: no KPI has such a component" in str(caught.value)
    with pytest.raises(DataError, match="no such file"):
        read_delivery(tmp_path / "none.csv", KPIS, UNITS, TODAY)


def test_promises_stand_beside_what_the_field_gave(file_ledger, tmp_path):
    release = a_release("regional", "r1")
    for week in ("2026-06-01", "2026-06-08"):
        bring(file_ledger, tmp_path, [(unit, week, 1 + place, 20) for place, unit in enumerate(release.units)])
    results = field_results(file_ledger, tmp_path, "shop")
    gave = realised(results, GOAL, release.units, ["2026-06-01", "2026-06-08"], 1)
    assert gave.value == pytest.approx((1 + 2 + 3 + 4) / 80)
    assert realised(results, GOAL, release.units, [], 1) is None
    promises = [
        Promise(1, "pilot", Interval(0.05, 0.04, 0.06), None, 0, 0),
        Promise(2, "regional", Interval(0.11, 0.09, 0.13), gave, 2, 4),
        Promise(3, "chain", Interval(0.05, 0.04, 0.06), Interval(0.055, 0.05, 0.06), 2, 4),
    ]
    found = calibration(GOAL, promises)
    assert promises[1].gap == pytest.approx(0.015)
    assert found.mean_gap == pytest.approx(0.01)
    assert found.within == 1.0
    assert [promise.kept for promise in promises] == [None, True, True]
    assert found.sentence.startswith(
        "Iteration 3 promised 5.0 % (95 % interval 4.0 % to 6.0 %) for other units and periods, and the field gave "
        "5.5 % on stage chain"
    )
    assert "100 % of them lay within the 95 % prediction interval" in found.sentence
    # What counts is what came, not whether two intervals touch.
    assert not Promise(4, "chain", Interval(0.05, 0.04, 0.06), Interval(0.065, 0.05, 0.08), 2, 4).kept
    assert "no promise could be checked" in calibration(GOAL, promises[:1]).sentence


def test_a_promise_without_bound_is_kept_in_the_record_and_read_back():
    for one in (Interval(0.0, -math.inf, math.inf), Interval(0.1, 0.05, 0.2)):
        assert interval_of(json.loads(json.dumps(triple(one), allow_nan=False))) == one
    assert math.isnan(interval_of(triple(Interval(math.nan, -math.inf, math.inf))).value)
    assert (
        "no interval"
        in calibration(GOAL, [Promise(1, "pilot", interval_of([0.0, None, None]), Interval(0.1, 0, 1), 2, 4)]).sentence
    )


def test_the_promise_behind_a_release_is_that_of_the_iteration_below(file_ledger):
    said = {"units": 2, "periods": 6}
    kpi = {"stockout_rate": {"value": [0.05, 0.04, None]}}
    measured(file_ledger, "pilot", "1", kind="train", kpis=kpi, **said)
    measured(file_ledger, "regional", "1", kpis={"stockout_rate": {"value": [0.07, 0.06, 0.08]}}, **said)
    behind = expected_of(file_ledger, "shop", "stockout_rate", a_release("regional", "r1"))
    assert behind == Figure(Interval(0.05, 0.04, math.inf), 2, 6)
    assert expected_of(file_ledger, "shop", "stockout_rate", a_release("chain", "r1")).value.value == 0.07
    assert expected_of(file_ledger, "shop", "stockout_rate", a_release("regional", "r1", "9")) is None
