"""The commands as people use them, where all goes well."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipeline.charter.schema import schema_text
from pipeline.ledger import Ledger, get_iteration, verify
from pipeline.settings import Settings
from tests.cli.calling import landed
from tests.flows.awaiting import a_charter, under_review
from tests.flows.made import PROJECT, ROOT, charter_values, write_yaml

HEAVY = ("mlflow", "prefect", "evidently", "sklearn", "lightgbm")
CHARTERS = ["replenishment", "vn2"]


@pytest.mark.parametrize("case", CHARTERS)
def test_check_finds_nothing_to_mend_in_the_shipped_charters_and_shows_the_goal(home, case):
    shown = landed("check", ROOT / "configs" / case / "charter.yaml")
    assert shown.exit_code == 0
    values = yaml.safe_load((ROOT / "configs" / case / "charter.yaml").read_text(encoding="utf-8"))
    goal = values["kpi"]
    assert f"{goal['name']} ≤ {goal['target']:g}" in shown.stdout
    assert f"by {goal['deadline']}" in shown.stdout
    assert goal["baseline"]["policy"] in shown.stdout
    assert list(home.root.iterdir()) == []


def test_diff_names_each_change_and_says_when_the_sponsor_is_needed(home):
    old = write_yaml(home.root / "old.yaml", charter_values())
    values = charter_values()
    values["kpi"]["target"] = 0.08
    values["stages"][-1]["milestone"] = 0.08
    values["policy"]["parameters"]["service_level"] = 0.9
    new = write_yaml(home.root / "new.yaml", values)
    shown = landed("diff", old, new)
    assert shown.exit_code == 0
    assert "loosened" in shown.stdout
    assert "kpi.target" in shown.stdout
    assert "policy.parameters.service_level" in shown.stdout
    assert "need the sponsor again" in shown.stdout
    assert "The charters say the same." in landed("diff", old, old).stdout


def test_schema_is_the_one_that_ships_and_knows_every_key_of_a_charter(home):
    out = home.root / "schema.json"
    assert landed("schema", "--out", out).exit_code == 0
    assert out.read_text(encoding="utf-8") == landed("schema").stdout == schema_text()
    assert out.read_text(encoding="utf-8") == (ROOT / "configs" / "charter.schema.json").read_text(encoding="utf-8")
    assert set(charter_values()) <= set(json.loads(out.read_text(encoding="utf-8"))["properties"])


@pytest.fixture
def review(stores):
    with Ledger(Settings().ledger) as ledger:
        return under_review(ledger, a_charter(stores))


def test_an_empty_inbox_says_so(stores):
    shown = landed("review", "list")
    assert (shown.exit_code, "No review waits for anybody." in shown.stdout) == (0, True)


def test_the_inbox_and_a_review_show_who_is_asked_on_which_figures_and_how_to_sign(review):
    listed, shown = landed("review", "list"), landed("review", "show", review.id)
    assert listed.exit_code == shown.exit_code == 0
    assert review.id in listed.stdout
    assert "maria.costa (sponsor)" in " ".join(listed.stdout.split())
    assert review.report_digest in shown.stdout
    assert "3.0 %" in shown.stdout
    assert "9.0 %" in shown.stdout
    assert f"landed review sign {review.id}" in shown.stdout
    assert "No review waits for anybody." in landed("review", "list", "--project", "another").stdout


def test_the_last_signature_that_is_needed_applies_the_decision(review, stores, monkeypatch):
    report = ["--report", review.report_digest[:12], "--comment", "Read it."]
    first = landed("review", "sign", review.id, "--decision", "iterate", "--as", "lena.vogt", *report)
    assert first.exit_code == 0, first.output
    assert "still asked" in first.stdout
    feedback = stores.root / "feedback.yaml"
    item = {
        "id": "F9", "author": "ana.silva", "role": "business_owner", "kind": "policy_change", "seen": "Empty shelves.",
        "change": "Order more.", "patch": {"policy.parameters.service_level": 0.98}, "acceptance": "Fewer of them.",
    }  # fmt: skip
    feedback.write_text(yaml.safe_dump([item]), encoding="utf-8")
    # Who signs is whoever is at the keyboard, if nothing else is said.
    monkeypatch.setenv("LANDED_USER", "ana.silva")
    last = landed("review", "sign", review.id, "--decision", "iterate", "--feedback", feedback, *report)
    assert last.exit_code == 0, last.output
    assert "decided: iterate" in last.stdout
    with Ledger(Settings().ledger) as ledger:
        opened = get_iteration(ledger, PROJECT, 2, "pilot")
        assert verify(ledger).intact
    assert opened.state == "opened"
    assert json.loads(opened.charter)["policy"]["parameters"]["service_level"] == 0.98
    assert "No review waits for anybody." in landed("review", "list").stdout
    assert "Decided: iterate" in landed("review", "show", review.id).stdout
    audited = landed("audit", "verify")
    # The review is made up: its chain holds, its evidence pack was never written, and the audit says both.
    assert audited.exit_code == 5
    assert "The ledger is whole" in audited.output
    assert "manifest.json" in audited.output


def test_help_loads_no_rich():
    code = (
        "import sys\nfrom pipeline.cli import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "assert 'rich' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=ROOT, timeout=120)


@pytest.mark.parametrize("command", [["--help"], ["check", "configs/replenishment/charter.yaml"], ["review", "list"]])
def test_light_commands_import_no_heavy_library(home, command):
    code = (
        "import sys\nfrom pipeline.cli import app\n"
        "try:\n    app(sys.argv[1:])\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        f"print('IMPORTED', *[name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command], capture_output=True, text=True, check=True, cwd=ROOT, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "IMPORTED"


def test_the_installed_command_shows_its_help_with_the_exit_codes():
    command = Path(sys.executable).with_name("landed")
    done = subprocess.run([command, "--help"], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    for code in ("2 charter", "3 data", "4 refused", "5 ledger", "6 model", "130 stopped"):
        assert code in " ".join(done.stdout.split())
