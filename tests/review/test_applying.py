import sqlite3

import pytest

from pipeline.errors import Refused
from pipeline.language import translator
from pipeline.ledger import find_intent, get_iteration, pending, verify
from pipeline.review import dispose, find_review, items_of, mark_applied, sign
from pipeline.review.items import Filed
from tests.review.cases import REPORT, a_charter, an_item, kinds, under_review

LEVEL = {"policy.parameters.service_level": 0.95}
PARAMETERS = {"policy.parameters": {"service_level": 0.85}}
TRAIN = {"model.train_on": "all"}


def filed(*items):
    return [Filed(item, "shop", "shop-1-pilot", "ana", "open", "", None, place) for place, item in enumerate(items)]


def iterate(ledger, *feedback):
    review = under_review(ledger)
    sign(ledger, review.id, "lena", "iterate", "again", REPORT, feedback)
    sign(ledger, review.id, "ana", "iterate", "again", REPORT)
    return review


def apply(ledger, review_id):
    with ledger.transaction() as tx:
        return mark_applied(tx, review_id)


def test_applying_hands_on_the_decision_and_leaves_one_record_of_it(ledger):
    review = iterate(ledger, an_item(1, patch=LEVEL), an_item(2))
    applied = apply(ledger, review.id)
    assert applied.decision == "iterate"
    assert applied.request.state == applied.record.state == "applied"
    assert [one.person for one in applied.signoffs] == ["lena", "ana"]
    assert applied.charter.policy.parameters == {"service_level": 0.95}
    assert [(one.item.id, one.status) for one in applied.items] == [("F1", "applied"), ("F2", "deferred")]
    assert [one.status for one in items_of(ledger, "shop")] == ["applied", "deferred"]
    assert all(one.reason for one in items_of(ledger, "shop"))
    chinese = translator("zh_Hans")
    for filed in (items_of(ledger, "shop"), items_of(ledger, "shop", review.id)):
        assert all(chinese.show(one.reason) != str(one.reason) for one in filed)
    assert find_intent(ledger, f"apply:{review.id}").done_at is not None
    event = next(ledger.events(kind="review.applied"))
    assert (event.body["decision"], event.body["charter"]) == ("iterate", applied.charter.digest)
    assert [one["status"] for one in event.body["items"]] == ["applied", "deferred"]
    assert verify(ledger).intact


def test_applying_a_second_time_does_nothing_and_says_so(ledger):
    review = iterate(ledger)
    assert apply(ledger, review.id) is not None
    before = ledger.head()
    assert apply(ledger, review.id) is None
    assert ledger.head() == before


def test_a_crash_after_applying_leaves_the_decision_to_be_applied(ledger):
    review = iterate(ledger)

    def block():
        with ledger.transaction() as tx:
            mark_applied(tx, review.id)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        block()
    assert [one.key for one in pending(ledger)] == [f"apply:{review.id}"]
    assert find_review(ledger, review.id).state == "decided"
    assert apply(ledger, review.id).decision == "iterate"


def refused(ledger, match, review_id="shop-1-pilot"):
    before = kinds(ledger).count("review.applied")
    with pytest.raises(Refused, match=match):
        apply(ledger, review_id)
    assert kinds(ledger).count("review.applied") == before
    assert kinds(ledger)[-1] == "review.refused"


def test_a_bare_run_without_a_quorum_is_refused_and_recorded(ledger):
    review = under_review(ledger)
    refused(ledger, "nobody decided it yet")
    sign(ledger, review.id, "ana", "iterate", "half", REPORT)
    refused(ledger, "nobody decided it yet")
    assert get_iteration(ledger, "shop", 1, "pilot").state == "awaiting_review"


def test_an_unknown_review_is_refused(ledger):
    refused(ledger, "no such review", "shop-7-pilot")


@pytest.mark.parametrize(
    ("statement", "match"),
    [
        ("UPDATE landed_reviews SET decision = 'advance'", "the sign-offs make iterate, not advance"),
        ("DELETE FROM landed_signoffs WHERE person = 'ana'", "no decision, not iterate"),
        ("UPDATE landed_signoffs SET decision = 'stop' WHERE person = 'lena'", "backs the sign-off of lena"),
        ("UPDATE landed_signoffs SET person = 'nils' WHERE person = 'lena'", "backs the sign-off of nils"),
        ("UPDATE landed_signoffs SET event = 1", "backs the sign-off"),
        ("UPDATE landed_signoffs SET recorded = 1", "backs the sign-off"),
        ("UPDATE landed_reviews SET report_digest = 'cdcd'", "report is not the one"),
        ("UPDATE landed_iterations SET report_digest = 'cdcd'", "report is not the one"),
        ("UPDATE landed_reviews SET requested_by = 'eve'", "backs the request"),
        ("UPDATE landed_reviews SET blocking = '[]', allowed = '[]'", "backs the request"),
        ("UPDATE landed_iterations SET charter = replace(charter, '0.04', '0.40')", "charter"),
        ("UPDATE landed_iterations SET started_by = 'eve'", "starter"),
        ("UPDATE landed_feedback_items SET content = replace(content, '0.95', '0.50')", "backs feedback item F1"),
    ],
)
def test_rows_that_were_edited_behind_the_ledgers_back_count_for_nothing(file_ledger, statement, match):
    iterate(file_ledger, an_item(1, patch=LEVEL))
    raw = sqlite3.connect(file_ledger.path)
    raw.execute("PRAGMA foreign_keys = OFF")
    raw.execute(statement)
    raw.commit()
    raw.close()
    refused(file_ledger, match)


