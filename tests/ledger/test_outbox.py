import pytest

from pipeline.ledger import apply_key, enqueue, find_intent, mark_done, open_key, pending


def test_intents_are_pending_in_order_until_done(ledger):
    with ledger.transaction() as tx:
        assert enqueue(tx, apply_key("p-1-pilot"), "apply", "p", {"review": "p-1-pilot"})
        assert enqueue(tx, open_key("p", 2, "pilot"), "open", "p", {"number": 2})
        assert enqueue(tx, open_key("q", 1, "pilot"), "open", "q", {})
    assert [intent.key for intent in pending(ledger)] == ["apply:p-1-pilot", "open:p:2:pilot", "open:q:1:pilot"]
    assert [intent.key for intent in pending(ledger, "q")] == ["open:q:1:pilot"]
    assert pending(ledger, "p")[0].payload == {"review": "p-1-pilot"}
    with ledger.transaction() as tx:
        assert mark_done(tx, "apply:p-1-pilot")
    assert [intent.key for intent in pending(ledger, "p")] == ["open:p:2:pilot"]
    assert find_intent(ledger, "apply:p-1-pilot").done_at is not None
    *queued, done = ledger.events()
    assert [event.kind for event in queued] == ["intent.queued"] * 3
    assert (done.kind, done.project, done.subject, done.actor) == ("intent.done", "p", "apply:p-1-pilot", "landed")


def test_a_key_exists_once_even_after_it_is_done(ledger):
    with ledger.transaction() as tx:
        assert enqueue(tx, "apply:r", "apply", "p", {})
        assert not enqueue(tx, "apply:r", "apply", "p", {})
        assert mark_done(tx, "apply:r")
        assert not mark_done(tx, "apply:r")
        assert not enqueue(tx, "apply:r", "apply", "p", {})
    assert pending(ledger) == ()


def test_an_unknown_key_is_not_done(ledger):
    with ledger.transaction() as tx:
        assert not mark_done(tx, "apply:nothing")


def test_an_intent_goes_with_the_transaction_that_queued_it(ledger):
    def block():
        with ledger.transaction() as tx:
            enqueue(tx, "apply:r", "apply", "p", {})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        block()
    assert pending(ledger) == ()
    assert find_intent(ledger, "apply:r") is None
