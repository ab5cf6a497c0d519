"""A small flagship case: a tiny synthetic chain, the shipped charter made small, and recorded answers that advance."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from pipeline.replenishment.demand import WorldSpec
from pipeline.replenishment.field import tables_at

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "configs" / "replenishment"
PROJECT = "smart-replenishment"
SPEC = WorldSpec(stores=24, products=16, weeks=120, seed=20260, lead_time=2)
PERIODS = 5

Values = dict[str, Any]


def charter_values(controls: tuple[int, int, int] = (0, 0, 0)) -> Values:
    """The shipped charter with a short ladder, quick models and gates that a fair model passes on few stores.

    Two dozen stores hold no controls that are alike, so a case that is to climb keeps none; see test_field.py for one
    that does.
    """
    values: Values = yaml.safe_load((SHIPPED / "charter.yaml").read_text(encoding="utf-8"))
    values["kpi"]["target"] = 0.075
    sizes = (8, 12, 24)
    for stage, units, kept, milestone in zip(values["stages"], sizes, controls, (0.2, 0.2, 0.075), strict=True):
        stage.update(units=units, controls=kept, periods=PERIODS, milestone=milestone, worst_unit_limit=0.6)
    values["guardrails"] = [
        {"name": "average_inventory", "unit": "units per store-product", "direction": "lower", "versus_baseline": 5.0}
    ]
    values["data"]["max_quarantine_share"] = 0.05
    values["model"]["backtest_cutoffs"] = 2
    for candidate in values["model"]["candidates"]:
        candidate["parameters"] = {"rounds": 30, "learning_rate": 0.12, "leaves": 15}
    values["policy"]["parameters"] = {"service_level": 0.97}
    return values


def decisions_values() -> Values:
    """The shipped answers shortened: feedback after iteration 1, then up the ladder to the end."""
    shipped: Values = yaml.safe_load((SHIPPED / "decisions.yaml").read_text(encoding="utf-8"))
    reviews = {(review["iteration"], review["stage"]): review for review in shipped["reviews"]}
    first = deepcopy(reviews[1, "pilot"])
    for answer in first["sign"]:
        for item in answer.get("feedback", []):
            if item["id"] == "F2":
                item["patch"]["policy.parameters"] = {"service_level": 0.99, "paths": 100}
    climbed = [{**reviews[3, stage], "iteration": 2} for stage in ("pilot", "regional", "chain")]
    return {**shipped, "reviews": [first, *climbed]}


def write_yaml(path: Path, values: Values) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


def found_retailer(location: Path) -> Path:
    """A small chain where ``--data LOCATION`` finds it."""
    tables_at(location, SPEC)
    return location
