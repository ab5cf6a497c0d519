"""A whole iteration on a table: decisions explained and limited, the training repeated from what is on record."""

import json
import sqlite3

import pandas as pd
import pytest

from pipeline.ledger import Ledger, all_iterations
from pipeline.settings import Settings
from pipeline.tabular.problem import Tabular
from tests.cli.calling import landed
from tests.flows.made import write_yaml
from tests.tabular import made

pytestmark = [pytest.mark.slow, pytest.mark.proof, pytest.mark.timeout(900)]

CONTROLS = ["reproducible", "explanation", "decision_limits"]


@pytest.fixture
def case(stores, monkeypatch):
    """A charter with one boosted candidate, and biopsies of which twenty wait."""
    monkeypatch.setenv("LANDED_USER", "robin")
    frame = made.breast_cancer()
    frame.loc[::30, "diagnosis"] = None
    made.write_table(stores.root / "cases", frame)
    values = made.charter_values(
        made.BIOPSIES, {"name": "threshold", "parameters": {}},
        {"baseline": {"policy": "today", "measured_over": 8}, "target": 12.0},
        controls=CONTROLS, compliance={"limits": {"outside_training": "refuse", "most_limited": 0.9}},
    )  # fmt: skip
    values["model"]["candidates"] = values["model"]["candidates"][:1]
    return write_yaml(stores.root / "charter.yaml", json.loads(json.dumps(values, default=str))), stores.root / "cases"


def controls() -> dict[str, tuple[str, str]]:
    with Ledger(Settings().ledger) as ledger:
        (record,) = all_iterations(ledger, "table")
    return {one["id"]: (one["state"], one["reason"]) for one in record.result["controls"]}


def test_controls_hold_and_decisions_are_explained_limited_and_overridden(case, tmp_path):
    charter, data = case
    ran = landed("run", charter, "--data", data)
    assert ran.exit_code == 0, ran.output
    found = controls()
    assert {name: state for name, (state, _) in found.items()} == dict.fromkeys(CONTROLS, "holds")
    assert "the model is the same" in found["reproducible"][1]
    out, changes = tmp_path / "decisions.csv", tmp_path / "changes.csv"
    changes.write_text("biopsy,decision,person,reason\nB0030,act,cleo,seen the slides\n", encoding="utf-8")
    decided = landed("decide", charter, "--data", data, "--out", out, "--explain", "--overrides", changes)
    assert decided.exit_code == 0, decided.output
    decisions, told = pd.read_csv(out), pd.read_csv(tmp_path / "decisions.explained.csv")
    assert decisions.set_index("biopsy")["decision"]["B0030"] == "act"
    assert len(told) == len(decisions) == 19
    assert told["driver_1"].notna().all()
    refused = told[told["outside_training"].notna() & (told["biopsy"] != "B0030")]
    assert (refused["decision"] == refused["today"]).all()
    with Ledger(Settings().ledger) as ledger:
        (batch,) = [event for event in ledger.events() if event.kind == "decisions.served"]
    assert batch.body["overrides"][0]["reason"] == "seen the slides"


def spoil_data():
    (table,) = Settings().datasets.glob("*/tables/cases.parquet")
    frame = pd.read_parquet(table)
    frame["mean_radius"] += 1
    frame.to_parquet(table, index=False)


def spoil_seed():
    with sqlite3.connect(Settings().data / "ledger.db") as raw:
        raw.execute("""UPDATE landed_iterations SET charter = replace(charter, '"seed":20260', '"seed":1')""")


@pytest.mark.parametrize(
    ("spoil", "seed", "words"),
    [
        (spoil_data, 20260, "could not be repeated from what is on record"),
        (spoil_seed, 20260, "not the one this iteration runs under"),
        # As if the training drew on something that no record holds.
        (lambda: None, 7, "the model is another one"),
    ],
)
def test_what_was_changed_after_the_training_makes_its_repetition_fail(case, monkeypatch, spoil, seed, words):
    charter, data = case
    train, trainings = Tabular.train, []

    def spoilt(self, charter, *rest):
        trained = train(self, charter.model_copy(update={"seed": seed}) if trainings else charter, *rest)
        if not trainings:
            spoil()
        trainings.append(trained.digest)
        return trained

    monkeypatch.setattr(Tabular, "train", spoilt)
    ran = landed("run", charter, "--data", data)
    assert ran.exit_code == 0, ran.output
    state, reason = controls()["reproducible"]
    assert (state, words in reason) == ("fails", True), reason
    with Ledger(Settings().ledger) as ledger:
        (asked,) = [event for event in ledger.events() if event.kind == "review.requested"]
    assert "control.reproducible" in [one["gate"] for one in asked.body["blocking"]]
