"""Ctrl-C in any step: the next run carries on, repeats nothing that was finished, and ends as if nothing had been."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient
from typer.testing import CliRunner

from flows import steps, training
from flows.iteration import iteration
from flows.opening import open_by_hand
from pipeline.cli import app
from pipeline.datasets import catalog
from pipeline.evaluation import drift
from pipeline.ledger import IterationRecord, Ledger, all_iterations, pending, verify
from pipeline.models.tracking import Tracking
from pipeline.problems.reading import read_charter_for_problem
from pipeline.replenishment import field, world
from pipeline.replenishment.problem import Replenishment
from pipeline.review.requests import reviews_of
from pipeline.settings import Settings
from tests.conftest import Home
from tests.flows.made import PERIODS, PROJECT, SPEC, charter_values, found_retailer, write_yaml

pytestmark = pytest.mark.usefixtures("server")

ANSI = re.compile(r"\x1b\[")

#: Where Ctrl-C strikes, in the order of the steps: owner, name, the call it strikes at, before or after the work.
SEAMS = [
    ("load: before the dataset is stored", catalog, "store", 1, "before"),
    ("assess: after the dataset is stored", steps, "assess", 1, "before"),
    ("train: the first candidate is fitted but not in the ledger", training, "remember", 1, "before"),
    ("train: inside the second candidate", Replenishment, "train", 2, "before"),
    ("track: a candidate is half logged", Tracking, "_log_booster", 1, "before"),
    ("track: candidates are logged, none is registered", Tracking, "register", 1, "before"),
    ("play: the world was saved, the play was not", world, "save", 1, "after"),
    ("play: the play was committed", field, "_exported", 1, "before"),
    ("judge: inside the drift report", drift, "report", 1, "before"),
    ("write: the pack stands, the ledger does not know it", steps, "write", 1, "after"),
    ("track: the ledger knows the report, MLflow does not", Tracking, "attach", 1, "before"),
    ("request: nobody was asked yet", steps, "request_review", 1, "before"),
]


@contextmanager
def striking(owner, name: str, number: int, when: str):
    """Raise Ctrl-C at a call of ``owner.name``."""
    real, calls = getattr(owner, name), Counter()

    def struck(*args, **kwargs):
        calls[name] += 1
        hit = calls[name] == number
        if hit and when == "before":
            raise KeyboardInterrupt
        result = real(*args, **kwargs)
        if hit:
            raise KeyboardInterrupt
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, struck)
        yield calls


class Installation:
    """One installation with the small case in it; ``run`` does what ``landed run`` does after the charter is read."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.charter = read_charter_for_problem(write_yaml(home.root / "charter.yaml", charter_values()), date.today())
        found_retailer(home.retailer)

    def run(self) -> None:
        with Ledger(Settings().ledger) as ledger:
            record = open_by_hand(ledger, self.charter, self.home.retailer, "robin").record
            iteration(record.project, record.number, record.stage, self.home.retailer)

    @property
    def records(self) -> tuple[IterationRecord, ...]:
        with Ledger(Settings().ledger) as ledger:
            return all_iterations(ledger, PROJECT)


@pytest.fixture
def twin(tmp_path_factory, mlflow_template):
    """The result of the same iteration, never interrupted."""
    home = Home(tmp_path_factory.mktemp("twin"))
    (home.data / "mlflow").mkdir(parents=True)
    shutil.copy(mlflow_template, home.data / "mlflow")
    with pytest.MonkeyPatch.context() as patch:
        home.enter(patch)
        place = Installation(home)
        place.run()
        return place.records[0].result


