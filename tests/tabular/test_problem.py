"""Real tables played as problems: figures recomputed by hand in pandas and in SQL, leaks, units, waiting cases."""

import sqlite3
from contextlib import closing
from datetime import date

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import DataError
from pipeline.evaluation.kpis import evaluate, summary
from pipeline.models.files import SAFE_SUFFIXES
from pipeline.problems.base import Arm
from pipeline.tabular.candidates import forecasts_of
from pipeline.tabular.cases import cases_of
from pipeline.tabular.problem import Tabular
from pipeline.tabular.replay import components
from tests.tabular import made


class Played:
    """One table from file to outcomes."""

    def __init__(self, folder, frame, business, policy, kpi, **changes):
        made.write_table(folder / "data", frame)
        self.rules = made.charter_of(made.charter_values(business, policy, kpi, **changes), folder)
        self.folder, self.problem = folder, Tabular()
        self.data = made.dataset_at(self.rules, folder / "data")
        self.units = self.problem.units(self.rules, self.data, self.rules.stages[0])
        self.trained = {
            spec.name: self.problem.train(self.rules, self.data, spec, self.units, folder / spec.name, made.nothing)
            for spec in self.rules.model.candidates
        }
        models = [Arm(name, self.rules, one) for name, one in self.trained.items()]
        rest = [Arm(f"baseline:{name}", self.rules, baseline=name) for name in self.problem.baselines(self.rules)]
        self.arms = (*models, *rest)
        self.outcomes = self.play(self.arms)

    def play(self, arms, units=None):
        return self.problem.play(
            self.rules, self.data, self.folder, arms, arms[0].name, units or self.units, 2, "key", made.nothing
        )

    def values(self, name):
        found = summary(self.outcomes, self.problem.kpis(self.rules), 1)
        return found[found["kpi"] == name].set_index("arm")["value"]


@pytest.fixture(scope="module")
def biopsies(tmp_path_factory):
    business = {**made.BIOPSIES, "slices": ""}
    return Played(
        tmp_path_factory.mktemp("biopsies"), made.breast_cancer(), business,
        {"name": "expected_value", "parameters": {}}, {"baseline": {"policy": "today", "measured_over": 8}},
    )  # fmt: skip


def test_the_value_of_a_replay_is_what_sql_counts_from_the_table_itself(biopsies):
    """Rows, decisions and values by a way that shares no code with the replay but the forecasts."""
    forecasts = forecasts_of(biopsies.trained["linear"].directory)
    last = sorted(set(forecasts["cutoff"]) - {"final"})[-1]
    rows = forecasts[(forecasts["cutoff"] == last) & (forecasts["part"] == "replay")]
    with closing(sqlite3.connect(":memory:")) as memory, memory:
        made.breast_cancer()[["biopsy", "diagnosis"]].to_sql("biopsies", memory, index=False)
        rows[["key", "score_1"]].to_sql("forecasts", memory, index=False)
        worth, cases = memory.execute(
            """SELECT SUM(CASE WHEN 40 * score_1 - 2 * (1 - score_1) > -20 * score_1
                          THEN CASE diagnosis WHEN 'malignant' THEN 40.0 ELSE -2.0 END
                          ELSE CASE diagnosis WHEN 'malignant' THEN -20.0 ELSE 0.0 END END), COUNT(*)
               FROM forecasts JOIN biopsies ON biopsy = key"""
        ).fetchone()
    assert biopsies.values("value_per_case")["linear"] == pytest.approx(worth / cases)
    assert cases == biopsies.outcomes.frame.query("arm == 'linear'")["cases"].sum()


