"""Arms on record before the release; picked once."""

from dataclasses import replace

import pytest

from pipeline.errors import Refused
from pipeline.language import say, translator
from pipeline.ledger import verify
from pipeline.rollout import Release, current, release
from pipeline.rollout.arms import Arms, Balance, arms_from, arms_of, plain_arms, record_arms
from tests.review.cases import a_charter, kinds, start

UNITS = ("s0", "s1")
ARMS = Arms(
    "shop", "pilot", "stockout_rate", UNITS, UNITS, tuple(f"c{number}" for number in range(6)), (), "2026-06-01", 26, 7,
    "matching", (Balance("level", 1.2, 0.05), Balance("trend", -0.4, -0.12)), "The largest is -0.12, of trend.",
)  # fmt: skip


def with_controls(controls=6):
    values = a_charter().canonical()["stages"]
    values[0]["controls"] = controls
    return a_charter(stages=values)


def put(ledger, arms=ARMS):
    with ledger.transaction() as tx:
        return record_arms(tx, arms, actor="ana", role="business_owner")


def let_go(ledger, charter, units=UNITS):
    new = Release("shop", "pilot", units, "1", "d" * 64, "key", charter.digest, "2026-06-01", "r1")
    with ledger.transaction() as tx:
        return release(tx, new, actor="ana")


def test_arms_are_kept_as_they_are_with_one_event(ledger):
    assert arms_of(ledger, "shop", "pilot") is None
    assert put(ledger) == ARMS == arms_of(ledger, "shop", "pilot")
    assert arms_of(ledger, "cafe", "pilot") is None
    assert arms_of(ledger, "shop", "regional") is None
    (event,) = ledger.events()
    assert (event.kind, event.subject, event.body["controls"]) == ("rollout.arms", "pilot", list(ARMS.controls))
    assert ARMS.worst == 0.12
    assert verify(ledger).intact


def test_the_note_is_read_back_as_what_can_be_said_in_another_language(ledger):
    told = say("All standardised mean differences are at most {asked}; the largest is {after}, of {covariate}.",
               asked="0.1", after="+0.05", covariate="level")  # fmt: skip
    put(ledger, replace(ARMS, note=told))
    found = arms_of(ledger, "shop", "pilot")
    assert found is not None
    assert found.note == told
    assert "standardised" not in translator("zh_Hans").show(found.note)
    old = {name: value for name, value in plain_arms(ARMS).items() if name != "legend"}
    assert arms_from(old) == ARMS


def test_a_second_pick_from_the_same_inputs_is_the_first_and_another_is_refused_and_noted(ledger):
    put(ledger)
    # What the pick gave does not matter: the first stands, even where code or data would give another one today.
    other = replace(ARMS, controls=tuple(f"d{number}" for number in range(6)), balance=())
    assert put(ledger, other) == ARMS
    for changed in (replace(ARMS, units=("s0", "s2")), replace(ARMS, start="2026-07-01"), replace(ARMS, seed=8)):
        with pytest.raises(Refused, match="picked already, for the release of 2026-06-01"):
            put(ledger, changed)
    assert kinds(ledger) == ["rollout.arms", *["rollout.arms_refused"] * 3]
    assert arms_of(ledger, "shop", "pilot") == ARMS


def test_a_control_does_not_follow_the_model(ledger):
    with pytest.raises(Refused, match="unit s1: it is both"):
        put(ledger, replace(ARMS, controls=("s1", "c1")))


def test_a_release_waits_for_the_arms_its_stage_asks_for(ledger):
    charter = with_controls()
    start(ledger, charter)
    with pytest.raises(Refused, match="asks for 6 controls, and none are on record"):
        let_go(ledger, charter)
    put(ledger)
    with pytest.raises(Refused, match="c1 is a control"):
        let_go(ledger, charter, (*UNITS, "c1"))
    with pytest.raises(Refused, match="s1 was to be treated and is left out"):
        let_go(ledger, charter, ("s0",))
    assert let_go(ledger, charter) == current(ledger, "shop")
    order = kinds(ledger)
    assert order.index("rollout.arms") < order.index("rollout.released")


def test_a_stage_without_controls_is_released_without_arms(ledger):
    charter = with_controls(0)
    start(ledger, charter)
    assert let_go(ledger, charter).units == UNITS
