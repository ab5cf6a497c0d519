"""MLflow on every kind of store: a SQLite file, PostgreSQL with its artifacts in a folder or on S3, and a server."""

import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from pipeline.models.records import DatasetRecord, IterationRecord
from pipeline.models.tracking import Tracking
from pipeline.settings import Settings
from tests.mlflow_server import BUCKET, Storage, mlflow_server, storage
from tests.postgres import PostgresServer

__all__ = ["storage"]

_NUMBERS = count(1)


@pytest.fixture(scope="session")
def postgres_template(server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with MLflow's tables: their migrations take seconds, so they run once."""
    name = server.new_database()
    Tracking(Settings(data=tmp_path_factory.mktemp("template"), mlflow_url=server.url(name)))
    with server.connect() as connection:
        # A template may have no connection, and MLflow keeps its own.
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
    return name


@pytest.fixture(scope="session")
def mlflow_url(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> Iterator[str]:
    """An MLflow server that also keeps the artifacts."""
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(mlflow_template, folder / "mlflow.db")
    with mlflow_server(folder) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql", "postgresql, s3", "server"])
def settings(
    request: pytest.FixtureRequest, tmp_path: Path, mlflow_template: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """An installation on each store."""
    data = tmp_path / "with a space"
    if request.param == "sqlite":
        (data / "mlflow").mkdir(parents=True)
        shutil.copy(mlflow_template, data / "mlflow")
        return Settings(data=data)
    if request.param == "server":
        return Settings(data=data, mlflow_url=request.getfixturevalue("mlflow_url"))
    server: PostgresServer = request.getfixturevalue("server")
    url = server.url(server.new_database(request.getfixturevalue("postgres_template")))
    if request.param == "postgresql":
        return Settings(data=data, mlflow_url=url)
    far_end: Storage = request.getfixturevalue("storage")
    for name, value in far_end.environment.items():
        monkeypatch.setenv(name, value)
    return Settings(data=data, mlflow_url=url, artifacts_url=f"s3://{BUCKET}/{tmp_path.name}/")


@pytest.fixture
def tracking(settings: Settings) -> Tracking:
    return Tracking(settings)


@pytest.fixture
def again_opened(settings: Settings) -> Callable[[], Tracking]:
    """Another process's view of the same store."""
    return lambda: Tracking(settings)


@pytest.fixture
def client(tracking: Tracking) -> MlflowClient:
    return MlflowClient(tracking_uri=tracking.uri, registry_uri=tracking.uri)


@pytest.fixture
def iteration() -> IterationRecord:
    """A project's first iteration; the project is new in each test, since tests share one server."""
    dataset = DatasetRecord("toy", "d" * 64, "a toy", {"sales": 1200})
    return IterationRecord(f"shelves-{next(_NUMBERS)}", 1, "pilot", "c" * 64, "v1", dataset, "emma")
