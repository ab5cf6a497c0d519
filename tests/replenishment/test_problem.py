"""The domain through the loop's eyes, on tiny copies of both sources and on a part of the real one."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.charter import Charter
from pipeline.datasets import catalog
from pipeline.datasets.contracts import apply_contracts
from pipeline.datasets.dataset import Dataset
from pipeline.errors import DataError
from pipeline.problems.base import Arm
from pipeline.replenishment import candidates
from pipeline.replenishment.demand import WorldSpec
from pipeline.replenishment.field import tables_at
from pipeline.replenishment.problem import Replenishment
from tests.replenishment.made import charter, write_vn2

REAL = Path(os.environ.get("LANDED_VN2", Path(__file__).parents[3] / "shared" / "vn2"))
QUICK = {"rounds": 20, "min_data_in_leaf": 20}


def nothing(*_: object) -> None:
    """No progress is shown."""


def loaded(problem: Replenishment, rules: Charter, location: Path) -> Dataset:
    raw = problem.load(rules, location)
    clean, quarantine = apply_contracts(raw, problem.contracts(rules, raw))
    return Dataset(clean, catalog.digest(clean), problem.cutoff(clean), quarantine)


def quick(case: str, **changes: object) -> Charter:
    rules = charter(case)
    first = rules.model.candidates[0].model_copy(update={"parameters": QUICK})
    model = rules.model.model_copy(update={"candidates": (first,), **changes})
    return rules.model_copy(update={"model": model})


def trained(problem: Replenishment, rules: Charter, data: Dataset, units: tuple[str, ...], place: Path) -> Arm:
    spec = rules.model.candidates[0]
    return Arm(spec.name, rules, problem.train(rules, data, spec, units, place, nothing))


def arms_of(problem: Replenishment, rules: Charter, *models: Arm) -> tuple[Arm, ...]:
    return (*models, *(Arm(f"baseline:{name}", rules, baseline=name) for name in problem.baselines(rules)))


def test_the_turnover_charters_goal_is_15_per_cent_below_what_its_chain_shows(tmp_path):
    """The figures in the charter's comments are those of its world's history, in which no model ever ordered."""
    problem, rules = Replenishment(), charter("turnover")
    data = loaded(problem, rules, tmp_path / "chain")
    stores = problem.units(rules, data, rules.stages[-1])
    today = problem.measured_baseline(rules, data, stores)
    assert round(today, 1) == 58.6 == rules.stages[0].milestone
    assert rules.kpi.target == round(0.85 * today, 1)
    each = [problem.measured_baseline(rules, data, (store,)) for store in stores]
    assert (round(min(each)), round(max(each))) == (29, 163)
    # The very figure that field experiments rest on, and the books' own in SQL's words.
    seen = problem.observed(rules, data).frame
    newest = seen[seen["period"] >= sorted(seen["period"].unique())[-26]]
    assert today == pytest.approx(7 * newest["inventory"].sum() / newest["sold"].sum())


class TestRecordedHistory:
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, tmp_path_factory) -> Path:
        return write_vn2(tmp_path_factory.mktemp("vn2"), weeks=110, stores=4, products=4)

    @pytest.fixture(scope="class")
    @classmethod
    def problem(cls) -> Replenishment:
        return Replenishment()

    @pytest.fixture(scope="class")
    @classmethod
    def rules(cls) -> Charter:
        return quick("vn2", backtest_cutoffs=4, backtest_every=8)

    @pytest.fixture(scope="class")
    @classmethod
    def data(cls, problem, rules, place) -> Dataset:
        return loaded(problem, rules, place)

    @pytest.fixture(scope="class")
    @classmethod
    def model(cls, problem, rules, data, tmp_path_factory) -> Arm:
        return trained(problem, rules, data, ("0", "1", "2", "3"), tmp_path_factory.mktemp("model") / "poisson")

    def test_a_backtest_holds_every_baseline_and_the_candidate_in_every_game(self, model, problem):
        frame = model.candidate.backtest.frame
        assert set(frame["arm"]) == {"poisson", *(f"baseline:{name}" for name in problem.baselines(model.charter))}
        assert frame["cutoff"].nunique() == 4
        assert all(frame[frame["arm"] == arm]["cutoff"].nunique() == 4 for arm in set(frame["arm"]))
        assert set(model.candidate.backtest.slices) == {"cutoff", "department"}

    def test_a_candidate_read_back_is_the_same(self, problem, model):
        back = problem.load_candidate(model.candidate.spec, model.candidate.directory)
        assert back.digest == model.candidate.digest
        assert back.metrics == model.candidate.metrics
        assert back.backtest.frame.equals(model.candidate.backtest.frame)
        assert back.backtest.basis == model.candidate.backtest.basis

    def test_training_again_gives_the_same_files(self, problem, rules, data, model, tmp_path):
        again = trained(problem, rules, data, ("0", "1", "2", "3"), tmp_path / "again")
        assert again.candidate.digest == model.candidate.digest

    def test_the_play_is_that_of_the_confirming_games_and_equals_the_backtest_there(self, problem, rules, data, model):
        outcomes = problem.play(rules, data, Path(), arms_of(problem, rules, model), "poisson", ("0",), 8, "k", nothing)
        cutoffs = sorted(model.candidate.backtest.frame["cutoff"].unique())[2:]
        assert sorted(outcomes.frame["cutoff"].unique()) == cutoffs
        expected = model.candidate.backtest.frame
        expected = expected[expected["cutoff"].isin(cutoffs)]
        for arm in ("poisson", "baseline:seasonal_average", "baseline:incumbent"):
            one = outcomes.frame[outcomes.frame["arm"] == arm]["cost"].sum()
            assert one == pytest.approx(expected[expected["arm"] == arm]["cost"].sum())

    def test_each_arm_decides_by_its_own_charter(self, problem, rules, data, model):
        lavish = rules.model_copy(
            update={"policy": rules.policy.model_copy(update={"name": "order_up_to", "parameters": {"cover": 12}})}
        )
        arms = (model, replace(model, name="without F1", charter=lavish))
        frame = problem.play(rules, data, Path(), arms, "poisson", ("0",), 8, "k", nothing).frame
        stock = frame.groupby("arm")["inventory"].sum()
        assert stock["without F1"] > 1.5 * stock["poisson"]

    def test_the_benchmark_against_itself_is_one(self, problem, rules, data):
        assert problem.measured_baseline(rules, data, ("0",)) == pytest.approx(1.0)

    def test_orders_come_in_the_templates_rows(self, problem, rules, place, model):
        orders = problem.decide(rules, place, model)
        template = pd.read_csv(place / "submission_template.csv")
        assert orders[["Store", "Product"]].equals(template[["Store", "Product"]])
        assert (orders["0"] >= 0).all()
        assert pd.api.types.is_integer_dtype(orders["0"])
        assert orders["0"].sum() > 0

    def test_stores_that_do_not_follow_get_the_baselines_order(self, problem, rules, place, model):
        all_by_model = problem.decide(rules, place, model)
        some = problem.decide(rules, place, model, ("1", "2"))
        rest = problem.decide(rules, place, Arm("b", rules, baseline="official_benchmark"))
        follows = some["Store"].isin([1, 2])
        assert some[~follows].equals(rest[~follows])
        assert some[follows].equals(all_by_model[follows])

    def test_units_of_a_higher_stage_hold_those_of_the_lower(self, problem, rules, data):
        rungs = [rules.stages[0].model_copy(update={"units": count}) for count in (1, 2, 4)]
        one, two, four = (set(problem.units(rules, data, rung)) for rung in rungs)
        assert one < two < four == {"0", "1", "2", "3"}
        assert problem.units(rules, data, rungs[1]) == problem.units(rules, data, rungs[1])
        with pytest.raises(DataError, match="more stores than there are"):
            problem.units(rules, data, rungs[0].model_copy(update={"units": 5}))

    def test_products_left_out_are_in_no_figure_and_follow_the_baseline(self, problem, rules, data, place, model):
        scope = rules.scope.model_copy(update={"leave_out": {"product": ("101",)}})
        narrower = rules.model_copy(update={"scope": scope})
        frame = problem.play(narrower, data, Path(), arms_of(problem, narrower), "x", (), 8, "k", nothing).frame
        whole = problem.play(rules, data, Path(), arms_of(problem, rules), "x", (), 8, "k", nothing).frame
        assert frame["cost_weeks"].sum() < whole["cost_weeks"].sum()
        orders = problem.decide(narrower, place, model)
        rest = problem.decide(rules, place, Arm("b", rules, baseline="official_benchmark"))
        out = orders["Product"] == 101
        assert orders[out].equals(rest[out])

    def test_a_history_too_short_for_the_games_is_refused_with_the_weeks_it_needs(self, problem, rules, data, tmp_path):
        greedy = quick("vn2", backtest_cutoffs=12, backtest_every=8)
        with pytest.raises(DataError, match="156 periods"):
            trained(problem, greedy, data, ("0",), tmp_path)


class TestTheRetailer:
    SPEC = WorldSpec(stores=6, products=10, weeks=110, burn_in=8, field_weeks=40)

    def test_two_iterations_in_the_field(self, tmp_path: Path):
        problem, place = Replenishment(), tmp_path / "retailer"
        tables_at(place, self.SPEC)
        rules = quick("replenishment", backtest_cutoffs=2, backtest_every=6)
        data = loaded(problem, rules, place)
        assert sum(data.quarantine.refused.values()) > 0
        units = problem.units(rules, data, rules.stages[0])
        assert len(units) == 5
        facts = problem.facts(rules, data, None)
        assert facts.leaks == ()
        assert 0 < problem.measured_baseline(rules, data, units) < 0.5
        model = trained(problem, rules, data, units, tmp_path / "model")
        arms = arms_of(problem, rules, model)
        outcomes = problem.play(rules, data, place, arms, model.name, units, 6, "p-1-pilot-1", nothing)
        assert outcomes.kind == "field"
        assert set(outcomes.frame["arm"]) == {arm.name for arm in arms}
        assert set(outcomes.frame["unit"]) == set(units)

        later = loaded(problem, rules, place)
        assert (later.cutoff - data.cutoff).days == 6 * 7
        assert problem.facts(rules, later, data).drift.keys() >= {"units", "series_level"}
        again = problem.play(rules, data, place, arms, model.name, units, 6, "p-1-pilot-1", nothing)
        assert again.frame.equals(outcomes.frame)
        assert loaded(problem, rules, place).digest == later.digest
        orders = problem.decide(rules, place, model, units)
        assert orders.columns.tolist() == ["store", "product", "order"]
        assert len(orders) == 60
        assert (orders["order"] >= 0).all()
        current, reference = problem.drift_frames(rules, later, data, 200)
        assert current.columns.tolist() == reference.columns.tolist()


def test_a_sample_of_stores_is_whole_begins_with_the_stages_own_and_is_seeded():
    from tests.replenishment.made import made_panel

    panel = made_panel(stores=10, products=5)
    some = candidates.sampled(panel, ["S7"], 22, 3)
    stores = set(some.series["store"])
    assert "S7" in stores
    assert len(stores) == 4
    assert some.size == 20
    assert np.array_equal(some.sales, candidates.sampled(panel, ["S7"], 22, 3).sales)
    assert candidates.sampled(panel, ["S7"], 50, 3) is panel


def test_on_real_data_paths_with_a_model_cost_less_than_the_benchmark(tmp_path: Path):
    """A quarter of the VN2 series and two games, so that it stays short."""
    if not REAL.exists():
        pytest.skip(f"the VN2 files are not at {REAL}; set LANDED_VN2 to their directory")
    for name in ("sales", "in_stock", "initial_state", "master", "submission_template"):
        frame = pd.read_csv(REAL / f"{name}.csv")
        frame[frame["Store"] % 4 == 0].to_csv(tmp_path / f"{name}.csv", index=False)
    problem = Replenishment()
    rules = charter("vn2")
    rules = rules.model_copy(
        update={"model": rules.model.model_copy(update={"backtest_cutoffs": 2, "backtest_every": 16})}
    )
    data = loaded(problem, rules, tmp_path)
    arm = trained(problem, rules, data, (), tmp_path / "model")
    totals = arm.candidate.backtest.frame.groupby("arm")[["cost", "benchmark_cost"]].sum()
    ratio = totals["cost"] / totals["benchmark_cost"]
    assert ratio["poisson"] < 0.97
    orders = problem.decide(rules, tmp_path, arm)
    assert len(orders) == len(data.tables["state"])