def test_today_s_rule_and_the_fixed_ones_are_what_pandas_counts_by_hand(biopsies):
    rows = forecasts_of(biopsies.trained["linear"].directory)
    last = sorted(set(rows["cutoff"]) - {"final"})[-1]
    keys = rows[(rows["cutoff"] == last) & (rows["part"] == "replay")]["key"]
    table = made.breast_cancer().set_index("biopsy").loc[keys]
    sick, large = table["diagnosis"] == "malignant", table["mean radius"] >= 16
    worth = np.select([sick & large, sick & ~large, ~sick & large], [40.0, -20.0, -2.0], 0.0)
    assert biopsies.values("value_per_case")["baseline:today"] == pytest.approx(worth.mean())
    assert biopsies.values("workload")["baseline:today"] == pytest.approx(large.mean())
    assert biopsies.values("missed_share")["baseline:today"] == pytest.approx((sick & ~large).mean())
    assert biopsies.values("value_per_case")["baseline:nobody"] == pytest.approx(-20 * sick.mean())
    assert biopsies.values("value_per_case")["baseline:everybody"] == pytest.approx(np.where(sick, 40.0, -2.0).mean())


def test_the_model_beats_today_s_rule_and_its_files_hold_data_only(biopsies):
    judged = evaluate(
        biopsies.rules, biopsies.problem.kpis(biopsies.rules), biopsies.outcomes, "linear", "baseline:today", 1
    )
    goal = judged.kpi("value_per_case")
    assert goal.difference.low > 0
    assert goal.kpi.unit == "hours per case"
    for one in biopsies.trained.values():
        assert {path.suffix for path in one.directory.rglob("*") if path.is_file()} <= set(SAFE_SUFFIXES)
        assert one.metrics["auc"] > 0.95


def test_the_measured_baseline_is_what_pandas_counts_on_the_newest_periods(biopsies):
    found = biopsies.problem.measured_baseline(biopsies.rules, biopsies.data, biopsies.units[:9])
    table = biopsies.data.tables["cases"]
    newest = table["period"] >= table["period"].max() - pd.Timedelta(weeks=7)
    rows = table[newest & table["unit"].isin(biopsies.units[:9])]
    sick, large = rows["diagnosis"] == "malignant", rows["mean_radius"] >= 16
    worth = np.select([sick & large, sick & ~large, ~sick & large], [40.0, -20.0, -2.0], 0.0)
    assert found == pytest.approx(worth.mean())


def test_a_candidate_read_back_and_trained_again_is_the_same(biopsies, tmp_path):
    one = biopsies.trained["boosted"]
    back = biopsies.problem.load_candidate(one.spec, one.directory)
    again = biopsies.problem.train(
        biopsies.rules, biopsies.data, one.spec, biopsies.units, tmp_path / "again", made.nothing
    )
    assert back.digest == again.digest == one.digest
    assert back.backtest.frame.equals(one.backtest.frame)


def test_every_arm_stands_on_the_same_cases_and_only_those_of_its_units(biopsies):
    few = biopsies.units[:5]
    frame = biopsies.play(biopsies.arms, few).frame
    assert set(frame["unit"]) <= set(few)
    assert frame.groupby("arm")["cases"].sum().nunique() == 1
    assert set(frame["arm"]) == {arm.name for arm in biopsies.arms}


def test_a_policy_that_feedback_changed_is_played_on_the_same_model(biopsies):
    other = biopsies.rules.model_copy(
        update={"policy": biopsies.rules.policy.model_copy(update={"name": "capacity", "parameters": {"limit": 1}})}
    )
    arms = (*biopsies.arms, Arm("without F1", other, biopsies.trained["linear"]))
    frame = biopsies.play(arms).frame.groupby("arm")[["acted", "unit_periods"]].sum()
    assert frame.loc["without F1", "acted"] <= frame.loc["without F1", "unit_periods"]
    assert frame.loc["without F1", "acted"] < frame.loc["linear", "acted"]


