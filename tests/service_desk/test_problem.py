"""The domain as the loop calls it: training, games, the field, decisions, advice; all on a small desk."""

import numpy as np
import pandas as pd
import pytest

from pipeline.datasets.contracts import apply_contracts
from pipeline.datasets.dataset import Dataset
from pipeline.errors import DataError
from pipeline.evaluation.kpis import evaluate, summary
from pipeline.problems.base import Arm
from pipeline.problems.registry import find
from pipeline.service_desk.clock import WEEK_HOURS
from pipeline.service_desk.features import features
from pipeline.service_desk.measures import _other_future, leaks
from pipeline.service_desk.offers import BASELINES, FEATURES, KPIS
from pipeline.service_desk.planning import expected_arrivals, plans
from pipeline.service_desk.prediction import Predictor, fitted
from pipeline.service_desk.realised import COLUMNS
from tests.service_desk.made import charter, dataset, located, log

GROUPS = tuple(FEATURES)
FULL = {"name": "generalized_cmu", "parameters": {"staffing": "square_root", "skills": True, "patience": 8.0}}


def nothing(*_):
    pass


@pytest.fixture(scope="module")
def problem():
    return find("service_desk")


@pytest.fixture(scope="module")
def trained(problem, tmp_path_factory):
    rules, place = charter(policy=FULL), tmp_path_factory.mktemp("models")
    return [
        problem.train(rules, dataset(), spec, ("T01", "T02"), place / spec.name, nothing)
        for spec in rules.model.candidates
    ]


def arms(rules, trained):
    return (
        *(Arm(one.spec.name, rules, one) for one in trained),
        *(Arm(f"baseline:{name}", rules, baseline=name) for name in BASELINES),
    )


def test_every_feature_group_is_blind_to_the_future_and_a_leak_would_be_seen(monkeypatch):
    assert leaks(log(), GROUPS, 1) == ()
    monkeypatch.setattr("pipeline.service_desk.features.week_of", lambda clock: np.full(len(clock), -1))
    assert leaks(log(), GROUPS, 1)


def test_a_model_learned_before_a_week_does_not_change_with_what_comes_after():
    rules, draw = charter(), np.random.default_rng(5)
    for spec in rules.model.candidates:
        spec = spec.model_copy(update={"features": GROUPS})
        honest = fitted(rules, spec, log().upto(10))
        other = fitted(rules, spec, _other_future(log(), 10, draw).upto(10))
        rows = log().upto(10).tickets
        assert np.array_equal(honest.expected(log().upto(10), rows)[0], other.expected(log().upto(10), rows)[0])
        assert np.array_equal(honest.expected(log().upto(10), rows)[1], other.expected(log().upto(10), rows)[1])


def test_shifts_of_a_week_rest_on_earlier_arrivals_alone():
    arrival = log().tickets.loc[log().tickets["team"] == 1, "arrival"].to_numpy()
    later = np.where(arrival >= 12 * WEEK_HOURS, 12 * WEEK_HOURS + 1.0, arrival)
    assert np.array_equal(expected_arrivals(arrival, 12), expected_arrivals(later, 12))
    assert not np.array_equal(expected_arrivals(arrival, 14), expected_arrivals(later, 14))
    known = arrival[arrival < 12 * WEEK_HOURS]
    recent = known[known >= 7 * WEEK_HOURS]
    assert expected_arrivals(arrival, 12).sum() == pytest.approx(len(recent) / 5)


def test_a_model_read_back_says_the_same(problem, trained):
    for one in trained:
        model = Predictor.load(one.directory)
        rows, names = features(log(), log().tickets, model.groups)
        assert names == model.names
        assert np.isfinite(rows).all()
        again = problem.load_candidate(one.spec, one.directory)
        assert (again.digest, again.metrics) == (one.digest, one.metrics)


def test_training_twice_gives_the_same_files(problem, trained, tmp_path):
    rules = charter(policy=FULL)
    again = problem.train(rules, dataset(), rules.model.candidates[0], ("T01", "T02"), tmp_path / "again", nothing)
    assert again.digest == trained[0].digest


def test_models_foresee_hours_better_than_nothing(trained):
    for one in trained:
        assert one.metrics["r2_log_hours"] > 0.2
        assert abs(one.metrics["bias_hours"]) < 0.15


