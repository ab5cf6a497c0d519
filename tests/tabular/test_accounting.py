"""What is said of single decisions on cases: it is about those served, it adds up, and limits bind the replay too."""

from itertools import combinations
from math import factorial

import numpy as np
import pandas as pd
import pytest

from pipeline.charter.compliance import Compliance, DecisionLimits
from pipeline.cli.deciding import explanation, with_overrides
from pipeline.compliance.limits import limited
from pipeline.errors import CharterError
from pipeline.problems.base import Accountable, Arm
from pipeline.rollout.serving import Served
from pipeline.tabular.candidates import forecasts_of
from pipeline.tabular.explaining import contributions
from pipeline.tabular.learning import Learner
from tests.tabular import made
from tests.tabular.test_problem import Played

EXPECTED = {"name": "expected_value", "parameters": {}}
TODAY = {"baseline": {"policy": "today", "measured_over": 8}}


def limits(rules, **given):
    return rules.model_copy(update={"compliance": Compliance(limits=DecisionLimits(**given))})


@pytest.fixture(scope="module")
def biopsies(tmp_path_factory):
    """Biopsies of three towns; of twenty nobody knows the outcome, of two of them no such value was seen before."""
    frame = made.breast_cancer()
    frame["town"] = np.where(np.arange(len(frame)) % 3 == 0, "Oslo", "Lyon")
    frame.loc[::30, "diagnosis"] = None
    frame.loc[0, "mean texture"], frame.loc[30, "town"] = 400.0, "Riga"
    return Played(tmp_path_factory.mktemp("biopsies"), frame, made.BIOPSIES, EXPECTED, TODAY)


def account(played, name, units=None, **given):
    arm = Arm(name, played.rules, played.trained[name])
    return played.problem.account(played.rules, played.folder / "data", arm, units, **given)


@pytest.mark.parametrize("name", ["boosted", "linear"])
def test_the_account_is_of_the_decisions_that_are_served(biopsies, name):
    assert isinstance(biopsies.problem, Accountable)
    place, some = biopsies.folder / "data", biopsies.units[:10]
    found = account(biopsies, name, some)
    arm = Arm(name, biopsies.rules, biopsies.trained[name])
    assert found.decisions.equals(biopsies.problem.decide(biopsies.rules, place, arm, some))
    rest = Arm("today", biopsies.rules, baseline="today")
    today = biopsies.problem.decide(biopsies.rules, place, rest, None)
    assert found.named(found.incumbent).tolist() == today["decision"].tolist()
    assert found.by_model.tolist() == (found.decisions["by"] == name).tolist()
    assert found.keys == ["biopsy"]
    assert found.drivers is None


@pytest.mark.parametrize("name", ["boosted", "linear"])
def test_what_lies_outside_the_training_range_is_named(biopsies, name):
    found = account(biopsies, name)
    outside = dict(zip(found.decisions["biopsy"], found.outside, strict=True))
    assert outside["B0000"] == "mean_texture"
    assert outside["B0030"] == "town"
    known = biopsies.data.tables["cases"].dropna().set_index("biopsy")
    numbers = known.select_dtypes("number").columns
    case = biopsies.data.tables["cases"].set_index("biopsy")
    for key, column in outside.items():
        beyond = (case.loc[key, numbers] < known[numbers].min()) | (case.loc[key, numbers] > known[numbers].max())
        # The model that is kept was fitted on the older part of what is known: its range is no wider.
        assert column or not beyond.any()


@pytest.mark.parametrize("name", ["boosted", "linear"])
def test_contributions_add_up_and_the_same_few_are_taken_apart(biopsies, name):
    found = account(biopsies, name, explained=None).drivers
    assert len(found.rows) == 19
    assert found.gap < 1e-9
    assert not found.added
    assert set(found.names[:, 0]) <= set(biopsies.data.tables["cases"].columns)
    few, again = (account(biopsies, name, explained=5).drivers for _ in range(2))
    assert few.rows.tolist() == again.rows.tolist()
    assert len(few.rows) == 5


