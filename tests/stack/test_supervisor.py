"""Real processes under a real supervisor: restarts, hangs, order, ports, and nothing left behind."""

import json
import os
import signal
import socket
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.stack import supervisor
from pipeline.stack.health import BeatCheck, PageCheck
from pipeline.stack.parts import Part
from pipeline.stack.ports import choose
from pipeline.stack.processes import members
from pipeline.stack.state import Folders, is_locked, last
from pipeline.stack.stopping import clear, stop
from tests.stack.made import QUICK, actor, beating, births, is_healthy, lives, part, supervised, until

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows the environment of a process")


@pytest.fixture
def folders(tmp_path) -> Folders:
    return Folders(tmp_path / "data")


def test_a_crashed_part_is_started_again_with_longer_and_longer_pauses(folders, tmp_path):
    noted = tmp_path / "births"
    never = BeatCheck(tmp_path / "never")
    with supervised([actor("crasher", "crash", noted, 3, check=never), beating(folders, "other")], folders):
        until(lambda: len(births(noted)) >= 4, "four lives")
        until(lambda: is_healthy(folders, "other"), "the other part does not suffer")
        found = part(folders, "crasher")
    assert found.restarts >= 2
    assert "code 3" in found.reason or found.phase == "starting"
    gaps = [after - before for (before, _), (after, _) in pairwise(births(noted)[:4])]
    for gap, pause in zip(gaps, (0.1, 0.2, 0.4), strict=True):
        assert gap >= pause, "no pause may be shorter than promised"


def test_a_killed_part_comes_back_as_a_new_process(folders, tmp_path):
    noted = tmp_path / "births"
    with supervised([beating(folders, "worker", "beat", noted)], folders):
        until(lambda: is_healthy(folders, "worker"))
        ((_, first),) = births(noted)
        os.kill(first, signal.SIGKILL)
        until(lambda: len(births(noted)) == 2 and is_healthy(folders, "worker"))
        assert part(folders, "worker").restarts == 1
    assert not any(lives(pid) for _, pid in births(noted))


def test_a_part_whose_keeper_is_killed_is_gone_before_it_comes_back(folders, tmp_path):
    noted = tmp_path / "births"
    with supervised([beating(folders, "worker", "beat", noted)], folders):
        until(lambda: is_healthy(folders, "worker"))
        os.kill(part(folders, "worker").pid, signal.SIGKILL)
        until(lambda: len(births(noted)) == 2)
        assert not lives(births(noted)[0][1])


def test_a_part_that_hangs_is_restarted(folders, tmp_path):
    (port,) = choose({"page": 0}, {}).values()
    sick, noted = tmp_path / "sick", tmp_path / "births"
    check = PageCheck(f"http://127.0.0.1:{port}/", patience=0.3)
    with supervised([actor("page", "page", port, sick, noted, check=check, port=port)], folders) as told:
        until(lambda: is_healthy(folders, "page"))
        sick.touch()
        until(lambda: len(births(noted)) >= 2, "a second life")
        sick.unlink()
        until(lambda: is_healthy(folders, "page"))
    reasons = {one.parts[0].reason for one in told}
    assert any("did not answer its health check" in reason for reason in reasons)


def test_a_port_that_was_stolen_is_told_and_waited_for(folders, tmp_path):
    noted, beat = tmp_path / "births", folders.beat("page")
    with socket.socket() as thief:
        thief.bind(("127.0.0.1", 0))
        thief.listen()
        port = thief.getsockname()[1]
        stolen = actor(
            "page", "page", port, tmp_path / "sick", noted, port=port, check=PageCheck(f"http://127.0.0.1:{port}/")
        )
        with supervised([stolen], folders):
            until(lambda: (found := part(folders, "page")) and str(port) in found.reason and "taken" in found.reason)
            assert births(noted) == []
            thief.close()
            until(lambda: is_healthy(folders, "page"))
            assert part(folders, "page").restarts == 0
    assert not beat.exists()


def test_a_program_that_is_not_there_is_told_in_its_log_and_tried_again(folders, tmp_path):
    missing = Part("ghost", (str(tmp_path / "no-such-program"),), dict(os.environ), BeatCheck(tmp_path / "never"))
    with supervised([missing], folders):
        until(lambda: (found := part(folders, "ghost")) and found.restarts >= 1)
    assert "no-such-program cannot be started" in folders.log("ghost").read_text()


def test_parts_start_after_what_they_need_and_stop_in_reverse_order(folders, tmp_path):
    heard = tmp_path / "heard"
    parts = [
        beating(folders, "server", "last_word", heard),
        beating(folders, "worker", "last_word", heard, needs=["server"]),
        beating(folders, "site", "last_word", heard, needs=["worker"]),
    ]
    with supervised(parts, folders) as told:
        until(lambda: is_healthy(folders, "server", "worker", "site"))
    assert heard.read_text().split() == ["site", "worker", "server"]
    for state in told:
        server, worker, _ = state.parts
        if worker.phase == "starting":
            assert server.healthy
    assert {one.phase for one in last(folders).parts} == {"stopped"}
    assert {one.pid for one in last(folders).parts} == {None}


