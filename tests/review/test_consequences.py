"""What each decision will do, in words, on each rung."""

import pytest

from pipeline.ledger import get_iteration
from pipeline.review.consequences import allowed_decisions, consequence
from tests.review.cases import a_charter, start

TOLD = {
    (
        "pilot",
        "advance",
    ): "4 stores follow the model from the next week on (stage regional), and are measured for 8 weeks.",
    (
        "regional",
        "advance",
    ): "8 stores follow the model from the next week on (stage chain), and are measured for 8 weeks.",
    ("chain", "advance"): "The project has landed: 8 stores keep following the model, and it is only monitored.",
    ("pilot", "iterate"): "Iteration 2 opens at stage pilot with the changes people asked for.",
    ("regional", "hold"): "Nothing changes: stage regional stays as it is until somebody starts a new run.",
    (
        "regional",
        "roll_back",
    ): "Back to stage pilot: 2 stores follow the model released before, all others today's rule.",
    ("pilot", "roll_back"): "The project ends: all go back to today's rule, and no further iteration opens.",
    ("chain", "stop"): "The project ends: all go back to today's rule, and no further iteration opens.",
}


@pytest.mark.parametrize(("stage", "decision"), TOLD)
def test_every_decision_says_what_it_will_do(file_ledger, stage, decision):
    start(file_ledger, stage=stage)
    record = get_iteration(file_ledger, "shop", 1, stage)
    assert str(consequence(a_charter(), record, decision, "stores")) == TOLD[stage, decision]


def test_periods_of_days_are_told_in_days(file_ledger):
    charter = a_charter(data={**a_charter().canonical()["data"], "period": "day"})
    start(file_ledger, charter)
    record = get_iteration(file_ledger, "shop", 1, "pilot")
    assert "measured for 8 days" in str(consequence(charter, record, "advance", "stores"))


def test_a_known_first_day_is_named(file_ledger):
    start(file_ledger)
    record = get_iteration(file_ledger, "shop", 1, "pilot")
    assert "from 2026-03-02 on" in consequence(a_charter(), record, "advance", "stores", "2026-03-02")


@pytest.mark.parametrize(("stage", "down"), [("pilot", False), ("regional", True), ("chain", True)])
def test_the_bottom_rung_has_nothing_to_roll_back_to(file_ledger, stage, down):
    start(file_ledger, stage=stage)
    assert ("roll_back" in allowed_decisions(a_charter(), get_iteration(file_ledger, "shop", 1, stage))) == down
