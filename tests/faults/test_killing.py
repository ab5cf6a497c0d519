"""Kill -9 everywhere, as the programs play it: short here; docs/reliability.md says how the long games went."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.proof, pytest.mark.timeout(3600)]


def played(program: str, *options: str) -> str:
    """A program's table; it ends with another code than 0 where anything was lost."""
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("LANDED_", "PREFECT_", "MLFLOW_"))
    }
    command = [sys.executable, "-m", f"tests.faults.{program}", *options]
    done = subprocess.run(command, cwd=ROOT, env=clean, capture_output=True, text=True)
    print(done.stdout)  # noqa: T201 - the figures, seen with `pytest -s`
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    return done.stdout


def test_whatever_is_killed_the_work_is_carried_on_as_if_nothing_had_been():
    table = played("killing", "--instants", "20", "--stride", "60", "--sparse")
    assert table.count("| 0 |\n") == 5


def test_the_whole_stack_felled_and_started_again_finishes_what_it_was_at():
    assert played("felling", "--changes", "4", "--instants", "2").splitlines()[0].endswith("| 6 | 0 |")


@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
def test_ten_projects_at_once_come_to_what_each_comes_to_alone(store, request):
    if store == "postgresql":
        request.getfixturevalue("server")  # skips where there is none
    assert "0 differ" in played("together", "--store", store)
