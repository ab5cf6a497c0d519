from datetime import timedelta

import pytest

from pipeline.datasets.undated import MOST, ORIGIN, group, shown, stands_in
from pipeline.language import translator


@pytest.mark.parametrize(("period", "days"), [("week", 7), ("day", 1)])
def test_every_group_is_named_by_its_number(period, days):
    for number in (1, 2, 12, MOST):
        day = ORIGIN + timedelta(days=days * (number - 1))
        assert stands_in(day)
        assert group(day, period) == shown(day.isoformat(), period) == f"group {number}"
    assert translator("zh_Hans").show(group(ORIGIN, period)) == "第 1 组"


@pytest.mark.parametrize("text", ["1899-12-31", "2026-11-02", "1909-12-20", "north", "", "2026"])
def test_real_days_and_other_texts_stay_as_they_are(text):
    assert shown(text) == text
