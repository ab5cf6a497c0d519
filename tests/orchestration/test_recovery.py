"""Whatever part dies, and wherever: one next iteration, every training once, MLflow and the ledger tell one story."""

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from flows.opening import open_by_hand
from pipeline.ledger import pending, verify
from tests.orchestration.parts import Stack

pytestmark = [pytest.mark.proof, pytest.mark.timeout(3600)]

#: Seconds Prefect's server is away at the moment of a decision.
OUTAGE = 120


def mlflow_parents(stack: Stack, project: str) -> Counter[tuple[str, str, str]]:
    uri = f"sqlite:///{stack.settings.mlflow / 'mlflow.db'}"
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    runs = client.search_runs([client.get_experiment_by_name(project).experiment_id])
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    tags = ("landed.number", "landed.decision")
    return Counter((*(run.data.tags[name] for name in tags), run.info.status) for run in parents)


def killed_and_back(stack: Stack, victim: str) -> None:
    """The victim dies and is started again; with the worker die the flows it runs."""
    stack.kill(victim)
    if victim == "worker":
        stack.kill_flows()
    stack.start(victim)


@pytest.mark.parametrize("victim", ["dispatcher", "worker", "server"])
def test_killed_at_every_point_of_the_loop_nothing_is_lost_and_nothing_done_twice(stack, victim):
    project = f"with-{victim}-killed"
    charter = stack.deploy(stack.charter(project, seconds=3))

    def trained(times: int) -> bool:
        return sum(times for what, times in stack.noted().items() if what.startswith(f"train-begin {project}")) >= times

    open_by_hand(stack.ledger, charter, stack.root / "source", "robin")
    stack.until(lambda: trained(1), "the first training begins")
    killed_and_back(stack, victim)  # before the review is requested
    review = stack.wait_for_review(1, project)
    killed_and_back(stack, victim)  # between request and decision
    stack.decide(review, factor=0.2)
    stack.kill(victim)  # between the decision's commit and the start of the feedback flow
    if victim == "server":
        # Nothing can be started now, and nothing is forgotten.
        with pytest.raises(AssertionError, match="never"):
            stack.until(lambda: stack.review(project), "a review while the server is away", OUTAGE)
    stack.start(victim)
    stack.until(lambda: trained(3), "the training of the next iteration")
    killed_and_back(stack, victim)  # in the middle of the next iteration
    stack.wait_for_review(2, project)

    assert stack.states(project) == [(1, "pilot", "closed"), (2, "pilot", "awaiting_review")]
    ended = {what: times for what, times in stack.noted().items() if what.startswith(f"train-end {project}")}
    assert sorted(ended.values()) == [1, 2]  # `second` once; `first` once under each parameter
    assert mlflow_parents(stack, project) == {("1", "iterate", "FINISHED"): 1, ("2", "awaiting", "FINISHED"): 1}
    kinds = Counter(event.kind for event in stack.ledger.events(project))
    assert (kinds["iteration.opened"], kinds["review.requested"], kinds["review.applied"]) == (2, 2, 1)
    assert pending(stack.ledger, project) == ()
    assert verify(stack.ledger).intact


def test_the_worker_killed_while_it_submits_and_together_with_its_flow(stack):
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, temporary_settings

    project = "submitting"
    charter = stack.deploy(stack.charter(project, seconds=2))

    def state() -> str:
        with temporary_settings({PREFECT_API_URL: stack.api}), get_client(sync_client=True) as client:
            runs = [run for run in client.read_flow_runs() if run.parameters.get("project") == project]
            return runs[0].state.type.value if runs else ""

    open_by_hand(stack.ledger, charter, stack.root / "source", "robin")
    stack.until(lambda: state() == "PENDING", "the run is being submitted")
    stack.kill("worker")
    stack.kill_flows()
    stack.start("worker")
    stack.until(lambda: state() == "RUNNING", "the run is taken up")
    stack.until(lambda: any(project in line for line in stack.noted()), "it trains")
    stack.kill("worker")
    stack.kill_flows()
    assert state() == "RUNNING"  # Prefect cannot know
    stack.start("worker")
    stack.wait_for_review(1, project)
    assert Counter(event.kind for event in stack.ledger.events(project))["iteration.opened"] == 1
    assert [times for what, times in stack.noted().items() if what.startswith(f"train-end {project}")] == [1, 1]