def test_a_linear_share_is_the_shapley_value_over_the_training_rows(tmp_path):
    """By the definition, over all coalitions of three columns, the absent ones averaged over the training rows."""
    frame = made.breast_cancer()[["biopsy", "diagnosis", "mean radius", "mean texture", "mean smoothness"]]
    business = {**made.BIOPSIES, "rule_column": "mean_radius"}
    played = Played(tmp_path, frame, business, EXPECTED, TODAY)
    learner = Learner.load(played.trained["linear"].directory)
    cases = played.data.tables["cases"].head(4)
    shares, raw = contributions(learner, cases, np.zeros(4, int))
    matrix, weights = learner.preparation.matrix(cases)[:, :3], learner.weights[:3, 0]
    level = float(learner.weights[-1, 0])

    def value(row, present):
        return level + sum(weights[one] * (matrix[row, one] if one in present else learner.center[one])
                           for one in range(3))  # fmt: skip

    for row, one in ((row, one) for row in range(4) for one in range(3)):
        others = [other for other in range(3) if other != one]
        sets = [subset for size in range(3) for subset in combinations(others, size)]
        worth = sum(
            factorial(len(subset)) * factorial(2 - len(subset)) / factorial(3)
            * (value(row, {*subset, one}) - value(row, set(subset)))
            for subset in sets
        )  # fmt: skip
        assert shares[row, one] == pytest.approx(worth)
    assert shares.sum(axis=1) == pytest.approx(raw)


def test_a_class_and_an_amount_are_told_in_their_own_way(tmp_path):
    frame = made.wine()
    frame.loc[::20, "grower"] = None
    wines = Played(
        tmp_path / "wines", frame, made.WINES, {"name": "cost_matrix", "parameters": {}},
        {"baseline": {"policy": "best_constant", "measured_over": 8}},
    )  # fmt: skip
    patients = made.diabetes()
    patients.loc[::50, "progression"] = np.nan
    amounts = Played(tmp_path / "patients", patients, made.PATIENTS, {"name": "threshold", "parameters": {}}, {})
    for played, added in ((wines, False), (amounts, True)):
        for name in ("boosted", "linear"):
            found = account(played, name, explained=None)
            assert found.drivers.gap < 1e-9
            assert found.drivers.added is added
            served = Served(found.decisions, "challenger", "1", proposal=True, account=found)
            told = explanation(served, found.decisions)
            assert ("added_1" in told) is added
            assert (told["driver_1"] != "").all()
            assert told["model"].tolist() == found.decisions["decision"].tolist()


def test_without_waiting_cases_the_newest_ones_are_looked_at(biopsies):
    known = biopsies.data.tables["cases"].dropna()
    folder = biopsies.folder / "known"
    made.write_table(folder, known.drop(columns=["period", "unit"]))
    data = made.dataset_at(biopsies.rules, folder)
    found = account(biopsies, "linear", dataset=data, explained=3)
    assert set(found.decisions["biopsy"]) == set(known[known["period"] == known["period"].max()]["biopsy"])
    assert len(found.drivers.rows) == 3


def test_people_change_words_and_their_worth_is_counted_by_hand(biopsies, tmp_path):
    found = account(biopsies, "linear", explained=None)
    served = Served(found.decisions, "challenger", "1", proposal=True, account=found)
    other = {"act": "leave", "leave": "act"}
    before = found.decisions.set_index("biopsy")["decision"]
    lines = [f"{key},{other[before[key]]},cleo,seen the slides" for key in ("B0030", "B0060")]
    path = tmp_path / "changes.csv"
    path.write_text("biopsy,decision,person,reason\n" + "\n".join(lines) + "\n", encoding="utf-8")
    decisions, changed = with_overrides(served, path)
    after = decisions.set_index("biopsy")["decision"]
    assert after["B0030"] == other[before["B0030"]]
    assert after.drop(["B0030", "B0060"]).equals(before.drop(["B0030", "B0060"]))
    # Their outcome becomes known: worth by the table of values, hit 40, false alarm -2, miss -20.
    frame = made.breast_cancer().assign(town="Lyon")
    made.write_table(tmp_path / "later", frame)
    rows = pd.DataFrame([{**one.series, "cutoff": found.cutoff, "model": one.model, "quantity": one.quantity,
                          "standing": one.standing} for one in changed])  # fmt: skip
    told = biopsies.problem.hindsight(biopsies.rules, made.dataset_at(biopsies.rules, tmp_path / "later"), rows)
    worth = {("act", "malignant"): 40, ("act", "benign"): -2, ("leave", "malignant"): -20, ("leave", "benign"): 0}
    for key, saved in zip(told["biopsy"], told["saved"], strict=True):
        truth = frame.set_index("biopsy").loc[key, "diagnosis"]
        assert saved == worth[after[key], truth] - worth[before[key], truth]
    # While nobody knows it, nothing is claimed.
    assert biopsies.problem.hindsight(biopsies.rules, biopsies.data, rows)["saved"].isna().all()


