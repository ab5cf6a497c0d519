"""The whole loop with every store where a team keeps it: ledger, MLflow and Prefect on PostgreSQL, artifacts on S3.

Commands run as processes of their own, as people and machines start them; the same case on the stores of a laptop must
come to the same figures.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient

from pipeline.ledger import Ledger, all_iterations, project_end, verify
from pipeline.ledger.work import recall
from pipeline.models.files import digest
from pipeline.models.tracking import Tracking
from pipeline.review.requests import reviews_of
from pipeline.rollout.ladder import current
from pipeline.settings import Settings
from tests.conftest import Home
from tests.flows.made import PROJECT, charter_values, decisions_values, found_retailer, write_yaml
from tests.mlflow_server import BUCKET, Storage, storage
from tests.postgres import PostgresServer

__all__ = ["storage"]

pytestmark = [pytest.mark.proof, pytest.mark.timeout(1800)]

LANDED = Path(sys.executable).parent / "landed"
PREFIX = "team"


@dataclass(frozen=True)
class Installation:
    """A home, its environment, and what playing the case in it printed."""

    home: Home
    environment: dict[str, str]

    def begin(self, *arguments: str | Path) -> subprocess.Popen[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MLFLOW_"))}
        return subprocess.Popen(
            [str(LANDED), *map(str, arguments)], cwd=self.home.root, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env={**kept, **self.home.environment, **self.environment},
        )  # fmt: skip

    def run(self, *arguments: str | Path) -> str:
        return ended(self.begin(*arguments))

    def settings(self, patch: pytest.MonkeyPatch) -> Settings:
        for name, value in {**self.home.environment, **self.environment}.items():
            patch.setenv(name, value)
        return Settings()


def ended(process: subprocess.Popen[str]) -> str:
    try:
        printed, _ = process.communicate(timeout=600)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, printed[-3000:]
    return printed


def installation(root: Path, environment: dict[str, str]) -> Installation:
    home = Home(root)
    write_yaml(root / "charter.yaml", charter_values())
    write_yaml(root / "decisions.yaml", decisions_values())
    found_retailer(home.retailer)
    return Installation(home, environment)


@pytest.fixture(scope="module")
def team(server: PostgresServer, storage: Storage, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Three databases of one server: MLflow and Prefect both call a table ``alembic_version``."""
    root = tmp_path_factory.mktemp("team")
    urls = {name: server.url(server.new_database()) for name in ("LEDGER", "MLFLOW", "PREFECT_DATABASE")}
    files = {}
    for name, url in urls.items():
        files[name] = root / f"{name.lower()}_url"
        files[name].write_text(url + "\n")
        files[name].chmod(0o440)
    return installation(
        root,
        {
            **{f"LANDED_{name}_URL_FILE": str(path) for name, path in files.items()},
            "LANDED_ARTIFACTS_URL": f"s3://{BUCKET}/{PREFIX}",
            **storage.environment,
        },
    )


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return installation(tmp_path_factory.mktemp("laptop"), {})


@pytest.fixture(scope="module", autouse=True)
def played(team: Installation, laptop: Installation) -> dict[str, str]:
    """The same case on both."""
    play = ("play", "charter.yaml", "--decisions", "decisions.yaml", "--data", "retailer")
    return {"team": team.run(*play), "laptop": laptop.run(*play)}


@pytest.fixture
def settings(team: Installation, monkeypatch: pytest.MonkeyPatch) -> Settings:
    return team.settings(monkeypatch)


@pytest.fixture
def ledger(settings: Settings):
    with Ledger(settings.ledger) as opened:
        yield opened


def story(ledger: Ledger) -> list[dict[str, Any]]:
    """What the ledger tells of each iteration, without what must differ: places, moments, wall time."""
    told = []
    for record in all_iterations(ledger, PROJECT):
        result = {key: value for key, value in (record.result or {}).items() if key in FIGURES}
        told.append({"subject": record.subject, "kind": record.kind, "state": record.state, **result})
    return told


