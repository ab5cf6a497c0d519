"""``landed up`` with the real servers: who may sign in, who listens where, who is phoned, and how all of it ends.

On them a decision is carried out and schedules make runs: what the pinned versions must do together.
"""

import base64
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from flows.opening import open_by_hand
from pipeline.charter.reading import charter_from_canonical
from pipeline.ledger import pending, verify
from pipeline.settings import Settings
from pipeline.stack.environment import client_environment
from pipeline.stack.processes import members
from pipeline.stack.secrets import Secrets, read
from pipeline.stack.state import Folders, last, running
from tests.cli.calling import assert_refused, landed
from tests.conftest import Home
from tests.orchestration.parts import Stack as Installation
from tests.stack.made import is_healthy, part, until
from tests.trap import assert_it_works, trapped

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
#: Servers take ten seconds to start, and minutes on a machine that does much else.
SERVERS = 240.0
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Stack:
    home: Home
    process: subprocess.Popen[bytes]
    trap: Path
    output: Path
    work: Installation

    @property
    def folders(self) -> Folders:
        return Folders(self.home.data)

    @property
    def secrets(self) -> Secrets:
        found = read(self.folders.secrets)
        assert found
        return found

    def link(self, name: str) -> str:
        state = running(self.folders)
        assert state
        return state.link(name)


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """A stack on free ports, with a toy domain to work on; started once, since servers take their time."""
    root = tmp_path_factory.mktemp("stack")
    home, trap, output = Home(root), root / "trap", root / "output"
    work = Installation(root, trapped(root / "traps", trap))
    environment = {
        **work.env, "http_proxy": "http://127.0.0.1:9",
        "MLFLOW_AUTH_ADMIN_PASSWORD": "password1234", "MLFLOW_AUTH_ADMIN_USERNAME": "admin",
    }  # fmt: skip
    command = [Path(sys.executable).with_name("landed"), "up"]
    command += [word for name in ("prefect", "mlflow", "review") for word in (f"--{name}-port", "0")]
    with output.open("wb") as out:
        process = subprocess.Popen(command, env=environment, cwd=root, stdout=out, stderr=out)
    found = Stack(home, process, trap, output, work)
    try:
        until(
            lambda: is_healthy(found.folders, "prefect", "mlflow") or process.poll() is not None,
            "both healthy",
            SERVERS,
        )
        assert process.poll() is None, output.read_text()
        yield found
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait(150)
        work.close()


@pytest.fixture
def inside(stack, monkeypatch):
    """Commands of this process use the stack's folders."""
    stack.home.enter(monkeypatch)
    return stack


def answer(url: str, user: str = "", data: bytes | None = None) -> int:
    request = urllib.request.Request(  # noqa: S310 - our own server
        url, data=data, headers={"Content-Type": "application/json"}
    )
    if user:
        request.add_header("Authorization", f"Basic {base64.b64encode(user.encode()).decode()}")
    try:
        with DIRECT.open(request, timeout=30) as got:
            return got.status
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code


STRANGERS = ["", "admin:password1234", "admin:password", "landed:password1234", "landed:", "landed:landed"]


@pytest.mark.parametrize("user", STRANGERS)
def test_strangers_and_default_passwords_are_refused_by_mlflow(stack, user):
    for path in ("/api/2.0/mlflow/experiments/search?max_results=5", "/ajax-api/2.0/mlflow/runs/get?run_id=1", "/"):
        assert answer(f"{stack.link('mlflow')}{path}", user) == 401, path


@pytest.mark.parametrize("user", STRANGERS)
def test_strangers_and_default_passwords_are_refused_by_prefect(stack, user):
    for path in ("/api/admin/version", "/api/admin/settings"):
        assert answer(f"{stack.link('prefect')}{path}", user) == 401, path
    assert answer(f"{stack.link('prefect')}/api/flow_runs/filter", user, b"{}") == 401


