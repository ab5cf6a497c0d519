import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import Refused
from pipeline.ledger import Ledger, verify
from pipeline.rollout import Release, current, next_stage, previous, previous_stage, release, roll_back
from tests.review.cases import a_charter

SIZES = {"pilot": 2, "regional": 4, "chain": 8}


def a_release(stage="pilot", review="r1", version="1", **changes):
    values = {
        "project": "shop", "stage": stage, "units": tuple(f"s{number}" for number in range(SIZES[stage])),
        "model_version": version, "model_digest": "d" * 64, "candidate": f"key-{version}", "charter_digest": "c" * 64,
        "start": "2026-06-01", "review": review,
    }  # fmt: skip
    return Release(**{**values, **changes})


def go(ledger, new):
    with ledger.transaction() as tx:
        return release(tx, new, actor="ana", role="business_owner")


def back(ledger, review, start="2026-09-01"):
    with ledger.transaction() as tx:
        return roll_back(tx, "shop", review, start, actor="joao", role="operations")


def test_the_ladder_is_the_charters():
    charter = a_charter()
    assert [next_stage(charter, name).name for name in ("pilot", "regional")] == ["regional", "chain"]
    assert next_stage(charter, "chain") is None
    assert [previous_stage(charter, name).name for name in ("regional", "chain")] == ["pilot", "regional"]
    assert previous_stage(charter, "pilot") is None
    for function in (next_stage, previous_stage):
        with pytest.raises(Refused, match="it has: pilot, regional, chain"):
            function(charter, "moon")


def test_a_stage_change_is_one_event_that_names_model_units_and_start(ledger):
    go(ledger, a_release("regional"))
    (event,) = ledger.events(project="shop")
    assert (event.kind, event.subject, event.actor, event.role) == (
        "rollout.released",
        "regional",
        "ana",
        "business_owner",
    )
    assert event.body == {
        "from_stage": None, "stage": "regional", "units": ["s0", "s1", "s2", "s3"], "model_version": "1",
        "model_digest": "d" * 64, "candidate": "key-1", "charter_digest": "c" * 64, "start": "2026-06-01",
        "review": "r1",
    }  # fmt: skip
    assert verify(ledger).intact


def test_the_release_on_top_holds_and_the_one_below_can_be_restored(ledger):
    assert current(ledger, "shop") is None
    assert previous(ledger, "shop") is None
    first, second = a_release("pilot", "r1"), a_release("regional", "r2", "2")
    go(ledger, first)
    assert (current(ledger, "shop"), previous(ledger, "shop")) == (first, None)
    go(ledger, second)
    assert (current(ledger, "shop"), previous(ledger, "shop")) == (second, first)
    assert current(ledger, "other") is None


def test_a_rollback_restores_model_stage_and_units_as_one_event(ledger):
    go(ledger, a_release("pilot", "r1", "1"))
    go(ledger, a_release("regional", "r2", "2"))
    restored = back(ledger, "r3")
    assert restored == a_release("pilot", "r3", "1", start="2026-09-01")
    assert current(ledger, "shop") == restored
    event = list(ledger.events())[-1]
    assert event.kind == "rollout.rolled_back"
    assert (event.body["from"]["model_version"], event.body["to"]["model_version"]) == ("2", "1")
    assert (event.body["from"]["stage"], event.body["to"]["units"]) == ("regional", ["s0", "s1"])
    assert event.body["start"] == "2026-09-01"


def test_two_rollbacks_go_two_releases_down_and_a_third_leaves_todays_rule(ledger):
    for number, stage in enumerate(SIZES, start=1):
        go(ledger, a_release(stage, f"r{number}", str(number)))
    assert back(ledger, "r4").stage == "regional"
    assert back(ledger, "r5").stage == "pilot"
    assert back(ledger, "r6") is None
    assert current(ledger, "shop") is None
    with pytest.raises(Refused, match="nothing is released"):
        back(ledger, "r7")
    go(ledger, a_release("pilot", "r8", "9"))
    assert (current(ledger, "shop").model_version, previous(ledger, "shop")) == ("9", None)


def test_after_a_rollback_the_next_release_can_be_taken_back_to_the_restored_one(ledger):
    go(ledger, a_release("pilot", "r1", "1"))
    go(ledger, a_release("regional", "r2", "2"))
    back(ledger, "r3")
    go(ledger, a_release("regional", "r4", "4"))
    assert previous(ledger, "shop").model_version == "1"
    assert back(ledger, "r5").model_version == "1"
    assert back(ledger, "r6") is None


def test_a_review_moves_the_ladder_once(ledger):
    go(ledger, a_release("pilot", "r1"))
    go(ledger, a_release("regional", "r2"))
    back(ledger, "r3")
    before = ledger.head()
    assert go(ledger, a_release("regional", "r2")).stage == "regional"
    assert back(ledger, "r3").stage == "pilot"
    assert ledger.head() == before


def test_a_release_without_units_or_with_fewer_than_follow_today_is_refused(ledger):
    with pytest.raises(Refused, match="needs units"):
        go(ledger, a_release(units=()))
    go(ledger, a_release("regional", "r1"))
    with pytest.raises(Refused, match="2 units that follow the model today are missing, such as s2"):
        go(ledger, a_release("pilot", "r2"))
    assert len(list(ledger.events())) == 1


def test_the_store_itself_holds_one_release_a_review(file_ledger):
    go(file_ledger, a_release("pilot", "r1"))
    raw = sqlite3.connect(file_ledger.path)
    try:
        with pytest.raises(sqlite3.IntegrityError):
            raw.execute("INSERT INTO landed_releases VALUES ('shop', 2, NULL, 'release', 'null', 'r1', 'now')")
    finally:
        raw.close()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["release", "roll_back"]), max_size=9))
def test_the_stack_agrees_with_a_plain_list(tmp_path_factory, moves):
    path = tmp_path_factory.mktemp("stack") / "ledger.db"
    stack = []
    with Ledger(f"sqlite:///{path}") as ledger:
        for number, move in enumerate(moves):
            if move == "release":
                go(ledger, a_release("chain", f"r{number}", str(number)))
                stack.append(str(number))
            elif stack:
                stack.pop()
                back(ledger, f"r{number}")
            top, below = current(ledger, "shop"), previous(ledger, "shop")
            assert (top.model_version if top else None) == (stack[-1] if stack else None)
            assert (below.model_version if below else None) == (stack[-2] if len(stack) > 1 else None)
        assert verify(ledger).intact
