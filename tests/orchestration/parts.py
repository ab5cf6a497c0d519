"""The parts of a running stack as processes that a test may kill: Prefect's server, the worker, the dispatcher."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import yaml

from pipeline.charter import Charter
from pipeline.charter.reading import read_charter
from pipeline.ledger import IterationRecord, Ledger, all_iterations
from pipeline.ledger.deployed import deploy
from pipeline.review.items import FeedbackItem
from pipeline.review.listing import open_reviews
from pipeline.review.requests import ReviewRequest
from pipeline.review.signing import sign
from pipeline.settings import Settings
from tests.flows.made import SHIPPED
from tests.orchestration.toy.landed_toy import tables

TOY = Path(__file__).parent / "toy"
#: Seconds to wait for what must come; nothing is timed here, and a machine may be very busy.
PATIENCE = 600.0
SIGNERS = {"iterate": ("ana.silva", "lena.vogt"), "advance": ("maria.costa", "ana.silva", "joao.pinto")}


def toy_values(project: str, seconds: float = 0.0) -> dict[str, Any]:
    """A charter of the toy domain: two candidates, two rungs."""
    values: dict[str, Any] = yaml.safe_load((SHIPPED / "charter.yaml").read_text(encoding="utf-8"))
    for section in ("schedule", "retrain"):
        values.pop(section, None)
    values |= {"project": project, "problem": "toy", "guardrails": [], "business": {}, "controls": []}
    values["kpi"] |= {"name": "late_share", "target": 0.05, "baseline": {"policy": "today", "measured_over": 8}}
    table = {"name": "visits", "owner": "Depots", "freshness_days": 7}
    values["data"] = {"source": "toy", "period": "week", "tables": [table], "minimum_history": 8}
    candidates = [
        {"name": name, "algorithm": "mean", "features": ["level"], "parameters": {"factor": factor, "seconds": seconds}}
        for name, factor in (("first", 0.3), ("second", 0.5))
    ]
    values["model"] |= {"candidates": candidates, "train_periods": 8}
    values["policy"] = {"name": "call", "parameters": {}}
    rung = {**values["stages"][0], "controls": 0, "periods": 4, "milestone": 0.05, "worst_unit_limit": 0.9}
    values["stages"] = [{**deepcopy(rung), "name": name, "units": units} for name, units in (("pilot", 6), ("all", 12))]
    values["budget"] |= {"iterations": 60, "stop_after_no_gain": 60}
    # Finished training is recalled under its key whatever the project; each project here is to train for itself.
    values["seed"] = zlib.crc32(project.encode())
    return values


def written_charter(folder: Path, project: str, seconds: float = 0.0) -> Path:
    """A file with a charter of the toy domain, named after its project."""
    path = folder / f"{project}.yaml"
    path.write_text(yaml.safe_dump(toy_values(project, seconds), sort_keys=False), encoding="utf-8")
    return path


def item(name: str, factor: float) -> FeedbackItem:
    """A feedback item that changes the first candidate's parameter."""
    return FeedbackItem(
        id=name, author="ana.silva", role="business_owner", kind="other", seen="Late on Mondays.",
        change="Weigh Mondays more.", patch={"model.candidates[first].parameters.factor": factor},
        acceptance="Fewer late visits.",
    )  # fmt: skip


def processes_of(data: Path) -> list[tuple[int, str]]:
    """Processes of an installation, found by their environment: number and command."""
    mark, mine = f"LANDED_DATA={data}\0".encode(), []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (folder / "environ").read_bytes() + b"\0":
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                mine.append((int(folder.name), command))
    return [(pid, command) for pid, command in mine if pid != os.getpid()]


