"""Judged from outside: a directory that grows by a week, an order a week; the same as the games on history."""

from pathlib import Path

import pandas as pd
import pytest

from pipeline.charter import Charter
from pipeline.evaluation.outcomes import Outcomes
from pipeline.problems.base import Arm, TrainedCandidate
from pipeline.replenishment.candidates import forecaster, model_decider
from pipeline.replenishment.forecast import LightGBMForecaster
from pipeline.replenishment.panel import Floats, panel_from_tables
from pipeline.replenishment.parameters import business_of, policy_of
from pipeline.replenishment.problem import Replenishment
from pipeline.replenishment.replay import replay
from pipeline.replenishment.vn2 import read_vn2
from tests.replenishment.contest import KEY, Contest
from tests.replenishment.made import charter, write_vn2

WEEKS, KNOWN, ORDERS = 128, 120, 6
#: 120 weeks from 2021-04-12 on, and five more.
LAST_ORDER = "2023-08-28"


@pytest.fixture(scope="module")
def small() -> Charter:
    rules = charter(
        "vn2", **{"model__candidates[tweedie]__parameters": {"rounds": 20, "leaves": 7, "average_share": 0.4}}
    )
    return rules.model_copy(update={"business": {**rules.business, "last_order": LAST_ORDER}})


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return write_vn2(tmp_path / "whole", weeks=WEEKS, stores=4, products=5)


def arm_of(charter: Charter, directory: Path, known: Path) -> Arm:
    """The charter's candidate, trained on what is known."""
    spec = next(spec for spec in charter.model.candidates if spec.name == "tweedie")
    forecaster(charter, spec).fit(panel_from_tables(read_vn2(known, 3), 3)).save(directory)
    nothing = Outcomes(pd.DataFrame(), (), 0, "replay", "")
    return Arm("tweedie", charter, TrainedCandidate(spec, directory, "", nothing, {}, {}, 0.0))


def test_six_rounds_on_a_growing_directory_are_the_game_that_is_played_on_history(small, whole, tmp_path: Path):
    contest = Contest(whole, tmp_path / "shown", KNOWN)
    arm = arm_of(small, tmp_path / "model", contest.shown)
    start = panel_from_tables(read_vn2(contest.shown, 3), 3)
    past = panel_from_tables(read_vn2(whole, 3), 3)
    demand: Floats = past.sales[KNOWN:]
    decide = model_decider(
        LightGBMForecaster.load(tmp_path / "model"), policy_of(small), business_of(small).critical_ratio
    )
    course = replay(start, demand, past, decide, ORDERS, ends=True)
    endless = replay(start, demand, past, decide, ORDERS)
    keys = start.series[["store", "product"]].astype(int).set_axis(KEY, axis=1)
    for week in range(ORDERS):
        filled = Replenishment().decide(small, contest.shown, arm)
        assert filled[KEY].equals(pd.read_csv(contest.shown / "submission_template.csv")[KEY])
        orders = keys.merge(filled, on=KEY, how="left", validate="one_to_one").iloc[:, 2]
        assert orders.tolist() == course.ordered[week].tolist()
        contest.order(filled)
        assert contest.stock.sum() == course.end[week].sum()
    assert course.ordered.sum() > 0
    assert (course.ordered[:-3] == endless.ordered[:-3]).all()
    assert course.ordered[ORDERS - 1].sum() > endless.ordered[ORDERS - 1].sum()
    # Who orders once more after the end gets an order all the same.
    assert Replenishment().decide(small, contest.shown, arm)[KEY].equals(filled[KEY])


def test_what_is_ordered_depends_on_nothing_that_comes_later(small, whole, tmp_path: Path):
    """Two worlds that part after week 0: same model files, same first order."""
    other = tmp_path / "other"
    other.mkdir()
    for path in whole.iterdir():
        frame = pd.read_csv(path)
        if path.name in ("sales.csv", "in_stock.csv"):
            later = frame.iloc[:, 2 + KNOWN :]
            frame = pd.concat(
                [frame.iloc[:, : 2 + KNOWN], 99 - later if path.name == "sales.csv" else 1 - later], axis=1
            )
        frame.to_csv(other / path.name, index=False)
    orders = []
    for world in (whole, other):
        contest = Contest(world, tmp_path / f"shown-{world.name}", KNOWN)
        arm = arm_of(small, tmp_path / f"model-{world.name}", contest.shown)
        orders.append(Replenishment().decide(small, contest.shown, arm))
    assert (tmp_path / "model-whole/model.txt").read_bytes() == (tmp_path / "model-other/model.txt").read_bytes()
    assert orders[0].equals(orders[1])