def test_the_secrets_open_both(stack):
    mlflow = f"{stack.link('mlflow')}/api/2.0/mlflow/experiments/search?max_results=5"
    assert answer(mlflow, f"landed:{stack.secrets.mlflow_password}") == 200
    assert answer(f"{stack.link('prefect')}/api/admin/version", stack.secrets.prefect) == 200
    assert answer(f"{stack.link('prefect')}/api/flow_runs/filter", stack.secrets.prefect, b"{}") == 200


def test_prefects_page_calls_its_own_server(stack):
    with DIRECT.open(f"{stack.link('prefect')}/ui-settings", timeout=30) as got:
        told = json.load(got)
    assert told["api_url"] == f"{stack.link('prefect')}/api"
    assert told["auth"] == "BASIC"


def test_what_other_processes_are_given_reaches_prefect(inside):
    given = client_environment(Settings())
    code = (
        "from prefect.client.orchestration import get_client\n"
        "with get_client(sync_client=True) as client: print(client.read_flows())"
    )
    environment = {**os.environ, **given}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("["), done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_every_port_is_open_to_this_machine_only(stack):
    ports = {int(part.link.rpartition(":")[2]) for part in running(stack.folders).parts if part.link}
    listening = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            address, state = line.split()[1], line.split()[3]
            host, _, port = address.partition(":")
            if state == "0A" and int(port, 16) in ports:
                listening.add((host, int(port, 16)))
    assert listening == {("0100007F", port) for port in ports}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_secrets_stand_neither_on_a_command_line_nor_in_a_log_nor_in_what_is_shown(inside):
    secrets = [inside.secrets.prefect.partition(":")[2], inside.secrets.mlflow_password, inside.secrets.mlflow_key]
    secrets.append(inside.secrets.site_key)
    lines = [Path(f"/proc/{pid}/cmdline").read_bytes().decode() for pid in members(last(inside.folders).word)]
    assert any("mlflow" in line for line in lines)
    logs = [path.read_text(errors="replace") for path in inside.folders.logs.iterdir()]
    shown = [landed("status", "--secrets").output, landed("status", "--json").output, inside.output.read_text()]
    state = [inside.folders.state.read_text()]
    for secret in secrets:
        assert not [text for text in (*lines, *logs, *shown, *state) if secret in text]


def test_a_person_is_told_how_to_sign_in(inside):
    told = landed("status", "--secrets").output
    for word in (inside.link("prefect"), inside.link("mlflow"), "landed", str(inside.secrets.mlflow_file)):
        assert word in told
    shown = landed("status", "--secrets", "--show").output
    assert inside.secrets.mlflow_password in shown
    assert inside.secrets.prefect in shown


def test_a_second_start_is_refused_with_links_and_pid(inside):
    refused = landed("up")
    assert_refused(refused, 1, str(inside.process.pid), inside.link("prefect"), inside.link("mlflow"), "landed down")
    assert inside.process.poll() is None


def test_status_is_zero_once_all_parts_are_healthy(inside):
    until(lambda: landed("status").exit_code == 0, inside.output.read_text(), SERVERS)
    told = json.loads(landed("status", "--json").output)
    assert told["healthy"]
    assert {"prefect", "mlflow", "worker", "dispatcher"} <= {part["name"] for part in told["parts"]}
    assert told["pid"] == inside.process.pid


# ---- what it works on

PROJECT, ZONE = "depots", "Asia/Shanghai"


@pytest.fixture
def work(inside):
    """The stack's installation with one project on a calendar."""
    charter = inside.work.charter(PROJECT)
    calendar = {"time_zone": ZONE, "retrain": "0 6 * * 1", "monitor": "0 5 * * *"}
    inside.work.deploy(charter_from_canonical({**charter.canonical(), "schedule": calendar}))
    return inside.work


@pytest.fixture
def client(inside):
    given = client_environment(Settings())
    told = {PREFECT_API_URL: given["PREFECT_API_URL"], PREFECT_API_AUTH_STRING: given["PREFECT_API_AUTH_STRING"]}
    with temporary_settings(told), get_client(sync_client=True) as client:
        yield client