class Stack:
    """One installation's processes. ``env`` is what all of them get; the ledger is read by the test itself."""

    def __init__(self, root: Path, env: dict[str, str] | None = None) -> None:
        self.root, self.running = root, {}
        self.log = root / "toy.log"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.api = f"http://127.0.0.1:{self.port}/api"
        own = {"LANDED_DATA": str(root / "data"), "LANDED_REPORTS": str(root / "reports"), "LANDED_USER": "robin"}
        # A copy, so that a test may edit the domain's source.
        self.toy = Path(shutil.copytree(TOY, root / "toy", ignore=shutil.ignore_patterns("__pycache__")))
        given = {**os.environ, **(env or {})}.get("PYTHONPATH", "")
        path = os.pathsep.join([str(self.toy), *filter(None, [given])])
        self.env = {**os.environ, **own, **(env or {}), "TOY_LOG": str(self.log), "PYTHONPATH": path}
        for name in ("data/prefect", "reports", "source", "logs"):
            (root / name).mkdir(parents=True, exist_ok=True)
        tables().to_parquet(root / "source" / "visits.parquet")
        with_env = {name: value for name, value in self.env.items() if name.startswith("LANDED_")}
        before = dict(os.environ)
        os.environ.update(with_env)
        try:
            self.settings = Settings()
            self.env |= self.settings.quiet_environment()
        finally:
            os.environ.clear()
            os.environ.update(before)
        # What the parts say in their logs is their own affair, as it is where `landed up` starts them.
        self.env = {name: value for name, value in self.env.items() if not name.startswith("PREFECT_LOGGING_")}

    @cached_property
    def ledger(self) -> Ledger:
        """Made where the processes have not made it yet."""
        return Ledger(self.settings.ledger)

    # --- processes

    def start(self, *names: str) -> None:
        for name in names or ("server", "worker", "dispatcher"):
            landed = str(Path(sys.executable).with_name("landed"))
            server = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1"]
            server += ["--port", str(self.port)]
            command = {"server": server, "worker": [landed, "worker"], "dispatcher": [landed, "dispatcher"]}[name]
            env = self.env if name == "server" else {**self.env, "PREFECT_API_URL": self.api}
            with (self.root / "logs" / f"{name}.log").open("ab") as log:
                self.running[name] = subprocess.Popen(
                    command, env=env, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
                )
            if name == "server":
                self.until(self.answers, "the server answers")

    def answers(self) -> bool:
        with suppress(httpx.HTTPError):
            return httpx.get(f"{self.api}/health", timeout=2).status_code == 200
        return False

    def kill(self, *names: str) -> None:
        """SIGKILL, without its children: what a machine's out-of-memory killer does."""
        for name in names:
            self.running[name].kill()
            self.running[name].wait()

    def revive(self) -> None:
        """Start what ended by itself, as `landed up` does: a worker ends when its server is away for long."""
        for name in [name for name, process in self.running.items() if process.poll() is not None]:
            self.start(name)

    def kill_flows(self) -> int:
        """SIGKILL every process that runs a flow; returns how many there were."""
        found = [pid for pid, command in self.processes() if "prefect.engine" in command or "prefect/engine" in command]
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return len(found)

    def processes(self) -> list[tuple[int, str]]:
        """Processes of this installation, found by their environment."""
        return processes_of(self.root / "data")

    def close(self) -> None:
        for name in ("dispatcher", "worker", "server"):
            if name in self.running:
                self.running[name].kill()
        deadline = time.monotonic() + 20
        while (left := self.processes()) and time.monotonic() < deadline:
            for pid, _ in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)
        for process in self.running.values():
            process.wait()
        self.ledger.close()

    # --- what the ledger says

    def charter(self, project: str = "depots", seconds: float = 0.0) -> Charter:
        return read_charter(written_charter(self.root, project, seconds), date.today())

    def deploy(self, charter: Charter) -> Charter:
        with self.ledger.transaction() as tx:
            source = str(self.root / "source")
            deploy(tx, charter.project, charter.canonical(), charter.digest, source, "", "robin")
        return charter

    def iterations(self, project: str = "depots") -> tuple[IterationRecord, ...]:
        return all_iterations(self.ledger, project)

    def states(self, project: str = "depots") -> list[tuple[int, str, str]]:
        return [(record.number, record.stage, record.state) for record in self.iterations(project)]

    def review(self, project: str = "depots") -> ReviewRequest | None:
        views = open_reviews(self.ledger, project)
        return views[0].request if views else None

    def wait_for_review(self, iteration: int, project: str = "depots", seconds: float = PATIENCE) -> ReviewRequest:
        def there() -> ReviewRequest | None:
            review = self.review(project)
            return review if review is not None and review.iteration == iteration else None

        return self.until(there, f"the review of iteration {iteration} of {project}", seconds)

    def decide(self, review: ReviewRequest, decision: str = "iterate", factor: float | None = None) -> None:
        """Everybody signs; with ``factor``, the first candidate is to be trained anew."""
        items = [] if factor is None else [item(f"F{review.iteration}", factor)]
        for place, person in enumerate(SIGNERS[decision]):
            feedback = items if place == 0 else ()
            sign(self.ledger, review.id, person, decision, "Read and agreed.", review.report_digest, feedback)

    def until(self, there: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = there()
            if found:
                return found
            time.sleep(0.1)
        logs = "\n".join(f"== {log.name}\n{log.read_text()[-2500:]}" for log in self.root.rglob("logs/*.log"))
        raise AssertionError(f"never: {what}; states {self.states()}\n{logs}")

    # --- what the toy domain saw

    def noted(self) -> Counter[str]:
        """What trainings and plays began and ended, without the process numbers."""
        lines = self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []
        return Counter(line.partition(" ")[2] for line in lines)
