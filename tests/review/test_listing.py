import pytest

from pipeline.errors import Refused
from pipeline.review import open_reviews, show_review, sign
from tests.ledger.asking import asked_for
from tests.review.cases import OTHER_REPORT, REPORT, an_item, ask, under_review


def test_a_review_shows_who_signed_and_who_is_missing(ledger):
    review = under_review(ledger)
    view = show_review(ledger, review.id)
    assert [person.id for person in view.missing] == ["maria", "ana", "joao", "lena", "nils"]
    assert view.needed["iterate"] == ("business_owner", "engineering")
    sign(ledger, review.id, "lena", "iterate", "why", REPORT, [an_item(1)])
    view = show_review(ledger, review.id)
    assert [one.person for one in view.signoffs] == ["lena"]
    assert [person.id for person in view.missing] == ["maria", "ana", "joao"]
    assert view.needed["iterate"] == ("business_owner",)
    assert [one.item.id for one in view.items] == ["F1"]
    assert view.title == "Shop"


def test_a_decided_review_waits_for_nobody_and_is_not_listed(ledger):
    review = under_review(ledger)
    assert [view.request.id for view in open_reviews(ledger)] == [review.id]
    sign(ledger, review.id, "ana", "hold", "why", REPORT)
    assert show_review(ledger, review.id).missing == ()
    assert open_reviews(ledger) == ()


def test_a_barred_decision_is_not_among_those_to_sign(ledger):
    view = show_review(ledger, under_review(ledger, fails=True).id)
    assert "advance" not in view.needed
    assert view.request.blocking[0].gate == "kpi.reaches_target"


def test_the_starter_is_not_asked_and_what_nobody_can_decide_is_said(ledger):
    view = show_review(ledger, under_review(ledger, started_by="maria").id)
    assert "maria" not in [person.id for person in view.missing]
    assert view.out_of_reach == {"advance": ("sponsor",), "stop": ("sponsor",)}


def test_the_list_holds_open_reviews_of_the_project_the_one_due_first_at_the_top(ledger):
    under_review(ledger, number=1, answer_within_days=9)
    under_review(ledger, number=2, answer_within_days=1)
    ask(ledger, number=1, report=OTHER_REPORT, answer_within_days=5)
    assert [view.request.id for view in open_reviews(ledger, "shop")] == ["shop-2-pilot", "shop-1-pilot-r2"]
    assert open_reviews(ledger, "other") == ()


def test_the_list_says_of_each_review_what_the_review_says_and_asks_no_more_for_many(ledger):
    first = under_review(ledger, number=1)
    alone = asked_for(lambda: open_reviews(ledger))
    for number in (2, 3, 4):
        under_review(ledger, number=number)
    sign(ledger, first.id, "lena", "iterate", "why", REPORT, [an_item(1)])
    sign(ledger, "shop-3-pilot", "joao", "roll_back", "why", REPORT)
    assert asked_for(lambda: open_reviews(ledger)) == alone
    listed = open_reviews(ledger)
    assert len(listed) >= 3
    assert [show_review(ledger, view.request.id) for view in listed] == list(listed)


def test_an_unknown_review_is_refused(ledger):
    with pytest.raises(Refused, match="landed review list"):
        show_review(ledger, "nothing")
