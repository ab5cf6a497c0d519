"""The monitoring flow, whole, on the recorded weeks of a small chain."""

import json
import os
from datetime import timedelta

import pandas as pd
import pytest
from prefect.client.schemas.objects import State

from flows import monitoring as room
from flows.monitoring import monitoring
from flows.server import at_hand
from pipeline.datasets import catalog
from pipeline.errors import LandedError
from pipeline.ledger import Ledger, all_iterations, end_project, verify
from pipeline.monitoring.observations import fired_of, observations_of
from pipeline.rollout.outcomes import deliveries_of, field_results
from pipeline.settings import Settings
from tests.flows.made import PROJECT
from tests.monitoring.made import charter, dataset_of, released, tables_until, trained, week, write

TRAINED = 120


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("export") / "exports"


@pytest.fixture
def ledger(home):
    with Ledger(Settings().ledger) as opened:
        yield opened


@pytest.fixture
def quick(monkeypatch):
    """Without Evidently's page, which one test of its own looks at."""
    monkeypatch.setattr(room, "_report", lambda *_: None)


def look(location=None) -> State:
    with at_hand():
        return monitoring(PROJECT, location, return_state=True)


def shifted(factor: int, first: int):
    """Sales as if demand had changed for good in a week."""

    def change(sales: pd.DataFrame) -> pd.DataFrame:
        late = sales["week"] >= pd.Timestamp(week(first))
        return sales.assign(units=sales["units"].where(~late, sales["units"] * factor))

    return change


def emptied(stores, first: int, last: int):
    """Sales in which the shelves of some stores ran empty in some weeks."""

    def change(sales: pd.DataFrame) -> pd.DataFrame:
        hit = sales["store"].isin(stores) & sales["week"].between(pd.Timestamp(week(first)), pd.Timestamp(week(last)))
        return sales.assign(in_stock=sales["in_stock"] & ~hit)

    return change


def kinds(ledger: Ledger, kind: str) -> list[dict]:
    return [dict(event.body) for event in ledger.events(PROJECT, kind)]


def test_stable_weeks_are_quiet_and_a_lasting_shift_triggers_once(home, ledger, place, quick):
    location = home.root / "chain"
    trained(ledger, Settings().datasets, charter(), write(tables_until(place, TRAINED), location))
    change = shifted(8, TRAINED + 11)

    def next_week(number: int) -> State:
        write(tables_until(place, number, change), location)
        return look()

    assert [next_week(number).name for number in range(TRAINED + 1, TRAINED + 11)] == ["Quiet"] * 10
    first = next_week(TRAINED + 11)
    assert first.name == "Quiet"
    assert first.message.startswith("armed: drift_share was > 0.3 for 1 period")
    assert next_week(TRAINED + 12).name == "Triggered"
    opened = all_iterations(ledger, PROJECT)[-1]
    assert (opened.number, opened.state, opened.started_by) == (2, "opened", "monitoring")
    assert f"Monitoring of {week(TRAINED + 12)}: drift_share was > 0.3 for 2 periods" in opened.why["sentence"]
    assert opened.why["trigger"]["figures"]["clauses"]
    # The same data again is no second period, and no second trigger.
    assert look().name == "NothingNew"
    assert [next_week(TRAINED + number).name for number in (13, 14)] == ["Quiet", "Quiet"]
    assert fired_of(ledger, PROJECT) == (week(TRAINED + 12),)
    assert len(all_iterations(ledger, PROJECT)) == 2
    seen = observations_of(ledger, PROJECT)
    assert list(seen) == [week(TRAINED + number) for number in range(1, 15)]
    assert seen[week(TRAINED + 14)].figures["verdict"]["status"] == "cooling"
    assert len(kinds(ledger, "monitoring.observed")) == 14
    (notice,) = {body["payload"]["notice"] for body in kinds(ledger, "intent.queued") if "notice" in body["payload"]}
    assert notice
    assert verify(ledger).intact


def test_a_trigger_is_merged_into_the_iteration_that_is_under_way(home, ledger, place, quick):
    rules, location = charter(retrain={"cool_down": 0, "when": "drift_share > 0.3 for 1 period"}), home.root / "chain"
    trained(ledger, Settings().datasets, rules, write(tables_until(place, TRAINED), location), closed=False)
    write(tables_until(place, TRAINED + 1, shifted(8, TRAINED + 1)), location)
    state = look()
    assert (state.name, state.type.value) == ("Merged", "COMPLETED")
    assert len(all_iterations(ledger, PROJECT)) == 1
    (merged,) = kinds(ledger, "trigger.merged")
    assert merged["kind"] == "monitoring"