@pytest.mark.parametrize("seams", [SEAMS[2:7:4], pytest.param(SEAMS, marks=pytest.mark.proof)], ids=["some", "every"])
def test_an_iteration_interrupted_in_its_steps_finishes_and_repeats_no_finished_work(stores, twin, monkeypatch, seams):
    place, finished = Installation(stores), []
    real = Replenishment.train

    def counted(self, charter, dataset, spec, units, directory, progress):
        trained = real(self, charter, dataset, spec, units, directory, progress)
        finished.append(spec.name)
        return trained

    monkeypatch.setattr(Replenishment, "train", counted)
    for seam, owner, name, number, when in seams:
        with striking(owner, name, number, when) as calls, pytest.raises(KeyboardInterrupt):
            place.run()
        assert calls[name] == number, seam
        assert [record.state for record in place.records] == ["running"], seam
    place.run()

    (record,) = place.records
    assert record.state == "awaiting_review"
    # The first training was struck after its fit and before the ledger knew, so it alone was done twice.
    assert finished == ["poisson", "poisson", "tweedie"]
    same = ("kpis", "arms", "dataset", "model_digest", "training", "units_of", "next_period", "challenger")
    assert {name: record.result[name] for name in same} == {name: twin[name] for name in same}
    with Ledger(Settings().ledger) as ledger:
        assert len(reviews_of(ledger, record)) == 1
        kinds = Counter(event.kind for event in ledger.events())
        assert kinds["iteration.opened"] == kinds["iteration.awaiting_review"] == kinds["review.requested"] == 1
        assert kinds["iteration.running"] == len(seams) + 1
        assert kinds["iteration.failed"] == 0
        assert pending(ledger) == ()
        assert verify(ledger).intact
    # The weeks happened once: one play on record, and the newest world is one period on.
    assert [path.name for path in (stores.retailer / "plays").iterdir()] == [f"{PROJECT}-1-pilot-1"]
    clocks = sorted(int(path.stem.split("-")[1]) for path in (stores.retailer / "world").glob("*.npz"))
    assert clocks == [SPEC.weeks, SPEC.weeks + PERIODS]
    runs = mlflow_runs(stores)
    assert sorted(run.data.tags.get("landed.candidate", "parent") for run in runs) == ["parent", "poisson", "tweedie"]
    assert {run.info.status for run in runs} == {"FINISHED"}


def mlflow_runs(home: Home):
    uri = f"sqlite:///{home.data / 'mlflow' / 'mlflow.db'}"
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    return client.search_runs([client.get_experiment_by_name(PROJECT).experiment_id])


@pytest.mark.slow
@pytest.mark.proof
def test_a_real_ctrl_c_during_training_says_so_and_the_next_run_finishes(stores, monkeypatch):
    values = charter_values()
    # Long enough to be met while it trains.
    values["model"]["candidates"][1]["parameters"]["rounds"] = 400
    charter = write_yaml(stores.root / "charter.yaml", values)
    found_retailer(stores.retailer)
    arguments = ["run", str(charter), "--data", str(stores.retailer)]
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("landed")), *arguments],
        env={**os.environ, "PYTHONWARNINGS": "default"}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        wait_for_second_training(stores.data / "models", process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert "Stopped. What was finished is kept" in err
    assert "Traceback" not in out + err
    # Plain lines where nobody watches a terminal.
    assert "data to " in err
    assert not ANSI.search(out + err)
    assert nobody_left(process.pid)

    trained = []
    real = Replenishment.train
    monkeypatch.setattr(Replenishment, "train", lambda self, *args: trained.append(args[2].name) or real(self, *args))
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 0, shown.output
    assert trained == ["tweedie"]
    assert re.search(r"poisson.*already", shown.stderr)
    assert f"Waits for people: {PROJECT}-1-pilot" in shown.stdout
    assert not ANSI.search(shown.output)


def wait_for_second_training(models: Path, process: subprocess.Popen) -> None:
    """Until the second candidate has fitted the model of its first past game, and has the others still to do."""
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        begun = [folder for folder in models.glob("*") if (folder / "games").is_dir()]
        if len(begun) == 2 and any(not (folder / "model.txt").exists() for folder in begun):
            return
        time.sleep(0.01)
    out, err = process.communicate() if process.poll() is not None else ("", "")
    pytest.fail(f"the second training was never met: {out}{err}")


def nobody_left(group: int) -> bool:
    """Whether every process of the command's session, Prefect's server among them, is gone soon after it."""
    until = time.monotonic() + 15
    while time.monotonic() < until:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False
