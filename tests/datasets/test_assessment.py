"""The assessment blocks on what makes the data unfit, warns of the rest, and names its figures."""

from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest

from pipeline.datasets.assessment import assess
from pipeline.datasets.dataset import DataFacts, Quarantine

CHARTER = SimpleNamespace(
    data=SimpleNamespace(
        period="week",
        minimum_history=104,
        min_coverage=0.95,
        max_quarantine_share=0.02,
        tables=(
            SimpleNamespace(name="sales", owner="IT", freshness_days=7),
            SimpleNamespace(name="stores", owner="IT", freshness_days=90),
        ),
    )
)
FACTS = DataFacts(
    periods=156,
    units=5,
    series=300,
    coverage=0.99,
    censored=0.1,
    ages_days={"sales": 0},
    duplicates=0,
    drift={"u": 0.01},
)
EMPTY = pd.DataFrame({"table": [], "row": [], "reason": [], "content": []})


def refused(sales):
    return Quarantine(EMPTY, {"sales": 1000, "stores": 10}, {"sales": 1000 - sales, "stores": 10})


def verdict(gate, facts=FACTS, quarantine=None):
    verdicts = assess(facts, CHARTER, quarantine or refused(0)).verdicts
    return next(each for each in verdicts if each.gate == f"data.{gate}")


def test_good_data_is_sufficient_and_every_question_is_answered():
    assessment = assess(FACTS, CHARTER, refused(3))
    assert assessment.sufficient
    assert [each.gate for each in assessment.verdicts] == [
        "data.coverage", "data.history", "data.freshness.sales", "data.freshness.stores", "data.quarantine",
        "data.censoring", "data.duplicates", "data.leakage", "data.drift",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("gate", "changes", "figure"),
    [
        ("coverage", {"coverage": 0.949}, "94.90%"),
        ("history", {"periods": 103}, "103 weeks"),
        ("freshness.sales", {"ages_days": {"sales": 8}}, "8 days"),
        ("leakage", {"leaks": ("next_week",)}, "next_week"),
    ],
)
def test_data_that_is_not_enough_blocks_with_the_figure(gate, changes, figure):
    facts = replace(FACTS, **changes)
    assert verdict(gate, facts).outcome == "fail"
    assert figure in verdict(gate, facts).reason
    assert not assess(facts, CHARTER, refused(0)).sufficient


@pytest.mark.parametrize(
    ("gate", "changes", "figure"),
    [
        ("censoring", {"censored": 0.21}, "21.00%"),
        ("duplicates", {"duplicates": 3}, "3 rows"),
        ("drift", {"drift": {"units": 0.31, "price": 0.25, "x": 0.2}}, "units (PSI 0.31), price (PSI 0.25)"),
    ],
)
def test_data_that_is_doubtful_warns_and_does_not_block(gate, changes, figure):
    facts = replace(FACTS, **changes)
    assert verdict(gate, facts).outcome == "fail"
    assert figure in verdict(gate, facts).reason
    assert assess(facts, CHARTER, refused(0)).sufficient


def test_the_share_of_refused_rows_is_judged_by_the_worst_table():
    assert verdict("quarantine", quarantine=refused(20)).outcome == "pass"
    beside = refused(20)
    counted = Quarantine(beside.rows, {**beside.loaded, "contract": 32}, {**beside.kept, "contract": 32})
    assert verdict("quarantine", quarantine=counted).figures == verdict("quarantine", quarantine=beside).figures
    worse = verdict("quarantine", quarantine=refused(21))
    assert worse.blocks
    assert "sales with 2.10% (21 of 1,000)" in worse.reason


def test_a_table_without_dates_is_as_fresh_as_its_delivery_and_one_that_is_not_there_fails():
    undated = verdict("freshness.stores")
    assert undated.outcome == "pass"
    assert undated.figures["age_days"] is None
    assert "no dates of its own" in undated.reason
    gone = Quarantine(EMPTY, {"sales": 1}, {"sales": 1})
    assert verdict("freshness.stores", quarantine=gone).blocks


def test_the_first_iteration_has_nothing_to_drift_from():
    first = verdict("drift", replace(FACTS, drift={}))
    assert first.outcome == "pass"
    assert first.figures["largest_psi"] is None
