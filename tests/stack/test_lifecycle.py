"""The life of a part by values alone: when it is restarted, how long it pauses, when it is forgiven."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.stack.lifecycle import ALIVE, Life, Pace, blocked, due, seen, started

PACE = Pace()


def crashed(life: Life, now: float, code: int = 1) -> Life:
    return seen(life, now, PACE, code=code, well=None)


def test_pauses_double_from_one_second_to_a_minute():
    life, now, pauses = Life(), 0.0, []
    for _ in range(9):
        life = crashed(started(life, now), now)
        pauses.append(life.pause)
        assert not due(life, now + life.pause - 0.01)
        now += life.pause
        assert due(life, now)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert life.restarts == 8


@pytest.mark.parametrize(("healthy_for", "pause"), [(59.0, 8.0), (60.0, 1.0)])
def test_a_minute_of_health_makes_the_pause_short_again(healthy_for, pause):
    life = replace(started(Life(pause=4.0, phase="pausing"), 0.0))
    life = seen(life, 5.0, PACE, code=None, well=True)
    assert life.phase == "healthy"
    assert crashed(life, 5.0 + healthy_for).pause == pause


def test_a_part_that_was_healthy_and_falls_silent_is_stopped_and_started_again():
    life = seen(started(Life(), 0.0), 10.0, PACE, code=None, well=True)
    life = seen(life, 20.0, PACE, code=None, well=False)
    assert life.phase == "silent"
    assert seen(life, 79.0, PACE, code=None, well=False).phase == "silent"
    assert seen(life, 79.0, PACE, code=None, well=True).phase == "healthy"
    stopping = seen(life, 81.0, PACE, code=None, well=False)
    assert stopping.phase == "stopping"
    assert "60 s" in stopping.reason
    # Whatever it says now, it goes.
    assert seen(stopping, 82.0, PACE, code=None, well=True).phase == "stopping"
    gone = seen(stopping, 83.0, PACE, code=143, well=None)
    assert gone.phase == "pausing"
    assert "60 s" in gone.reason, "the reason is why it was stopped, not how it ended"


def test_a_part_that_never_becomes_healthy_is_started_again_after_its_time():
    life = started(Life(), 0.0)
    assert seen(life, PACE.start, PACE, code=None, well=False).phase == "starting"
    assert seen(life, PACE.start + 1, PACE, code=None, well=False).phase == "stopping"


def test_a_part_that_cannot_be_started_pauses_and_counts_no_restart():
    life = blocked(Life(), 0.0, PACE, "port 4200 is taken")
    assert "port 4200 is taken" in life.reason
    assert started(life, 2.0).restarts == 0


def test_those_who_wait_go_ahead_after_health_or_a_failure():
    assert not Life().settled
    first = started(Life(), 0.0)
    assert not first.settled
    assert seen(first, 1.0, PACE, code=None, well=True).settled
    assert crashed(first, 1.0).settled
    assert blocked(Life(), 0.0, PACE, "taken").settled


def test_a_signal_is_told_as_one():
    assert crashed(started(Life(), 0.0), 1.0, code=128 + 9).reason == "ended by signal 9"
    assert crashed(started(Life(), 0.0), 1.0, code=-9).reason == "its keeper was ended by signal 9"
    assert crashed(started(Life(), 0.0), 1.0, code=3).reason == "ended with code 3"


LOOKS = st.lists(
    st.tuples(
        st.floats(0.0, 300.0), st.sampled_from([None, None, None, 0, 1, 137]), st.sampled_from([None, True, False])
    )
)


@given(LOOKS)
def test_whatever_is_seen_the_pause_stays_within_its_bounds_and_health_is_never_guessed(looks):
    life, now, count = started(Life(), 0.0), 0.0, 0
    for waited, code, well in looks:
        now += waited
        if life.phase == "pausing":
            if due(life, now):
                count += 1
                life = started(life, now)
            continue
        before = life
        life = seen(life, now, PACE, code=code, well=well)
        assert (life.phase == "pausing") == (code is not None)
        if life.phase == "healthy" and before.phase != "healthy":
            assert well
            assert life.reason == ""
        if life.phase == "pausing":
            assert PACE.first <= life.pause <= PACE.longest
            assert life.reason
        assert life.phase in ALIVE | {"pausing"}
    assert life.restarts == count
