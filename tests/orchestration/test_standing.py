"""The stack under the pins: the server answers, schedules make runs, a decision is carried out, nobody is called."""

import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.opening import open_by_hand
from pipeline.charter.reading import charter_from_canonical
from pipeline.ledger import pending, verify
from tests.orchestration.parts import Stack
from tests.trap import assert_it_works, trapped

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

PROJECT, ZONE = "depots", "Asia/Shanghai"


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """One installation whose processes are watched for calls to the outside, with one project on a calendar."""
    root = Path(tmp_path_factory.mktemp("stack"))
    place = Stack(root, trapped(root / "traps", root / "caught"))
    try:
        place.start()
        charter = place.charter(PROJECT)
        calendar = {"time_zone": ZONE, "retrain": "0 6 * * 1", "monitor": "0 5 * * *"}
        values = {**charter.canonical(), "schedule": calendar}
        place.deploy(charter_from_canonical(values))
        yield place
    finally:
        place.close()


def test_a_decision_is_carried_out_by_server_worker_and_dispatcher(stack):
    charter = stack.charter(PROJECT)
    open_by_hand(stack.ledger, charter, stack.root / "source", "robin")
    review = stack.wait_for_review(1, PROJECT)
    stack.decide(review, factor=0.2)
    stack.wait_for_review(2, PROJECT)
    stack.until(lambda: not pending(stack.ledger), "all is delivered")

    assert stack.states(PROJECT) == [(1, "pilot", "closed"), (2, "pilot", "awaiting_review")]
    kinds = Counter(event.kind for event in stack.ledger.events(PROJECT))
    assert (kinds["iteration.opened"], kinds["iteration.running"], kinds["review.applied"]) == (2, 2, 1)
    trained = {what: times for what, times in stack.noted().items() if what.startswith("train-end")}
    assert sorted(trained.values()) == [1, 2]  # `second` once; `first` once under each parameter
    assert verify(stack.ledger).intact


def test_a_runs_process_says_that_it_runs_before_it_loads_the_heavy_libraries():
    heavy = "{'pandas', 'mlflow', 'lightgbm', 'sklearn', 'evidently', 'pandera'}"
    code = f"import sys, flows.iteration; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_prefects_own_command_lists_the_deployments(stack):
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "deployment", "ls"],
        env={**stack.env, "PREFECT_API_URL": stack.api, "COLUMNS": "200"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for flow in ("iteration", "retraining", "feedback_approval", "monitoring"):
        assert f"{flow}/{PROJECT}" in done.stdout


def test_schedules_make_runs_at_the_charters_local_hours(stack):
    with temporary_settings({PREFECT_API_URL: stack.api}), get_client(sync_client=True) as client:

        def due(flow: str) -> list[datetime]:
            own = client.read_deployment_by_name(f"{flow}/{PROJECT}").id
            runs = client.read_flow_runs(
                flow_run_filter=FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=[own]))
            )
            return sorted(run.expected_start_time for run in runs if run.auto_scheduled)

        weekly = stack.until(lambda: due("retraining"), "runs of the weekly schedule")
        daily = stack.until(lambda: due("monitoring"), "runs of the daily schedule")
    assert {(one.weekday(), one.hour, one.minute) for one in map(local, weekly)} == {(0, 6, 0)}
    assert {(one.hour, one.minute) for one in map(local, daily)} == {(5, 0)}
    assert min(daily) - datetime.now(UTC) <= timedelta(days=1)


def local(moment: datetime) -> datetime:
    return moment.astimezone(ZoneInfo(ZONE))


def test_nobody_outside_was_looked_up_or_called(stack):
    """After all of the above: server, worker, dispatcher and the processes of the flows."""
    assert_it_works(stack.root / "traps")
    caught = stack.root / "caught"
    assert not caught.exists(), caught.read_text()
