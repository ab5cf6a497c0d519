"""Prefect's own server starts with a process, and never outlives it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows import server
from pipeline.errors import LedgerError
from pipeline.stack.processes import start_mark
from tests.stack.made import until

_BEGINS = """
import time
from flows import server
server.begin()
print(server._started()[0].pid, flush=True)
time.sleep(600)
"""


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


@pytest.mark.skipif(sys.platform != "linux", reason="children are read from /proc")
def test_a_process_killed_hard_leaves_no_server(home):
    environment = {**os.environ, "PREFECT_HOME": str(home.root)}
    command = [sys.executable, "-c", _BEGINS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as begun:
        keeper = int(begun.stdout.readline())
        until(lambda: children(keeper))
        marks = {pid: start_mark(pid) for pid in (keeper, *children(keeper))}
        begun.kill()
    until(lambda: not any(start_mark(pid) == mark for pid, mark in marks.items()))


def test_a_server_that_ends_at_once_is_told_with_its_code(monkeypatch):
    ended = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
    ended.wait()
    monkeypatch.setattr(server, "_started", lambda: (ended, "http://127.0.0.1:9/api"))
    with pytest.raises(LedgerError, match="Prefect's server does not start") as told:
        server._answering.__wrapped__()
    (finding,) = told.value.findings
    assert finding.found == "it ended with code 3"
    assert "LANDED_PREFECT_URL" in finding.remedy


def test_with_a_standing_server_none_is_begun(monkeypatch):
    monkeypatch.setattr(server, "_started", lambda: pytest.fail("a server was begun"))
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        server.begin()
        assert server.address() == "http://127.0.0.1:9/api"
