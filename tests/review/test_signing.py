import threading
from contextlib import suppress
from multiprocessing import get_context

import pytest

from pipeline.errors import Refused
from pipeline.ledger import Ledger, apply_key, get_iteration, pending, transition, verify
from pipeline.review import find_review, items_of, request_review, sign, signoffs_of
from tests.review.cases import OTHER_REPORT, REPORT, SIGN, a_charter, an_item, ask, kinds, under_review
from tests.review.racing import sign_and_apply


def refused(ledger, match, review, person="ana", decision="iterate", comment="why", report=REPORT, feedback=()):
    """Every refusal says what to do, is an event, and leaves no sign-off."""
    review_id = review if isinstance(review, str) else review.id
    before, refusals = signoffs_of(ledger, review_id), kinds(ledger).count("review.refused")
    with pytest.raises(Refused, match=match) as caught:
        sign(ledger, review_id, person, decision, comment, report, feedback)
    assert all(finding.remedy for finding in caught.value.findings)
    assert signoffs_of(ledger, review_id) == before
    assert kinds(ledger).count("review.refused") == refusals + 1
    event = list(ledger.events(kind="review.refused"))[-1]
    assert (event.actor, event.subject) == (person, review_id)
    assert event.body["finding"]["found"] in str(caught.value)
    assert verify(ledger).intact


def test_a_sign_off_is_recorded_with_its_event(ledger):
    review = under_review(ledger)
    result = sign(ledger, review.id, "ana", "iterate", " once more ", REPORT, [an_item(1)])
    assert result.decision is None
    assert result.waiting == ("engineering", "operations", "sponsor")
    assert signoffs_of(ledger, review.id) == (result.signoff,)
    event = next(ledger.events(kind="review.signed"))
    assert (event.actor, event.role, event.subject, event.seq) == (
        "ana",
        "business_owner",
        review.id,
        result.signoff.event,
    )
    assert event.body == {
        "decision": "iterate", "comment": "once more", "report": REPORT, "recorded": False,
        "feedback": [an_item(1).model_dump(mode="json")],
    }  # fmt: skip


def test_a_decision_its_intent_and_the_iterations_move_come_together(ledger):
    review = under_review(ledger)
    for person in ("maria", "ana"):
        assert sign(ledger, review.id, person, "advance", "good", REPORT).decision is None
    assert pending(ledger) == ()
    result = sign(ledger, review.id, "joao", "advance", "good", REPORT)
    assert result.decision == "advance"
    assert result.waiting == ()
    assert (result.review.state, result.review.decision) == ("decided", "advance")
    assert get_iteration(ledger, "shop", 1, "pilot").state == "decided"
    assert [(one.key, one.payload) for one in pending(ledger)] == [
        (apply_key(review.id), {"review": review.id, "decision": "advance"})
    ]
    assert kinds(ledger)[-4:] == ["review.signed", "review.decided", "iteration.decided", "intent.queued"]
    decided = next(ledger.events(kind="review.decided"))
    assert [one["person"] for one in decided.body["signed"]] == ["maria", "ana", "joao"]
    assert decided.body["report"] == REPORT


def test_hold_comes_out_when_all_have_answered_without_a_quorum(ledger):
    review = under_review(ledger)
    for person, decision in (("maria", "advance"), ("joao", "advance"), ("ana", "iterate")):
        assert sign(ledger, review.id, person, decision, "so", REPORT).decision is None
    assert sign(ledger, review.id, "lena", "advance", "so", REPORT).decision == "hold"


def test_recorded_answers_are_labelled_in_the_row_and_in_both_events(ledger):
    review = under_review(ledger)
    result = sign(ledger, review.id, "ana", "hold", "stands in", REPORT, recorded=True)
    assert result.signoff.recorded
    assert next(ledger.events(kind="review.signed")).body["recorded"] is True
    assert next(ledger.events(kind="review.decided")).body["recorded"] is True