def test_decisions_at_a_cutoff_do_not_change_when_only_later_truth_does(tmp_path, biopsies):
    """Shift the future: what was foreseen for a case may rest on nothing that happened after the cutoff."""
    frame = made.breast_cancer()
    table = biopsies.data.tables["cases"].set_index("biopsy")
    cutoffs = sorted(set(forecasts_of(biopsies.trained["linear"].directory)["cutoff"]) - {"final"})
    later = table.loc[frame["biopsy"], "period"].to_numpy() >= np.datetime64(cutoffs[0])
    frame.loc[later, "diagnosis"] = np.where(frame.loc[later, "diagnosis"] == "benign", "malignant", "benign")
    made.write_table(tmp_path / "data", frame)
    data = made.dataset_at(biopsies.rules, tmp_path / "data")
    spec = biopsies.rules.model.candidates[1]
    biopsies.problem.train(biopsies.rules, data, spec, biopsies.units, tmp_path / "linear", made.nothing)
    first = [
        one[one["cutoff"] == cutoffs[0]].reset_index(drop=True)
        for one in (forecasts_of(tmp_path / "linear"), forecasts_of(biopsies.trained["linear"].directory))
    ]
    assert np.array_equal(first[0]["score_1"], first[1]["score_1"])
    replay = first[0]["part"] == "replay"
    assert (first[0]["truth"] != first[1]["truth"])[replay].all()


def test_what_was_recorded_adds_up_to_the_table(biopsies):
    seen = biopsies.problem.observed(biopsies.rules, biopsies.data)
    assert seen.frame["cases"].sum() == 569
    assert seen.frame["positives"].sum() == 212
    told = biopsies.problem.realised(biopsies.rules, biopsies.data, {})
    workload = told[(told["kpi"] == "workload") & (told["group"] == "all")]
    assert len(workload) == 12
    newest = seen.frame[seen.frame["period"] == seen.periods[-1]]
    assert workload["value"].iloc[-1] == pytest.approx(newest["acted"].sum() / newest["cases"].sum())
    followers = {biopsies.units[0]: date(1900, 2, 1)}
    model = biopsies.problem.realised(biopsies.rules, biopsies.data, followers)
    assert (model[model["group"] == "model"]["units"] == 1).all()


def test_wines_are_put_into_three_classes_by_what_mistakes_cost(tmp_path):
    played = Played(
        tmp_path, made.wine(), made.WINES, {"name": "cost_matrix", "parameters": {}},
        {"baseline": {"policy": "best_constant", "measured_over": 8}},
    )  # fmt: skip
    assert played.values("right_share")["linear"] > 0.85
    assert played.values("value_per_case")["linear"] > played.values("value_per_case")["baseline:best_constant"] + 1
    forecasts = forecasts_of(played.trained["linear"].directory)
    last = sorted(set(forecasts["cutoff"]) - {"final"})[-1]
    rows = forecasts[(forecasts["cutoff"] == last) & (forecasts["part"] == "replay")]
    scores = rows[["score_0", "score_1", "score_2"]].to_numpy()
    table = np.array([[1, -3, -3], [-3, 1, -3], [-20, -3, 1]], float)  # decided x truth
    decided = (scores @ table.T).argmax(axis=1)
    worth = table[decided, rows["truth"].to_numpy(int)]
    assert played.values("value_per_case")["linear"] == pytest.approx(worth.mean())


def test_patients_are_chosen_by_the_amount_foreseen(tmp_path):
    played = Played(tmp_path, made.diabetes(), made.PATIENTS, {"name": "threshold", "parameters": {}}, {})
    values = played.values("value_per_case")
    assert values["linear"] > max(values["baseline:nobody"], values["baseline:everybody"])
    assert played.trained["linear"].metrics["r2"] > 0.3


