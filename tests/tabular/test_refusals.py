"""What a table's charter, contract or file may not say: each told with its place and what to write."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import CharterError, DataError, ModelError
from pipeline.tabular.cases import cases_of
from pipeline.tabular.parameters import label, slug
from pipeline.tabular.problem import Tabular
from tests.tabular import made

POLICY = {"name": "expected_value", "parameters": {}}


def refused(tmp_path, business, policy=POLICY, kpi=None, **changes):
    with pytest.raises(CharterError) as error:
        made.charter_of(made.charter_values({**made.BIOPSIES, **business}, policy, kpi or {}, **changes), tmp_path)
    return str(error.value)


@pytest.mark.parametrize(
    ("business", "words"),
    [
        ({"positive": None}, ("business.positive", "asks for action")),
        ({"key": "Biopsy No."}, ("business.key", "write `biopsy_no`")),
        ({"rule_at_least": None}, ("business.rule_column", "rule_at_least, rule_at_most, rule_is")),
        ({"today": "called"}, ("business.rule_column", "keep one of the two")),
        ({"hit": 0.0, "false_alarm": 0.0, "miss": 0.0}, ("no decision is worth anything", "hit, false_alarm")),
        ({"groups": 3}, ("business.groups", "greater than or equal to 8")),
        ({"hitt": 3.0}, ("business.hitt", "did you mean `hit`?")),
        ({"sick_as_well": 3.0}, ("business.sick_as_well", "no known classes")),
        ({"task": "ranking"}, ("business.task", "'binary'")),
    ],
)
def test_the_business_section_is_refused_with_line_and_remedy(tmp_path, business, words):
    given = {key: value for key, value in {**made.BIOPSIES, **business}.items() if value is not None}
    with pytest.raises(CharterError) as error:
        made.charter_of(made.charter_values(given, POLICY, {}), tmp_path)
    for word in words:
        assert word in str(error.value)


def test_policies_kpis_and_baselines_that_do_not_fit_the_task(tmp_path):
    assert "write one of: expected_value" in refused(tmp_path, {}, {"name": "estimate", "parameters": {}})
    assert "write one of: expected_value" in refused(tmp_path, {}, {"name": "rank", "parameters": {}})
    assert "policy.parameters.limit: the key is missing" in refused(
        tmp_path, {}, {"name": "capacity", "parameters": {}}
    )
    assert "write `unit: hours per case`" in refused(tmp_path, {}, kpi={"unit": "EUR per case"})
    assert "write `direction: higher`" in refused(tmp_path, {}, kpi={"direction": "lower"})
    message = refused(tmp_path, {}, kpi={"baseline": {"policy": "mean", "measured_over": 8}})
    assert "write one of: nobody, everybody, today" in message
    without = {key: value for key, value in made.BIOPSIES.items() if not key.startswith("rule")}
    with pytest.raises(CharterError, match=r"write one of: nobody, everybody$"):
        made.charter_of(
            made.charter_values(without, POLICY, {"baseline": {"policy": "today", "measured_over": 8}}), tmp_path
        )


def test_values_between_classes_name_two_classes_that_there_are(tmp_path):
    matrix, kpi = {"name": "cost_matrix", "parameters": {}}, {"baseline": {"policy": "most_common", "measured_over": 8}}
    for business, word in (
        ({"north_as_east": -3.0}, "TRUTH_as_DECISION"),
        ({"north_as_south": "much"}, "write a number"),
        ({"classes": "north, south"}, "three or more"),
    ):
        with pytest.raises(CharterError, match=word):
            made.charter_of(made.charter_values({**made.WINES, **business}, matrix, kpi), tmp_path)


def loaded(tmp_path, frame=None, contract=None, **business):
    made.write_table(tmp_path / "data", made.breast_cancer() if frame is None else frame)
    if contract is not None:
        (tmp_path / "data" / "contract.csv").write_text(contract)
    rules = made.charter_of(made.charter_values({**made.BIOPSIES, **business}, POLICY, {}), tmp_path)
    return made.dataset_at(rules, tmp_path / "data")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda frame: frame.rename(columns={"diagnosis": "finding"}), ("business.target", "no column diagnosis")),
        (lambda frame: frame.assign(unit=1), ("column unit", "Landed's own")),
        (lambda frame: frame.assign(**{"Mean Radius": 1.0}), ("both written mean_radius",)),
        (lambda frame: frame.assign(diagnosis=""), ("the target is empty",)),
        (lambda frame: frame.assign(diagnosis="benign"), ("'malignant' is the value of no row",)),
    ],
)
def test_a_table_that_does_not_fit_is_told_with_its_place(tmp_path, change, words):
    frame = change(made.breast_cancer())
    rules = made.charter_of(made.charter_values(made.BIOPSIES, POLICY, {}), tmp_path)
    with pytest.raises(DataError) as error:
        cases_of(rules, loaded(tmp_path, frame).tables)
    for word in words:
        assert word in str(error.value)


def test_a_table_or_contract_that_is_missing_says_what_to_put_where(tmp_path):
    rules = made.charter_of(made.charter_values(made.BIOPSIES, POLICY, {}), tmp_path)
    with pytest.raises(DataError, match="landed init"):
        Tabular().load(rules, tmp_path / "data")
    made.write_table(tmp_path / "data", made.breast_cancer())
    (tmp_path / "data" / "cases.csv").unlink()
    with pytest.raises(DataError, match=r"put cases\.csv or cases\.parquet there"):
        Tabular().load(rules, tmp_path / "data")


@pytest.mark.parametrize(
    ("contract", "word"),
    [
        ("name,type\nbiopsy,text\n", "write a first line with"),
        ("column,type,may_be_empty\nbiopsy,string,false\n", "types are text"),
        ("column,type,may_be_empty,lowest\nmean_radius,number,false,low\n", "limits are numbers"),
        ("column,type,may_be_empty\nbiopsy,text,false\n", "business.target names it"),
    ],
)
def test_a_contract_that_cannot_be_used_is_refused_with_its_line(tmp_path, contract, word):
    with pytest.raises(DataError) as error:
        loaded(tmp_path, contract=contract)
    assert word in str(error.value)
    assert "contract.csv" in str(error.value)


def test_rows_that_break_the_contract_go_into_quarantine_with_their_reason(tmp_path):
    frame = made.breast_cancer()
    rules = "column,type,may_be_empty,lowest,highest,values\nbiopsy,text,false,,,\n"
    rules += "mean_radius,number,false,5,40,\nsmoker,truth,false,,,\ndiagnosis,text,false,,,benign|malignant\n"
    frame["smoker"] = "no"
    frame.loc[0, "mean radius"], frame.loc[1, "diagnosis"], frame.loc[2, "smoker"] = 99.0, "unsure", "perhaps"
    frame.loc[3, "biopsy"] = "B0004"
    data = loaded(tmp_path, frame, rules)
    reasons = "\n".join(data.quarantine.rows.query("table == 'cases'")["reason"])
    for word in ("mean_radius ≤ 40", "one of benign, malignant", "not true or false", "same key as row"):
        assert word in reasons
    assert data.quarantine.refused["cases"] == 4
    # A column without a rule is not taken in.
    assert "mean_texture" not in data.tables["cases"]


def test_parquet_and_csv_of_one_table_are_one_dataset(tmp_path):
    frame = made.breast_cancer()
    data = loaded(tmp_path, frame)
    (tmp_path / "data" / "cases.csv").unlink()
    frame.to_parquet(tmp_path / "data" / "cases.parquet")
    rules = made.charter_of(made.charter_values(made.BIOPSIES, POLICY, {}), tmp_path)
    assert made.dataset_at(rules, tmp_path / "data").digest == data.digest


def test_numbers_as_classes_are_one_however_a_file_wrote_them(tmp_path):
    frame = made.breast_cancer()
    frame["diagnosis"] = np.where(frame["diagnosis"] == "malignant", 1.0, 0.0)
    frame.loc[:9, "diagnosis"] = np.nan
    data = loaded(tmp_path, frame, positive=1)
    assert set(data.tables["cases"]["diagnosis"].dropna()) == {"0", "1"}
    assert [label(value) for value in (True, 1, 1.0, " yes ")] == ["true", "1", "1", "yes"]
    assert slug("Ärger (%)") == "rger"


def test_too_little_history_says_how_much_is_needed(tmp_path):
    made.write_table(tmp_path / "data", made.breast_cancer())
    values = made.charter_values({**made.BIOPSIES, "groups": 8}, POLICY, {})
    values["model"]["backtest_every"] = 5
    rules = made.charter_of(values, tmp_path)
    data = made.dataset_at(rules, tmp_path / "data")
    with pytest.raises(DataError, match="need 14 periods"):
        Tabular().train(rules, data, rules.model.candidates[0], ("lot-001",), tmp_path / "model", made.nothing)


def test_too_few_rows_cannot_be_learned_from(tmp_path):
    made.write_table(tmp_path / "data", made.breast_cancer().head(60))
    rules = made.charter_of(made.charter_values(made.BIOPSIES, POLICY, {}), tmp_path)
    data = made.dataset_at(rules, tmp_path / "data")
    values = rules.model_copy(update={"model": rules.model.model_copy(update={"train_periods": 2})})
    with pytest.raises(ModelError, match="too little to learn from"):
        Tabular().train(values, data, rules.model.candidates[0], ("lot-001",), tmp_path / "model", made.nothing)


def test_checking_a_charter_loads_no_model_library(tmp_path):
    made.charter_of(made.charter_values(made.BIOPSIES, POLICY, {}), tmp_path)
    code = (
        "import sys; from datetime import date; from pathlib import Path\n"
        "from pipeline.problems.reading import read_charter_for_problem\n"
        f"read_charter_for_problem(Path({str(tmp_path / 'charter.yaml')!r}), date(2026, 11, 24))\n"
        "print(sorted({'sklearn', 'lightgbm', 'mlflow', 'prefect', 'evidently'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_text_keys_keep_their_zeros(tmp_path):
    frame = made.breast_cancer()
    frame["biopsy"] = [f"{number:06d}" for number in range(len(frame))]
    made.write_table(tmp_path / "data", pd.DataFrame(frame))
    rules = made.charter_of(made.charter_values(made.BIOPSIES, POLICY, {}), tmp_path)
    assert made.dataset_at(rules, tmp_path / "data").tables["cases"]["biopsy"].min() == "000000"
