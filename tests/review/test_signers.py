"""Who signs is the review's own: a stage may ask for others than the charter, and a limit leaves it to the sponsor."""

import pytest
from sqlalchemy import text

from pipeline.errors import Refused
from pipeline.review import sign
from pipeline.review.applying import mark_applied
from pipeline.review.listing import show_review
from tests.review.cases import REPORT, a_charter, under_review

LADDER = a_charter().canonical()["stages"]
STRICT = a_charter(stages=[{**LADDER[0], "sign": ["operations"]}, *LADDER[1:]])
FORCED = {"allowed": ("iterate", "stop"), "signers": {"iterate": ("sponsor",), "stop": ("sponsor",)}}


def test_a_stage_that_names_its_signers_is_advanced_by_them_alone(ledger):
    review = under_review(ledger, charter=STRICT)
    assert show_review(ledger, review.id).needed["advance"] == ("operations",)
    assert sign(ledger, review.id, "joao", "advance", "Go.", REPORT).decision == "advance"
    with ledger.transaction() as tx:
        assert mark_applied(tx, review.id).decision == "advance"


def test_the_same_stage_asks_the_charters_signers_for_everything_else(ledger):
    review = under_review(ledger, charter=STRICT)
    assert sign(ledger, review.id, "ana", "iterate", "Again.", REPORT).decision is None
    assert sign(ledger, review.id, "lena", "iterate", "Again.", REPORT).decision == "iterate"


def test_where_a_limit_forces_the_question_only_the_sponsor_answers(ledger):
    review = under_review(ledger, **FORCED)
    assert [person.id for person in show_review(ledger, review.id).missing] == ["maria"]
    with pytest.raises(Refused, match="asked for no decision"):
        sign(ledger, review.id, "ana", "iterate", "Once more.", REPORT)
    with pytest.raises(Refused, match="not on offer"):
        sign(ledger, review.id, "maria", "advance", "Go.", REPORT)
    assert sign(ledger, review.id, "maria", "iterate", "One more, as the season changed.", REPORT).decision == "iterate"


def test_signers_changed_behind_the_ledgers_back_count_for_nothing(file_ledger):
    review = under_review(file_ledger, charter=STRICT)
    sign(file_ledger, review.id, "joao", "advance", "Go.", REPORT)
    with file_ledger.transaction() as tx:
        tx.execute(text("""UPDATE landed_reviews SET signers = replace(signers, '["sponsor"]', '["operations"]')"""))
    with file_ledger.transaction() as tx, pytest.raises(Refused, match="backs the request"):
        mark_applied(tx, review.id)
