"""Cells are brought to the contract's type, or told apart from those that cannot be."""

from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
