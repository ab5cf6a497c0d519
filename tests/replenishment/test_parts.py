"""A chain in parts: the same to the last bit as the chain in one piece, however it is cut."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from pipeline.problems.base import Arm
from pipeline.problems.parts import Parts
from pipeline.replenishment import offers
from pipeline.replenishment.accounting import side_by_side, told
from pipeline.replenishment.candidates import Material, _fitted
from pipeline.replenishment.chain import Chain, Groups, folded, multiples
from pipeline.replenishment.features import features_at
from pipeline.replenishment.forecast import LightGBMForecaster
from pipeline.replenishment.history import History
from pipeline.replenishment.parts import cut, in_rounds
from pipeline.replenishment.teams import orders_of
from pipeline.replenishment.training import Draw, drawn_rows, whole_draw
from tests.replenishment.made import GROUPS, charter, made_panel


def parts_of(panel, cuts):
    """The panel cut before some of its stores."""
    stores = panel.series["store"].to_numpy(dtype=str)
    place = np.searchsorted(np.unique(stores), stores)
    return [panel.take(np.digitize(place, sorted(cuts)) == number) for number in range(len(set(cuts)) + 1)]


def worked(parts, work):
    """The work on each part, in rounds."""
    names = {
        column: tuple(sorted(set().union(*(part.series[column] for part in parts))))
        for column in ("product", "department")
    }
    return in_rounds(map, lambda chain: work(replace(parts[chain.place], chain=chain)), len(parts), names)


CUTS = st.sets(st.integers(1, 6), min_size=1)


@settings(max_examples=15)
@given(CUTS, st.integers(0, 99), st.sampled_from([20, 60, 110]))
def test_features_are_those_of_the_whole_to_the_last_bit(cuts, seed, known):
    panel = made_panel(stores=7, products=5, seed=seed)
    # A product that is sold in one store only, so that some parts have never heard of it.
    panel = panel.take(~((panel.series["product"] == "P3") & (panel.series["store"] != "S2")).to_numpy())
    whole, names = features_at(History(panel), known, GROUPS)
    parts = worked(parts_of(panel, cuts), lambda part: features_at(History(part), known, GROUPS)[0])
    found = np.concatenate(parts, axis=1)
    different = [name for place, name in enumerate(names) if not _same(found[..., place], whole[..., place])]
    assert not different


def _same(one, other):
    return np.array_equal(one, other, equal_nan=True)


@pytest.mark.parametrize("name", offers.BASELINES)
@settings(max_examples=3)
@given(cuts=CUTS, followers=st.sets(st.integers(0, 6)))
def test_every_rule_of_thumb_orders_the_same(name, cuts, followers):
    panel = made_panel(stores=7, products=5, seed=3)
    rules = charter("replenishment")
    goal = rules.kpi.model_copy(update={"baseline": rules.kpi.baseline.model_copy(update={"policy": name})})
    rules = rules.model_copy(update={"kpi": goal, "business": {**rules.business, "lead_time": 3}})
    arm, units = Arm("rule", rules, baseline="seasonal_average"), [f"S{number}" for number in followers]
    work = partial(orders_of, rules, arm, units)
    assert np.concatenate(worked(parts_of(panel, cuts), work)).tolist() == work(panel).tolist()


def test_parts_that_ask_for_different_figures_are_a_fault_of_the_program():
    def work(chain: Chain):
        return chain.added(("odd",), np.ones(1)) if chain.place else None

    with pytest.raises(RuntimeError, match="different figures"):
        in_rounds(map, work, 2, {})


def summed(values):
    return Groups.of(np.zeros(len(values), np.int64), 1).sums(multiples(np.array(values, np.float64)))


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=60), st.randoms(use_true_random=False))
def test_sums_do_not_depend_on_their_order_and_miss_the_true_one_by_next_to_nothing(values, chance):
    shuffled = chance.sample(values, len(values))
    half = len(values) // 2
    halves = [summed(part) for part in (shuffled[:half], shuffled[half:])]
    whole = summed(values)
    assert np.array_equal(halves[0] + halves[1], whole)
    assert folded(whole)[0] == pytest.approx(sum(values), rel=1e-15, abs=1e-9)


def test_multiples_are_what_they_are_called():
    coarse, fine = multiples(np.array([1 / 3, 12345.678]))
    assert ((coarse * 2**8) % 1 == 0).all()
    assert ((fine * 2**35) % 1 == 0).all()


@given(st.lists(st.integers(1, 50), min_size=1, max_size=40), st.integers(1, 120))
def test_parts_are_whole_stores_and_hold_what_they_may(sizes, most):
    parts = cut(sizes, most)
    assert [place for part in parts for place in range(part.start, part.stop)] == list(range(len(sizes)))
    assert all(sum(sizes[part]) <= most or part.stop - part.start == 1 for part in parts)


@pytest.mark.parametrize("train_on", ["all", "stage"])
@pytest.mark.parametrize("units", [None, ("1", "2")])
def test_a_model_says_the_same_of_every_series(train_on, units, place, problem, rules, model):
    arm = replace(
        model, charter=model.charter.model_copy(update={"model": rules.model.model_copy(update={"train_on": train_on})})
    )
    panel = problem._newest(rules, place)
    work = partial(told, arm.charter, arm, units, None)
    whole = work(panel)
    parts = side_by_side(worked(parts_of(panel, {1, 3}), work))
    for name in ("orders", "incumbent", "by_model", "outside", "standing"):
        assert np.array_equal(getattr(parts, name), getattr(whole, name)), name
    for name in ("rows", "names", "effects"):
        assert np.array_equal(getattr(parts.drivers, name), getattr(whole.drivers, name)), name


@settings(max_examples=3)
@given(CUTS, st.integers(40, 4000))
def test_the_rows_drawn_for_training_are_those_of_the_whole(cuts, budget):
    panel = made_panel(stores=7, products=5, seed=8)
    draws = (Draw(100, budget // 3), Draw(110, budget))
    work = partial(drawn_rows, first=92, draws=draws, groups=GROUPS, seed=5)
    parts = worked(parts_of(panel, cuts), lambda part: work(History(part)))
    for whole, drawn in zip(work(History(panel)), zip(*parts, strict=True), strict=True):
        found = whole_draw(drawn)
        for name in ("features", "demand", "sold", "censored", "level", "age"):
            assert _same(getattr(found, name), getattr(whole, name)), name


@pytest.mark.parametrize("whole", [20_000, 20])
def test_a_model_fitted_by_parts_is_the_same_file(whole, tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.replenishment.forecast.CALIBRATED_WHOLE", whole)
    monkeypatch.setattr("pipeline.replenishment.forecast.CALIBRATED", 17)
    panel = made_panel(stores=7, products=5, seed=8)
    model = LightGBMForecaster(groups=("level", "season", "hierarchy"), rounds=20, row_budget=1500)
    whole = Material(panel, panel, ())
    for name, material in (("whole", whole), ("parts", replace(whole, parts=Parts(11, tmp_path / "scratch")))):
        _fitted(clone(model), material).save(tmp_path / name)
    for file in ("model.txt", "model.json"):
        assert (tmp_path / "parts" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()