def test_today_s_rule_played_again_waits_about_as_recorded(problem):
    """The replay knows no haste and no missing skills, so it is near and not equal."""
    units = tuple(log().names)
    found = problem.measured_baseline(
        charter(kpi={"baseline": {"policy": "incumbent", "measured_over": 10}}), dataset(), units
    )
    frame = problem.observed(charter(), dataset()).frame
    recent = frame[frame["period"] >= sorted(frame["period"].unique())[-10]]
    assert found == pytest.approx(recent["response_hours"].sum() / recent["tickets"].sum(), rel=0.25)


def test_the_backtest_can_be_judged_and_holds_every_cell_of_every_arm(trained):
    frame = trained[0].backtest.frame
    sizes = frame.groupby("arm").size()
    assert sizes.nunique() == 1
    assert frame["cutoff"].nunique() == 2
    judged = evaluate(charter(), KPIS, trained[0].backtest, "boosted", "baseline:incumbent", 1)
    assert judged.kpi("versus_today").baseline.value == pytest.approx(1.0)
    hours = frame.groupby("arm")["agent_hours"].sum()
    assert np.allclose(hours, hours.iloc[0])


@pytest.fixture(scope="module")
def field(problem, trained, tmp_path_factory):
    place = located(tmp_path_factory.mktemp("desk"))
    rules = charter(policy=FULL)

    def play(key, units=("T02", "T05"), treated="boosted", chosen=None):
        return problem.play(rules, dataset(), place, chosen or arms(rules, trained), treated, units, 2, key, nothing)

    return place, play, play("first")


def test_a_play_happens_once_per_key(field):
    place, play, outcomes = field
    pd.testing.assert_frame_equal(play("first").frame, outcomes.frame)
    assert sorted(path.name for path in (place / "world").iterdir()) == ["desk-0018", "desk-0020"]
    with pytest.raises(DataError, match="moved on"):
        play("second")


def test_a_play_is_made_again_from_the_desk_as_it_was_before_it(problem, trained, field, tmp_path):
    place, _, outcomes = field
    rules = charter(policy=FULL)
    before = problem.rewound(rules, place, "first", tmp_path / "before")
    again = problem.play(rules, dataset(), before, arms(rules, trained), "boosted", ("T02", "T05"), 2, "first", nothing)
    pd.testing.assert_frame_equal(again.frame, outcomes.frame)
    assert problem.rewound(rules, place, "never", tmp_path / "never") == place


def test_all_arms_meet_the_same_tickets_and_cost_the_same_hours(field):
    _, _, outcomes = field
    frame = outcomes.frame
    assert set(frame["unit"]) == {"T02", "T05"}
    by_arm = frame.groupby("arm")[["tickets", "agent_hours", "team_weeks", "today_hours"]].sum()
    assert np.allclose(by_arm, by_arm.iloc[0])
    today = frame[frame["arm"] == "baseline:incumbent"]
    assert today["response_hours"].sum() == pytest.approx(today["today_hours"].sum())
    weekly = outcomes.weekly.groupby("arm")["response_hours"].sum()
    whole = frame.groupby("arm")["response_hours"].sum()
    assert np.allclose(weekly.sort_index(), whole.sort_index())


def test_the_data_afterwards_tells_what_the_play_said(problem, field):
    """Exported, refused, cleaned and counted anew: the treated teams' waits are those of the treated arm."""
    place, _, outcomes = field
    rules = charter()
    raw = problem.load(rules, place)
    clean, quarantine = apply_contracts(raw, problem.contracts(rules, raw))
    later = Dataset(clean, "later", problem.cutoff(clean), quarantine)
    seen = find("service_desk").observed(rules, later).frame
    new = seen[(seen["period"] > str(dataset().cutoff)) & seen["unit"].isin(["T02", "T05"])]
    ours = outcomes.frame[outcomes.frame["arm"] == "boosted"]
    for name in ("response_hours", "tickets", "late", "closed", "reopened", "agent_hours"):
        assert new[name].sum() == pytest.approx(ours[name].sum(), rel=1e-3), name


def test_which_arm_is_treated_changes_the_world_and_no_figure(problem, trained, field, tmp_path):
    _, _, outcomes = field
    rules, place = charter(policy=FULL), located(tmp_path)
    other = problem.play(
        rules, dataset(), place, arms(rules, trained), "baseline:incumbent", ("T02", "T05"), 2, "k", nothing
    )
    pd.testing.assert_frame_equal(other.frame, outcomes.frame)


