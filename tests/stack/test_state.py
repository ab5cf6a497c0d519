"""Who runs: the lock counts, whatever the files say."""

import json
import os
import subprocess

import pytest

from pipeline.errors import LandedError
from pipeline.stack.processes import is_running, start_mark
from pipeline.stack.state import Folders, PartState, StackState, is_locked, last, locked, running, write
from tests.stack.made import lives

PART = PartState("mlflow", "healthy", 12, "m", "2026-01-05T08:00:00+00:00", 0, "", "3", "http://127.0.0.1:5001", "log")


@pytest.fixture
def folders(tmp_path) -> Folders:
    return Folders(tmp_path / "data")


def test_asking_makes_nothing(folders):
    assert not is_locked(folders)
    assert running(folders) is None
    assert not folders.data.exists()


def test_a_second_supervisor_is_refused_with_links_and_pid(folders):
    with locked(folders):
        write(folders, StackState(4711, "m", "w", "2026-01-05T08:00:00+00:00", (PART,)))
        with pytest.raises(LandedError) as refused, locked(folders):
            pass
        for word in ("4711", "http://127.0.0.1:5001", "landed down"):
            assert word in str(refused.value)
        assert running(folders) == StackState(4711, "m", "w", "2026-01-05T08:00:00+00:00", (PART,))
    with locked(folders):
        assert is_locked(folders)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', '{"parts": [{}]}', json.dumps({"parts": 3})])
def test_a_damaged_state_file_is_as_none(folders, content):
    folders.run.mkdir(parents=True)
    folders.state.write_text(content)
    assert last(folders) is None
    with locked(folders):
        assert running(folders) is None


def test_a_process_is_known_by_its_number_and_its_start():
    mark = start_mark(os.getpid())
    assert mark
    assert is_running(os.getpid(), mark)
    assert not is_running(os.getpid(), mark + "0")
    for nobody in (0, -1, 2**22 + 1):
        assert start_mark(nobody) is None


def test_a_process_that_ended_and_was_not_reaped_yet_does_not_run():
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not lives(child.pid)
    child.wait()
