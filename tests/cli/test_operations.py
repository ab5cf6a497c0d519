"""``landed up``, ``down`` and ``status``: what they say and how they end. The servers are played by small programs."""

import json
import os
import signal
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.cli.standing import ledger_standing
from pipeline.ledger import Ledger, enqueue, get_iteration, transition
from pipeline.ledger.breaks import note_break, note_put_back
from pipeline.settings import Settings
from pipeline.stack.processes import members, start_mark
from pipeline.stack.state import Folders, PartState, StackState, last, locked, write
from tests.cli.calling import assert_refused, landed
from tests.stack.made import is_healthy, until

DRIVER = """
import sys
from pipeline.cli import main
from pipeline.settings import Settings
from pipeline.stack import parts
from pipeline.stack.state import Folders
from tests.stack.made import beating
folders, heard = Folders(Settings().data), sys.argv[1]
parts.local_parts = lambda *_: tuple(beating(folders, name, "last_word", heard) for name in ("server", "worker"))
sys.argv = ["landed", "up", "--prefect-port", "0", "--mlflow-port", "0", "--review-port", "0"]
main()
"""


@pytest.fixture
def started(home):
    """``landed up`` over fake parts in a process of its own."""
    heard, output = home.root / "heard", home.root / "output"
    with output.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", DRIVER, heard], cwd=Path(__file__).parents[2], stdout=out, stderr=out,
            env={**os.environ, **home.environment},
        )  # fmt: skip
    try:
        until(lambda: is_healthy(Folders(home.data), "server", "worker") or process.poll() is not None)
        assert process.poll() is None, output.read_text()
        yield process, heard, output
    finally:
        process.kill()
        process.wait()
        assert landed("down").exit_code == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda one: one.name)
def test_every_way_to_ask_stops_all_parts_in_reverse_order_and_ends_well(home, started, number):
    process, heard, output = started
    process.send_signal(number)
    assert process.wait(60) == 0, output.read_text()
    assert heard.read_text().split() == ["worker", "server"]
    assert "All parts are stopped" in output.read_text()
    assert {part.phase for part in last(Folders(home.data)).parts} == {"stopped"}


def test_down_stops_it_from_another_terminal(home, started):
    process, heard, _ = started
    done = landed("down")
    assert done.exit_code == 0
    assert "All parts are stopped" in done.output
    assert process.wait(60) == 0
    assert heard.read_text().split() == ["worker", "server"]


def test_status_over_a_running_stack_is_zero_and_a_second_start_is_refused(home, started):
    process, _, _ = started
    done = landed("status")
    assert done.exit_code == 0, done.output
    assert "✓ healthy" in done.output
    assert_refused(landed("up"), 1, "runs already", str(process.pid), "landed down")


def test_after_a_kill_nothing_runs_and_down_waits_for_what_is_left(home, started):
    process, _, _ = started
    word = last(Folders(home.data)).word
    process.kill()
    process.wait()
    told = landed("status")
    assert told.exit_code == 1
    assert "Nothing runs" in told.output
    assert landed("down").exit_code == 0
    assert members(word) == ()


def test_a_port_that_was_asked_for_and_is_taken_is_refused_before_anything_starts(home):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        assert_refused(landed("up", "--mlflow-port", port), 1, f"127.0.0.1:{port}", "--mlflow-port")
    assert not Folders(home.data).logs.exists()


def test_secrets_that_others_may_read_are_refused_before_anything_starts(home):
    folder = Folders(home.data).secrets
    folder.mkdir(parents=True, mode=0o755)
    assert_refused(landed("up"), 1, str(folder), "755", "chmod 700")
    assert not Folders(home.data).logs.exists()


def test_status_where_nothing_is_makes_nothing(home):
    done = landed("status", "--secrets")
    assert done.exit_code == 1
    assert "Nothing runs" in done.output
    assert "there is none yet" in done.output
    assert not home.data.exists()
    told = json.loads(landed("status", "--json").output)
    assert told["healthy"] is False
    assert told["running"] is False
    assert told["parts"] == []
    assert told["ledger"]["exists"] is False
    assert not home.data.exists()


def test_passwords_are_printed_only_on_two_words(home):
    assert landed("status", "--show").exit_code == 2


