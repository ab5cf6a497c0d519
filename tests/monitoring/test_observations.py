"""Observations in the ledger: once per period and data, the latest counts, and noise in them retrains seldom."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from pipeline.datasets.dataset import Quarantine
from pipeline.errors import LedgerError
from pipeline.ledger import Event, Ledger, verify
from pipeline.ledger.tables import observations
from pipeline.monitoring.alarms import (
    Alarm,
    contract_alarms,
    guardrail_alarms,
    missing_alarms,
    raise_alarms,
    stale_alarms,
)
from pipeline.monitoring.followers import followers
from pipeline.monitoring.observations import (
    Observation,
    benchmarks,
    corrected,
    fired_of,
    kpi_figures,
    observations_of,
    observe,
)
from pipeline.monitoring.rules import History, judge, metrics_of, parse
from tests.monitoring.made import charter, week

WEEK = timedelta(weeks=1)


def figures(share: float, status: str | None = None, at: int = 1) -> dict:
    verdict = {"status": status, "period": week(at).isoformat()} if status else None
    return {"drift_share": share, "quarantine_share": 0.0, "kpis": {}, "all": {}, "benchmarks": {}, "verdict": verdict}


def noted(ledger: Ledger, number: int, dataset: str, share: float, status: str | None = None) -> bool:
    with ledger.transaction() as tx:
        return observe(tx, "p", Observation(week(number), dataset, figures(share, status, number)), actor="monitoring")


def test_the_same_data_twice_adds_nothing(ledger):
    assert noted(ledger, 1, "aa", 0.1)
    head = ledger.head()
    assert not noted(ledger, 1, "aa", 0.1)
    assert ledger.head() == head
    assert [seen.dataset for seen in observations_of(ledger, "p").values()] == ["aa"]


def test_the_latest_observation_of_a_period_counts_even_when_a_correction_is_taken_back(ledger):
    noted(ledger, 1, "aa", 0.1)
    noted(ledger, 1, "bb", 0.9)
    assert observations_of(ledger, "p")[week(1)].figures["drift_share"] == 0.9
    assert noted(ledger, 1, "aa", 0.1)
    assert observations_of(ledger, "p")[week(1)].figures["drift_share"] == 0.1
    assert len(list(ledger.events("p", "monitoring.observed"))) == 3
    assert verify(ledger).intact


def test_a_fire_is_never_forgotten(ledger):
    noted(ledger, 1, "aa", 0.9, "fire")
    noted(ledger, 1, "bb", 0.1)
    noted(ledger, 1, "aa", 0.9, "cooling")
    assert fired_of(ledger, "p") == (week(1),)


def test_the_store_itself_keeps_project_period_and_data_unique(ledger):
    noted(ledger, 1, "aa", 0.1)
    row = ledger.rows(observations.select())[0]
    with (
        pytest.raises(LedgerError, match="second entry under the same key"),
        ledger.transaction() as tx,
    ):
        tx.execute(observations.insert().values(**row))


def test_a_noisy_series_does_not_retrain_for_ever(file_ledger):
    ledger = file_ledger
    rules = charter(retrain={"when": "drift_share > 0.5 for 2 periods", "cool_down": 6})
    rule = parse(rules.retrain.when, metrics_of(rules))
    for number, share in enumerate(np.random.default_rng(7).random(60).tolist(), start=1):
        with ledger.transaction() as tx:
            known = observations_of(tx, "p")
            history = History(WEEK, fired_of(tx, "p"), None, rules.retrain.clear_after, rules.retrain.cool_down)
            seen = Observation(week(number), f"d{number}", figures(share), order=10**9)
            decision = judge(rule, [one.observed for one in (*known.values(), seen)], history)
            told = figures(share, decision.status, number)
            observe(tx, "p", Observation(week(number), f"d{number}", told), actor="monitoring")
    fired = fired_of(ledger, "p")
    assert 2 <= len(fired) <= 60 / 7 + 1
    assert all(later - earlier > 6 * WEEK for earlier, later in pairwise(fired))


def realised(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["period", "group", "kpi", "value", "low", "high", "units"])


def test_bounds_that_one_unit_leaves_open_are_null_in_the_ledger(ledger):
    frame = realised((week(1), "model", "stockout_rate", 0.1, float("-inf"), float("inf"), 1))
    assert kpi_figures(frame, week(1), "model") == {
        "stockout_rate": {"value": 0.1, "low": None, "high": None, "units": 1}
    }
    assert kpi_figures(frame, week(1), "all") == {}


def test_a_correction_keeps_what_only_the_former_delivery_could_tell():
    old = {"stockout_rate": {"value": 0.1, "low": 0.0, "high": 0.2, "units": 3}}
    stock = {"average_inventory": {"value": 9.0, "low": 8.0, "high": 10.0, "units": 3}}
    before = Observation(week(2), "aa", {**figures(0.4), "kpis": {**old, **stock}}, order=5)
    frame = realised(
        (week(1), "model", "stockout_rate", 0.5, 0.4, 0.6, 3),
        (week(2), "model", "stockout_rate", 0.3, 0.2, 0.4, 3),
        (week(3), "model", "stockout_rate", 0.7, 0.6, 0.8, 3),
    )
    (told,) = corrected({week(2): before}, frame, "bb", week(3), week(1), {})
    assert (told.period, told.dataset, told.figures["drift_share"]) == (week(2), "bb", 0.4)
    assert told.figures["kpis"]["stockout_rate"]["value"] == 0.3
    assert told.figures["kpis"]["average_inventory"] == stock["average_inventory"]
    assert corrected({week(2): told}, frame, "cc", week(3), week(1), {}) == ()


def test_benchmarks_are_target_limit_and_what_the_last_iteration_measured():
    guards = [
        {"name": "average_inventory", "unit": "u", "direction": "lower", "versus_baseline": 1.5},
        {"name": "lost_units_share", "unit": "share", "direction": "lower", "limit": 0.04},
    ]
    rules = charter(guardrails=guards)
    target = {"target": rules.kpi.target}
    assert benchmarks(rules, None) == {
        "stockout_rate": target,
        "average_inventory": {},
        "lost_units_share": {"limit": 0.04},
    }
    measured = {"kpis": {"stockout_rate": {"baseline": [0.1, 0, 1]}, "average_inventory": {"baseline": [20.0, 1, 2]}}}
    assert benchmarks(rules, measured) == {
        "stockout_rate": {**target, "baseline": 0.1},
        "average_inventory": {"limit": 30.0, "baseline": 20.0},
        "lost_units_share": {"limit": 0.04},
    }


def rollout(kind: str, body: dict) -> Event:
    return Event(1, "", "", "", f"rollout.{kind}", "p", "", body, "", "")


def test_units_follow_since_their_first_release_without_a_break():
    first = rollout("released", {"units": ["a"], "start": "2026-01-05"})
    second = rollout("released", {"units": ["a", "b"], "start": "2026-02-02"})
    back = rollout("rolled_back", {"to": {"units": ["a"]}, "start": "2026-03-02"})
    gone = rollout("withdrawn", {"to": None, "start": "2026-04-06"})
    iso = [{unit: str(day) for unit, day in followers(events).items()} for events in (
        [], [first], [first, second], [first, second, back], [first, second, back, gone], [first, second, back, second],
    )]  # fmt: skip
    assert iso == [
        {},
        {"a": "2026-01-05"},
        {"a": "2026-01-05", "b": "2026-02-02"},
        {"a": "2026-01-05"},
        {},
        {"a": "2026-01-05", "b": "2026-02-02"},
    ]


def test_an_alarm_is_raised_once_as_an_event_and_a_notice(ledger):
    alarm = Alarm("late", "no data after 2026-01-05", "It did not come.", {"days": 20})
    for expected in (1, 0):
        with ledger.transaction() as tx:
            assert raise_alarms(tx, "p", [alarm], actor="monitoring") == expected
    assert [event.body["sentence"] for event in ledger.events("p", "alarm.raised")] == ["It did not come."]
    assert [event.body["kind"] for event in ledger.events("p", "intent.queued")] == ["notify"]


def test_a_contract_alarm_rests_on_the_worst_table():
    quarantine = Quarantine(pd.DataFrame(), {"sales": 100, "state": 10}, {"sales": 99, "state": 8})
    (alarm,) = contract_alarms(charter(), quarantine, week(1))
    assert alarm.sentence == "2 of 10 rows of state broke the contract (20.00%; 5.00% is allowed)."
    fine = Quarantine(pd.DataFrame(), {"sales": 100}, {"sales": 95})
    assert contract_alarms(charter(), fine, week(1)) == []


@pytest.mark.parametrize(
    ("direction", "kpi", "broken"),
    [
        ("lower", {"value": 5.0, "low": 4.1, "high": 6.0}, True),
        ("lower", {"value": 5.0, "low": 3.9, "high": 6.0}, False),
        ("lower", {"value": 5.0, "low": None, "high": None}, True),
        ("higher", {"value": 3.0, "low": 2.0, "high": 3.9}, True),
        ("higher", {"value": 3.0, "low": 2.0, "high": 4.1}, False),
        ("higher", {"value": 5.0, "low": None, "high": None}, False),
    ],
)
def test_a_guardrail_is_broken_when_even_the_better_end_is(direction, kpi, broken):
    rules = charter(guardrails=[{"name": "g1", "unit": "u", "direction": direction, "limit": 4.0}])
    told = {"kpis": {"g1": {**kpi, "units": 5}}, "benchmarks": {"g1": {"limit": 4.0}}}
    assert bool(guardrail_alarms(rules, told, week(1))) == broken
    assert guardrail_alarms(rules, {"kpis": {}, "benchmarks": {"g1": {"limit": 4.0}}}, week(1)) == []


def test_a_table_behind_the_others_is_late_after_what_its_owner_promises():
    assert stale_alarms(charter(), {"sales": 7, "calendar": 31}, week(1)) == []
    (alarm,) = stale_alarms(charter(), {"sales": 8}, week(1))
    assert alarm.sentence == "Table sales is 8 days behind the newest data; Store systems promises at most 7."


def test_data_that_does_not_come_is_late_after_a_period_and_the_promised_days():
    seen = datetime(2026, 1, 12, 5, tzinfo=UTC)
    told = [
        missing_alarms(charter(), week(1), seen.isoformat(), seen + timedelta(days=days), WEEK) for days in (0, 14, 15)
    ]
    assert [len(alarms) for alarms in told] == [0, 0, 1]
    assert "has come for 15 days" in told[2][0].sentence
