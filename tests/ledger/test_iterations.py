import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import LedgerError
from pipeline.ledger import (
    Ledger,
    all_iterations,
    current_iteration,
    end_project,
    find_iteration,
    get_iteration,
    open_iteration,
    project_end,
    record_report,
    record_run,
    transition,
    verify,
)
from pipeline.ledger.chain import canonical, digest
from pipeline.ledger.iterations import MOVES, STATES

CHARTER = {"title": "Größer", "kpi": {"target": 0.04}}


def opened(tx, number=1, stage="pilot", charter=None, **changes):
    charter = CHARTER if charter is None else charter
    fields = {
        "project": "p", "number": number, "stage": stage, "kind": "train", "charter": charter,
        "charter_digest": digest(canonical(charter)), "why": {"trigger": "first"}, "started_by": "lena",
    }  # fmt: skip
    return open_iteration(tx, **{**fields, **changes})


def walk(tx, *states, record=None):
    record = record or opened(tx)
    for state in states:
        record = transition(tx, record, state, actor="lena", role="engineering")
    return record


def test_the_record_holds_what_it_was_opened_with(ledger):
    with ledger.transaction() as tx:
        record = opened(tx)
    assert get_iteration(ledger, "p", 1, "pilot") == record
    assert json.loads(record.charter) == CHARTER
    assert record.state == "opened"
    assert record.why == {"trigger": "first"}


def test_a_whole_life_is_one_event_a_move_with_actor_and_hashes(ledger):
    with ledger.transaction() as tx:
        record = walk(tx, "running")
        record_run(tx, record, "run-1")
        record_report(tx, record, "a" * 64, {"kpi": {"value": 0.1, "low": 0.05, "high": 0.2}})
        walk(tx, "awaiting_review", "decided", "applied", "closed", record=record)
    kinds = [event.kind for event in ledger.events(project="p")]
    assert kinds == [f"iteration.{name}" for name in (
        "opened", "running", "tracked", "reported", "awaiting_review", "decided", "applied", "closed")]  # fmt: skip
    last = list(ledger.events())[-1]
    assert (last.actor, last.role, last.subject) == ("lena", "engineering", "p/1/pilot")
    assert last.body == {"from": "applied", "charter": record.charter_digest, "report": "a" * 64}
    final = get_iteration(ledger, "p", 1, "pilot")
    assert (final.state, final.mlflow_run, final.report_digest) == ("closed", "run-1", "a" * 64)
    assert final.result == {"kpi": {"value": 0.1, "low": 0.05, "high": 0.2}}
    assert verify(ledger).intact


def test_every_move_that_is_not_drawn_is_refused_and_leaves_no_event(file_ledger):
    paths = {
        "opened": [], "running": ["running"], "awaiting_review": ["running", "awaiting_review"],
        "decided": ["running", "awaiting_review", "decided"],
        "applied": ["running", "awaiting_review", "decided", "applied"],
        "closed": ["running", "awaiting_review", "decided", "applied", "closed"],
        "failed": ["running", "failed"], "refused": ["refused"],
    }  # fmt: skip
    for number, (state, path) in enumerate(paths.items(), start=1):
        with file_ledger.transaction() as tx:
            record = walk(tx, *path, record=opened(tx, number))
        assert record.state == state
        for target in STATES:
            if target in MOVES[state]:
                continue
            before = file_ledger.head()
            with (
                pytest.raises(LedgerError, match=f"it is {state} and cannot become {target}"),
                file_ledger.transaction() as tx,
            ):
                transition(tx, record, target, actor="lena")
            assert file_ledger.head() == before


@settings(deadline=None)
@given(st.lists(st.sampled_from(STATES), max_size=12))
def test_no_walk_reaches_applied_without_a_decision(states):
    path = ["opened"]
    for state in states:
        if state in MOVES[path[-1]]:
            path.append(state)
    for before, after in pairwise(path):
        assert after != "applied" or before == "decided"
        assert after != "decided" or before == "awaiting_review"
        assert after != "closed" or before == "applied"


def test_a_killed_a_failed_and_a_refused_run_are_taken_up_again(ledger):
    with ledger.transaction() as tx:
        record = walk(tx, "running", "running", "failed", "running", "refused", "running")
    assert record.state == "running"


def test_opening_the_same_iteration_again_changes_nothing(ledger):
    with ledger.transaction() as tx:
        walk(tx, "running")
    before = ledger.head()
    with ledger.transaction() as tx:
        assert opened(tx).state == "running"
    assert ledger.head() == before


def test_an_iteration_is_not_opened_under_a_second_charter(ledger):
    with ledger.transaction() as tx:
        opened(tx)
    with pytest.raises(LedgerError, match="open already under charter"), ledger.transaction() as tx:
        opened(tx, charter={"title": "other"})


def test_a_digest_that_is_not_the_charters_is_refused(ledger):
    with pytest.raises(LedgerError, match="digest"), ledger.transaction() as tx:
        opened(tx, charter_digest="0" * 64)


def test_iterations_are_listed_in_the_order_of_opening(ledger):
    with ledger.transaction() as tx:
        opened(tx, 1)
        opened(tx, 2)
        opened(tx, 2, "regional", kind="measure")
        opened(tx, 1, project="other")
    found = [(record.number, record.stage) for record in all_iterations(ledger, "p")]
    assert found == [(1, "pilot"), (2, "pilot"), (2, "regional")]
    assert current_iteration(ledger, "p").stage == "regional"
    assert current_iteration(ledger, "nobody") is None
    assert find_iteration(ledger, "p", 9, "pilot") is None
    with pytest.raises(LedgerError, match="no such iteration"):
        get_iteration(ledger, "p", 9, "pilot")


def test_a_report_is_only_noted_while_the_iteration_runs(ledger):
    with pytest.raises(LedgerError, match="while the iteration is running"), ledger.transaction() as tx:
        record_report(tx, opened(tx), "a" * 64, {})


def test_an_unknown_iteration_is_not_moved(tmp_path):
    with Ledger(f"sqlite:///{tmp_path / 'a.db'}") as one, one.transaction() as tx:
        record = opened(tx)
    with Ledger(f"sqlite:///{tmp_path / 'b.db'}") as other, pytest.raises(LedgerError), other.transaction() as tx:
        transition(tx, record, "running", actor="lena")


def test_a_stopped_project_opens_nothing_more_and_a_landed_one_may(ledger):
    with ledger.transaction() as tx:
        opened(tx, 1)
        end_project(tx, "p", "landed", actor="ana", role="sponsor", details={"review": "p-1-chain"})
        assert project_end(tx, "p").kind == "project.landed"
        opened(tx, 2)
        end_project(tx, "p", "stopped", actor="ana", role="sponsor", details={"review": "p-2-chain"})
    with pytest.raises(LedgerError, match="stopped by ana"), ledger.transaction() as tx:
        opened(tx, 3)
    assert project_end(ledger, "other") is None
