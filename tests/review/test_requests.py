from datetime import datetime, timedelta

import pytest

from pipeline.errors import LedgerError, Refused
from pipeline.ledger import get_iteration, record_report
from pipeline.review import charter_of, find_review, iteration_of, request_review, reviews_of, sign
from tests.review.cases import (
    OTHER_REPORT,
    REPORT,
    a_charter,
    ask,
    kinds,
    start,
    under_review,
)


def test_a_request_is_short_readable_and_bound_to_the_report(ledger):
    review = under_review(ledger, answer_within_days=3)
    assert review.id == "shop-1-pilot"
    assert (review.state, review.report_digest, review.requested_by) == ("open", REPORT, "scheduler")
    assert review.allowed == ("advance", "iterate", "hold", "roll_back", "stop")
    assert review.blocking == ()
    due, opened = datetime.fromisoformat(review.due_at), datetime.fromisoformat(review.opened_at)
    assert due - opened == timedelta(days=3)
    assert find_review(ledger, "shop-1-pilot") == review
    assert get_iteration(ledger, "shop", 1, "pilot").state == "awaiting_review"
    assert kinds(ledger)[-2:] == ["review.requested", "iteration.awaiting_review"]


def test_failed_blocking_verdicts_are_kept_and_take_advance_off_the_offer(ledger):
    review = under_review(ledger, fails=True)
    assert [one.gate for one in review.blocking] == ["kpi.reaches_target"]
    assert not review.on_offer("advance")
    assert review.on_offer("iterate")


def test_asking_again_for_the_same_report_returns_the_request_there_is(ledger):
    review = under_review(ledger)
    before = ledger.head()
    with ledger.transaction() as tx:
        assert request_review(tx, iteration_of(tx, review), verdicts=[]) == review
    assert ledger.head() == before


def test_a_new_report_makes_the_open_request_stale_with_its_answers(ledger):
    first = under_review(ledger)
    sign(ledger, first.id, "maria", "advance", "good", REPORT)
    second = ask(ledger, report=OTHER_REPORT)
    assert second.id == "shop-1-pilot-r2"
    assert second.revision == 2
    assert find_review(ledger, first.id).state == "stale"
    lapsed = next(ledger.events(kind="review.lapsed"))
    assert lapsed.body == {"report": REPORT, "successor": second.id, "new_report": OTHER_REPORT}
    third = ask(ledger, report=REPORT)
    assert third.id == "shop-1-pilot-r3"
    assert [one.state for one in reviews_of(ledger, iteration_of(ledger, third))] == ["stale", "stale", "open"]


def test_a_decided_iteration_is_not_reviewed_again(ledger):
    review = under_review(ledger)
    sign(ledger, review.id, "ana", "hold", "not yet", REPORT)
    with pytest.raises(Refused, match="decided already"), ledger.transaction() as tx:
        request_review(tx, iteration_of(tx, review), verdicts=[])


def test_an_iteration_without_a_report_is_not_reviewed(ledger):
    start(ledger)
    with pytest.raises(LedgerError, match="has no report"), ledger.transaction() as tx:
        request_review(tx, get_iteration(tx, "shop", 1, "pilot"), verdicts=[])


def test_only_decisions_on_offer_can_be_offered_by_the_caller(ledger):
    review = under_review(ledger, allowed=["iterate", "hold"])
    assert review.allowed == ("iterate", "hold")
    assert not review.on_offer("stop")


def test_two_iterations_whose_names_meet_get_different_ids(ledger):
    """Iteration 1 on stage ``x-2-pilot`` and its namesake would both be called ``shop-1-x-2-pilot``."""
    one = a_charter()
    stages = [{**stage, "name": f"x-2-{stage['name']}"} for stage in one.canonical()["stages"]]
    under_review(ledger, stage="x-2-pilot", charter=a_charter(stages=stages))
    with ledger.transaction() as tx:
        assert request_review(tx, get_iteration(tx, "shop", 1, "x-2-pilot"), verdicts=[]).id == "shop-1-x-2-pilot"
    namesake = a_charter(project="shop-1-x")
    start(ledger, namesake, number=2)
    with ledger.transaction() as tx:
        record = get_iteration(tx, "shop-1-x", 2, "pilot")
        request = request_review(tx, record_report(tx, record, REPORT, {}), verdicts=[])
    assert request.id == "shop-1-x-2-pilot-r2"


def test_the_charter_of_an_iteration_reads_back_as_it_was(ledger):
    review = under_review(ledger)
    assert charter_of(iteration_of(ledger, review)) == a_charter()
