"""What a project took: measured figures as the ledger holds them, plans as the charter has them, never mixed."""

import pytest

from pipeline.ledger import all_iterations, get_iteration, record_report, transition
from pipeline.review import request_review
from pipeline.review.signing import sign
from pipeline.rollout.spending import planned, spent
from tests.review.cases import REPORT, a_charter, start

CHARTER = a_charter()


def run(ledger, number: int, stage: str, seconds: float | None):
    start(ledger, number=number, stage=stage, started_by="lena")
    usage = {} if seconds is None else {"usage": {"seconds": seconds}}
    with ledger.transaction() as tx:
        record = record_report(tx, get_iteration(tx, "shop", number, stage), REPORT, usage)
        return request_review(tx, record, verdicts=[])


def test_measured_time_signatures_and_plans_each_stand_for_themselves(ledger):
    first = run(ledger, 1, "pilot", None)
    sign(ledger, first.id, "ana", "iterate", "More.", REPORT)
    sign(ledger, first.id, "nils", "iterate", "More.", REPORT, seconds_on_evidence=900)
    with ledger.transaction() as tx:
        transition(tx, get_iteration(tx, "shop", 1, "pilot"), "applied", actor="ana")
    run(ledger, 2, "pilot", 1800.0)
    found = spent(ledger, CHARTER, all_iterations(ledger, "shop"))
    assert (found.measured, found.compute_hours) == (1, 0.5), "an old iteration left no time"
    assert (found.signatures, found.people_hours) == (2, 2.0)
    assert (found.watched, found.watched_hours) == (1, 0.25), "the command line sees nobody read"
    assert found.planned == planned(CHARTER, ["pilot"])


def test_before_anything_ran_nothing_is_used_and_nothing_planned(ledger):
    found = spent(ledger, CHARTER, ())
    assert (found.measured, found.compute_hours, found.signatures, found.people_hours) == (0, 0, 0, 0)
    assert found.planned.money == 0


@pytest.mark.parametrize(("entered", "times"), [(["pilot"], 1), (["pilot", "regional", "pilot"], 2), (["gone"], 0)])
def test_a_stage_entered_again_is_planned_once_and_one_the_charter_lost_not_at_all(entered, times):
    plan = planned(CHARTER, entered)
    assert (plan.people_days, plan.compute_hours, plan.money) == (times, times, times)
