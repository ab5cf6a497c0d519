"""Fifty projects with a weekly cadence on one real server: nobody is missed, doubled or starved.

The server makes the runs from the deployments' crons and says which are due; the weeks pass by the ledger's clock, and
what a worker with two places would run is run here, without a process each.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.states import Completed

from flows.deployments import deployments_of
from flows.triggering import open_by_trigger
from pipeline.charter.reading import charter_from_canonical
from pipeline.ledger import Ledger, mark_done, open_key, transition, verify
from pipeline.ledger.deployed import deploy, deployed_projects
from pipeline.monitoring.trigger import Trigger
from tests.orchestration.parts import toy_values

pytestmark = [pytest.mark.proof, pytest.mark.timeout(3600)]

PROJECTS, WEEKS, PLACES = 50, 6, 2
ZONES = ("Europe/Lisbon", "Asia/Shanghai", "America/New_York", "UTC")
#: Every tenth project's people need more than a week to answer.
SLOW = 10


@dataclass
class Clock:
    """The ledger's clock, moved by the test."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.now


def name_of(number: int) -> str:
    return f"project-{number:02d}"


@pytest.fixture(scope="module")
def client():
    with get_client(sync_client=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def simulated(client: SyncPrefectClient, tmp_path_factory):
    """Six weeks of fifty projects: (ledger, runs as (due, project, outcome) in the order they were served)."""
    clock = Clock()
    began = clock.now
    with Ledger(f"sqlite:///{tmp_path_factory.mktemp('many') / 'ledger.db'}", now=clock) as ledger:
        charters = {}
        for number in range(PROJECTS):
            values = toy_values(name_of(number))
            values["schedule"] = {"time_zone": ZONES[number % len(ZONES)], "retrain": "0 6 * * 1"}
            charter = charters[name_of(number)] = charter_from_canonical(json.loads(json.dumps(values, default=str)))
            with ledger.transaction() as tx:
                deploy(tx, charter.project, charter.canonical(), charter.digest, "nowhere", "", "robin")
        ids = {}
        for deployed in deployed_projects(ledger):
            weekly = next(one for one in deployments_of(ledger, deployed) if one.schedules)
            ids[weekly.apply()] = deployed.project
            # What the server's scheduler asks of itself in its loop, for as far ahead as is simulated here.
            end = (began + timedelta(weeks=WEEKS)).isoformat()
            body = {"end_time": end, "min_runs": WEEKS, "max_runs": 4 * WEEKS}
            last = list(ids)[-1]
            client.request("POST", "/deployments/{id}/schedule", path_params={"id": last}, json=body)
        served = []
        while clock.now < began + timedelta(weeks=WEEKS):
            due = client.get_scheduled_flow_runs_for_deployments(list(ids), scheduled_before=clock.now, limit=PLACES)
            for run in due:
                client.set_flow_run_state(run.id, Completed(), force=True)
                project = ids[run.deployment_id]
                trigger = Trigger("schedule", "The charter's schedule asks for it.", {}, "schedule")
                outcome = open_by_trigger(ledger, charters[project], Path("nowhere"), trigger)
                slow = int(project[-2:]) % SLOW == 0
                if not outcome.merged:
                    carried(ledger, outcome.record, done=not slow)
                elif slow and len([one for one in served if one[1] == project]) % 2:
                    finished(ledger, outcome.record)
                served.append((run.expected_start_time, project, outcome.merged))
            if not due:
                clock.now += timedelta(minutes=30)
        yield ledger, served


def carried(ledger: Ledger, record, *, done: bool) -> None:
    """What the dispatcher and the flow would do, in so many words."""
    with ledger.transaction() as tx:
        mark_done(tx, open_key(record.project, record.number, record.stage))
        record = transition(tx, record, "running", actor="schedule")
        record = transition(tx, record, "awaiting_review", actor="schedule")
    if done:
        finished(ledger, record)


def finished(ledger: Ledger, record) -> None:
    with ledger.transaction() as tx:
        for state in ("decided", "applied", "closed"):
            record = transition(tx, record, state, actor="people")


def test_every_week_of_every_project_is_served_once_at_its_local_hour(simulated):
    _, served = simulated
    per_project = {name_of(number): [] for number in range(PROJECTS)}
    for due, project, _ in served:
        per_project[project].append(due)
    for number, (project, times) in enumerate(per_project.items()):
        zone = ZoneInfo(ZONES[number % len(ZONES)])
        local = [due.astimezone(zone) for due in times]
        assert len(local) in {WEEKS, WEEKS - 1}, project
        assert {(one.weekday(), one.hour, one.minute) for one in local} == {(0, 6, 0)}, project
        assert {(later.date() - earlier.date()).days for earlier, later in pairwise(local)} == {7}, project


def test_nobody_is_starved_however_few_places_there_are(simulated):
    _, served = simulated
    times = [due for due, _, _ in served]
    assert times == sorted(times)  # whoever is due longest goes first


def test_every_run_opened_one_iteration_or_was_merged_and_told(simulated):
    ledger, served = simulated
    kinds = Counter((event.project, event.kind) for event in ledger.events())
    for number in range(PROJECTS):
        project = name_of(number)
        mine = [merged for _, name, merged in served if name == project]
        assert kinds[project, "iteration.opened"] == mine.count(False), project
        assert kinds[project, "trigger.merged"] == mine.count(True), project
        if number % SLOW:
            assert not any(mine), project
        else:
            assert any(mine), project
    assert verify(ledger).intact