def test_a_request_with_verdicts_that_bar_is_backed_and_what_says_them_in_another_language_too(file_ledger):
    review = under_review(file_ledger, fails=True)
    for person in ("lena", "ana"):
        sign(file_ledger, review.id, person, "iterate", "again", REPORT)
    raw = sqlite3.connect(file_ledger.path)
    (kept,) = raw.execute("SELECT blocking FROM landed_reviews").fetchone()
    assert "above {limit}" in kept
    raw.execute("UPDATE landed_reviews SET blocking = replace(blocking, 'above {limit}', 'below {limit}')")
    raw.commit()
    refused(file_ledger, "backs the request")
    raw.execute("UPDATE landed_reviews SET blocking = ?", (kept,))
    raw.commit()
    raw.close()
    assert apply(file_ledger, review.id).decision == "iterate"


def test_a_forged_decision_without_any_sign_off_is_refused(file_ledger):
    under_review(file_ledger)
    raw = sqlite3.connect(file_ledger.path)
    raw.execute("UPDATE landed_reviews SET state = 'decided', decision = 'advance'")
    raw.commit()
    raw.close()
    refused(file_ledger, "make no decision, not advance")


def test_hold_by_default_is_applied_although_nobody_signed_it(ledger):
    review = under_review(ledger, allowed=["advance", "iterate"])
    answers = (("maria", "advance"), ("joao", "advance"), ("ana", "iterate"), ("lena", "advance"))
    for person, decision in answers:
        sign(ledger, review.id, person, decision, "so", REPORT)
    assert apply(ledger, review.id).decision == "hold"


# ---- what becomes of items: pure ------------------------------------------------------------------------------


def test_only_iterate_carries_changes():
    charter = a_charter()
    for decision in ("advance", "hold", "roll_back", "stop"):
        after, items = dispose(charter, decision, filed(an_item(1, patch=LEVEL)))
        assert after == charter
        assert (items[0].status, decision in items[0].reason) == ("deferred", True)


@pytest.mark.parametrize(("first", "second"), [(LEVEL, LEVEL), (LEVEL, PARAMETERS), (PARAMETERS, LEVEL)])
def test_of_two_items_on_one_place_the_later_is_declined_and_names_the_earlier(first, second):
    after, items = dispose(
        a_charter(), "iterate", filed(an_item(1, patch=first), an_item(2, patch={**second, **TRAIN}))
    )
    assert [one.status for one in items] == ["applied", "declined"]
    assert "F1" in items[1].reason
    assert after.model.train_on == "stage"
    assert after.policy.parameters["service_level"] == (0.95 if first is LEVEL else 0.85)


def test_items_on_different_places_are_all_applied():
    other = {"model.candidates[poisson].features": ["level", "promotions"]}
    after, items = dispose(
        a_charter(), "iterate", filed(an_item(1, patch=LEVEL), an_item(2, patch=TRAIN), an_item(3, patch=other))
    )
    assert [one.status for one in items] == ["applied"] * 3
    assert after.policy.parameters == {"service_level": 0.95}
    assert after.model.train_on == "all"
    assert after.model.candidates[0].features == ("level", "promotions")


def test_an_item_that_no_longer_fits_after_the_others_is_declined_with_the_reason():
    renamed = {"model.candidates": [{"name": "tweedie", "algorithm": "lightgbm_tweedie", "features": ["level"]}]}
    gone = {"model.candidates[poisson].algorithm": "lightgbm_tweedie"}
    policy = filed(an_item(1, patch=renamed), an_item(2, patch=gone))
    after, items = dispose(a_charter(), "iterate", policy)
    assert [one.status for one in items] == ["applied", "declined"]
    assert after.model.candidates[0].name == "tweedie"


def test_an_item_that_asks_for_what_is_so_already_is_declined():
    charter = a_charter()
    after, items = dispose(charter, "iterate", filed(an_item(1, patch={"model.train_on": "stage"})))
    assert (after, items[0].status) == (charter, "declined")
