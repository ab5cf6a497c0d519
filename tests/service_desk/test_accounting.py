"""What is said of tickets and shifts: it is about those served, it adds up, and limits bind games and field too."""

import numpy as np
import pandas as pd
import pytest

from pipeline.charter.compliance import Compliance, DecisionLimits
from pipeline.cli.deciding import explanation, with_overrides
from pipeline.compliance.limits import limited
from pipeline.problems.base import Accountable, Arm
from pipeline.problems.registry import find
from pipeline.rollout.serving import Served
from pipeline.service_desk.candidates import measured
from pipeline.service_desk.features import features
from pipeline.service_desk.parameters import policy_of
from pipeline.service_desk.planning import planner_of, plans
from pipeline.service_desk.prediction import Predictor
from pipeline.service_desk.staffing import fixed_shifts
from tests.service_desk.made import charter, dataset, located, log

SQUARE = {"name": "generalized_cmu", "parameters": {"patience": 20.0, "staffing": "square_root", "urgency": 0.4}}


def nothing(*_):
    pass


@pytest.fixture(scope="module")
def rules():
    return charter(policy=SQUARE)


@pytest.fixture(scope="module")
def problem():
    return find("service_desk")


@pytest.fixture(scope="module")
def trained(problem, rules, tmp_path_factory):
    place = tmp_path_factory.mktemp("models")
    return {
        spec.algorithm: problem.train(rules, dataset(), spec, ("T01",), place / spec.name, nothing)
        for spec in rules.model.candidates
    }


def limiting(rules, **given):
    return rules.model_copy(update={"compliance": Compliance(limits=DecisionLimits(**given))})


def tickets_of(team):
    return {team: log().tickets[log().tickets["team"] == team].reset_index(drop=True)}


def test_the_account_is_of_the_decisions_that_are_served(problem, rules, trained, tmp_path):
    assert isinstance(problem, Accountable)
    place, arm = located(tmp_path), Arm("model", rules, trained["lightgbm"])
    found = problem.account(rules, place, arm, ("T02", "T03"))
    assert found.decisions.equals(problem.decide(rules, place, arm, ("T02", "T03")))
    assert found.decisions.equals(problem.account(rules, place, arm, ("T02", "T03"), dataset=dataset()).decisions)
    assert set(found.decisions["team"][found.by_model]) == {"T02", "T03"}
    today = problem.decide(rules, place, Arm("today", rules, baseline="incumbent"), None)
    keys = list(found.keys)
    both = found.decisions.assign(today=found.incumbent).merge(today, on=keys, suffixes=("", "_rule"))
    assert len(both) == len(found.decisions)
    assert both["today"].tolist() == both["decision_rule"].tolist()
    queue = found.decisions[found.decisions["kind"] == "queue"]
    for _, rows in queue.groupby("team"):
        assert sorted(rows["decision"]) == list(range(1, len(rows) + 1))


@pytest.mark.parametrize("algorithm", ["lightgbm", "linear"])
def test_shares_add_up_and_name_what_moves_a_ticket(problem, rules, trained, algorithm, tmp_path):
    arm = Arm("model", rules, trained[algorithm])
    found = problem.account(rules, tmp_path, arm, None, dataset=dataset(), explained=None)
    drivers = found.drivers
    assert drivers.gap < 1e-9
    assert len(drivers.rows) == (found.decisions["kind"] == "queue").sum()
    assert all(name.endswith(("(hours)", "(urgency)")) for name in drivers.names[:, 0])
    # The first driver recomputed from the model's own words for one ticket.
    model = Predictor.load(arm.candidate.directory)
    row = int(drivers.rows[0])
    ticket = log().tickets[log().tickets["ticket"] == found.decisions["ticket"].iloc[row]]
    rows, names = features(log(), ticket, model.groups)
    source, _, which = drivers.names[0, 0].partition(" ")
    shares = (model.hours if which == "(hours)" else model.urgency).shares(rows)[0, :-1]
    own = sum(share for name, share in zip(names, shares, strict=True)
              if name == source or (source in ("category", "channel", "priority", "tier")
                                    and name.startswith(f"{source}_")))  # fmt: skip
    assert np.log(drivers.effects[0, 0]) == pytest.approx(own)
    few = problem.account(rules, tmp_path, arm, None, dataset=dataset(), explained=4).drivers
    assert len(few.rows) == 4


def test_a_linear_share_is_what_moving_the_feature_to_its_mean_changes(trained):
    model = Predictor.load(trained["linear"].directory)
    rows, names = features(log(), log().tickets.head(6), model.groups)
    for scorer in (model.hours, model.urgency):
        shares = scorer.shares(rows)
        for feature in range(len(names)):
            moved = rows.copy()
            moved[:, feature] = scorer.center[feature]
            assert shares[:, feature] == pytest.approx(scorer.score(rows) - scorer.score(moved), abs=1e-9)