def test_weekly_air_is_estimated_by_time_with_a_margin_for_what_costs_more(tmp_path):
    air = made.carbon_dioxide()
    played = Played(
        tmp_path, air, made.AIR, {"name": "estimate", "parameters": {}},
        {"baseline": {"policy": "today", "measured_over": 8}, "target": -0.2},
        model={
            "candidates": [{"name": "linear", "algorithm": "linear", "features": ["all"], "parameters": {}}],
            "train_on": "all", "train_periods": 300, "backtest_cutoffs": 4, "backtest_every": 13,
        },
    )  # fmt: skip
    found = played.values("value_per_case")
    assert found["linear"] > found["baseline:today"] > found["baseline:mean"]
    # Today's estimate is last week's value: recomputed from the series.
    forecasts = forecasts_of(played.trained["linear"].directory)
    cutoffs = sorted(set(forecasts["cutoff"]) - {"final"})[2:]
    rows = forecasts[forecasts["cutoff"].isin(cutoffs) & (forecasts["part"] == "replay")]
    own = air.set_index("row").loc[rows["key"]]
    error = own["lag_1"] - own["next"]
    assert found["baseline:today"] == pytest.approx(-np.where(error > 0, error, -3 * error).mean())
    assert len(rows) == 26
    assert played.problem.cutoff(played.data.tables) == air["week"].max().to_period("W-SUN").start_time.date()


def test_travellers_choice_among_four_ways(tmp_path):
    business = {
        "task": "multiclass", "key": "traveller", "target": "mode", "classes": "air, train, bus, car",
        "counted_in": "cases", "right": 1.0,
    }  # fmt: skip
    played = Played(
        tmp_path, made.travel(), business, {"name": "cost_matrix", "parameters": {}},
        {"baseline": {"policy": "most_common", "measured_over": 8}, "target": 0.5},
    )  # fmt: skip
    values = played.values("right_share")
    assert values["boosted"] > values["baseline:most_common"] + 0.2


@pytest.mark.proof
def test_digits_are_read(tmp_path):
    business = {
        "task": "multiclass", "key": "sheet", "target": "digit", "counted_in": "cases", "right": 1.0,
        "classes": ", ".join(f"d{number}" for number in range(10)),
    }  # fmt: skip
    played = Played(
        tmp_path, made.digits(), business, {"name": "cost_matrix", "parameters": {}},
        {"baseline": {"policy": "most_common", "measured_over": 8}},
    )  # fmt: skip
    assert played.values("right_share").loc[["boosted", "linear"]].min() > 0.9


def test_a_column_that_gives_the_target_away_is_found(tmp_path):
    frame = made.breast_cancer()
    frame["ward"] = np.where(frame["diagnosis"] == "malignant", "oncology", "none")
    frame["stay"] = np.where(frame["diagnosis"] == "malignant", 9.0, 1.0) + np.arange(len(frame)) / 1000
    made.write_table(tmp_path / "data", frame)
    rules = made.charter_of(
        made.charter_values(made.BIOPSIES, {"name": "expected_value", "parameters": {}}, {}), tmp_path
    )
    facts = Tabular().facts(rules, made.dataset_at(rules, tmp_path / "data"), None)
    assert facts.leaks == ("stay", "ward")


def test_cases_without_outcome_wait_and_each_gets_a_decision(tmp_path, biopsies):
    frame = made.breast_cancer()
    frame.loc[::40, "diagnosis"] = None
    frame.loc[::80, "mean texture"] = np.nan
    made.write_table(tmp_path / "data", frame)
    model = Arm("linear", biopsies.rules, biopsies.trained["linear"])
    found = biopsies.problem.decide(biopsies.rules, tmp_path / "data", model, None)
    assert sorted(found["biopsy"]) == sorted(frame["biopsy"][::40])
    assert set(found["decision"]) <= {"act", "leave"}
    expected = 40 * found["score"] - 2 * (1 - found["score"]) > -20 * found["score"]
    assert np.array_equal(found["decision"] == "act", expected)
    some = biopsies.problem.decide(biopsies.rules, tmp_path / "data", model, biopsies.units[:10])
    assert set(some["by"]) == {"linear", "today"}
    ruled = some[some["by"] == "today"].set_index("biopsy")
    radius = frame.set_index("biopsy").loc[ruled.index, "mean radius"]
    assert np.array_equal(ruled["decision"] == "act", radius >= 16)


