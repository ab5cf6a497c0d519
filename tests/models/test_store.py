"""Stores that cannot be used, each refused by its setting's name; faults that pass, and faults that do not."""

import logging
import socket
import sqlite3
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import mlflow.exceptions
import pytest
from mlflow.tracking import MlflowClient

from pipeline import addresses
from pipeline.errors import LedgerError
from pipeline.models import store
from pipeline.models.records import IterationRecord
from pipeline.models.tracking import Tracking
from pipeline.settings import Settings
from tests.mlflow_server import BUCKET, free_port
from tests.postgres import PostgresServer

SECRET = "hunter2hunter2"  # noqa: S105 - to be looked for where it must not be


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody wants to wait for real here."""
    monkeypatch.setattr(addresses, "WAITS", (0.01,) * 5)


def refused(**settings: object) -> str:
    with pytest.raises(LedgerError) as caught:
        Tracking(Settings(**settings))
    text = str(caught.value)
    assert "→" in text
    assert SECRET not in text
    assert SECRET not in repr(Settings(**settings))
    return text


def test_a_file_that_is_no_database_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "mlflow").mkdir()
    text = "this is a text file and no database, and it is long enough to tell " * 20
    (tmp_path / "mlflow" / "mlflow.db").write_text(text)
    assert "not a database" in refused(data=tmp_path)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert "cannot be opened" in refused(data=tmp_path / "file" / "store")


def test_a_locked_file_is_refused_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "PATIENCE", 0.1)
    (tmp_path / "mlflow").mkdir()
    with closing(sqlite3.connect(tmp_path / "mlflow" / "mlflow.db", isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        text = refused(data=tmp_path)
    assert "locked" in text
    assert "let the other process finish" in text


def test_a_store_whose_making_was_cut_off_is_made_anew_and_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow's migrations cannot be taken up where a killed process left them: half a store would be one for ever."""
    whole = store._make

    def cut_off(path: Path, make) -> None:
        with closing(sqlite3.connect(path.with_name(f".{path.name}.draft"))) as half:
            half.execute("CREATE TABLE experiments (half INTEGER)")
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "_make", cut_off)
    with pytest.raises(KeyboardInterrupt):
        Tracking(Settings(data=tmp_path))
    assert not (tmp_path / "mlflow" / "mlflow.db").exists()
    monkeypatch.setattr(store, "_make", whole)
    Tracking(Settings(data=tmp_path))
    with closing(sqlite3.connect(tmp_path / "mlflow" / "mlflow.db")) as made:
        assert made.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert {"runs", "registered_models"} <= {name for (name,) in made.execute("SELECT name FROM sqlite_master")}
    assert sorted(path.name for path in (tmp_path / "mlflow").iterdir()) == [".mlflow.db.lock", "mlflow.db"]


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("somewhere over there", "no URL"),
        (f"mysql://emma:{SECRET}@db/mlflow", "mysql is not supported"),
        (f"postgresql://emma:{SECRET}@db", "names no database"),
        (f"postgresql://emma:{SECRET}@nowhere.invalid/mlflow", "nowhere.invalid"),
        (f"http://emma:{SECRET}@tracking:5000", "holds a user or password"),
        ("http://nowhere.invalid:5000", "Failed to resolve 'nowhere.invalid'"),
        ("https://", "no URL"),
        ("sqlite://", "names no database"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_at_once_by_its_name(
    tmp_path: Path, url: str, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    # No name service is asked.
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    text = refused(data=tmp_path, mlflow_url=url)
    assert "LANDED_MLFLOW_URL" in text
    assert found in text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "found"), [("gs://bucket/x", "gs is not supported"), ("s3:///x", "no bucket"), ("s3://a:b@c", "no bucket")]
)
def test_an_artifact_storage_that_cannot_be_used_is_refused_by_its_name(tmp_path: Path, url: str, found: str) -> None:
    text = refused(data=tmp_path, artifacts_url=url)
    assert "LANDED_ARTIFACTS_URL" in text
    assert found in text


def test_a_missing_driver_is_named_with_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    assert "landed[postgres]" in refused(data=tmp_path, mlflow_url=f"postgresql://emma:{SECRET}@db/mlflow")
    monkeypatch.setattr(store, "find_spec", lambda _: None)
    assert "landed[s3]" in refused(data=tmp_path, artifacts_url="s3://bucket")


