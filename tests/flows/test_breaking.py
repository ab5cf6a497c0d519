"""An error that ends an iteration: told with its reason, certain after three times at one line, without data in it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from rich.text import Text

from flows import delivery
from flows.breaking import CERTAIN, errors_noted, reason_of
from flows.delivery import MOST_TAKE_UPS, Dispatcher
from flows.opening import queue_run
from flows.watching import failure_told
from flows.workbench import heading
from pipeline.errors import Busy, DataError, Finding, LedgerError
from pipeline.ledger import Ledger, find_intent, get_iteration, pending, requeue, transition
from pipeline.ledger.breaks import note_put_back, take_ups, troubles
from pipeline.ledger.leases import break_silent, project_lease, take
from pipeline.notices import due_notices
from pipeline.notices.queueing import notice_of
from pipeline.settings import Settings
from tests.review.cases import start

OPEN = "open:shop:1:pilot"


@pytest.fixture
def ledger(home):
    """An iteration that runs, its intent pending."""
    with Ledger(Settings().ledger) as opened:
        start(opened, started_by="lena")
        with opened.transaction() as tx:
            queue_run(tx, get_iteration(tx, "shop", 1, "pilot"), "nowhere")
        yield opened


def record_of(ledger):
    return get_iteration(ledger, "shop", 1, "pilot")


def first_line(error: Exception) -> None:
    raise error


def second_line(error: Exception) -> None:
    raise error


_LINES = (first_line, second_line)


def ended_by(ledger, error: Exception, line: int = 0) -> str:
    """The state after a run that ended with ``error``, raised at one of two lines."""
    with ledger.transaction() as tx:
        lease = take(tx, project_lease("shop"), "shop", "here:1")
    try:
        with pytest.raises(type(error)), errors_noted(ledger, lease, record_of(ledger)):
            _LINES[line](error)
    finally:
        with ledger.transaction() as tx:
            break_silent(tx, lease)
    return record_of(ledger).state


def told(ledger) -> list[str]:
    return [str(notice_of(intent).sentence) for intent in due_notices(ledger)]


def test_the_same_error_at_the_same_line_fails_the_iteration_the_third_time_and_people_are_told(ledger):
    states = [ended_by(ledger, AttributeError("'Shop' object has no attribute 'units'")) for _ in range(CERTAIN)]
    assert states == ["running", "running", "failed"]
    (event,) = [event for event in ledger.events("shop") if event.kind == "iteration.failed"]
    assert "'Shop' object has no attribute 'units'" in event.body["reason"]
    assert "test_breaking.py" in event.body["reason"]
    assert pending(ledger, "shop") == ()
    assert all("no attribute 'units'" in sentence for sentence in told(ledger))
    assert told(ledger)
    (trouble,) = troubles(ledger)
    assert (trouble.project, trouble.state) == ("shop", "failed")
    assert "no attribute 'units'" in trouble.reason


def test_a_failed_iteration_that_is_asked_for_again_has_all_its_tries_again(ledger):
    for _ in range(CERTAIN):
        ended_by(ledger, KeyError("week"))
    with ledger.transaction() as tx:
        requeue(tx, OPEN, "lena")
    with ledger.transaction() as tx:
        transition(tx, record_of(ledger), "running", actor="lena")
    assert troubles(ledger) == ()
    assert [ended_by(ledger, KeyError("week")) for _ in range(CERTAIN)] == ["running", "running", "failed"]


def test_errors_at_different_lines_are_not_the_same(ledger):
    for _ in range(CERTAIN - 1):
        assert ended_by(ledger, ValueError("x"), line=0) == "running"
        assert ended_by(ledger, ValueError("x"), line=1) == "running"
    assert ended_by(ledger, ValueError("x"), line=0) == "failed"


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError("[Errno 111] Connection refused"),
        TimeoutError("timed out"),
        LedgerError("The tracking store refused", [Finding("mlflow.db", "database is locked", "try again")]),
    ],
    ids=lambda one: type(one).__name__,
)
def test_what_was_only_out_of_reach_is_told_and_taken_up_however_often(ledger, error):
    assert {ended_by(ledger, error) for _ in range(2 * CERTAIN)} == {"running"}
    assert [intent.key for intent in pending(ledger, "shop")] == [OPEN]
    (trouble,) = troubles(ledger)
    assert (trouble.state, trouble.times) == ("running", 2 * CERTAIN)
    assert str(error).split()[-1] in trouble.reason


def test_one_of_our_own_errors_fails_it_at_once(ledger):
    assert (
        ended_by(ledger, DataError("The data is not good enough", [Finding("sales", "stale", "deliver")])) == "failed"
    )
    assert find_intent(ledger, OPEN).done_at is not None


def test_a_run_that_lost_its_lease_says_nothing_more(ledger):
    before = ledger.head().seq
    with ledger.transaction() as tx:
        lease = take(tx, project_lease("shop"), "shop", "here:1")
        break_silent(tx, lease)
        take(tx, project_lease("shop"), "shop", "there:2")
    for error in (Busy("Another process took this work over"), ValueError("late")):
        with pytest.raises(Busy), errors_noted(ledger, lease, record_of(ledger)):
            raise error
    assert [event.kind for event in ledger.events(after=before)] == ["lease.broken"]


@pytest.mark.parametrize(
    ("error", "kept", "dropped"),
    [
        (KeyError("Maria Costa"), "KeyError: …", "Maria"),
        (ValueError('no row for "Maria Costa" <maria@example.com>'), "no row for …", "maria"),
        (ValueError("account 4111 1111 1111 1111 unknown"), "account … unknown", "4111"),
        (RuntimeError("postgresql://ana:topsecret@db/x is down"), "is down", "topsecret"),
        (AttributeError("'Toy' object has no attribute 'units'"), "no attribute 'units'", "\n"),
        (RuntimeError("one\n\n[/red] two"), "one [/red] two", "\n"),
        (ValueError("x" * 5000), "ValueError: xxx", "x" * 500),
        (ValueError(), "ValueError (", "None"),
    ],
    ids=lambda one: type(one).__name__ if isinstance(one, Exception) else None,
)
def test_a_reason_names_error_and_line_and_repeats_neither_data_nor_passwords(error, kept, dropped):
    with pytest.raises(type(error)) as met:
        first_line(error)
    reason = reason_of(met.value)
    assert kept in reason
    assert dropped not in reason
    assert "test_breaking.py:" in reason


def test_what_is_killed_every_time_fails_after_twelve_with_the_last_thing_it_said(ledger):
    ended_by(ledger, ConnectionRefusedError("[Errno 111] Connection refused"))
    for _ in range(MOST_TAKE_UPS):
        assert record_of(ledger).state == "running"
        with ledger.transaction() as tx:
            note_put_back(tx, record_of(ledger), "Crashed", ended=True)
    assert take_ups(ledger, record_of(ledger)) == MOST_TAKE_UPS
    dispatcher = Dispatcher(ledger, Settings())
    dispatcher._deliver(pending(ledger, "shop")[0])
    dispatcher.close()
    assert record_of(ledger).state == "failed"
    (event,) = [event for event in ledger.events("shop") if event.kind == "iteration.failed"]
    assert f"ended {MOST_TAKE_UPS} times" in event.body["reason"]
    assert "Connection refused" in event.body["reason"]
    assert any("Connection refused" in sentence for sentence in told(ledger))
    assert pending(ledger, "shop") == ()


def test_a_failed_iteration_is_run_by_the_dispatcher_only_when_it_was_asked_for_again(ledger, monkeypatch):
    queued = []
    run = in_line(datetime.now(UTC))
    monkeypatch.setattr(delivery, "queue_iteration", lambda intent: queued.append(intent.key) or run)
    ended_by(ledger, DataError("The data is not good enough"))
    stale = replace(find_intent(ledger, OPEN), done_at=None)  # as a dispatcher read it before the failure
    dispatcher = Dispatcher(ledger, Settings())
    dispatcher._deliver(stale)
    assert queued == []
    with ledger.transaction() as tx:
        requeue(tx, OPEN, "lena")
    dispatcher._deliver(pending(ledger, "shop")[0])
    assert queued == [OPEN]
    dispatcher.close()


def in_line(due):
    """A run that waits for a worker, as Prefect tells of it."""
    return SimpleNamespace(
        id="run", state=SimpleNamespace(is_scheduled=lambda: True, state_details=SimpleNamespace(scheduled_time=due))
    )


@pytest.mark.parametrize(("ahead", "put_back"), [(timedelta(seconds=5), 0), (timedelta(days=2), 1)])
def test_a_run_that_is_due_later_because_the_clock_was_set_back_is_put_in_line_anew(
    ledger, monkeypatch, ahead, put_back
):
    states, begun = [], take_ups(ledger, record_of(ledger))

    class Client:
        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def set_flow_run_state(self, run, state):
            states.append((run, state.is_scheduled(), state.state_details.scheduled_time <= datetime.now(UTC)))

    monkeypatch.setattr(delivery, "queue_iteration", lambda intent: in_line(datetime.now(UTC) + ahead))
    monkeypatch.setattr(delivery, "get_client", lambda sync_client: Client())
    dispatcher = Dispatcher(ledger, Settings())
    dispatcher._deliver(pending(ledger, "shop")[0])
    dispatcher.close()
    assert states == [("run", True, True)] * put_back
    assert take_ups(ledger, record_of(ledger)) == begun  # nobody died


def test_a_run_that_is_only_long_in_starting_never_fails_it(ledger):
    for _ in range(2 * MOST_TAKE_UPS):
        with ledger.transaction() as tx:
            note_put_back(tx, record_of(ledger), "Submitting", ended=False)
    assert take_ups(ledger, record_of(ledger)) == 1
    assert record_of(ledger).state == "running"


def test_a_monitoring_that_fails_is_told_once_a_day(ledger):
    bench = SimpleNamespace(ledger=ledger, project="shop")
    for error in (KeyError("Rosa Lima"), KeyError("Rosa Lima"), ConnectionResetError("away for a moment")):
        with pytest.raises(type(error)), failure_told(bench):
            raise error
    assert {sentence.partition(" (")[0] for sentence in told(ledger)} == {
        "Monitoring could not look at the data: KeyError: …"
    }
    assert [event.kind for event in ledger.events("shop")].count("alarm.raised") == 1


def test_brackets_in_a_persons_reason_are_no_markup():
    record = SimpleNamespace(number=1, stage="pilot", why={"sentence": "The catalogue [/bold] changed [red]again."})
    shown = Text.from_markup(heading(SimpleNamespace(record=record)))
    assert shown.plain == "Iteration 1, pilot  The catalogue [/bold] changed [red]again."