def test_a_decision_is_carried_out_by_server_worker_and_dispatcher(work):
    charter = work.charter(PROJECT)
    open_by_hand(work.ledger, charter, work.root / "source", "robin")
    review = work.wait_for_review(1, PROJECT)
    work.decide(review, factor=0.2)
    work.wait_for_review(2, PROJECT)
    work.until(lambda: not pending(work.ledger), "all is delivered")

    assert work.states(PROJECT) == [(1, "pilot", "closed"), (2, "pilot", "awaiting_review")]
    kinds = Counter(event.kind for event in work.ledger.events(PROJECT))
    assert (kinds["iteration.opened"], kinds["iteration.running"], kinds["review.applied"]) == (2, 2, 1)
    trained = {what: times for what, times in work.noted().items() if what.startswith("train-end")}
    assert sorted(trained.values()) == [1, 2]  # `second` once; `first` once under each parameter
    assert verify(work.ledger).intact


def test_a_runs_process_says_that_it_runs_before_it_loads_the_heavy_libraries():
    heavy = "{'pandas', 'mlflow', 'lightgbm', 'sklearn', 'evidently', 'pandera'}"
    code = f"import sys, flows.iteration; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_prefects_own_command_lists_the_deployments(work):
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "deployment", "ls"],
        env={**work.env, **client_environment(Settings()), "COLUMNS": "200"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for flow in ("iteration", "retraining", "feedback_approval", "monitoring"):
        assert f"{flow}/{PROJECT}" in done.stdout


def test_schedules_make_runs_at_the_charters_local_hours(work, client):
    def due(flow: str) -> list[datetime]:
        own = client.read_deployment_by_name(f"{flow}/{PROJECT}").id
        runs = client.read_flow_runs(flow_run_filter=FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=[own])))
        return sorted(run.expected_start_time for run in runs if run.auto_scheduled)

    weekly = work.until(lambda: due("retraining"), "runs of the weekly schedule")
    daily = work.until(lambda: due("monitoring"), "runs of the daily schedule")
    assert {(one.weekday(), one.hour, one.minute) for one in map(local, weekly)} == {(0, 6, 0)}
    assert {(one.hour, one.minute) for one in map(local, daily)} == {(5, 0)}
    assert min(daily) - datetime.now(UTC) <= timedelta(days=1)


def local(moment: datetime) -> datetime:
    return moment.astimezone(ZoneInfo(ZONE))


# ---- how it ends


@pytest.mark.proof
def test_a_killed_server_comes_back_at_the_same_address(inside):
    link, keeper = (
        inside.link("prefect"),
        next(one.pid for one in running(inside.folders).parts if one.name == "prefect"),
    )
    children = Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGKILL)
    until(lambda: landed("status").exit_code == 1)

    def again() -> bool:
        prefect = part(inside.folders, "prefect")
        return prefect.restarts == 1 and prefect.healthy

    until(again, patience=SERVERS)
    assert inside.link("prefect") == link
    assert answer(f"{link}/api/admin/version", inside.secrets.prefect) == 200
    assert answer(f"{link}/api/admin/version") == 401


def test_nobody_outside_is_looked_up_or_called(stack):
    """After all of the above: servers, worker, dispatcher and the processes of the flows."""
    assert_it_works(stack.trap.parent / "traps")
    assert not stack.trap.exists(), stack.trap.read_text()


def test_down_stops_everything_and_nothing_is_left(inside):
    word = last(inside.folders).word
    assert members(word) or sys.platform != "linux"
    assert landed("down").exit_code == 0
    assert inside.process.wait(30) == 0
    assert members(word) == ()
    assert landed("status").exit_code == 1
    assert "Nothing runs" in landed("status").output
    again = landed("down")
    assert again.exit_code == 0
    assert "Nothing runs" in again.output