def test_a_wrong_password_and_a_missing_database_are_told_at_once(
    server: PostgresServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    database = server.new_database()
    text = refused(data=tmp_path, mlflow_url=server.url(database, SECRET))
    assert "LANDED_MLFLOW_URL (postgresql+psycopg://landed:***@127.0.0.1" in text
    assert "password authentication failed" in text
    assert "LANDED_MLFLOW_URL_FILE" in text
    text = refused(data=tmp_path, mlflow_url=server.url("unheard_of"))
    assert '"unheard_of" does not exist' in text
    assert "create the database" in text
    assert not [record for record in caplog.records if SECRET in record.getMessage()]


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("url", ["postgresql://emma@127.0.0.1:{port}/x", "http://127.0.0.1:{port}"])
def test_a_server_that_stays_away_is_refused_after_a_while(tmp_path: Path, url: str) -> None:
    text = refused(data=tmp_path, mlflow_url=url.format(port=free_port()))
    assert "LANDED_MLFLOW_URL" in text
    assert "refused" in text


def test_a_database_that_is_down_for_a_moment_is_waited_for(
    server: PostgresServer, postgres_template: str, tmp_path: Path, iteration: IterationRecord
) -> None:
    tracking = Tracking(Settings(data=tmp_path, mlflow_url=server.url(server.new_database(postgres_template))))
    run = tracking.open(iteration)
    server.halt()
    back = threading.Timer(0.7, server.start)
    back.start()
    try:
        tracking.record(run, tags={"landed.decision": "advance"})
    finally:
        back.join()
    assert tracking.find(iteration.project, 1, "pilot") == run
    assert tracking.open(iteration) == run


class Proxy(BaseHTTPRequestHandler):
    """A proxy whose far end is not there yet: some answers of its own, then what an MLflow server says."""

    answers: list[int]
    asked: int

    def do_POST(self) -> None:
        type(self).asked += 1
        code = self.answers.pop(0) if self.answers else 200
        body = b"{}" if code == 200 else b"<html>not now</html>"
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def proxy():
    class Here(Proxy):
        answers = []  # noqa: RUF012 - one class a test
        asked = 0

    with ThreadingHTTPServer(("127.0.0.1", 0), Here) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield Here, f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.mark.usefixtures("hasty")
def test_what_a_proxy_says_while_its_server_starts_is_waited_out(proxy, tmp_path: Path) -> None:
    handler, url = proxy
    handler.answers = [502, 503, 504]
    Tracking(Settings(data=tmp_path, mlflow_url=url))
    assert handler.asked == 4


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(("code", "remedy"), [(401, "MLFLOW_TRACKING_PASSWORD"), (404, "the URL is its own")])
def test_what_will_not_pass_is_told_at_once(proxy, tmp_path: Path, code: int, remedy: str) -> None:
    handler, url = proxy
    handler.answers = [code] * 9
    text = refused(data=tmp_path, mlflow_url=url)
    assert url in text
    assert remedy in text
    assert handler.asked == 1


@pytest.mark.usefixtures("hasty")
def test_patience_has_an_end(proxy, tmp_path: Path) -> None:
    handler, url = proxy
    handler.answers = [503] * 99
    assert "503" in refused(data=tmp_path, mlflow_url=url)
    assert handler.asked == 6


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_an_answer_that_was_lost_after_a_run_was_made_does_not_make_it_twice(
    tracking: Tracking, client: MlflowClient, iteration: IterationRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, lost = MlflowClient.create_run, [True]

    def cut_off(*args, **kwargs):
        run = create(*args, **kwargs)
        if lost.pop() if lost else False:
            busy = mlflow.exceptions.MlflowException("(sqlite3.OperationalError) database is locked", 5)
            busy.error_code = "TEMPORARILY_UNAVAILABLE"
            raise busy
        return run

    monkeypatch.setattr(MlflowClient, "create_run", cut_off)
    run = tracking.open(iteration)
    found = client.get_run(run)
    assert [one.info.run_id for one in client.search_runs([found.info.experiment_id])] == [run]
    assert [one.dataset.name for one in found.inputs.dataset_inputs] == ["toy"]


def test_a_bucket_that_is_not_there_is_told(storage, mlflow_template, tmp_path: Path, monkeypatch, iteration) -> None:
    for name, value in storage.environment.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "note.json").write_text("{}")
    tracking = Tracking(Settings(data=tmp_path, artifacts_url=f"s3://not-{BUCKET}/x"))
    run = tracking.open(iteration)
    with pytest.raises(LedgerError, match=r"NoSuchBucket[\s\S]*MLFLOW_S3_ENDPOINT_URL"):
        tracking.attach(run, {"": tmp_path / "note.json"})