def test_the_kpi_of_stores_that_follow_the_model_is_judged_and_a_broken_guardrail_is_told(home, ledger, place, quick):
    guard = {"name": "average_inventory", "unit": "units per store-product", "direction": "lower", "limit": 0.5}
    rules, location = charter(guardrails=[guard]), home.root / "chain"
    dataset = trained(ledger, Settings().datasets, rules, write(tables_until(place, TRAINED), location))
    stores = tuple(sorted(dataset.tables["stores"]["store"]))[:6]
    # The first orders of week 121 arrive in week 122, two weeks of lead time being one week after the next.
    released(ledger, rules, stores, week(TRAINED + 1))
    change = emptied(stores, TRAINED + 5, TRAINED + 9)
    names = []
    for number in range(TRAINED + 1, TRAINED + 8):
        write(tables_until(place, number, change), location)
        names.append(look().name)
    assert names == ["Quiet"] * 5 + ["Triggered", "Quiet"]
    seen = observations_of(ledger, PROJECT)
    assert seen[week(TRAINED + 1)].figures["kpis"] == {}
    bad = seen[week(TRAINED + 5)].figures
    assert bad["kpis"]["stockout_rate"]["value"] == 1.0
    assert bad["kpis"]["stockout_rate"]["units"] == 6
    assert bad["all"]["stockout_rate"]["value"] < 0.5
    assert bad["benchmarks"]["stockout_rate"] == {"target": rules.kpi.target, "baseline": 0.09}
    told = kinds(ledger, "alarm.raised")
    assert {alarm["kind"] for alarm in told} == {"guardrail"}
    assert len(told) == 6  # once a week, from the first week that counts
    assert "above its limit of 0.5" in told[0]["sentence"]


def test_corrected_weeks_take_the_place_of_earlier_ones_and_weeks_nobody_saw_are_filled_in(home, ledger, place, quick):
    rules, location = charter(), home.root / "chain"
    dataset = trained(ledger, Settings().datasets, rules, write(tables_until(place, TRAINED), location))
    stores = tuple(sorted(dataset.tables["stores"]["store"]))
    released(ledger, rules, stores, week(TRAINED - 3))
    for number in (TRAINED + 1, TRAINED + 4):
        write(tables_until(place, number), location)
        look()
    before = observations_of(ledger, PROJECT)
    # Two weeks came late, with the next one: their KPI is known, what the delivery looked like then is not.
    assert list(before) == [week(TRAINED + number) for number in (1, 2, 3, 4)]
    assert before[week(TRAINED + 2)].figures["drift_share"] is None
    assert before[week(TRAINED + 2)].figures["kpis"]["stockout_rate"]["value"] > 0
    write(tables_until(place, TRAINED + 5, emptied(stores, TRAINED + 2, TRAINED + 2)), location)
    look()
    after = observations_of(ledger, PROJECT)
    assert after[week(TRAINED + 2)].figures["kpis"]["stockout_rate"]["value"] == 1.0
    assert [at for at in before if after[at].figures != before[at].figures] == [week(TRAINED + 2)]


def test_what_is_seen_of_a_week_does_not_depend_on_anything_later(home, ledger, place, quick):
    rules, location = charter(), home.root / "chain"
    dataset = trained(ledger, Settings().datasets, rules, write(tables_until(place, TRAINED), location))
    released(ledger, rules, tuple(sorted(dataset.tables["stores"]["store"])), week(TRAINED - 3))
    write(tables_until(place, TRAINED + 1), location)
    look()
    then = observations_of(ledger, PROJECT)[week(TRAINED + 1)]
    # Everything after that week is turned upside down.
    write(tables_until(place, TRAINED + 3, shifted(50, TRAINED + 2)), location)
    look()
    write(tables_until(place, TRAINED + 4, emptied(("S001",), TRAINED + 2, TRAINED + 4)), location)
    look()
    assert observations_of(ledger, PROJECT)[week(TRAINED + 1)] == then


def test_data_that_breaks_its_contract_as_a_whole_is_told_once_and_nothing_is_thrown(home, ledger, place, quick):
    location = home.root / "chain"
    trained(ledger, Settings().datasets, charter(), write(tables_until(place, TRAINED), location))
    tables = tables_until(place, TRAINED + 1)
    write({**tables, "sales": tables["sales"].drop(columns="units")}, location)
    states = [look(), look()]
    assert [state.name for state in states] == ["DataRefused"] * 2
    assert "column units" in states[0].message
    (alarm,) = kinds(ledger, "alarm.raised")
    assert alarm["kind"] == "contract"
    assert observations_of(ledger, PROJECT) == {}


