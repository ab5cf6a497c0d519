"""What Prefect is asked to do from outside: the ledger decides, whoever asks, however often, in whatever state."""

import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import pytest
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Completed, Scheduled

from flows.delivery import queue_iteration
from flows.opening import open_by_hand
from pipeline.ledger import Intent, current_iteration, open_key
from tests.orchestration.parts import Stack

pytestmark = [pytest.mark.proof, pytest.mark.timeout(3600)]


@pytest.fixture
def api(stack):
    """Prefect's client against the stack's own server."""
    with temporary_settings({PREFECT_API_URL: stack.api}), get_client(sync_client=True) as client:
        yield client


def started(stack: Stack, project: str, seconds: float = 0.0) -> None:
    charter = stack.deploy(stack.charter(project, seconds))
    open_by_hand(stack.ledger, charter, stack.root / "source", "robin")


def ask(api, deployment: str, parameters: dict):
    return api.create_flow_run_from_deployment(api.read_deployment_by_name(deployment).id, parameters=parameters)


def ended(stack: Stack, api, run) -> str:
    """Name of the state a run ends in."""

    def final():
        state = api.read_flow_run(run.id).state
        return state if state.is_final() else None

    return stack.until(final, f"{run.name} ends").name


def told(stack: Stack, project: str) -> Counter[str]:
    return Counter(event.kind for event in stack.ledger.events(project))


def test_nothing_that_prefect_is_told_moves_an_undecided_review(stack, api):
    """Bare run, resume, forced state, forged input: refused, or without effect, while sign-offs are missing."""
    started(stack, "undecided")
    review = stack.wait_for_review(1, "undecided")
    before = told(stack, "undecided")

    assert ended(stack, api, ask(api, "feedback_approval/undecided", {"review": review.id})) == "Failed"
    forged = {"review": review.id, "decision": "advance", "signed_by": "maria.costa"}
    assert ended(stack, api, ask(api, "feedback_approval/undecided", forged)) in {"Failed", "Crashed"}
    other = ask(api, "feedback_approval/undecided", {"review": "no-such-review"})
    assert ended(stack, api, other) == "Failed"
    iteration = next(
        run for run in api.read_flow_runs() if run.parameters.get("project") == "undecided" and run.state.is_completed()
    )
    assert iteration.state.name == "AwaitingReview"
    assert api.resume_flow_run(iteration.id).status.value != "ACCEPT"
    api.set_flow_run_state(iteration.id, Completed(name="Approved"), force=True)

    after = told(stack, "undecided")
    moved = {kind: times for kind, times in (after - before).items() if not kind.startswith(("notice.", "intent."))}
    assert moved == {"review.refused": 1}
    assert stack.states("undecided") == [(1, "pilot", "awaiting_review")]


def test_a_decision_applied_stays_applied_once_however_often_it_is_run_again(stack, api):
    started(stack, "again")
    review = stack.wait_for_review(1, "again")
    stack.decide(review)
    stack.wait_for_review(2, "again")
    run = ask(api, "feedback_approval/again", {"review": review.id})
    assert ended(stack, api, run) == "AlreadyApplied"
    before = told(stack, "again")
    for _ in range(2):
        api.set_flow_run_state(run.id, Scheduled(), force=True)
        stack.until(lambda: not api.read_flow_run(run.id).state.is_scheduled(), "it is taken up again")
        assert ended(stack, api, run) == "AlreadyApplied"
    assert told(stack, "again") == before


def test_eight_at_once_under_one_key_make_one_run(stack, api):
    started(stack, "eight", seconds=3)
    stack.until(lambda: current_iteration(stack.ledger, "eight").state == "running", "it runs")
    payload = {"number": 1, "stage": "pilot", "location": str(stack.root / "source")}
    intent = Intent(open_key("eight", 1, "pilot"), "open", "eight", payload, "", None)

    def delivered(_: int):
        with temporary_settings({PREFECT_API_URL: stack.api}):
            return queue_iteration(intent).id

    with ThreadPoolExecutor(8) as pool:
        runs = set(pool.map(delivered, range(8)))
    assert len(runs) == 1
    stack.wait_for_review(1, "eight")
    assert told(stack, "eight")["iteration.running"] == 1
    mine = [run for run in api.read_flow_runs() if run.parameters.get("project") == "eight"]
    assert [run.id for run in mine] == list(runs)