def test_drift_is_told_against_the_dataset_before(tmp_path, biopsies):
    frame = made.breast_cancer()
    frame["mean radius"] = frame["mean radius"] * 1.5
    made.write_table(tmp_path / "data", frame)
    moved = made.dataset_at(biopsies.rules, tmp_path / "data")
    drift = biopsies.problem.facts(biopsies.rules, moved, biopsies.data).drift
    assert max(drift, key=drift.get) == "mean_radius"
    assert drift["mean_radius"] > 0.2 > drift["mean_texture"]
    current, reference = biopsies.problem.drift_frames(biopsies.rules, moved, biopsies.data, 50)
    assert list(current) == list(reference)
    assert len(current) == 50


def test_stages_take_lots_that_grow_and_units_by_their_tag(biopsies, tmp_path):
    rung = biopsies.rules.stages[0]
    few = biopsies.problem.units(biopsies.rules, biopsies.data, rung.model_copy(update={"units": 4}))
    more = biopsies.problem.units(biopsies.rules, biopsies.data, rung.model_copy(update={"units": 9}))
    assert set(few) < set(more)
    frame = made.breast_cancer().assign(clinic=lambda rows: np.arange(len(rows)) % 6)
    made.write_table(tmp_path / "data", frame.assign(side=np.where(frame["clinic"] < 3, "east", "west")))
    business = {**made.BIOPSIES, "unit": "clinic"}
    rules = made.charter_of(made.charter_values(business, {"name": "expected_value", "parameters": {}}, {}), tmp_path)
    data = made.dataset_at(rules, tmp_path / "data")
    east = Tabular().units(rules, data, rules.stages[0].model_copy(update={"units": {"side": "east"}}))
    assert east == ("0", "1", "2")


def test_the_group_of_a_case_depends_on_its_key_alone(biopsies, tmp_path):
    frame = made.breast_cancer().sample(frac=0.7, random_state=1)
    made.write_table(tmp_path / "data", frame)
    some = made.dataset_at(biopsies.rules, tmp_path / "data").tables["cases"].set_index("biopsy")
    whole = biopsies.data.tables["cases"].set_index("biopsy").loc[some.index]
    assert some["period"].equals(whole["period"])
    assert some["unit"].equals(whole["unit"])


def test_rows_that_belong_together_stay_in_one_group(tmp_path):
    frame = made.breast_cancer().assign(patient=lambda rows: [f"P{number // 3}" for number in range(len(rows))])
    made.write_table(tmp_path / "data", frame)
    business = {**made.BIOPSIES, "together": "patient"}
    rules = made.charter_of(made.charter_values(business, {"name": "expected_value", "parameters": {}}, {}), tmp_path)
    table = made.dataset_at(rules, tmp_path / "data").tables["cases"]
    assert (table.groupby("patient")["period"].nunique() == 1).all()


def test_the_scope_leaves_rows_out(tmp_path):
    frame = made.breast_cancer().assign(clinic=lambda rows: np.where(np.arange(len(rows)) % 2, "north", "south"))
    made.write_table(tmp_path / "data", frame)
    values = made.charter_values(made.BIOPSIES, {"name": "expected_value", "parameters": {}}, {})
    values["scope"] = {"in": ["one clinic"], "out": [], "leave_out": {"clinic": ["north"]}}
    rules = made.charter_of(values, tmp_path)
    data = made.dataset_at(rules, tmp_path / "data")
    assert set(cases_of(rules, data.tables).frame["clinic"]) == {"south"}
    values["scope"]["leave_out"] = {"ward": ["north"]}
    with pytest.raises(DataError, match="not there"):
        cases_of(made.charter_of(values, tmp_path), data.tables)


def test_periods_of_a_unit_add_up_whatever_its_rows_are_grouped_by(biopsies):
    rows = forecasts_of(biopsies.trained["linear"].directory)
    rows = rows[(rows["cutoff"] == rows["cutoff"].min()) & (rows["part"] == "replay")].reset_index(drop=True)
    found = components(biopsies.rules, rows, np.ones(len(rows)))
    expected = rows.groupby("unit")["period"].nunique().sum()
    assert found["unit_periods"].sum() == pytest.approx(expected)
