"""The environment of all tests: every store in a temporary folder, set before Prefect or MLflow is imported.

Prefect reads its settings when it is imported and starts one server per process at its first flow, so its home is
made once per process here. Everything Landed keeps itself follows ``LANDED_DATA``, which the fixture ``home`` moves
for each test.
"""

import atexit
import fcntl
import gc
import os
import shutil
import tempfile
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from hypothesis import HealthCheck, settings

from pipeline.accounts import passwords
from pipeline.settings import Settings
from tests.postgres import postgres_server

__all__ = ["postgres_server"]

# A slow machine fails no test: what is judged is what comes out.
settings.register_profile("landed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("landed")

# Ledgers wait for the disk at every commit, which no test looks at; in memory they do not.
_MEMORY, _ROOM = Path("/dev/shm"), 4 * 2**30  # noqa: S108 - a folder in it, that nobody else can write to
if "TMPDIR" not in os.environ and _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM:
    os.environ["TMPDIR"] = tempfile.tempdir = str(_MEMORY)
_PROCESS = Path(tempfile.mkdtemp(prefix="landed-tests-"))
atexit.register(shutil.rmtree, _PROCESS, ignore_errors=True)

for _name in [
    name for name in os.environ if name.startswith(("LANDED_", "PREFECT_", "MLFLOW_")) and name != "LANDED_VN2"
]:
    del os.environ[_name]
os.environ["LANDED_DATA"] = str(_PROCESS / "data")
os.environ["LANDED_REPORTS"] = str(_PROCESS / "reports")
os.environ["LANDED_USER"] = "robin"
os.environ.update(Settings().quiet_environment())
# Two workers share two cores; without this each trains on both.
os.environ.setdefault("OMP_NUM_THREADS", "1")
(_PROCESS / "data" / "prefect").mkdir(parents=True)
# The same algorithm at a price that tests can pay; what ships is held to its standard in test_passwords.
passwords._HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Load everything without garbage collection, and leave it out of later ones: it stays to the end.

    A tenth of the tests' time went into looking through it again and again; the rest is looked through less often too.
    """
    gc.disable()
    collected = yield
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    gc.enable()
    return collected


@dataclass(frozen=True)
class Home:
    """One installation: where its stores, reports and data source lie."""

    root: Path

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def reports(self) -> Path:
        return self.root / "reports"

    @property
    def retailer(self) -> Path:
        return self.root / "retailer"

    @property
    def environment(self) -> dict[str, str]:
        return {"LANDED_DATA": str(self.data), "LANDED_REPORTS": str(self.reports), "LANDED_USER": "robin"}

    def enter(self, patch: pytest.MonkeyPatch) -> "Home":
        """Let commands and flows of this process use this installation until the patch is undone."""
        # A command sets these for itself; noted here so that they are put back after the test.
        for name, value in Settings().quiet_environment().items():
            patch.setenv(name, os.environ.get(name, value))
        for name, value in self.environment.items():
            patch.setenv(name, value)
        # A command beside a running stack sets these; they must not outlive the test.
        for name in ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING"):
            patch.setenv(name, "")
            patch.delenv(name)
        return self


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A fresh installation for one test."""
    return Home(tmp_path).enter(monkeypatch)


@pytest.fixture(scope="session")
def mlflow_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow store, made once for all workers because its migrations take seconds."""
    from pipeline.models.tracking import Tracking

    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "mlflow-template"
    folder.mkdir(exist_ok=True)
    store, made = folder / "mlflow" / "mlflow.db", folder / "made"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            Tracking(Settings(data=folder))
            made.touch()
    return store


@pytest.fixture
def stores(home: Home, mlflow_template: Path) -> Home:
    """A fresh installation whose MLflow store is there and empty."""
    target = home.data / "mlflow"
    target.mkdir(parents=True)
    shutil.copy(mlflow_template, target)
    return home