@pytest.mark.parametrize(("phase", "code"), [("healthy", 0), ("starting", 1), ("silent", 1), ("pausing", 1)])
def test_status_is_zero_only_when_every_part_is_healthy(home, phase, code):
    folders = Folders(home.data)
    parts = tuple(
        PartState(name, one, 7, "m", "2026-01-05T08:00:00+00:00", 2, "" if one == "healthy" else "it is ill", "1.2.3",
                  "http://127.0.0.1:4299", "data/logs/it.log")
        for name, one in (("prefect", "healthy"), ("mlflow", phase))
    )  # fmt: skip
    with locked(folders):
        write(folders, StackState(os.getpid(), start_mark(os.getpid()), "w", "2026-01-05T08:00:00+00:00", parts))
        done = landed("status")
        assert done.exit_code == code
        for word in ("prefect", "mlflow", "1.2.3", "http://127.0.0.1:4299"):
            assert word in done.output
        assert ("it is ill" in done.output) == bool(code)
        assert json.loads(landed("status", "--json").output)["healthy"] is not bool(code)


def test_a_supervisor_that_says_nothing_for_long_is_not_healthy(home):
    folders = Folders(home.data)
    part = PartState("prefect", "healthy", 7, "m", "2026-01-05T08:00:00+00:00", 0, "", "3", "", "log")
    with locked(folders):
        write(folders, StackState(1, "m", "w", "2026-01-05T08:00:00+00:00", (part,)))
        assert landed("status").exit_code == 0
        long_ago = datetime.now(UTC).timestamp() - 300
        os.utime(folders.state, (long_ago, long_ago))
        done = landed("status")
    assert done.exit_code == 1
    assert "said nothing" in done.output


# ---- the ledger's part of it


def test_the_ledger_is_told_with_its_head_reviews_and_oldest_intent(home, review):
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    with Ledger(Settings().ledger, now=lambda: an_hour_ago) as ledger, ledger.transaction() as tx:
        enqueue(tx, "apply:some-review", "apply", "shop", {})
    with Ledger(Settings().ledger) as ledger, ledger.transaction() as tx:
        enqueue(tx, "apply:newer-review", "apply", "shop", {})
    with Ledger(Settings().ledger) as ledger:
        head = ledger.head()
    told = json.loads(landed("status", "--json").output)["ledger"]
    assert (told["events"], told["head"]) == (head.seq, head.hash)
    assert told["open_reviews"] == 1
    assert told["pending"] == 2
    assert 3600 <= told["oldest"] < 3600 + 600
    shown = landed("status").output
    assert "60 min" in shown
    assert head.hash[:16] in shown


def test_an_iteration_that_breaks_off_and_one_that_failed_are_told_with_reason_and_remedy(home, review):
    reason = "ValueError: no visits of … [/red] (toy.py:1 in load)"
    with Ledger(Settings().ledger) as ledger, ledger.transaction() as tx:
        record = transition(tx, get_iteration(tx, review.project, 1, "pilot"), "running", actor="robin")
        note_break(tx, record, "ValueError toy.py:1", reason)
        note_put_back(tx, record, "Failed", ended=True)
    shown = landed("status").output
    name = f"{review.project}, iteration 1, pilot"
    assert f"! {name}: running, taken up again once so far" in shown
    assert reason in shown
    with Ledger(Settings().ledger) as ledger, ledger.transaction() as tx:
        transition(tx, record, "failed", actor="robin", details={"reason": f"{reason}; it came back 3 times"})
    shown = landed("status").output
    assert f"✗ {name}: failed" in shown
    assert f"{reason}; it came back 3 times" in shown
    assert "landed run CHARTER" in shown
    (told,) = json.loads(landed("status", "--json").output)["ledger"]["troubles"]
    assert (told["project"], told["state"]) == (review.project, "failed")


def test_a_damaged_ledger_is_told_and_is_not_healthy(home):
    home.data.mkdir()
    (home.data / "ledger.db").write_bytes(b"no database at all, whatever its name says" * 100)
    done = landed("status")
    assert done.exit_code == 1
    assert "✗" in done.output
    assert "Traceback" not in done.output


def test_the_password_of_a_ledgers_url_is_not_shown(home):
    # A port that nobody listens on.
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    told = ledger_standing(f"postgresql://ana:topsecret@127.0.0.1:{port}/ledger")
    assert told.problem
    assert "topsecret" not in repr(told)
    assert f"ana:***@127.0.0.1:{port}" in told.where
