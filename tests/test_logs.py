"""Logs of the parts: one JSON object a line where no terminal is, lines for people when asked, never a secret."""

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

WORK = """
import logging, sys
from pipeline.logs import begin
from pipeline.settings import Settings
begin("worker", Settings())
from pipeline.progress import reporter
logging.getLogger("landed.dispatcher").info("%s: carried out", "apply:shop-1", extra={"intent": "apply:shop-1"})
logging.getLogger("some.library").info("chatter")
logging.getLogger("some.library").warning("postgresql://landed:hunter2hunter2@db/ledger and tok-0123456789 are known")
with reporter().section("[bold]Iteration 1, pilot[/]  robin started it"):
    reporter()("arms", 1, 2)
    reporter()("arms", 2, 2)
try:
    raise ValueError("wrong key tok-0123456789")
except ValueError:
    logging.getLogger("pipeline.web").exception("went wrong")
"""
#: A run as Prefect's runner starts it: a process of its own, which Prefect configures from the environment.
CHILD = """
import subprocess, sys
from pipeline.logs import begin
from pipeline.settings import Settings
begin("worker", Settings())
code = "import prefect.main, logging; logging.getLogger('prefect.flow_runs').warning('Crashed'); "
code += "logging.getLogger('landed.run').info('data to 2026-11-02'); logging.getLogger('urllib3').info('chatter')"
sys.exit(subprocess.run([sys.executable, "-c", code]).returncode)
"""


def logged(code: str, home, **more: str) -> str:
    secrets = {"LANDED_TOKEN": "tok-0123456789", "PREFECT_LOGGING_LEVEL": "INFO"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[1], capture_output=True, text=True,
        env={**os.environ, **home.environment, **secrets, **more},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    return done.stderr


def test_without_a_terminal_every_line_is_an_object_and_holds_no_secret(home):
    told = logged(WORK, home)
    assert "hunter2" not in told
    assert "tok-0123456789" not in told
    lines = [json.loads(line) for line in told.splitlines()]
    assert [line["message"] for line in lines] == [
        "apply:shop-1: carried out", "postgresql://landed:***@db/ledger and *** are known",
        "Iteration 1, pilot  robin started it", "arms: 2 done", "went wrong",
    ]  # fmt: skip
    assert {line["part"] for line in lines} == {"worker"}
    assert [line["level"] for line in lines] == ["info", "warning", "info", "info", "error"]
    assert lines[0]["intent"] == "apply:shop-1"
    assert lines[-1]["error"].splitlines()[-1] == "ValueError: wrong key ***"
    assert all(datetime.fromisoformat(line["at"]).utcoffset() is not None for line in lines)


def test_lines_for_people_when_asked(home):
    told = logged(WORK, home, LANDED_LOG_FORMAT="lines").splitlines()
    assert told[0].endswith(" worker: apply:shop-1: carried out")
    assert told[1].endswith(" worker: warning: postgresql://landed:***@db/ledger and *** are known")
    assert told[-1] == "ValueError: wrong key ***"
    datetime.fromisoformat(told[0][:19])


@pytest.mark.slow
def test_a_run_that_the_worker_starts_logs_in_the_same_form(home):
    lines = [json.loads(line) for line in logged(CHILD, home).splitlines()]
    assert [(line["part"], line["level"], line["message"]) for line in lines] == [
        ("worker", "warning", "Crashed"), ("worker", "info", "data to 2026-11-02"),
    ]  # fmt: skip
