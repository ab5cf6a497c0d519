"""A whole `landed run` on a real table from configuration alone, signed, measured on the next rung, then decided on."""

import json

import pandas as pd
import pytest

from pipeline.ledger import Ledger, all_iterations
from pipeline.settings import Settings
from tests.cli.calling import landed
from tests.tabular import made

pytestmark = pytest.mark.slow


def charter_values():
    business = {**made.BIOPSIES, "slices": ""}
    values = made.charter_values(
        business, {"name": "expected_value", "parameters": {}},
        {"baseline": {"policy": "today", "measured_over": 8}, "target": 9.0},
    )  # fmt: skip
    (rung,) = values["stages"]
    values["stages"] = [
        {**rung, "name": "pilot", "units": 12, "milestone": 7.0},
        {**rung, "name": "all", "units": {"share": 1.0}, "milestone": 9.0},
    ]
    values["guardrails"] = [{"name": "found_share", "unit": "share", "direction": "higher", "versus_baseline": 1.0}]
    values["controls"] = ["non_ml_alternative", "leakage", "quarantine_bounded", "safe_model_format", "four_eyes"]
    return values


def test_a_table_goes_from_its_charter_to_decisions(stores):
    source = made.write_table(stores.root / "biopsies", made.breast_cancer())
    made.charter_of(charter_values(), stores.root)
    charter = stores.root / "charter.yaml"
    ran = landed("run", charter, "--data", source)
    assert ran.exit_code == 0, ran.output
    with Ledger(Settings().ledger) as ledger:
        (record,) = all_iterations(ledger, "table")
    result = record.result
    assert result["kpi"] == "value_per_case"
    assert result["kpis"]["value_per_case"]["unit"] == "hours per case"
    assert result["blocking"] == []
    assert set(result["arms"]) >= {"boosted", "linear", "baseline:today", "baseline:nobody", "baseline:everybody"}
    pack = json.loads((stores.reports / "table" / "iteration-1" / "evidence.json").read_text())
    assert "decision is taken not to change what became of the case" in json.dumps(pack)

    # Waiting cases are decided by the proposal of the challenger.
    frame = made.breast_cancer()
    frame.loc[::50, "diagnosis"] = None
    made.write_table(source, frame)
    decided = landed("decide", charter, "--data", source, "--out", stores.root / "decisions.csv")
    assert decided.exit_code == 0, decided.output
    found = pd.read_csv(stores.root / "decisions.csv")
    assert sorted(found["biopsy"]) == sorted(frame["biopsy"][::50])
    assert set(found["decision"]) == {"act", "leave"}
