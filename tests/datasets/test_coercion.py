"""Cells are brought to the contract's type, or told apart from those that cannot be."""

from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.datasets import coercion
from pipeline.datasets.coercion import coerce


@pytest.mark.parametrize(
    ("asked", "value", "expected"),
    [
        ("int64", "12", 12),
        ("int64", 3.0, 3),
        ("int64", np.int8(4), 4),
        ("float64", "1e3", 1000.0),
        ("bool", "Yes", True),
        ("bool", 0, False),
        ("str", 126, "126"),
        ("datetime64[us]", "2024-02-29", pd.Timestamp("2024-02-29")),
        ("datetime64[us]", date(2024, 1, 1), pd.Timestamp("2024-01-01")),
        ("datetime64[us]", datetime(2024, 1, 1, tzinfo=UTC), pd.Timestamp("2024-01-01")),
    ],
)
def test_a_value_of_another_kind_that_means_the_same_passes(asked, value, expected):
    result = coerce(pd.Series([value, value]), asked, nullable=False)
    assert result.passed.all()
    assert result.cells.tolist() == [expected] * 2


@pytest.mark.parametrize(
    ("asked", "value"),
    [
        ("int64", "1.5"), ("int64", "12 pcs"), ("int64", float("inf")), ("int64", "1e300"), ("int64", None),
        ("float64", "nan"), ("float64", "inf"), ("bool", "maybe"), ("bool", 2), ("str", "  "), ("str", None),
        ("datetime64[us]", "2024-02-30"), ("datetime64[us]", "0000-00-00"), ("datetime64[us]", "tomorrow"),
        ("int64", [1]),
    ],
)  # fmt: skip
def test_a_value_that_means_nothing_of_the_kind_fails_with_a_reason(asked, value):
    result = coerce(pd.Series([value], dtype=object), asked, nullable=False)
    assert not result.passed.any()
    assert result.reason(value)


@given(st.lists(st.one_of(st.integers(-(10**9), 10**9).map(str), st.text(max_size=4), st.none()), min_size=1))
def test_whole_numbers_agree_with_python_cell_by_cell(cells):
    result = coerce(pd.Series(cells, dtype=object), "int64", nullable=False)
    for cell, passed, value in zip(cells, result.passed, result.cells, strict=True):
        if cell is not None and cell.lstrip("-").isascii() and cell.lstrip("-").isdigit():
            assert passed
            assert value == int(cell)
        elif cell is None or not any(letter.isdigit() for letter in cell):
            assert not passed


def test_an_unknown_type_is_a_programming_error():
    with pytest.raises(ValueError, match="complex128"):
        coerce(pd.Series([1]), "complex128", nullable=False)


@pytest.mark.parametrize("kind", ["str", "datetime64[us]"])
@pytest.mark.parametrize("many", [False, True])
def test_numbers_of_distinct_cells_are_those_of_pandas_across_slices_and_chunks(kind, many, monkeypatch):
    monkeypatch.setattr(coercion, "SLICE", 64)
    draw = np.random.default_rng(1)
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(draw.integers(0, 500 if many else 6, 300), unit="D")
    cells = pd.Series(days).astype(kind).mask(draw.random(300) < 0.1)
    pieces = [cells.iloc[:100], cells.iloc[100:130], cells.iloc[130:]]
    joined = pd.concat(pieces, ignore_index=True)
    found, codes = coerce(joined, kind, nullable=True), pd.factorize(joined)[0]
    assert np.array_equal(found.codes, codes)
    assert np.array_equal(found.passed, np.ones(300, bool))
    assert found.distinct.tolist() == pd.factorize(joined)[1].tolist()


@pytest.mark.parametrize("stray", [0, 40])
def test_texts_that_stand_in_runs_have_the_same_numbers_as_pandas_gives_them(stray, monkeypatch):
    monkeypatch.setattr(coercion, "SLICE", 64)
    draw = np.random.default_rng(2)
    cells = pd.Series(np.repeat(["north", "south", None, "east"], [110, 50, 30, 110]), dtype="str")
    # After a glance that finds runs, cells in no order.
    cells.iloc[300 - stray :] = draw.choice(["west", "east", None], stray)
    for size in (1, 2, 300):
        found, (codes, distinct) = coerce(cells.head(size), "str", nullable=True), pd.factorize(cells.head(size))
        assert np.array_equal(found.codes, codes)
        assert found.distinct.tolist() == distinct.tolist()
