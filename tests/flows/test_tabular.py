"""A newcomer's way on a real table: `landed init`, `make run` with the network blocked, `make test`, decisions."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from pipeline.ledger import Ledger, all_iterations
from tests.cli.calling import landed
from tests.cli.test_init import ANSWERS
from tests.tabular import made
from tests.trap import assert_it_works, trapped

pytestmark = [pytest.mark.slow, pytest.mark.proof, pytest.mark.timeout(900)]


def make(project: Path, word: str, **environment: str) -> str:
    command = ["make", word, f"LANDED={Path(sys.executable).with_name('landed')}", f"PYTHON={sys.executable}"]
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith(("LANDED_", "PREFECT_"))}
    done = subprocess.run(
        command,
        cwd=project,
        env={**surroundings, "LANDED_USER": "robin", **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_from_a_csv_file_to_a_review_and_decisions_without_a_word_to_anybody_outside(stores, monkeypatch):
    made.breast_cancer().to_csv(stores.root / "biopsies.csv", index=False)
    project = stores.root / "project"
    assert landed("init", stores.root / "biopsies.csv", project, *ANSWERS).exit_code == 0
    # An empty MLflow store whose migrations were done once for all tests.
    (stores.data / "mlflow").rename(project / "data" / "mlflow")
    trap, caught = stores.root / "trap", stores.root / "caught"

    shown = make(project, "run", **trapped(trap, caught))
    assert_it_works(trap)
    assert not caught.exists(), caught.read_text()
    assert "Waits for people: project-1-pilot" in shown

    monkeypatch.chdir(project)
    monkeypatch.setenv("LANDED_DATA", "data")
    monkeypatch.setenv("LANDED_REPORTS", "reports")
    with Ledger(f"sqlite:///{project / 'data' / 'ledger.db'}") as ledger:
        (record,) = all_iterations(ledger, "project")
    result = record.result
    assert result["kpi"] == "value_per_case"
    assert result["kpis"]["value_per_case"]["unit"] == "hours per case"
    assert {"boosted", "linear", "baseline:nobody", "baseline:everybody"} <= set(result["arms"])
    pack = json.loads((project / "reports" / "project" / "iteration-1" / "evidence.json").read_text())
    assert "stand in for weeks" in json.dumps(pack)
    page = (project / "reports" / "project" / "iteration-1" / "evidence.html").read_text(encoding="utf-8")
    assert "data without dates" in page
    assert "1900-" not in page

    # Cases whose outcome nobody knows yet are decided by the challenger's proposal.
    frame = made.breast_cancer()
    frame.loc[::50, "diagnosis"] = None
    frame.to_csv("data/cases/cases.csv", index=False)
    decided = landed("decide", "configs/charter.yaml", "--out", "reports/decisions.csv")
    assert decided.exit_code == 0, decided.output
    found = pd.read_csv("reports/decisions.csv")
    assert sorted(found["biopsy"]) == sorted(frame["biopsy"][::50])
    assert set(found["decision"]) <= {"act", "leave"}
    assert make(project, "test")
