from datetime import date
from pathlib import Path

import pytest

from pipeline.charter.document import MAX_BYTES
from pipeline.charter.reading import charter_from_canonical, read_charter
from pipeline.errors import CharterError, Refused
from pipeline.ledger import get_iteration, record_report
from pipeline.review import (
    answer_recorded,
    dispose,
    find_review,
    mark_applied,
    open_reviews,
    read_recorded,
    request_review,
    signoffs_of,
)
from pipeline.review.items import Filed
from pipeline.review.recorded import passed_over
from tests.review.cases import a_verdict, kinds, start, under_review
from tests.review.test_signers import FORCED

CONFIGS = Path(__file__).parents[2] / "configs" / "replenishment"
SMALL = """
project: shop
label: Recorded answers
reviews:
  - iteration: 1
    stage: pilot
    sign:
      - person: maria
        decision: advance
        comment: good
        otherwise: {decision: hold, comment: wait}
      - person: joao
        decision: advance
        comment: good
        otherwise: {decision: hold, comment: wait}
      - person: ana
        decision: advance
        comment: good
        otherwise: {decision: hold, comment: wait}
      - person: lena
        decision: iterate
        comment: never asked
"""


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "decisions.yaml"
    path.write_text(SMALL)
    return path


@pytest.mark.parametrize(("fails", "expected", "given"), [(False, "advance", 3), (True, "hold", 3)])
def test_recorded_answers_follow_the_gates_and_stop_at_the_decision(ledger, small, fails, expected, given):
    review = under_review(ledger, fails=fails)
    outcomes = answer_recorded(ledger, review, read_recorded(small))
    assert [one.decision for one in outcomes] == [None] * (given - 1) + [expected]
    assert all(one.recorded for one in signoffs_of(ledger, review.id))
    assert find_review(ledger, review.id).decision == expected


def test_a_review_without_recorded_answers_stays_open(ledger, small):
    review = under_review(ledger, number=2)
    assert answer_recorded(ledger, review, read_recorded(small)) == ()
    assert len(open_reviews(ledger)) == 1


def test_recorded_answers_are_under_the_same_rules(ledger, small):
    review = under_review(ledger, started_by="maria")
    with pytest.raises(Refused, match="started the run"):
        answer_recorded(ledger, review, read_recorded(small))


def test_a_role_that_stop_rules_do_not_ask_is_passed_over_by_name_and_the_others_decide(ledger, small):
    small.write_text(SMALL.replace("hold, comment: wait", "iterate, comment: once more"))
    review, answers = under_review(ledger, fails=True, **FORCED), read_recorded(small)
    assert [person.id for person in passed_over(ledger, review, answers)] == ["joao", "ana", "lena"]
    (given,) = answer_recorded(ledger, review, answers)
    assert (given.decision, [one.person for one in signoffs_of(ledger, review.id)]) == ("iterate", ["maria"])
    assert not [kind for kind in kinds(ledger) if kind == "review.refused"]


def test_nobody_is_passed_over_where_every_role_is_asked(ledger, small):
    assert passed_over(ledger, under_review(ledger), read_recorded(small)) == ()


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("decision: iterate", "decision: approve", "decisions.yaml:21 .*'approve'"),
        ("comment: never asked", "remark: never asked", "decisions.yaml:22 .*remark.*\n.*spelling"),
        ("person: lena", "who: lena", "required"),
        ("        comment: never asked", "", "decisions.yaml:20 .*comment.*required"),
        ("stage: pilot", "stage: [pilot", "decisions.yaml"),
        ("        otherwise: {decision: hold, comment: wait}\n", "", "say under `otherwise`"),
        (SMALL, "", "object"),
        (SMALL, "- a\n", "object"),
    ],
)
def test_a_file_that_says_something_it_may_not_is_refused_with_its_line(small, old, new, match):
    small.write_text(SMALL.replace(old, new))
    with pytest.raises(CharterError, match=match) as caught:
        read_recorded(small)
    assert all(finding.remedy for finding in caught.value.findings)


def test_two_sets_of_answers_to_one_review_are_refused(small):
    small.write_text(SMALL + SMALL.split("reviews:")[1])
    with pytest.raises(CharterError, match="a second time"):
        read_recorded(small)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CharterError, match=r"gone\.yaml"):
        read_recorded(tmp_path / "gone.yaml")


def test_a_file_that_is_no_list_of_answers_at_all_is_named_without_a_line(small):
    small.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(CharterError, match="cannot be read") as caught:
        read_recorded(small)
    assert caught.value.findings[0].place == str(small)


# ---- the shipped file -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shipped():
    return read_recorded(CONFIGS / "decisions.yaml")


@pytest.fixture(scope="module")
def charter():
    return read_charter(CONFIGS / "charter.yaml", date(2026, 11, 1))


def test_the_shipped_answers_are_by_people_of_the_charter_and_make_decisions_either_way(shipped, charter):
    assert shipped.project == charter.project
    for review in shipped.reviews:
        charter.stage(review.stage)
        for barred in (False, True):
            chosen = {
                charter.person(one.person).role: (one.otherwise or one if barred else one).decision
                for one in review.sign
            }
            full = [name for name, roles in charter.sign.items() if all(chosen.get(role) == name for role in roles)]
            assert len(full) == 1
            assert not (barred and full == ["advance"])


def test_the_shipped_items_are_by_their_authors_and_their_patches_fit(shipped, charter):
    for number in (1, 2):
        items = [item for one in shipped.to(number, "pilot") for item in one.feedback]
        filed = [Filed(item, charter.project, "r", "x", "open", "", None, 0) for item in items]
        for item in items:
            assert charter.person(item.author).role == item.role
        before = charter
        charter, settled = dispose(charter, "iterate", filed)
        assert charter.digest != before.digest
        assert {one.status for one in settled} == {"applied", "deferred"}
        assert all(bool(one.item.patch) == (one.status == "applied") for one in settled)


def test_the_shipped_case_climbs_the_ladder_through_the_same_path_as_a_persons_click(ledger, shipped, charter):
    """Iteration, review, recorded answers, applying: with gates that pass, all reviews of the file are decided."""
    decisions = []
    for review in shipped.reviews:
        start(ledger, charter, number=review.iteration, stage=review.stage)
        with ledger.transaction() as tx:
            record = get_iteration(tx, charter.project, review.iteration, review.stage)
            record = record_report(tx, record, f"{review.iteration}{len(review.stage)}" * 32, {})
            request = request_review(tx, record, verdicts=[a_verdict(fails=False)])
        answer_recorded(ledger, request, shipped)
        with ledger.transaction() as tx:
            applied = mark_applied(tx, request.id)
        charter = charter_from_canonical(applied.charter.canonical())
        decisions.append(applied.decision)
    assert decisions == ["iterate", "iterate", "advance", "advance", "advance"]
