"""Every way to decide on the past games: what service costs, seeds, and a choice that sees nothing of what confirms."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.evaluation.comparing import studied
from pipeline.evaluation.selection import choose
from pipeline.evaluation.study import Steered, Study
from pipeline.replenishment.candidates import Material, train
from pipeline.replenishment.offers import BASELINES, KPIS
from pipeline.replenishment.study import LEVELS, SEEDS, study
from tests.replenishment.made import charter, made_panel, other_future

CUTOFFS = (78, 94)
SMALL = {"rounds": 12, "leaves": 7, "min_data_in_leaf": 10}
GAME = 8


def nothing(*_: object) -> None:
    """No progress is shown."""


def rules_of():
    small = {"model__candidates[poisson]__parameters": SMALL, "model__candidates[tweedie]__parameters": SMALL}
    return charter("vn2", **small, policy__parameters={"service_level": 0.8, "paths": 60})


def trained_on(panel, place: Path):
    rules, material = rules_of(), Material(panel, panel, CUTOFFS)
    specs = rules.model.candidates
    return {spec.name: train(rules, spec, material, place / spec.name, nothing) for spec in specs}


@pytest.fixture(scope="module")
def panel():
    return made_panel(weeks=CUTOFFS[-1] + GAME)


@pytest.fixture(scope="module")
def trained(panel, tmp_path_factory):
    return trained_on(panel, tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def found(panel, trained) -> Study:
    return study(rules_of(), Material(panel, panel, CUTOFFS), trained, "poisson", nothing)


def compared(one: Study):
    return studied(one, KPIS, KPIS["relative_cost"], "baseline:official_benchmark", 1)


def test_every_way_is_played_once_on_the_same_cells(found):
    frame = found.outcomes.frame
    arms = set(frame["arm"])
    assert {"poisson", "tweedie", *(f"baseline:{name}" for name in BASELINES)} <= arms
    levels = sum(len(points) for points in LEVELS.values())
    assert len(arms) == 2 + len(BASELINES) + levels - 1 + SEEDS - 1
    keys = ["unit", "cutoff", "department", "demand", "benchmark_cost"]
    cells = [rows[keys].reset_index(drop=True) for _, rows in frame.groupby("arm")]
    assert all(cells[0].equals(others) for others in cells[1:])
    assert found.steered["poisson"] == Steered("paths", 0.8)


def test_more_service_means_more_stock_and_fewer_lost_units(found):
    result = compared(found)
    assert result.held_against["relative_cost"] == pytest.approx(1.0)
    for policy, levels in LEVELS.items():
        curve = [point for point in result.frontier if point.policy == policy]
        assert [point.level for point in curve] == sorted(levels)
        assert np.all(np.diff([point.values["average_inventory"] for point in curve]) > 0)
        assert np.all(np.diff([point.values["lost_units_share"] for point in curve]) <= 0)
        assert curve[0].values["lost_units_share"] > curve[-1].values["lost_units_share"]
        assert curve[0].values["stockout_rate"] > curve[-1].values["stockout_rate"]


def test_other_seeds_are_other_models(found):
    result = compared(found)
    assert result.seeds is not None
    assert result.seeds.seeds == SEEDS
    assert result.seeds.chosen[0] < result.seeds.chosen[1]


@pytest.mark.proof
def test_the_choice_and_the_tuned_level_change_nothing_when_the_confirming_weeks_do(panel, trained, found, tmp_path):
    """The future is turned upside down from the last choosing game's end on; whatever is chosen stays as it was."""
    confirmed_from = CUTOFFS[0] + GAME
    panel = replace(panel, in_stock=panel.listed.copy())
    turned = replace(other_future(panel, confirmed_from), in_stock=panel.in_stock, listed=panel.listed)
    worlds = []
    for name, world in (("one", panel), ("other", turned)):
        models = trained_on(world, tmp_path / name)
        choice = choose(
            rules_of(), KPIS, {key: one.backtest for key, one in models.items()}, "baseline:official_benchmark", 1
        )
        ways = study(rules_of(), Material(world, world, CUTOFFS), models, choice.challenger, nothing)
        worlds.append((choice, compared(ways)))
    (one, one_ways), (other, other_ways) = worlds
    assert one.challenger == other.challenger
    assert {score.candidate: score.tuning for score in one.scores} == {
        score.candidate: score.tuning for score in other.scores
    }
    assert one_ways.tuned == other_ways.tuned
    assert {way.name: way.chosen for way in one_ways.ways} == {way.name: way.chosen for way in other_ways.ways}
    assert {way.name: way.confirmed for way in one_ways.ways} != {way.name: way.confirmed for way in other_ways.ways}