#: What two installations must agree on to the last digit.
FIGURES = (
    "kpis",
    "arms",
    "effects",
    "blocking",
    "challenger",
    "dataset",
    "units_of",
    "model_version",
    "model_digest",
)


def test_both_play_to_the_same_goal_with_the_same_figures(laptop, ledger, played, settings, monkeypatch):
    with pytest.MonkeyPatch.context() as patch, Ledger(f"sqlite:///{laptop.home.data / 'ledger.db'}") as alone:
        patch.delenv("LANDED_LEDGER_URL_FILE")
        for ours, theirs in zip(story(ledger), story(alone), strict=True):
            assert {key: ours[key] for key in theirs if ours[key] != theirs[key]} == {}, ours["subject"]
        assert [event.kind for event in ledger.events()] == [event.kind for event in alone.events()]
        assert (project_end(ledger, PROJECT) is None) == (project_end(alone, PROJECT) is None)
    assert [one["state"] for one in story(ledger)] == ["closed"] * 4
    assert story(ledger)[0]["arms"]
    assert ("Goal reached" in played["team"]) == ("Goal reached" in played["laptop"])


def test_the_chain_is_intact_and_the_last_rung_is_released(team, ledger):
    assert "chain intact" in team.run("audit", "verify")
    assert verify(ledger).intact
    assert current(ledger, PROJECT).stage == "chain"


def test_mlflow_holds_one_parent_run_an_iteration_and_a_child_a_training(ledger, settings):
    client = MlflowClient(tracking_uri=Tracking(settings).uri)
    experiment = client.get_experiment_by_name(PROJECT)
    runs = client.search_runs([experiment.experiment_id])
    assert {run.info.status for run in runs} == {"FINISHED"}
    parents = {run.data.tags["landed.iteration"]: run for run in runs if "landed.iteration" in run.data.tags}
    records = all_iterations(ledger, PROJECT)
    assert {key: run.info.run_id for key, run in parents.items()} == {
        f"{record.project}/{record.number}/{record.stage}": record.mlflow_run for record in records
    }
    shown = [parents[f"{one.project}/{one.number}/{one.stage}"].data.tags["landed.decision"] for one in records]
    assert shown == [reviews_of(ledger, one)[-1].decision for one in records]
    trained = sum(record.kind == "train" for record in records) * len(charter_values()["model"]["candidates"])
    assert len(runs) == len(records) + trained


def test_evidence_and_candidates_lie_on_s3_and_come_back_with_the_hash_that_was_signed(storage, ledger, settings):
    kept = storage.keys(f"{PREFIX}/{PROJECT}/")
    for record in all_iterations(ledger, PROJECT):
        assert any(f"/{record.mlflow_run}/artifacts/evidence/evidence.html" in key for key in kept)
    assert any(key.endswith("/artifacts/candidate/model.json") for key in kept)
    assert not (settings.data / "mlflow" / "artifacts").exists()
    released = current(ledger, PROJECT)
    back = Tracking(settings).released(PROJECT)
    assert back.version == released.model_version
    known = recall(ledger, f"train:{released.candidate}")
    assert digest(back.directory) == digest(settings.models / known["directory"])


def test_nothing_of_a_database_lies_in_the_data_folder_and_no_password_in_any_file(team, server, played):
    found = [path for path in team.home.root.rglob("*") if path.is_file()]
    assert not [path for path in found if path.suffix == ".db"]
    secret = server.password.encode()
    assert {path.name for path in found if secret in path.read_bytes()} == {
        "ledger_url", "mlflow_url", "prefect_database_url",
    }  # fmt: skip
    assert server.password not in played["team"]


def test_prefects_runs_stand_in_its_database(team, server):
    url = Path(team.environment["LANDED_PREFECT_DATABASE_URL_FILE"]).read_text().strip()
    import psycopg

    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT flow.name, count(*) FROM flow_run JOIN flow ON flow.id = flow_run.flow_id "
            "WHERE flow_run.state_type = 'COMPLETED' GROUP BY flow.name"
        ).fetchall()
    assert dict(rows) == {"iteration": 4, "feedback_approval": 4}
