"""The contract splits tables into clean rows and refused ones and loses none."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandera.errors import SchemaErrors
from pandera.pandas import Check, Column, DataFrameSchema

from pipeline.datasets.contracts import apply_contracts, duplicates_in
from pipeline.errors import DataError

SCHEMA = DataFrameSchema(
    {
        "shop": Column(str, Check.isin(["a", "b"], error="known shop")),
        "week": Column("datetime64[us]", Check(lambda week: week.dt.dayofweek == 0, error="weeks begin on Mondays")),
        "units": Column(int, Check.ge(0, error="units ≥ 0")),
    },
    unique=["shop", "week"],
)
GOOD_WEEKS = ("2024-01-01", "2024-01-08", "2024-01-15")
BAD_WEEKS = ("2024-01-02", "2024-02-30", "soon", None)
GOOD_UNITS = ("0", "7", " 12", "3.0")
BAD_UNITS = ("-1", "x", "1.5", "", None, "1e400")

ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "a", "b", "z", None]),
        st.sampled_from(GOOD_WEEKS * 2 + BAD_WEEKS),
        st.sampled_from(GOOD_UNITS * 2 + BAD_UNITS),
    ),
    min_size=1,
    max_size=30,
)


def table(rows):
    return pd.DataFrame(rows, columns=["shop", "week", "units"], dtype="str")


def judged_by_hand(rows):
    """Positions of the rows a person would keep, one row at a time."""
    kept, seen = [], set()
    for position, (shop, week, units) in enumerate(rows):
        if shop in ("a", "b") and week in GOOD_WEEKS and units in GOOD_UNITS and (shop, week) not in seen:
            kept.append(position)
            seen.add((shop, week))
    return kept


@settings(max_examples=150, deadline=None)
@given(ROWS)
def test_every_row_is_either_kept_or_refused_and_no_good_row_is_lost(rows):
    expected = judged_by_hand(rows)
    if not expected:
        with pytest.raises(DataError):
            apply_contracts({"t": table(rows)}, {"t": SCHEMA})
        return
    clean, quarantine = apply_contracts({"t": table(rows)}, {"t": SCHEMA})
    refused = sorted(set(range(len(rows))) - set(expected))
    assert quarantine.rows["row"].tolist() == refused
    assert quarantine.loaded == {"t": len(rows)}
    assert quarantine.kept == {"t": len(expected)}
    assert quarantine.refused == {"t": len(refused)}
    assert clean["t"]["units"].tolist() == [int(float(rows[position][2])) for position in expected]
    assert (quarantine.rows["reason"].str.len() > 0).all()
    for row, content in zip(quarantine.rows["row"], quarantine.rows["content"], strict=True):
        assert tuple(json.loads(content).values()) == rows[row]


@settings(max_examples=50, deadline=None)
@given(ROWS)
def test_what_a_contract_let_through_pandera_itself_accepts(rows):
    try:
        clean, _ = apply_contracts({"t": table(rows)}, {"t": SCHEMA})
    except DataError:
        return
    SCHEMA.validate(clean["t"], lazy=True)


CELLS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", "z"]),
        st.sampled_from(["2024-01-01", "2024-01-08", "2024-01-15", "2024-01-16"]),
        st.integers(-1, 6) | st.just(900),
        st.sampled_from([0.5, 1.0, -2.0, None]),
    ),
    min_size=1,
    max_size=25,
)
TYPED = DataFrameSchema(
    {
        **SCHEMA.columns,
        "shop": Column(str, Check.isin(["a", "b", "c"], error="known shop")),
        "price": Column(float, Check.gt(0, error="price > 0"), nullable=True),
    },
    unique=["shop", "week", "units"],
)


@settings(max_examples=60, deadline=None)
@given(CELLS)
def test_on_typed_cells_exactly_the_rows_that_pandera_finds_at_fault_are_refused(cells):
    frame = pd.DataFrame(cells, columns=["shop", "week", "units", "price"])
    frame = frame.astype({"shop": "str", "week": "datetime64[us]", "units": "int64", "price": "float64"})
    at_fault: set[int] = set()
    try:
        TYPED.validate(frame, lazy=True)
    except SchemaErrors as errors:
        single = errors.failure_cases[errors.failure_cases["check"] != "multiple_fields_uniqueness"]
        at_fault = set(single["index"].astype(int))
    good = frame.drop(index=sorted(at_fault))
    # Pandera names every row of a repeated key; the first that is otherwise good is kept here.
    repeated: set[int] = set()
    try:
        TYPED.validate(good, lazy=True)
    except SchemaErrors as errors:
        repeated = set(errors.failure_cases["index"].astype(int))
    later = {row for row in repeated if good.loc[:row, TYPED.unique].duplicated(keep="first").iloc[-1]}
    if at_fault | later == set(frame.index):
        with pytest.raises(DataError):
            apply_contracts({"t": frame}, {"t": TYPED})
        return
    clean, quarantine = apply_contracts({"t": frame}, {"t": TYPED})
    assert set(quarantine.rows["row"]) == at_fault | later
    pd.testing.assert_frame_equal(clean["t"], frame.drop(index=sorted(at_fault | later)).reset_index(drop=True))


def test_a_check_of_a_whole_column_is_never_passed_by_its_distinct_values():
    few = DataFrameSchema({"units": Column(int, Check(lambda units: units.sum() < 10, error="fewer than ten"))})
    with pytest.raises(DataError, match="failed as a whole"):
        apply_contracts({"t": pd.DataFrame({"units": [4] * 5})}, {"t": few})
    clean, _ = apply_contracts({"t": pd.DataFrame({"units": [4] * 2})}, {"t": few})
    assert len(clean["t"]) == 2


def test_the_same_value_written_differently_is_the_same_key():
    frame = pd.DataFrame({"a": ["7", " 7", "7.0", "8", None]}, dtype="str")
    _, quarantine = apply_contracts({"t": frame}, {"t": DataFrameSchema({"a": Column(int)}, unique=["a"])})
    assert quarantine.rows["row"].tolist() == [1, 2, 4]


def test_a_refused_row_carries_all_its_reasons():
    rows = [("a", "2024-01-01", "1"), ("z", "2024-01-02", "-4"), ("a", "2024-01-01", "x")]
    _, quarantine = apply_contracts({"t": table(rows)}, {"t": SCHEMA})
    first, second = quarantine.rows["reason"]
    assert first.split("; ") == [
        "shop: 'z' breaks known shop",
        "week: 2024-01-02 breaks weeks begin on Mondays",
        "units: -4 breaks units ≥ 0",
    ]
    assert second == "units: 'x' is not a whole number; same key as row 0 (shop, week), other units"


def test_the_first_good_row_of_a_key_is_kept_even_behind_a_bad_copy():
    rows = [("a", "2024-01-01", "-1"), ("a", "2024-01-01", "5"), ("a", "2024-01-01", "5"), ("a", "2024-01-01", "6")]
    clean, quarantine = apply_contracts({"t": table(rows)}, {"t": SCHEMA})
    assert clean["t"]["units"].tolist() == [5]
    assert quarantine.rows["reason"].tolist() == [
        "units: -1 breaks units ≥ 0",
        "same key as row 1 (shop, week), an exact copy",
        "same key as row 1 (shop, week), other units",
    ]
    assert duplicates_in(quarantine) == 2


def test_the_tables_handed_in_are_not_changed():
    frame = table([("a", "2024-01-01", "1"), ("a", "2024-01-01", "x")])
    before = frame.copy(deep=True)
    apply_contracts({"t": frame}, {"t": SCHEMA})
    pd.testing.assert_frame_equal(frame, before)


def test_positions_count_from_the_top_whatever_the_index_says():
    frame = table([("a", "2024-01-01", "1"), ("a", "2024-01-08", "x")]).set_index(pd.Index([7, 7]))
    clean, quarantine = apply_contracts({"t": frame}, {"t": SCHEMA})
    assert quarantine.rows["row"].tolist() == [1]
    assert clean["t"].index.tolist() == [0]


def test_a_missing_table_and_all_missing_columns_are_named_at_once():
    with pytest.raises(DataError) as caught:
        apply_contracts(
            {"t": pd.DataFrame({"shop": ["a"]}), "empty": pd.DataFrame({"shop": []})},
            {"t": SCHEMA, "empty": SCHEMA, "gone": SCHEMA},
        )
    places = [finding.place for finding in caught.value.findings]
    assert places == ["table t, column week", "table t, column units", "table empty", "table gone"]
    assert all(finding.remedy for finding in caught.value.findings)


def test_a_column_wrong_in_every_row_is_the_columns_fault():
    frame = pd.DataFrame({"shop": ["a", "b"], "week": ["2024-01-01"] * 2, "units": ["one", "two"]})
    with pytest.raises(DataError) as caught:
        apply_contracts({"t": frame}, {"t": SCHEMA})
    (finding,) = caught.value.findings
    assert finding.place == "table t, column units"
    assert "type str" in finding.found
    assert "int64" in finding.found
    assert "'one' is not a whole number" in finding.found


def test_a_table_without_a_good_row_is_an_error_that_says_why():
    rows = [("z", "2024-01-01", "1"), ("z", "2024-01-08", "2"), ("a", "2024-01-08", "-2")]
    with pytest.raises(DataError) as caught:
        apply_contracts({"t": table(rows)}, {"t": SCHEMA})
    (finding,) = caught.value.findings
    assert finding.found.startswith("all 3 rows were refused: shop: breaks known shop (2 rows)")


def test_optional_columns_may_be_missing_and_free_ones_pass_through():
    schema = DataFrameSchema({"a": Column(int), "b": Column(float, required=False)})
    clean, _ = apply_contracts({"t": pd.DataFrame({"a": [1], "c": ["x"]})}, {"t": schema})
    assert clean["t"].columns.tolist() == ["a", "c"]
    strict = DataFrameSchema({"a": Column(int)}, strict="filter")
    clean, _ = apply_contracts({"t": pd.DataFrame({"a": [1], "c": ["x"]})}, {"t": strict})
    assert clean["t"].columns.tolist() == ["a"]


def test_nullable_cells_stay_missing():
    schema = DataFrameSchema({"price": Column(float, Check.gt(0, error="price > 0"), nullable=True)})
    clean, quarantine = apply_contracts({"t": pd.DataFrame({"price": ["1.5", None, "-1"]})}, {"t": schema})
    assert clean["t"]["price"].isna().tolist() == [False, True]
    assert quarantine.rows["row"].tolist() == [2]


def test_a_contract_with_checks_it_could_not_keep_is_a_programming_error():
    schema = DataFrameSchema({"a": Column(int)}, checks=Check(lambda frame: frame["a"] > 0))
    with pytest.raises(ValueError, match="checks of whole frames"):
        apply_contracts({"t": pd.DataFrame({"a": [1]})}, {"t": schema})


def test_keys_too_many_for_one_integer_are_still_told_apart():
    rng = np.random.default_rng(5)
    columns = {name: rng.permutation(3000) for name in "abcdefgh"}
    frame = pd.concat([pd.DataFrame(columns)] * 2, ignore_index=True)
    frame.loc[3000:4499, "h"] += 10_000
    schema = DataFrameSchema({name: Column(int) for name in columns}, unique=list(columns))
    _, quarantine = apply_contracts({"t": frame}, {"t": schema})
    oracle = np.flatnonzero(frame.duplicated(keep="first"))
    assert quarantine.rows["row"].tolist() == oracle.tolist()