def test_a_second_trigger_is_merged_into_what_is_under_way_and_told(stack, api):
    started(stack, "twice", seconds=4)
    stack.until(lambda: current_iteration(stack.ledger, "twice").state == "running", "it runs")
    reason = "The new catalogue changes what is ordered."
    runs = [ask(api, "retraining/twice", {"reason": reason, "asked_by": "lena.vogt"}) for _ in range(2)]
    assert [ended(stack, api, run) for run in runs] == ["Merged", "Merged"]
    assert "running" in api.read_flow_run(runs[0].id).state.message
    review = stack.wait_for_review(1, "twice")
    merged = [event for event in stack.ledger.events("twice") if event.kind == "trigger.merged"]
    assert [(event.actor, event.body["sentence"]) for event in merged] == [("lena.vogt", reason)] * 2
    stack.decide(review, "iterate")
    stack.wait_for_review(2, "twice")
    assert [state[0] for state in stack.states("twice")] == [1, 2]


def test_prefects_own_form_knows_the_parameters_and_refuses_nonsense(stack, api):
    stack.deploy(stack.charter("form"))
    registered = stack.until(
        lambda: len(found := [one for one in api.read_deployments() if one.name == "form"]) == 4 and found,
        "all four deployments are registered", 120,
    )  # fmt: skip
    (properties,) = (
        one.parameter_openapi_schema["properties"]
        for one in registered
        if "asked_by" in one.parameter_openapi_schema["properties"]
    )
    assert properties["reason"]["minLength"] == 20
    assert "sign" in properties["asked_by"]["description"]
    for nonsense in ({"reason": "short"}, {"project": "No Such Thing!"}, {"asked_by": "x; drop table"}, {"reason": 9}):
        with pytest.raises(PrefectHTTPStatusError) as refused:
            ask(api, "retraining/form", nonsense)
        assert refused.value.response.status_code in {409, 422}
    for flow, values in (
        ("iteration", {"number": 0, "stage": "pilot", "location": "x"}),
        ("iteration", {"number": 1, "stage": "no such rung", "location": "x"}),
        ("iteration", {"number": 1}),
        ("feedback_approval", {"review": "../../etc; drop table"}),
        ("feedback_approval", {}),
        ("monitoring", {"project": "No Such Thing!"}),
    ):
        with pytest.raises(PrefectHTTPStatusError) as refused:
            ask(api, f"{flow}/form", values)
        assert refused.value.response.status_code in {409, 422}, (flow, values)
    stranger = ask(api, "retraining/form", {"asked_by": "mallory", "reason": "Because I would like to see it run."})
    assert ended(stack, api, stranger) == "Failed"
    assert stack.states("form") == []


def test_while_people_think_nothing_on_disk_makes_it_train_again(stack, tmp_path):
    """Prefect's results deleted and the domain's source edited: the next rung is measured with the signed model."""
    started(stack, "thinking")
    review = stack.wait_for_review(1, "thinking")
    trained = {what: times for what, times in stack.noted().items() if what.startswith("train-begin thinking")}
    shutil.rmtree(stack.root / "data" / "prefect" / "storage", ignore_errors=True)
    source = stack.toy / "landed_toy.py"
    source.write_text(source.read_text(encoding="utf-8") + "\n# edited while people think\n", encoding="utf-8")
    stack.decide(review, "advance")
    stack.until(lambda: (1, "all", "awaiting_review") in stack.states("thinking"), "the next rung is measured")
    assert {what: times for what, times in stack.noted().items() if what.startswith("train-begin thinking")} == trained


def test_answers_of_503_and_broken_connections_are_tried_again(stack, api):
    """The dispatcher reaches the server through a gate that fails every second call."""
    calls = Counter[str]()

    class Gate(BaseHTTPRequestHandler):
        def handle_one_call(self) -> None:
            calls["all"] += 1
            if calls["all"] % 4 == 1:
                calls["503"] += 1
                self.send_error(503)
                return
            if calls["all"] % 4 == 3:
                calls["cut"] += 1
                self.connection.close()
                return
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            answer = httpx.request(
                self.command, f"http://127.0.0.1:{stack.port}{self.path}", content=body, headers=headers, timeout=60
            )
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name.lower() not in {"content-length", "transfer-encoding", "content-encoding", "connection"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = handle_one_call  # noqa: N815 - the names http.server asks for

        def log_message(self, *arguments) -> None:
            pass

    gate = ThreadingHTTPServer(("127.0.0.1", 0), Gate)
    Thread(target=gate.serve_forever, daemon=True).start()
    straight = stack.api
    try:
        stack.kill("dispatcher")
        stack.api = f"http://127.0.0.1:{gate.server_port}/api"
        stack.start("dispatcher")
        stack.api = straight
        started(stack, "gated")
        review = stack.wait_for_review(1, "gated")
        stack.decide(review)
        stack.wait_for_review(2, "gated")
    finally:
        stack.api = straight
        stack.kill("dispatcher")
        stack.start("dispatcher")
        gate.shutdown()
        gate.server_close()
    assert min(calls["503"], calls["cut"]) >= 2
    assert told(stack, "gated")["iteration.opened"] == 2
