import math

import pytest

from pipeline.evaluation.figures import contrast, show, show_change, show_interval
from pipeline.evaluation.outcomes import Interval


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0412, "share", "4.1 %"),
        (12.34, "units", "12.3 units"),
        (12.34, "units per store-product", "12.3 units per store-product"),
        (0.868, "index", "0.87"),
        (1234.4, "EUR", "EUR 1,234"),
        (1234.4, "EUR per week", "EUR 1,234 per week"),
        (3.456, "EUR per week", "EUR 3.46 per week"),
        (-0.0001, "share", "0.0 %"),
        (math.nan, "share", "not measurable"),
        (math.inf, "units", "unbounded"),
    ],
)
def test_a_figure_is_written_as_people_write_it(value: float, unit: str, text: str) -> None:
    assert show(value, unit) == text


def test_a_difference_of_shares_is_in_points_and_signed() -> None:
    assert show_change(-0.024, "share") == "-2.4 points"
    assert show_change(1.5, "units") == "+1.5 units"
    assert show_change(math.inf, "share") == "unbounded"


def test_an_interval_reads_aloud() -> None:
    assert show_interval(Interval(0.041, 0.037, 0.045), "share") == "4.1 % (95 % interval 3.7 % to 4.5 %)"
    assert show_interval(Interval(0.041, -math.inf, math.inf), "share") == "4.1 % (no interval: too few units to tell)"


def test_a_near_miss_is_written_with_enough_digits_to_see_it() -> None:
    assert contrast(0.0424, 0.042, "share") == ("4.24 %", "4.20 %")
    assert contrast(0.05, 0.042, "share") == ("5.0 %", "4.2 %")
    assert contrast(0.042, 0.042, "share") == ("4.2 %", "4.2 %")
