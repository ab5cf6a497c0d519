"""Leases: one holder at a time, a dead one's is broken after silence, a slow one may not write any more."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import Busy
from pipeline.ledger import Ledger, verify
from pipeline.ledger.leases import SILENCE, Lease, Watch, beat, break_silent, fence, find_lease, give_back, take

KEY = "project:x"


def taken(ledger: Ledger, holder: str) -> Lease:
    with ledger.transaction() as tx:
        return take(tx, KEY, "x", holder)


def test_of_twenty_at_once_one_gets_it(ledger):
    gate = threading.Barrier(20)

    def race(number: int) -> bool:
        gate.wait()
        try:
            taken(ledger, f"h:{number}")
        except Busy:
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(race, range(20))) == 1


def test_the_next_holder_has_a_greater_token_and_the_former_may_not_write(ledger):
    first = taken(ledger, "a:1")
    seen = find_lease(ledger, KEY)
    with ledger.transaction() as tx:
        assert break_silent(tx, seen)
    second = taken(ledger, "b:2")
    assert second.token > first.token
    for late in (fence, beat):
        with pytest.raises(Busy, match="took this work over"), ledger.transaction() as tx:
            late(tx, first)
    with ledger.transaction() as tx:
        give_back(tx, first)  # a late farewell frees nothing
    assert find_lease(ledger, KEY).holder == "b:2"
    (event,) = ledger.events()
    assert (event.kind, event.actor, event.body["holder"]) == ("lease.broken", "landed", "a:1")
    assert verify(ledger).intact


def test_a_lease_is_not_broken_if_it_beat_after_the_watch_began(ledger):
    mine = taken(ledger, "a:1")
    seen = find_lease(ledger, KEY)
    with ledger.transaction() as tx:
        beat(tx, mine)
    with ledger.transaction() as tx:
        assert not break_silent(tx, seen)
    with ledger.transaction() as tx:
        fence(tx, mine)


def test_given_back_it_is_free(ledger):
    mine = taken(ledger, "a:1")
    with ledger.transaction() as tx:
        give_back(tx, mine)
    assert find_lease(ledger, KEY) is None
    assert taken(ledger, "b:2").token == mine.token + 1


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 3 * SILENCE), st.booleans()), max_size=30))
def test_silence_is_judged_by_the_watchers_own_clock_since_the_last_sign_of_life(steps):
    now, number, heard = 0.0, 0, 0.0
    watch = Watch(clock=lambda: now)
    watch.silent(Lease(KEY, "x", "a:1", 1, 0))
    for pause, beats in steps:
        now += pause
        number += beats
        heard = now if beats else heard
        assert watch.silent(Lease(KEY, "x", "a:1", 1, number)) == (not beats and now - heard >= SILENCE)