@pytest.mark.parametrize("name", ["boosted", "linear"])
def test_the_replay_is_of_limited_decisions_and_serving_limits_the_same(biopsies, name):
    """Refused cases get today's decision in the replay; the same function does so when serving."""
    rules = limits(biopsies.rules, outside_training="refuse")
    arms = (Arm("free", biopsies.rules, biopsies.trained[name]), Arm("held", rules, biopsies.trained[name]),
            Arm("baseline:today", rules, baseline="today"))  # fmt: skip
    frame = biopsies.play(arms).frame.groupby("arm")["value"].sum()
    forecasts = forecasts_of(biopsies.trained[name].directory)
    last = sorted(set(forecasts["cutoff"]) - {"final"})[-1]
    rows = forecasts[(forecasts["cutoff"] == last) & (forecasts["part"] == "replay")]
    outside, sick = rows["outside"] != "", rows["truth"] == 1
    acts = 40 * rows["score_1"] - 2 * rows["score_0"] > -20 * rows["score_1"]
    radius = made.breast_cancer().set_index("biopsy").loc[rows["key"], "mean radius"].to_numpy()
    served = np.where(outside, radius >= 16, acts)
    by_hand = np.select([sick & served, sick & ~served, ~sick & served], [40.0, -20.0, -2.0], 0.0).sum()
    assert outside.sum() > 3
    assert frame["held"] == pytest.approx(by_hand)
    assert frame["held"] != pytest.approx(frame["free"])
    found = account(biopsies, name)
    kept = limited(found, rules.compliance.limits)
    assert kept.amounts[found.outside != ""].tolist() == found.incumbent[found.outside != ""].tolist()
    assert kept.amounts[found.outside == ""].tolist() == found.amounts[found.outside == ""].tolist()


def test_estimates_keep_to_their_limits_in_the_replay_without_being_rounded(tmp_path):
    air = made.carbon_dioxide()
    played = Played(
        tmp_path, air, made.AIR, {"name": "estimate", "parameters": {"margin": 0.0}},
        {"baseline": {"policy": "today", "measured_over": 8}, "target": -0.2},
        model={
            "candidates": [{"name": "linear", "algorithm": "linear", "features": ["all"], "parameters": {}}],
            "train_on": "all", "train_periods": 300, "backtest_cutoffs": 4, "backtest_every": 13,
        },
    )  # fmt: skip
    rules = limits(played.rules, max_change=0.0005, cap=370.05)
    outcomes = played.play((Arm("linear", rules, played.trained["linear"]),)).frame
    forecasts = forecasts_of(played.trained["linear"].directory)
    cutoffs = sorted(set(forecasts["cutoff"]) - {"final"})[2:]
    rows = forecasts[forecasts["cutoff"].isin(cutoffs) & (forecasts["part"] == "replay")]
    room = rows["today"] * 0.0005
    kept = rows["score_0"].clip(rows["today"] - room, rows["today"] + room).clip(upper=370.05)
    error = kept - rows["truth"]
    assert (kept != rows["score_0"]).any()
    assert outcomes["value"].sum() == pytest.approx(-np.where(error > 0, error, -3 * error).sum())


@pytest.mark.parametrize("given", [{"max_change": 0.5}, {"cap": 10}])
def test_a_limit_of_amounts_is_refused_where_a_decision_is_none(tmp_path, given):
    values = made.charter_values(made.BIOPSIES, EXPECTED, TODAY, compliance={"limits": given})
    with pytest.raises(CharterError, match="a limit of amounts where a decision is none"):
        made.charter_of(values, tmp_path)