def test_what_lies_outside_the_training_range_is_named_and_counts_as_an_average_ticket(rules, trained):
    model = Predictor.load(trained["lightgbm"].directory)
    rows = tickets_of(0)
    strange = rows[0].copy()
    strange.loc[[3, 8], "attachments"] = 10_000
    assert model.outside(log(), strange)[[3, 8]].tolist() == ["attachments"] * 2
    assert (model.outside(log(), rows[0])[[3, 8]] == "").all()
    held = limiting(rules, outside_training="refuse")
    arms = [Arm("model", one, trained["lightgbm"]) for one in (rules, held)]
    free, refused = (plans(arm, log(), {0: strange}, 1)[0].rule for arm in arms)
    known = model.outside(log(), strange) == ""
    assert np.array_equal(free.rate[known], refused.rate[known])
    newest = log().tickets[log().tickets["arrival"] >= (log().weeks - 20) * 72]
    assert refused.rate[3] == refused.rate[8] == pytest.approx(1 / newest["spent"].mean())
    # Of two average tickets the older one comes first, whatever the policy.
    index = refused.index([3, 8], np.array([9.0, 1.0]), 0, np.array([0, 0]))
    assert index[0] > index[1]


def test_shifts_keep_to_their_limits_when_planned_and_when_served(problem, rules, trained, tmp_path):
    limits = {"max_change": 0.25, "free_units": 1.0, "cap": 4.0}
    held = limiting(rules, **limits)
    arm = Arm("model", held, trained["lightgbm"])
    found = problem.account(held, tmp_path, arm, None, dataset=dataset())
    served = limited(found, held.compliance.limits)
    assert {"change", "cap"} & set(served.why)
    frame = found.with_values(served.amounts)
    for team, name in enumerate(log().names):
        planned = plans(arm, log(), tickets_of(team), 1)[team].shifts[0]
        shifts = frame[(frame["team"] == name) & (frame["kind"] == "shift")]
        assert shifts["decision"].tolist() == planned.tolist()
        today = fixed_shifts(int(log().teams["per_day"].iloc[team]))
        assert (planned <= 4).all()
        assert ((np.abs(planned - today) <= np.maximum(0.25 * today, 1)) | (planned == 4)).all()
    # Places are no amounts: the queue is as the model has it.
    queue = (frame["kind"] == "queue").to_numpy()
    assert frame["decision"][queue].tolist() == found.decisions["decision"][queue].tolist()


def test_games_and_field_are_played_within_the_limits(problem, rules, trained, tmp_path):
    """With no room at all beside today's shifts, a policy that plans them costs what today's does."""
    held = limiting(rules, max_change=1e-9)
    arms = (Arm("free", rules, trained["lightgbm"]), Arm("held", held, trained["lightgbm"]),
            Arm("baseline:incumbent", rules, baseline="incumbent"))  # fmt: skip
    rows = {team: tickets for team in range(2) for tickets in tickets_of(team).values()}
    raw = dataset().tables["tickets"]
    visible = {team: raw[raw["team"] == log().names[team]] for team in rows}
    shifts = {arm.name: planner_of(arm, log(), 2)(visible)[0].shifts for arm in arms}
    assert np.array_equal(shifts["held"], shifts["baseline:incumbent"])
    assert not np.array_equal(shifts["free"], shifts["held"])
    again = problem.train(held, dataset(), held.model.candidates[0], ("T01",), tmp_path / "held", nothing)
    first = trained["lightgbm"].backtest.frame
    name = held.model.candidates[0].name
    hours = again.backtest.frame.groupby("arm")["response_hours"].sum()
    assert hours[name] != pytest.approx(first.groupby("arm")["response_hours"].sum()[name])


def test_people_move_tickets_and_change_shifts_by_a_file(problem, rules, trained, tmp_path):
    arm = Arm("model", rules, trained["lightgbm"])
    found = problem.account(rules, tmp_path, arm, None, dataset=dataset(), explained=None)
    served = Served(found.decisions, "champion", "1", proposal=False, account=found)
    queue = found.decisions[(found.decisions["kind"] == "queue")]
    team = queue["team"].value_counts().index[0]
    last = queue[queue["team"] == team].sort_values("decision").iloc[-1]
    shift = found.decisions[(found.decisions["kind"] == "shift") & (found.decisions["team"] == team)].iloc[0]
    path = tmp_path / "changes.csv"
    changes = pd.DataFrame([
        {**last[list(found.keys)], "quantity": 1, "person": "rui", "reason": "the customer called"},
        {**shift[list(found.keys)], "quantity": 7, "person": "rui", "reason": "two are on a course"},
    ])  # fmt: skip
    changes.to_csv(path, index=False)
    decisions, changed = with_overrides(served, path)
    assert len(changed) == 2
    mine = decisions[(decisions["team"] == team) & (decisions["kind"] == "queue")]
    assert mine.set_index("ticket")["decision"][last["ticket"]] == 1
    assert sorted(mine["decision"]) == list(range(1, len(mine) + 1))
    told = explanation(served, decisions)
    assert (told["driver_1"][(told["kind"] == "queue") & (told["decided_by"] == "model")] != "").all()
    frame = pd.DataFrame([{**one.series, "cutoff": found.cutoff, "model": one.model, "quantity": one.quantity,
                           "standing": one.standing} for one in changed])  # fmt: skip
    assert problem.hindsight(rules, dataset(), frame)["saved"].isna().all()
    assert found.cutoff == dataset().cutoff


def test_today_s_rule_is_measured_whatever_the_limits(rules):
    held = limiting(rules, max_change=0.1, outside_training="refuse")
    assert policy_of(held) == policy_of(rules)
    one, other = (measured(of, log(), ("T01", "T02"), "response_hours", "tickets") for of in (rules, held))
    assert one == other