def test_a_training_longer_than_any_limit_of_silence_runs_once(stack):
    from pipeline.ledger.leases import SILENCE

    project = "long-training"
    charter = stack.deploy(stack.charter(project, seconds=SILENCE + 10))
    open_by_hand(stack.ledger, charter, stack.root / "source", "robin")
    stack.wait_for_review(1, project)
    assert [times for what, times in stack.noted().items() if what.startswith(f"train-begin {project}")] == [1, 1]
    assert Counter(event.kind for event in stack.ledger.events(project))["iteration.running"] == 1


def test_a_training_goes_on_while_prefects_server_is_away(stack):
    project = "server-away"
    charter = stack.deploy(stack.charter(project, seconds=40))
    open_by_hand(stack.ledger, charter, stack.root / "source", "robin")
    stack.until(lambda: any(project in line for line in stack.noted()), "it trains")
    worker = stack.running["worker"]
    stack.kill("server")
    stack.until(lambda: stack.noted()[trained_first(stack, project)] == 1, "the first training ends without it")
    stack.start("server")
    stack.wait_for_review(1, project)
    assert worker.poll() is None  # the same one, which waited
    assert [times for what, times in stack.noted().items() if what.startswith(f"train-begin {project}")] == [1, 1]
    assert Counter(event.kind for event in stack.ledger.events(project))["iteration.running"] == 1


@pytest.mark.parametrize("with_its_worker", [False, True], ids=["flow", "flow-and-worker"])
def test_a_killed_training_begins_again_within_a_minute(stack, with_its_worker):
    project = f"cut-off-{with_its_worker}".lower()
    open_by_hand(stack.ledger, stack.deploy(stack.charter(project, 5)), stack.root / "source", "robin")

    def begun() -> int:
        return sum(times for what, times in stack.noted().items() if what.startswith(f"train-begin {project}"))

    stack.until(begun, "it trains")
    if with_its_worker:
        stack.kill("worker")
    assert stack.kill_flows() == 1
    killed = time.monotonic()
    if with_its_worker:
        stack.start("worker")
    stack.until(lambda: begun() == 2, "it trains again")
    seconds = time.monotonic() - killed
    assert seconds <= 60
    stack.wait_for_review(1, project)
    assert stack.noted()[trained_first(stack, project)] == 1  # begun twice, finished once


def trained_first(stack: Stack, project: str) -> str:
    """How the toy notes that the first candidate is trained."""
    begun = next(what for what in stack.noted() if what.startswith(f"train-begin {project}") and what.endswith("first"))
    return begun.replace("train-begin", "train-end")


def test_an_error_nobody_foresaw_is_told_and_fails_after_three_tries_and_goes_on_once_it_is_mended(stack):
    project = "with-a-fault"
    fault = stack.root / "source" / f"fault-{project}"
    fault.write_text("no visits of 'Rosa Lima' [/red] <b>", encoding="utf-8")
    charter = stack.deploy(stack.charter(project))
    open_by_hand(stack.ledger, charter, stack.root / "source", "robin")
    stack.until(lambda: stack.states(project) == [(1, "pilot", "failed")], "it fails")

    kinds = Counter(event.kind for event in stack.ledger.events(project))
    assert (kinds["iteration.running"], kinds["iteration.broken_off"], kinds["iteration.failed"]) == (3, 3, 1)
    assert kinds["intent.queued"] > 1  # the notices
    assert pending(stack.ledger, project) == ()
    log = (stack.root / "logs" / "worker.log").read_text(encoding="utf-8")
    assert "Traceback" in log
    assert "landed_toy.py" in log
    shown = subprocess.run(
        [str(Path(sys.executable).with_name("landed")), "status"], env=stack.env, capture_output=True, text=True
    ).stdout
    assert f"{project}, iteration 1, pilot: failed" in shown
    assert "ValueError: no visits of … [/red] <b> (landed_toy.py:" in shown
    told = " ".join(str(event.body) for event in stack.ledger.events(project))
    assert "Rosa" not in told

    fault.unlink()
    open_by_hand(stack.ledger, charter, stack.root / "source", "robin")
    stack.wait_for_review(1, project)
