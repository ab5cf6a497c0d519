"""Real tables that come with scikit-learn and statsmodels, written as a project's data folder, and charters on them."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from sklearn import datasets

from pipeline.charter import Charter
from pipeline.charter.reading import read_charter
from pipeline.datasets import catalog
from pipeline.datasets.contracts import apply_contracts
from pipeline.datasets.dataset import Dataset
from pipeline.tabular.problem import Tabular

Values = dict[str, Any]
TODAY = date(2026, 11, 24)
PEOPLE = (
    ("ada.lund", "Ada Lund", "sponsor"),
    ("ben.okoro", "Ben Okoro", "business_owner"),
    ("cleo.marin", "Cleo Marin", "operations"),
    ("dan.weiss", "Dan Weiss", "engineering"),
)


def nothing(_what: str, _done: int, _total: int) -> None:
    """No progress is shown."""


def charter_values(business: Values, policy: Values, kpi: Values, **changes: Any) -> Values:
    """A whole charter on a table called ``cases``, with one rung."""
    goal = {
        "name": "value_per_case", "unit": f"{business['counted_in']} per case", "direction": "higher",
        "baseline": {"policy": "nobody", "measured_over": 8}, "target": 1.0, "deadline": date(2027, 12, 31),
        "owner": "ben.okoro", **kpi,
    }  # fmt: skip
    values: Values = {
        "project": "table",
        "title": "A table of cases",
        "problem": "tabular",
        "pain_point": "Cases that matter are found too late and each one costs a lot.",
        "decision": "Which of the new cases of a week somebody looks at more closely.",
        "kpi": goal,
        "scope": {"in": ["all cases of the table"], "out": []},
        "strategy": {
            "priority": 2, "corporate_kpi": "cost of late findings", "sponsor": "ada.lund", "review_every_weeks": 26,
            "last_reviewed": date(2026, 11, 2),
        },
        "people": [
            {"id": key, "name": name, "role": role, "channel": f"mailto:{key}@example.com"}
            for key, name, role in PEOPLE
        ],
        "sign": {
            "advance": ["sponsor", "business_owner"], "iterate": ["business_owner"], "hold": ["business_owner"],
            "roll_back": ["operations"], "stop": ["sponsor"],
        },
        "data": {
            "source": "cases", "period": "week", "minimum_history": 8, "max_quarantine_share": 0.02,
            "min_coverage": 0.5, "tables": [{"name": "cases", "owner": "Registry", "freshness_days": 31}],
        },
        "business": business,
        "model": {
            "candidates": [
                {"name": "boosted", "algorithm": "lightgbm", "features": ["all"], "parameters": {"rounds": 40}},
                {"name": "linear", "algorithm": "linear", "features": ["all"], "parameters": {}},
            ],
            "train_on": "all", "train_periods": 52, "backtest_cutoffs": 2, "backtest_every": 2,
        },
        "policy": policy,
        "stages": [
            {
                "name": "all", "units": {"share": 1.0}, "periods": 2, "milestone": goal["target"],
                "worst_unit_limit": -1e6 if goal["direction"] == "higher" else 1e6,
                "resources": {"people_days": 5, "compute_hours": 1, "money": 1000},
            }
        ],
        "budget": {"iterations": 4, "money": 20000, "currency": "EUR"},
        "seed": 20260,
    }  # fmt: skip
    return {**values, **changes}


def charter_of(values: Values, folder: Path) -> Charter:
    """The charter as ``landed check`` reads it, its problem asked too."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "charter.yaml"
    plain = json.loads(json.dumps(values, default=str))  # no anchors for what stands in two places
    path.write_text(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return read_charter(path, TODAY, Tabular().check)


def write_table(folder: Path, frame: pd.DataFrame, name: str = "cases") -> Path:
    """The table and a plain contract: types as they are, nothing may be empty but floats."""
    folder.mkdir(parents=True, exist_ok=True)
    frame.to_csv(folder / f"{name}.csv", index=False)
    kinds = {"i": "whole", "f": "number", "b": "truth", "M": "date"}
    rules = [
        {
            "column": column, "type": kinds.get(frame[column].dtype.kind, "text"),
            "may_be_empty": str(bool(frame[column].isna().any())).lower(), "lowest": "", "highest": "", "values": "",
            "meaning": "",
        }
        for column in frame.columns
    ]  # fmt: skip
    pd.DataFrame(rules).to_csv(folder / "contract.csv", index=False)
    return folder


def dataset_at(charter: Charter, folder: Path) -> Dataset:
    """As the loop loads it."""
    problem = Tabular()
    raw = problem.load(charter, folder)
    clean, quarantine = apply_contracts(raw, problem.contracts(charter, raw))
    return Dataset(clean, catalog.digest(clean), problem.cutoff(clean), quarantine)


def breast_cancer() -> pd.DataFrame:
    """569 biopsies; the malignant ones are to be seen at once."""
    bunch = datasets.load_breast_cancer(as_frame=True)
    frame = bunch.frame.rename(columns={"target": "diagnosis"})
    frame["diagnosis"] = np.where(frame["diagnosis"] == 0, "malignant", "benign")
    frame.insert(0, "biopsy", [f"B{number:04d}" for number in range(len(frame))])
    return frame


BIOPSIES: Values = {
    "task": "binary", "key": "biopsy", "target": "diagnosis", "positive": "malignant", "counted_in": "hours",
    "hit": 40.0, "false_alarm": -2.0, "miss": -20.0, "correct_rejection": 0.0, "rule_column": "mean_radius",
    "rule_at_least": 16.0, "lots": 20, "groups": 12,
}  # fmt: skip


def wine() -> pd.DataFrame:
    """178 wines of three growers."""
    bunch = datasets.load_wine(as_frame=True)
    frame = bunch.frame.rename(columns={"target": "grower"})
    frame["grower"] = frame["grower"].map({0: "north", 1: "middle", 2: "south"})
    frame.insert(0, "bottle", [f"W{number:03d}" for number in range(len(frame))])
    return frame


WINES: Values = {
    "task": "multiclass", "key": "bottle", "target": "grower", "classes": "north, middle, south", "counted_in": "EUR",
    "right": 1.0, "wrong": -3.0, "north_as_south": -20.0, "lots": 10, "groups": 10,
}  # fmt: skip


def diabetes() -> pd.DataFrame:
    """442 patients, and how far the disease went within a year."""
    bunch = datasets.load_diabetes(as_frame=True)
    frame = bunch.frame.rename(columns={"target": "progression"})
    frame.insert(0, "patient", [f"P{number:03d}" for number in range(len(frame))])
    return frame


PATIENTS: Values = {
    "task": "regression", "key": "patient", "target": "progression", "counted_in": "EUR", "per_unit": 1.0,
    "acting": 150.0, "lots": 20, "groups": 10,
}  # fmt: skip


def carbon_dioxide() -> pd.DataFrame:
    """Weekly carbon dioxide at Mauna Loa (Keeling and Whorf 2004, in statsmodels), each week beside earlier ones."""
    from statsmodels.datasets import co2

    series = co2.load_pandas().data["co2"].interpolate()
    frame = pd.DataFrame({"week": series.index, "next": series.to_numpy()})
    for lag in (1, 2, 4, 26, 52):
        frame[f"lag_{lag}"] = frame["next"].shift(lag)
    frame["season"] = np.sin(2 * np.pi * frame["week"].dt.dayofyear / 365.25)
    frame["today"] = frame["lag_1"]
    frame["instrument"] = "infrared"
    frame.insert(0, "row", [f"R{number:05d}" for number in range(len(frame))])
    return frame.dropna().tail(400).reset_index(drop=True)


AIR: Values = {
    "task": "regression", "key": "row", "target": "next", "time": "week", "unit": "instrument", "today": "today",
    "counted_in": "EUR", "over": 1.0, "under": 3.0, "target_unit": "ppm",
}  # fmt: skip


def digits() -> pd.DataFrame:
    """1,797 written digits of 8 by 8 points."""
    bunch = datasets.load_digits(as_frame=True)
    frame = bunch.data.add_prefix("p_").assign(digit=[f"d{number}" for number in bunch.target])
    frame.insert(0, "sheet", [f"S{number:04d}" for number in range(len(frame))])
    return frame


def travel() -> pd.DataFrame:
    """210 travellers' choice of air, train, bus or car (Greene, in statsmodels), one row per traveller."""
    from statsmodels.datasets import modechoice

    long = modechoice.load_pandas().data
    names = {1: "air", 2: "train", 3: "bus", 4: "car"}
    chosen = long[long["choice"] == 1].set_index("individual")["mode"].map(names)
    wide = long.pivot(index="individual", columns="mode", values=["ttme", "invc", "invt", "gc"])
    wide.columns = [f"{name}_{names[int(mode)]}" for name, mode in wide.columns]
    people = long.groupby("individual")[["hinc", "psize"]].first()
    frame = wide.join(people).assign(mode=chosen).reset_index(names="traveller")
    frame["traveller"] = [f"T{int(number):03d}" for number in frame["traveller"]]
    return frame