def test_more_refused_rows_than_allowed_raise_an_alarm(home, ledger, place, quick):
    location = home.root / "chain"
    trained(ledger, Settings().datasets, charter(), write(tables_until(place, TRAINED), location))
    tables = tables_until(place, TRAINED + 1)
    broken = tables["sales"].astype({"units": "str"})
    broken.loc[: len(broken) // 10, "units"] = "n/a"
    write({**tables, "sales": broken}, location)
    assert look().name == "Quiet"
    (alarm,) = kinds(ledger, "alarm.raised")
    assert "of sales broke the contract (10.00%; 5.00% is allowed)" in alarm["sentence"]
    assert observations_of(ledger, PROJECT)[week(TRAINED + 1)].figures["quarantine_share"] == pytest.approx(0.1, 0.01)


def test_a_complete_delivery_in_the_inbox_is_taken_in_first_and_a_bad_one_is_put_aside(home, ledger, place, quick):
    location = home.root / "chain"
    trained(ledger, Settings().datasets, charter(), write(tables_until(place, TRAINED), location))
    inbox = Settings().inbox_of(PROJECT)
    assert inbox == home.data / "inbox" / PROJECT
    (write(tables_until(place, TRAINED + 1), inbox / "2025-w17") / "_SUCCESS").touch()
    bad = write(tables_until(place, TRAINED - 5), inbox / "2025-w18-old")
    (bad / "_SUCCESS").touch()
    write(tables_until(place, TRAINED + 2), inbox / "2025-w19-still-written")
    assert look().name == "Quiet"
    assert list(observations_of(ledger, PROJECT)) == [week(TRAINED + 1)]
    assert sorted(entry.name for entry in inbox.iterdir()) == ["2025-w19-still-written", "accepted", "refused"]
    why = (inbox / "refused" / "2025-w18-old" / "why.txt").read_text()
    assert "lose history" in why
    assert str(week(TRAINED - 5)) in why
    assert dataset_of(charter(), location).cutoff == week(TRAINED + 1)
    assert [body["until"] for body in kinds(ledger, "data.ingested")] == [str(week(TRAINED + 1))]
    assert len(kinds(ledger, "data.refused")) == len(kinds(ledger, "alarm.raised")) == 1


def test_field_results_in_the_watched_folder_are_added_and_bad_ones_put_aside(home, ledger, place, quick):
    location = home.root / "chain"
    trained(ledger, Settings().datasets, charter(), write(tables_until(place, TRAINED), location))
    folder = Settings().inbox_of(PROJECT) / "outcomes"
    folder.mkdir(parents=True)
    day = str(week(TRAINED + 1))
    (folder / "week.csv").write_text(f"unit,period,weeks,stockout_weeks\nS001,{day},16,2\n")
    (folder / "bad.csv").write_text(f"unit,period,weeks,stockout_weeks\nS999,{day},16,2\n")
    for file in folder.iterdir():
        os.utime(file, (0, 0))
    look()
    (delivery,) = deliveries_of(ledger, PROJECT)
    assert (delivery.name, delivery.new) == ("week.csv", 2)
    told = field_results(ledger, home.data / "outcomes", PROJECT)
    assert told[["unit", "period", "stockout_weeks"]].to_numpy().tolist() == [["S001", day, 2.0]]
    assert sorted(entry.name for entry in (folder / "refused").iterdir()) == ["bad.csv", "bad.csv.why.txt"]
    assert "a unit nobody knows" in (folder / "refused" / "bad.csv.why.txt").read_text()
    assert [body["sentence"] for body in kinds(ledger, "alarm.raised")] == [
        "Field results were refused: The field results are refused."
    ]
    (event,) = ledger.events(PROJECT, "outcomes.delivered")
    assert event.actor == "monitoring"


def test_the_report_lies_beside_the_evidence_and_the_data_in_the_catalog(home, ledger, place):
    location = home.root / "chain"
    trained(ledger, Settings().datasets, charter(), write(tables_until(place, TRAINED), location))
    write(tables_until(place, TRAINED + 1), location)
    assert look(location).name == "Quiet"
    (seen,) = observations_of(ledger, PROJECT).values()
    assert catalog.load(Settings().datasets, seen.dataset).cutoff == week(TRAINED + 1)
    page = home.reports / PROJECT / "monitoring" / str(week(TRAINED + 1)) / "drift.html"
    assert page.exists()
    assert seen.figures["drift"]["report"]["page"].endswith("drift.html")
    assert json.loads(page.with_suffix(".json").read_text())["metrics"]


def test_a_stopped_project_is_not_watched_and_an_unknown_one_is_refused(home, ledger, place, quick):
    location = home.root / "chain"
    with pytest.raises(LandedError, match="the ledger does not know it"):
        monitoring("no-such-project")
    trained(ledger, Settings().datasets, charter(), write(tables_until(place, TRAINED), location))
    with ledger.transaction() as tx:
        end_project(tx, PROJECT, "stopped", actor="maria.costa", details={})
    state = look()
    assert state.name == "NothingNew"
    assert "stopped by maria.costa" in state.message


def test_a_project_nobody_trained_yet_is_watched_without_drift(home, ledger, place, quick):
    from pipeline.ledger.deployed import deploy

    rules, location = charter(), write(tables_until(place, TRAINED), home.root / "chain")
    with ledger.transaction() as tx:
        deploy(tx, PROJECT, rules.canonical(), rules.digest, str(location), "", "robin")
    assert look().name == "Quiet"
    (seen,) = observations_of(ledger, PROJECT).values()
    assert seen.figures["drift_share"] is None
    assert seen.period == week(TRAINED)
    assert timedelta(weeks=1) == seen.period - week(TRAINED - 1)
