"""A charter that asks for every control, and inputs on which all of them pass."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.charter import Charter
from pipeline.charter.difference import Change
from pipeline.compliance.account import Account, Drivers
from pipeline.compliance.controls import CHECKS
from pipeline.compliance.inputs import ControlInputs, Group, Kept, Repeated, Watched
from pipeline.compliance.software import Package, Software
from pipeline.verdicts import Verdict

TODAY = date(2026, 11, 24)
ASKED: dict[str, Any] = {"limits": {"max_change": 0.5, "cap": 40.0}, "fairness": {"versus_baseline": 1.0}}
RESOURCES = {"people_days": 1.0, "compute_hours": 1.0, "money": 100.0}
VALUES: dict[str, Any] = {
    "project": "shelves",
    "title": "Fewer empty shelves",
    "problem": "toy",
    "pain_point": "Customers find empty shelves and buy elsewhere.",
    "decision": "How many units of each product to order each week.",
    "kpi": {
        "name": "stockout_rate", "unit": "share", "direction": "lower", "target": 0.042, "owner": "omar",
        "baseline": {"policy": "today", "measured_over": 52}, "deadline": date(2027, 6, 30),
    },
    "scope": {"in": ("all stores",), "out": ("fresh food",)},
    "strategy": {
        "priority": 1, "corporate_kpi": "availability", "sponsor": "sofia", "review_every_weeks": 12,
        "last_reviewed": date(2026, 10, 1),
    },
    "people": (
        {"id": "sofia", "name": "Sofia Sole", "role": "sponsor", "channel": "mail"},
        {"id": "omar", "name": "Omar Orr", "role": "operations", "channel": "mail"},
    ),
    "sign": {"advance": ("sponsor", "operations")},
    "data": {
        "source": "csv", "period": "week", "minimum_history": 52,
        "tables": ({"name": "sales", "owner": "BI", "freshness_days": 14},),
    },
    "model": {
        "candidates": ({"name": "small", "algorithm": "lightgbm", "features": ("lag_1",)},),
        "train_on": "stage", "train_periods": 104, "backtest_cutoffs": 4, "backtest_every": 4,
    },
    "policy": {"name": "base_stock"},
    "stages": (
        {"name": "pilot", "units": 5, "periods": 6, "milestone": 0.06, "worst_unit_limit": 0.1, "resources": RESOURCES},
    ),
    "budget": {"iterations": 5, "money": 10000.0, "currency": "EUR"},
}  # fmt: skip


@pytest.fixture(scope="session")
def charter() -> Charter:
    return Charter.model_validate({**VALUES, "controls": tuple(CHECKS), "compliance": ASKED})


@pytest.fixture
def inputs(charter: Charter, tmp_path: Path) -> ControlInputs:
    model = tmp_path / "model"
    model.mkdir()
    (model / "model.txt").write_text("tree\nversion=v4\n")
    (model / "model.json").write_text('{"quantiles": [0.1]}')
    assessment = tuple(
        Verdict(f"data.{name}", name, "pass", "block", f"All is well with {name}.", {name: 0})
        for name in ("coverage", "leakage", "quarantine")
    )
    samples = {"sales": {"store": ("S001", "S002"), "product_name": ("Milk", "Bread"), "units": ()}}
    return ControlInputs(
        charter, 0.05, {"today": 0.08, "seasonal_naive": 0.07}, assessment, model, samples, TODAY,
        groups=(Group("region", "north", 0.05, 0.08), Group("region", "south", 0.06, 0.06)),
        readiness=(Verdict("rollout.rehearsed", "t", "pass", "block", "It was thrown on a copy.", {}),),
        account=account(),
        repeated=Repeated("a" * 64, "a" * 64, 0.0, ""),
        kept=Kept(3, date(2026, 1, 5), ()),
        watched=Watched(deployed=True, scheduled="0 5 * * *", newest=date(2026, 11, 20), allowed_days=14),
        released=(Change("budget.money", 1, 2, "loosened"),),
        software=Software((Package("numpy", "2.5.5", "BSD"),), (), date(2026, 11, 1)),
    )  # fmt: skip


def account() -> Account:
    """Four orders: three of the model's, one of today's rule; two of the model's are taken apart."""
    decisions = pd.DataFrame({"store": ["a", "b", "c", "d"], "order": [10, 12, 5, 7]})
    names = np.array([["mean_4", "lag_1"], ["level", ""]], dtype=object)
    drivers = Drivers(np.array([0, 1]), names, np.array([[1.2, 0.9], [1.1, 1.0]]), 1e-7)
    ours = np.array([True, True, True, False])
    incumbent = np.array([10.0, 10.0, 5.0, 7.0])
    return Account(
        decisions, "order", ours, incumbent, np.array(["", "", "", ""], dtype=object), np.zeros(4), TODAY, drivers
    )
