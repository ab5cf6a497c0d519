"""The machine's clock jumps, years forward and an hour back; neither order, lease nor due date is lost by it."""

from datetime import UTC, datetime, timedelta

import pytest

from flows.holding import held
from pipeline.errors import Busy
from pipeline.ledger import Ledger, pending, verify
from pipeline.ledger.leases import find_lease, project_lease, take
from pipeline.review.listing import open_reviews
from pipeline.review.requests import find_review
from pipeline.review.signing import sign
from tests.ledger.fixtures import url
from tests.review.cases import REPORT, under_review

__all__ = ["url"]

JUMPS = [timedelta(days=365), timedelta(days=-365), timedelta(hours=-1), timedelta(days=730), timedelta(hours=-1)]


class Clock:
    """The wall clock of a machine whose time is set by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 5, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now


@pytest.mark.parametrize("first", range(len(JUMPS)))
def test_events_keep_their_order_and_a_review_is_decided_once_and_due_when_it_was_said_to_be(url, first):
    clock, jumps = Clock(), JUMPS[first:] + JUMPS[:first]
    with Ledger(url, now=clock) as ledger:
        review = under_review(ledger)
        for person, jump in zip(("ana", "lena"), jumps, strict=False):
            clock.now += jump
            assert [view.request.due_at for view in open_reviews(ledger)] == [review.due_at]
            sign(ledger, review.id, person, "iterate", "Read and agreed.", REPORT)
        for jump in jumps[2:]:
            clock.now += jump
            with ledger.transaction() as tx:
                tx.append("test.happened", "shop", "s", "ana", "", {})
        events, found = list(ledger.events()), verify(ledger)
        assert find_review(ledger, review.id).decision == "iterate"
        assert [intent.kind for intent in pending(ledger)] == ["apply"]
    assert found.intact
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    moments = [event.at for event in events]
    assert moments != sorted(moments), "the clock did go back"


def test_a_jump_takes_no_lease_from_the_living_and_the_one_given_back_is_free(url):
    """Who lives is told by beats, watched by a clock that cannot be set."""
    clock = Clock()
    with Ledger(url, now=clock) as ledger:
        for jump in JUMPS:
            with held(ledger, "shop") as mine:
                clock.now += jump
                found = find_lease(ledger, project_lease("shop"))
                assert (found.token, found.holder) == (mine.token, mine.holder)
                with pytest.raises(Busy, match="Another process is at this work"), ledger.transaction() as tx:
                    take(tx, mine.key, "shop", "elsewhere:1")
            assert find_lease(ledger, project_lease("shop")) is None
        assert verify(ledger).intact
