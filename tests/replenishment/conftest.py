"""A small VN2 installation with a trained model, for the modules that look at single decisions."""

from pathlib import Path

import pytest

from pipeline.problems.base import Arm
from pipeline.replenishment.problem import Replenishment
from tests.replenishment.made import write_vn2
from tests.replenishment.test_problem import loaded, quick, trained

STORES = ("0", "1", "2", "3")


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return write_vn2(tmp_path_factory.mktemp("vn2"), weeks=110, stores=4, products=4)


@pytest.fixture(scope="module")
def problem() -> Replenishment:
    return Replenishment()


@pytest.fixture(scope="module")
def rules():
    return quick("vn2", backtest_cutoffs=2, backtest_every=8)


@pytest.fixture(scope="module")
def model(problem, rules, place, tmp_path_factory) -> Arm:
    data = loaded(problem, rules, place)
    return trained(problem, rules, data, STORES, tmp_path_factory.mktemp("model") / "poisson")