# ---- each refusal ---------------------------------------------------------------------------------------------


def test_an_unknown_review_is_refused(ledger):
    refused(ledger, "no such review", "shop-9-pilot")


def test_an_unknown_person_is_refused(ledger):
    refused(ledger, "not a person of this charter.*\n.*ana, joao", under_review(ledger), person="eve")


def test_a_person_whose_role_is_asked_for_nothing_is_refused(ledger):
    refused(ledger, "compliance is asked for no decision", under_review(ledger), person="omar")


@pytest.mark.parametrize("person", ["lena", "ana"])
def test_whoever_started_the_run_is_refused(ledger, person):
    refused(ledger, "started the run", under_review(ledger, started_by=person), person=person)


@pytest.mark.parametrize(
    ("typed", "match"),
    [
        (OTHER_REPORT, "is not the report under review"),
        (OTHER_REPORT[:12], "is not the report under review"),
        (REPORT + "ab", "is not the report under review"),
        (REPORT[:11], "too short"),
        ("", "too short"),
    ],
)
def test_an_answer_to_another_report_is_refused(ledger, typed, match):
    refused(ledger, match, under_review(ledger), report=typed)


@pytest.mark.parametrize("typed", [REPORT[:12], REPORT[:40], f" {REPORT.upper()} "])
def test_the_beginning_of_the_hash_is_enough_from_twelve_digits(ledger, typed):
    review = under_review(ledger)
    assert sign(ledger, review.id, "ana", "iterate", "why", typed).signoff.report_digest == REPORT


def test_an_answer_to_a_report_that_was_replaced_is_refused(ledger):
    review = under_review(ledger)
    newer = ask(ledger, report=OTHER_REPORT)
    refused(ledger, "newer report", review)
    refused(ledger, "is not the report under review", newer, report=REPORT)


def test_nobody_signs_while_the_iteration_is_run_again_and_the_same_report_goes_on(ledger):
    review = under_review(ledger)
    sign(ledger, review.id, "lena", "iterate", "why", REPORT)
    with ledger.transaction() as tx:
        transition(tx, get_iteration(tx, "shop", 1, "pilot"), "running", actor="scheduler")
    refused(ledger, "run again", review)
    with ledger.transaction() as tx:
        assert request_review(tx, get_iteration(tx, "shop", 1, "pilot"), verdicts=[]) == review
    assert get_iteration(ledger, "shop", 1, "pilot").state == "awaiting_review"
    assert sign(ledger, review.id, "ana", "iterate", "why", REPORT).decision == "iterate"


def test_a_second_answer_of_a_person_is_refused(ledger):
    review = under_review(ledger)
    sign(ledger, review.id, "ana", "iterate", "why", REPORT)
    refused(ledger, "signed iterate already", review, decision="hold")


def test_a_second_answer_of_a_role_is_refused(ledger):
    review = under_review(ledger)
    sign(ledger, review.id, "lena", "iterate", "why", REPORT)
    refused(ledger, "engineering is answered already", review, person="nils")


def test_a_decided_review_is_closed(ledger):
    review = under_review(ledger)
    sign(ledger, review.id, "ana", "hold", "why", REPORT)
    refused(ledger, "it is closed: decided hold", review, person="maria", decision="stop")


@pytest.mark.parametrize("comment", ["", "  \n", "x" * 4001, "bell\x07", "half \ud800"])
def test_a_comment_that_says_nothing_or_cannot_be_kept_is_refused(ledger, comment):
    refused(ledger, "comment", under_review(ledger), comment=comment)


def test_advance_is_barred_while_a_blocking_verdict_fails_and_the_message_lists_it(ledger):
    review = under_review(ledger, fails=True)
    refused(ledger, "kpi.reaches_target: 5.1 % is above 4.0 %", review, decision="advance")
    assert sign(ledger, review.id, "ana", "iterate", "why", REPORT).signoff.decision == "iterate"


