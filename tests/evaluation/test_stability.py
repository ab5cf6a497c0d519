import math

import numpy as np
import pandas as pd
import pytest

from pipeline.evaluation.stability import psi


def test_the_index_is_the_textbook_sum_over_bins() -> None:
    current = pd.Series(["a"] * 30 + ["b"] * 70)
    reference = pd.Series(["a"] * 50 + ["b"] * 50)
    by_hand = (0.3 - 0.5) * math.log(0.3 / 0.5) + (0.7 - 0.5) * math.log(0.7 / 0.5)
    assert psi(current, reference) == pytest.approx(by_hand)


def test_numbers_are_cut_at_the_quantiles_of_the_reference() -> None:
    reference = pd.Series(np.arange(1000.0))
    current = reference[reference < 500]
    # Half of the ten equal bins hold 20 %, the other half nothing, floored at 0.0001.
    by_hand = 5 * (0.2 - 0.1) * math.log(2) + 5 * (1e-4 - 0.1) * math.log(1e-3)
    assert psi(current, reference) == pytest.approx(by_hand, rel=0.02)


def test_the_same_sample_has_no_drift_and_a_shift_has_much() -> None:
    values = pd.Series(np.random.default_rng(1).normal(size=5000))
    assert psi(values, values) == 0
    assert psi(values + 1, values) > 0.25
    assert psi(values.sample(2500, random_state=1), values) < 0.02


def test_values_that_went_missing_are_drift() -> None:
    values = pd.Series(np.random.default_rng(1).normal(size=1000))
    assert psi(values.where(values.index % 2 == 0), values) > 0.25


def test_new_values_in_a_text_column_and_constant_numbers_are_handled() -> None:
    assert psi(pd.Series(["new"] * 10), pd.Series(["old"] * 10)) > 1
    assert psi(pd.Series([3] * 10), pd.Series([3] * 20)) == 0
    assert psi(pd.Series([True, False]), pd.Series([True, False])) == 0


def test_an_empty_sample_has_no_index() -> None:
    assert math.isnan(psi(pd.Series(dtype="float64"), pd.Series([1.0])))
