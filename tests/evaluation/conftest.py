"""A small charter and small outcomes that the tests of this room share."""

from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.charter import Charter
from pipeline.evaluation.outcomes import KpiDefinition, Outcomes

DEFINITIONS = {
    "stockout_rate": KpiDefinition("stockout_rate", "Stock-out rate", "share", "lower", "out", "cells"),
    "inventory": KpiDefinition("inventory", "Average inventory", "units per store-product", "lower", "stock", "cells"),
    "margin": KpiDefinition("margin", "Margin", "EUR per week", "higher", "earned", "weeks"),
}


def stage(name: str, units: int, milestone: float) -> dict[str, Any]:
    resources = {"people_days": 1.0, "compute_hours": 1.0, "money": 100.0}
    return {
        "name": name, "units": units, "periods": 6, "milestone": milestone, "worst_unit_limit": 0.12,
        "resources": resources,
    }  # fmt: skip


def charter_values() -> dict[str, Any]:
    return {
        "project": "shelves",
        "title": "Fewer empty shelves",
        "problem": "toy",
        "pain_point": "Customers find empty shelves and buy elsewhere.",
        "decision": "How many units of each product to order each week.",
        "kpi": {
            "name": "stockout_rate", "unit": "share", "direction": "lower",
            "baseline": {"policy": "today", "measured_over": 52},
            "target": 0.042, "deadline": date(2027, 6, 30), "owner": "omar",
        },
        "guardrails": (
            {"name": "inventory", "unit": "units per store-product", "direction": "lower", "versus_baseline": 1.0},
            {"name": "margin", "unit": "EUR per week", "direction": "higher", "limit": 50.0},
        ),
        "scope": {"in": ("all stores",), "out": ("fresh food",)},
        "strategy": {
            "priority": 1, "corporate_kpi": "availability", "sponsor": "sofia", "review_every_weeks": 12,
            "last_reviewed": date(2026, 10, 1),
        },
        "people": (
            {"id": "sofia", "name": "Sofia", "role": "sponsor", "channel": "mail"},
            {"id": "omar", "name": "Omar", "role": "operations", "channel": "mail"},
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
        "controls": ("leakage", "four_eyes"),
        "stages": (stage("pilot", 5, 0.06), stage("full", 300, 0.05)),
        "budget": {"iterations": 5, "money": 10000.0, "currency": "EUR"},
    }  # fmt: skip


@pytest.fixture(scope="session")
def charter() -> Charter:
    return Charter.model_validate(charter_values())


@pytest.fixture(scope="session")
def offer() -> dict[str, KpiDefinition]:
    return DEFINITIONS


@pytest.fixture(scope="session")
def played() -> Callable[..., Outcomes]:
    """Plays arms with given stock-out rates: ``played({"small": 0.04}, units=20, seed=7)``."""
    return play


def play(rates: dict[str, float], units: int = 20, seed: int = 7) -> Outcomes:
    """Arms with a given stock-out rate; units differ, and differ alike in every arm."""
    rng = np.random.default_rng(seed)
    level = rng.gamma(6, 1 / 6, size=units)
    frames, cells = [], 400
    for arm, rate in rates.items():
        for name in ("A", "B"):
            share = np.clip(rate * level, 0, 1)
            frames.append(
                pd.DataFrame(
                    {
                        "arm": arm,
                        "unit": [f"S{unit:03d}" for unit in range(units)],
                        "category": name,
                        "out": rng.binomial(cells, share).astype(float),
                        "cells": float(cells),
                        "stock": cells * (10.0 - rate),
                        "earned": 100.0 * 6,
                        "weeks": 6.0,
                    }
                )
            )
    return Outcomes(
        pd.concat(frames, ignore_index=True), ("category",), 6, "field", "20 stores, 6 weeks, none left out"
    )
