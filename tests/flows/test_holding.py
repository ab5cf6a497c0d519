"""A command holds its project's lease before an iteration is opened: a dispatcher beside it must not start the run."""

import threading

import pytest

from flows import dispatch, holding
from flows.holding import held
from pipeline.errors import Busy, Finding, Refused
from pipeline.ledger import Ledger, pending
from pipeline.ledger.leases import find_lease, project_lease
from pipeline.settings import Settings
from tests.cli.calling import assert_refused, landed
from tests.flows.made import PROJECT, SHIPPED


def test_a_block_inside_works_under_the_same_lease_and_only_the_outer_one_gives_it_back(home):
    with Ledger(Settings().ledger) as ledger:
        with held(ledger, "shop") as outer:
            with held(ledger, "shop") as inner, held(ledger, "other") as other:
                assert inner == outer
                assert other.key != outer.key
            assert find_lease(ledger, outer.key).token == outer.token
            assert find_lease(ledger, other.key) is None
        assert find_lease(ledger, outer.key) is None


def test_another_thread_of_the_same_process_is_kept_out(home, monkeypatch):
    monkeypatch.setattr(holding, "BEAT", 0.02)
    monkeypatch.setattr(holding, "_LOOK", 0.05)
    caught = []

    def also(ledger):
        try:
            with held(ledger, "shop"):
                caught.append(None)
        except Busy as error:
            caught.append(error)

    with Ledger(Settings().ledger) as ledger, held(ledger, "shop"):
        thread = threading.Thread(target=also, args=(ledger,))
        thread.start()
        thread.join(20)
    assert isinstance(caught[0], Busy)


@pytest.mark.parametrize("command", ["run", "play"])
def test_what_a_command_opens_is_held_before_a_dispatcher_can_see_it(home, monkeypatch, command):
    """The run is stopped where it would begin: what a dispatcher would find at that moment."""
    seen = []

    def instead(*_):
        with Ledger(Settings().ledger) as ledger:
            seen.append([intent.kind for intent in pending(ledger, PROJECT)])
            seen.append(find_lease(ledger, project_lease(PROJECT)) is not None)
        raise Refused("Seen enough", [Finding("here", "it would run now", "nothing")])

    monkeypatch.setattr(dispatch, "run_iteration", instead)
    more = ("--decisions", SHIPPED / "decisions.yaml") if command == "play" else ()
    done = landed(command, SHIPPED / "charter.yaml", "--data", home.retailer, *more)
    assert_refused(done, Refused.exit_code, "it would run now")
    assert seen == [["open"], True]
    with Ledger(Settings().ledger) as ledger:
        assert find_lease(ledger, project_lease(PROJECT)) is None