@ON_LINUX
def test_stopping_ends_the_whole_family_even_who_left_the_group_and_does_not_listen(folders, tmp_path):
    born = tmp_path / "born"
    with supervised([beating(folders, "parent", "family", born)], folders):
        until(lambda: is_healthy(folders, "parent"))
        pids = json.loads(born.read_text())
        assert all(map(lives, pids))
    assert not any(map(lives, pids))


def test_a_beat_of_an_earlier_life_counts_for_nothing(folders, tmp_path):
    mute = actor("mute", "beat", tmp_path / "elsewhere", check=BeatCheck(folders.beat("mute")))
    folders.run.mkdir(parents=True)
    folders.beat("mute").touch()
    with supervised([mute], folders):
        until(lambda: (found := part(folders, "mute")) and found.phase == "starting")
        until((tmp_path / "elsewhere").exists)
        assert not is_healthy(folders, "mute")


def test_a_long_log_is_put_aside_when_its_part_starts(folders, monkeypatch):
    monkeypatch.setattr(supervisor, "_LOG_LIMIT", 100)
    folders.logs.mkdir(parents=True)
    folders.log("worker").write_text("x" * 101)
    with supervised([beating(folders, "worker")], folders):
        until(lambda: is_healthy(folders, "worker"))
    assert folders.log("worker").stat().st_size < 100
    assert folders.log("worker").with_name("worker.log.1").stat().st_size == 101
    assert folders.log("worker").stat().st_mode & 0o077 == 0


# ---- the supervisor itself is killed: it runs in a process of its own

DRIVER = """
import sys
from pathlib import Path
from pipeline.stack.state import Folders, locked
from pipeline.stack.supervisor import Supervisor
from tests.stack.made import QUICK, beating
folders = Folders(Path(sys.argv[1]))
with locked(folders):
    parts = [beating(folders, "parent", "family", sys.argv[2]), beating(folders, "worker")]
    Supervisor(parts, folders, QUICK).run(lambda: False)
"""


@pytest.fixture
def driven(folders, tmp_path):
    """A supervisor in a process of its own, over parts that do not listen."""
    born = tmp_path / "born"
    process = subprocess.Popen([sys.executable, "-c", DRIVER, folders.data, born], cwd=Path(__file__).parents[2])
    try:
        until(lambda: is_healthy(folders, "parent", "worker"))
        yield process, json.loads(born.read_text())
    finally:
        process.kill()
        process.wait()
        until(lambda: clear(folders))


@ON_LINUX
def test_a_supervisor_killed_hard_leaves_no_orphan_and_no_lock(folders, driven):
    process, family = driven
    word, keepers = last(folders).word, [one.pid for one in last(folders).parts]
    assert is_locked(folders)
    assert set(family) <= set(members(word))
    process.kill()
    process.wait()
    until(lambda: not members(word), "all processes of the stack are gone without anybody's help")
    assert not any(map(lives, [*family, *keepers]))
    assert not is_locked(folders)


@ON_LINUX
def test_what_a_killed_supervisor_and_its_killed_keepers_left_is_cleared_away(folders, driven):
    process, family = driven
    keepers = [one.pid for one in last(folders).parts]
    for pid in (process.pid, *keepers):
        os.kill(pid, signal.SIGKILL)
    process.wait()
    assert clear(folders, grace=QUICK.grace)
    assert not any(map(lives, family))


def test_a_supervisor_that_does_not_listen_is_ended_by_down(folders, driven):
    process, family = driven
    os.kill(process.pid, signal.SIGSTOP)
    assert stop(folders, patience=0.5) is not None
    process.wait()
    assert not is_locked(folders)
    assert not any(map(lives, family))


def test_nothing_that_is_not_ours_is_ever_ended(folders):
    """A number that is used again belongs to somebody else: its start gives it away."""
    folders.run.mkdir(parents=True)
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as bystander:
        try:
            state = {
                "pid": bystander.pid, "mark": "another-boot/12345", "word": "0" * 32,
                "since": "2026-01-05T08:00:00+00:00",
                "parts": [{
                    "name": "worker", "phase": "healthy", "pid": bystander.pid, "mark": "another-boot/12345",
                    "since": "2026-01-05T08:00:00+00:00", "restarts": 0, "reason": "", "version": "1", "link": "",
                    "log": "worker.log",
                }],
            }  # fmt: skip
            folders.state.write_text(json.dumps(state))
            assert last(folders).parts[0].pid == bystander.pid
            assert clear(folders, grace=0.2)
            assert stop(folders) is None
            assert bystander.poll() is None
        finally:
            bystander.kill()