def test_decisions_hold_each_waiting_ticket_once_and_a_week_of_shifts(problem, trained, tmp_path):
    rules, place = charter(policy=FULL), located(tmp_path)
    arm = Arm("boosted", rules, trained[0])
    some = problem.decide(rules, place, arm, ("T02",))
    queue, shifts = some[some["kind"] == "queue"], some[some["kind"] == "shift"]
    tickets = log().tickets
    waiting = tickets[tickets["first"].isna() | (tickets["reopened"].notna() & tickets["reclosed"].isna())]
    assert sorted(queue["ticket"]) == sorted(waiting["ticket"])
    assert (shifts.groupby("team").size() == 18).all()
    assert set(some.loc[some["team"] == "T02", "by"]) == {"boosted"}
    assert set(some.loc[some["team"] != "T02", "by"]) == {"incumbent"}
    everywhere = problem.decide(rules, place, arm)
    assert everywhere[everywhere["team"] == "T02"].equals(some[some["team"] == "T02"])


def test_realised_figures_of_followers_count_from_their_first_week(problem):
    cutoff = dataset().cutoff
    found = problem.realised(charter(), dataset(), {"T03": cutoff})
    assert list(found.columns) == COLUMNS
    assert set(found.loc[found["group"] == "model", "period"]) == {cutoff}
    assert (found.loc[found["group"] == "model", "units"] == 1).all()
    assert set(found["kpi"]) == set(KPIS) - {"versus_today"}
    assert len(problem.realised(charter(), dataset()).query("group == 'model'")) == 0


def test_facts_drift_and_frames(problem):
    facts = problem.facts(charter(), dataset(), None)
    assert (facts.periods, facts.units, facts.coverage, facts.leaks) == (16, 6, 1.0, ())
    assert max(problem.facts(charter(), dataset(), dataset()).drift.values()) == 0.0
    current, reference = problem.drift_frames(charter(), dataset(), None, 200)
    assert (len(current), len(reference)) == (200, 200)
    assert list(current.columns) == list(reference.columns)


def test_categories_left_out_count_in_no_figure(problem, trained, tmp_path):
    rules = charter(policy=FULL, scope={"leave_out": {"category": ["access"]}})
    frame = problem.play(
        rules, dataset(), located(tmp_path), arms(rules, trained), "boosted", ("T02", "T05"), 2, "k", nothing
    ).frame
    assert frame.loc[frame["category"] == "access", "tickets"].sum() == 0
    assert frame["tickets"].sum() > 0


def test_priority_first_never_answers_a_lower_class_while_a_higher_one_waits(problem):
    rules = charter()
    tickets = {0: log().tickets[log().tickets["team"] == 0].reset_index(drop=True)}
    rule = plans(Arm("p", rules, baseline="priority_first"), log(), tickets, 1)[0].rule
    high, low = np.flatnonzero(tickets[0]["priority"] == 0)[0], np.flatnonzero(tickets[0]["priority"] == 1)[0]
    index = rule.index([int(low), int(high)], np.array([300.0, 0.01]), 0, np.array([0, 0]))
    assert index[1] > index[0]


@pytest.mark.parametrize(
    ("section", "change", "place"),
    [
        ("policy", {"name": "cmuu"}, ("policy", "name")),
        ("policy", {"name": "generalized_cmu", "parameters": {}}, ("policy", "parameters", "patience")),
        ("policy", {"parameters": {"staffing": "guess"}}, ("policy", "parameters", "staffing")),
        ("business", {"response_limit": -1.0}, ("business", "response_limit")),
        ("data", {"source": "retailer"}, ("data", "source")),
        ("data", {"period": "day"}, ("data", "period")),
        ("kpi", {"name": "first_respons"}, ("kpi", "name")),
        ("kpi", {"unit": "minutes"}, ("kpi", "unit")),
    ],
)
def test_advice_names_the_place(problem, section, change, place):
    found = problem.check(charter(**{section: change}))
    assert place in {advice.path for advice in found}
    assert problem.check(charter()) == ()


def test_unknown_features_and_algorithms_are_told_with_the_nearest_name(problem):
    rules = charter()
    odd = rules.model.candidates[0].model_copy(update={"features": ("kinds",), "algorithm": "lightgbmm"})
    found = problem.check(rules.model_copy(update={"model": rules.model.model_copy(update={"candidates": (odd,)})}))
    assert {advice.path[3] for advice in found} == {"features", "algorithm"}
    assert all("did you mean" in advice.remedy for advice in found)


def test_kpis_are_in_the_summary_of_a_play(field):
    found = summary(field[2], KPIS, 1)
    assert set(found["kpi"]) == set(KPIS)
    assert np.isfinite(found["value"]).all()
