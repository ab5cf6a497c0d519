"""Where MLflow keeps its runs and artifacts: a SQLite file, a PostgreSQL database or a server; a folder or S3.

Read from the settings and reached before MLflow sees it: MLflow itself would retry a wrong password for a minute and
answer with a traceback.
"""

import fcntl
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.addresses import database, reached, refusal, server, shown
from pipeline.errors import Finding, LedgerError
from pipeline.settings import Settings

#: Seconds to wait for another process that is writing.
PATIENCE = 10.0
#: PostgreSQL's advisory lock under which MLflow's tables are made; any constant serves.
_FIRST_USE = 0x3F104
_URL, _ARTIFACTS = "LANDED_MLFLOW_URL", "LANDED_ARTIFACTS_URL"
_FORMS = "write sqlite:////path/mlflow.db, postgresql://user@host:5432/database or http(s)://host:port"
_ARTIFACT_FORMS = "write a folder or s3://bucket/prefix; another end point than AWS goes in MLFLOW_S3_ENDPOINT_URL"


@dataclass(frozen=True)
class Store:
    """One installation's MLflow.

    Attributes:
        uri: as MLflow wants it; may hold a password.
        place: as people may see it.
        database: of SQLite; None elsewhere.
        artifacts: folder or ``s3://`` below which each project has its artifacts; empty where the server keeps them.
        fetched: folder of files that were fetched from afar.
    """

    uri: str = field(repr=False)
    place: str
    database: Path | None
    artifacts: str
    fetched: Path

    @property
    def remote(self) -> bool:
        """Whether a server stands between."""
        return self.uri.startswith("http")

    def experiment_artifacts(self, project: str) -> str | None:
        """Where a new experiment's artifacts go; None leaves it to the server."""
        if not self.artifacts:
            return None
        return f"{self.artifacts}/{project}" if "://" in self.artifacts else (Path(self.artifacts) / project).as_uri()


def store_of(settings: Settings) -> Store:
    """Where the settings say that MLflow keeps things; nothing is opened yet.

    Raises:
        LedgerError: a URL is none, or of a kind that is not supported; S3's driver is missing.
    """
    folder = settings.mlflow.resolve()
    text, fetched = settings.mlflow_url.get_secret_value(), folder / "fetched"
    artifacts = _artifacts(settings.artifacts_url)
    if text.startswith(("http:", "https:")):
        uri = server(_URL, text)
        return Store(uri, f"{_URL} ({uri})", None, artifacts, fetched)
    url = database(_URL, text or f"sqlite:///{folder / 'mlflow.db'}", _FORMS)
    if url.drivername == "sqlite":
        path = Path(str(url.database)).resolve()
        return Store(f"sqlite:///{path}", str(path), path, artifacts or str(path.parent / "artifacts"), fetched)
    uri = url.render_as_string(hide_password=False)
    return Store(uri, f"{_URL} ({shown(url)})", None, artifacts or str(folder / "artifacts"), fetched)


def _artifacts(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme in {"", "file"}:
        return str(Path(parts.path).resolve()) if text else ""
    if parts.scheme != "s3" or not parts.netloc or "@" in parts.netloc:
        found = "it names no bucket" if parts.scheme == "s3" else f"{parts.scheme} is not supported"
        raise refusal(_ARTIFACTS, found, _ARTIFACT_FORMS)
    if find_spec("boto3") is None:
        raise refusal(_ARTIFACTS, "it needs the package boto3", "install landed[s3]")
    return text.rstrip("/")


@contextmanager
def opened(store: Store, make: Callable[[str], object]) -> Iterator[None]:
    """Hold a store that was seen to answer while MLflow's client is made for it.

    Two processes that make MLflow's tables at once would both fail, and one that is killed meanwhile would leave half
    of them: on PostgreSQL the block runs under a lock, and a SQLite file is made beside its place and put there whole.

    Args:
        store: where it is.
        make: makes MLflow's tables in the database of a URI.

    Raises:
        LedgerError: it cannot be created, reached or written; told at once where waiting does not help.
    """
    if store.database is not None:
        _probe(store.database, make)
        yield
    elif store.remote:
        yield
    else:
        with reached(_URL, database(_URL, store.uri)) as connection:
            connection.exec_driver_sql("SET lock_timeout = '120s'")
            connection.exec_driver_sql(f"SELECT pg_advisory_lock({_FIRST_USE})")
            yield


def _probe(path: Path, make: Callable[[str], object]) -> None:
    """Make a file that is not there; fail at once on one that cannot be written, which MLflow would retry for long."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            with _alone(path.with_name(f".{path.name}.lock")):
                if not path.exists():
                    _make(path, make)
        with closing(sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("SELECT count(*) FROM sqlite_master")
            connection.execute("ROLLBACK")
    except (OSError, sqlite3.Error) as exc:
        remedy = "let the other process finish, check the rights of the directory, or point to another one"
        raise LedgerError("The tracking store cannot be opened", [Finding(str(path), str(exc), remedy)]) from exc


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """One process of this machine at a time; whoever dies lets go."""
    with lock.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _make(path: Path, make: Callable[[str], object]) -> None:
    draft, whole = path.with_name(f".{path.name}.draft"), path.with_name(f".{path.name}.whole")
    for left in (draft, whole):
        left.unlink(missing_ok=True)
    make(f"sqlite:///{draft}")
    # A copy, because MLflow keeps the draft open for as long as the process lives.
    with closing(sqlite3.connect(draft)) as source, closing(sqlite3.connect(whole)) as target:
        source.backup(target)
    whole.replace(path)
    draft.unlink()
