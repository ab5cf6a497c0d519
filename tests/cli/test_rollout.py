"""The commands of field results and of the sponsor's word."""

from datetime import date

from pipeline.charter import read_charter
from pipeline.ledger import Ledger, open_iteration
from pipeline.rollout import outcomes
from pipeline.settings import Settings
from tests.cli.calling import assert_refused, landed
from tests.replenishment.made import CONFIGS

CHARTER = CONFIGS / "replenishment" / "charter.yaml"


def test_the_sponsor_reaffirms_a_changed_charter(home):
    before = read_charter(CHARTER, date.today())
    with Ledger(Settings().ledger) as ledger, ledger.transaction() as tx:
        open_iteration(
            tx, project=before.project, number=1, stage="pilot", kind="train", charter=before.canonical(),
            charter_digest=before.digest, why={"trigger": "test"}, started_by="robin",
        )  # fmt: skip
    looser = home.root / "charter.yaml"
    looser.write_text(CHARTER.read_text(encoding="utf-8").replace("milestone: 0.05\n", "milestone: 0.06\n"), "utf-8")
    refused = landed("charter", "reaffirm", looser, "--reason", "agreed", "--as", "ana.silva")
    assert_refused(refused, 4, "the sponsor is maria.costa")
    done = landed("charter", "reaffirm", looser, "--reason", "agreed in the board", "--as", "maria.costa")
    assert done.exit_code == 0, done.output
    assert "loosened" in done.stdout
    with Ledger(Settings().ledger) as ledger:
        (event,) = ledger.events(kind="charter.reaffirmed")
    assert (event.actor, event.body["reason"]) == ("maria.costa", "agreed in the board")


def test_field_results_are_added_and_counted(home, monkeypatch):
    file = home.root / "field.csv"
    file.write_text("unit,period,stockout_weeks,weeks\nS001,2026-11-02,3,90\nS002,2026-11-02,,90\n", "utf-8")
    assert_refused(landed("outcomes", "add", CHARTER, file), 3, "it has no iteration yet", "run the charter first")
    monkeypatch.setattr(outcomes, "known_units", lambda *asked: ("S001", "S002"))
    done = landed("outcomes", "add", CHARTER, file, "--as", "joao.pinto")
    assert done.exit_code == 0, done.output
    assert "delivery 1" in done.stdout
    assert "3 new figures, 0 corrected, 0 unchanged" in done.stdout
    file.write_text("unit,period,stockout_weeks,weeks\nS003,2026-11-02,3,90\n", "utf-8")
    assert_refused(landed("outcomes", "add", CHARTER, file), 3, "a unit nobody knows in line 2")


def test_a_project_nobody_knows_is_refused(home):
    for words in (("show", "shap"), ("stop", "shap", "--reason", "why"), ("resume", "shap", "--reason", "why")):
        assert_refused(landed("rollout", *words), 4, "the ledger does not know it")
    assert_refused(landed("rollout", "rehearse", "shap"), 4, "nothing is released")
