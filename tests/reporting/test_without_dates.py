"""Cases without dates: no page, card, digest or caution shows the day that stands in for a group."""

from dataclasses import replace
from datetime import date

import pytest

from pipeline.evaluation.outcomes import SliceResult
from pipeline.reporting.cards import data_sheet, model_card
from pipeline.reporting.cautions import before_deciding
from pipeline.reporting.digests import role_digest
from pipeline.reporting.documents import as_html
from pipeline.reporting.evidence import Evidence
from pipeline.reporting.manifest import manifest
from pipeline.reporting.page import render


@pytest.fixture
def undated(evidence: Evidence) -> Evidence:
    kpi = evidence.goal.kpi.name
    worse = SliceResult("cutoff", "1900-03-12", kpi, 0.9, 0.1, 5.0)
    return replace(
        evidence,
        data=replace(evidence.data, cutoff=date(1900, 3, 19)),
        evaluation=replace(evidence.evaluation, slices=(worse,)),
    )


@pytest.mark.parametrize(
    ("language", "groups", "without"), [("en", "group 11", "without dates"), ("zh_Hans", "第 11 组", "无日期")]
)
def test_groups_are_named_where_a_day_would_mislead(undated, language, groups, without):
    page = render(undated, manifest(undated), "0" * 64, language)
    assert "1900-" not in page
    assert "1900年" not in page
    assert groups in page
    assert without in page
    documents = (model_card(undated), data_sheet(undated), role_digest(undated, "business_owner"))
    told = [as_html(one, undated, "0" * 64, language) for one in documents]
    told += [one.text for one in before_deciding(undated)]
    assert not any("1900-" in text for text in told)


def test_real_dates_stay(evidence):
    assert f"data up to {evidence.data.cutoff}" in render(evidence, manifest(evidence), "0" * 64)
