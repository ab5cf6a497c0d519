"""The frontier: more service costs more stock and loses fewer units, and each point is the game as played before."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.problems.base import Arm
from pipeline.replenishment.candidates import Material, train
from pipeline.replenishment.frontier import frontier
from tests.replenishment.made import charter, made_panel

CUTOFFS = (86, 94)
SMALL = {"rounds": 20, "leaves": 7, "min_data_in_leaf": 10}


def nothing(*_: object) -> None:
    """No progress is shown."""


@pytest.fixture(scope="module")
def panel():
    return made_panel(weeks=102)


@pytest.fixture(scope="module")
def arm(panel, tmp_path_factory) -> Arm:
    rules = charter("vn2", **{"model__candidates[poisson]__parameters": SMALL})
    spec = rules.model.candidates[0]
    place: Path = tmp_path_factory.mktemp("model")
    return Arm(spec.name, rules, train(rules, spec, Material(panel, panel, CUTOFFS), place, nothing))


def test_more_service_means_more_stock_and_fewer_lost_units(panel, arm):
    found = frontier(arm, panel, CUTOFFS, nothing, (0.5, 0.7, 0.9))
    assert found["policy"].tolist() == ["official_benchmark"] + ["paths"] * 3 + ["safety_stock"] * 3
    assert found["relative_cost"].iloc[0] == pytest.approx(1.0)
    for _, curve in found.iloc[1:].groupby("policy"):
        assert curve["average_inventory"].is_monotonic_increasing
        assert curve["lost_units_share"].is_monotonic_decreasing
        assert curve["stockout_rate"].iloc[0] > curve["stockout_rate"].iloc[-1]
    assert np.isnan(found["service_level"].iloc[0])


def test_the_point_of_the_charters_own_policy_is_its_backtest(panel, arm):
    own = arm.charter.policy.parameters["service_level"]
    (point,) = frontier(arm, panel, CUTOFFS, nothing, (own,), ("paths",)).iloc[1:].itertuples()
    assert arm.candidate is not None
    played = arm.candidate.backtest.frame
    sums = played[played["arm"] == arm.name].sum(numeric_only=True)
    assert point.relative_cost == pytest.approx(sums["cost"] / sums["benchmark_cost"])