def test_a_decision_that_is_not_on_offer_is_refused(ledger):
    review = under_review(ledger, allowed=["iterate", "hold"])
    refused(ledger, "roll_back is not on offer.*\n.*iterate, hold", review, decision="roll_back")
    refused(ledger, "no decision “approve”", review, decision="approve")


@pytest.mark.parametrize(
    ("patch", "match"),
    [
        ({"kpi.target": 0.2}, "kpi"),
        ({"people": []}, "people"),
        ({"sign.advance": ["sponsor"]}, "sign"),
        ({"model.nothing": 1}, "unknown key"),
        ({"policy.parameters": "much"}, "policy.parameters"),
        # What only the problem knows: such a patch would fail the next iteration in the middle of its training.
        ({"policy.parameters": {"service_level": 0.9, "colour": "red"}}, "no parameter is called 'colour'"),
    ],
)
def test_a_patch_that_may_not_be_is_refused_at_signing(ledger, patch, match):
    refused(ledger, f"(?s)feedback item F1.*{match}", under_review(ledger), feedback=[an_item(1, patch=patch)])
    assert items_of(ledger, "shop") == ()


def test_an_item_of_a_stranger_or_under_a_false_role_is_refused(ledger):
    review = under_review(ledger)
    refused(ledger, "eve is not a person", review, feedback=[an_item(1, "eve")])
    refused(ledger, "joao is operations in this charter, not sponsor", review, feedback=[an_item(1, role="sponsor")])


def test_an_items_id_is_taken_once_in_a_project(ledger):
    review = under_review(ledger)
    refused(ledger, "taken", review, feedback=[an_item(1), an_item(1)])
    sign(ledger, review.id, "lena", "iterate", "why", REPORT, [an_item(1)])
    refused(ledger, "taken in the project", review, feedback=[an_item(1)])


# ---- racing ---------------------------------------------------------------------------------------------------


def one_decision(ledger, review):
    assert verify(ledger).intact
    assert kinds(ledger).count("review.decided") == 1
    assert kinds(ledger).count("intent.queued") == 1
    answers = signoffs_of(ledger, review.id)
    assert len({one.person for one in answers}) == len({one.role for one in answers}) == len(answers)
    assert find_review(ledger, review.id).decision is not None


def test_threads_that_sign_together_count_once(url):
    with Ledger(url) as ledger:
        review = under_review(ledger)
        people = [("maria", "advance"), ("ana", "advance"), ("joao", "advance"), ("lena", "iterate")] * 3

        def work(person, decision):
            with suppress(Refused):
                sign(ledger, review.id, person, decision, "racing", REPORT)

        threads = [threading.Thread(target=work, args=pair) for pair in people]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        one_decision(ledger, review)
        assert kinds(ledger).count("review.signed") + kinds(ledger).count("review.refused") == len(people)


def test_processes_that_sign_and_apply_together_count_once(url):
    with Ledger(url) as ledger:
        review = under_review(ledger)
    context = get_context("spawn")
    answers = [("ana", "hold"), ("ana", "hold"), ("maria", "stop"), ("joao", "roll_back")]
    processes = [context.Process(target=sign_and_apply, args=(url, review.id, REPORT, *pair)) for pair in answers]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * len(answers)
    with Ledger(url) as ledger:
        one_decision(ledger, review)
        assert kinds(ledger).count("review.applied") == 1
        assert len(signoffs_of(ledger, review.id)) == 1


def test_a_role_held_by_the_starter_alone_does_not_keep_the_review_open_for_ever(ledger):
    charter = a_charter(sign={**SIGN, "stop": ["compliance"]})
    review = under_review(ledger, charter=charter, started_by="omar")
    for person, decision in (("maria", "advance"), ("joao", "advance"), ("ana", "iterate")):
        assert sign(ledger, review.id, person, decision, "so", REPORT).decision is None
    assert sign(ledger, review.id, "lena", "hold", "so", REPORT).decision == "hold"
