"""A charter that asks for every control, and inputs on which all of them pass."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pipeline.charter import Charter
from pipeline.compliance.controls import ControlInputs, known_controls
from pipeline.verdicts import Verdict

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
    return Charter.model_validate({**VALUES, "controls": known_controls()})


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
    return ControlInputs(charter, 0.05, {"today": 0.08, "seasonal_naive": 0.07}, assessment, model, samples)
