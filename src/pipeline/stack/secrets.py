"""Secrets of the local stack: made on the first start, kept in files that only their owner may read.

They reach the parts by environment or file, never on a command line (every user of a machine sees those) and never in
a log. There is no default password anywhere: who has not read one of these files cannot sign in.
"""

import os
import secrets as randomness
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import Finding, LandedError

#: The name people sign in with on both pages.
USER = "landed"
#: The files, in the order of the fields below.
_FILES = ("prefect", "mlflow-password", "mlflow-key", "review-key")
_HEADLINE = "The stack's secrets cannot be used"


@dataclass(frozen=True)
class Secrets:
    """What the parts of one data folder need to know.

    Attributes:
        folder: where the files lie, mode 700.
        prefect: ``user:password`` of Prefect's API and page.
        mlflow_password: password of MLflow's user ``landed``.
        mlflow_key: key of MLflow's form protection.
        site_key: key of the review site's sessions.
    """

    folder: Path
    prefect: str = field(repr=False)
    mlflow_password: str = field(repr=False)
    mlflow_key: str = field(repr=False)
    site_key: str = field(repr=False)

    @property
    def prefect_file(self) -> Path:
        """File with ``user:password``, as Prefect's page asks for it."""
        return self.folder / "prefect"

    @property
    def mlflow_file(self) -> Path:
        """File with the password of MLflow's user ``landed``."""
        return self.folder / "mlflow-password"

    @property
    def site_file(self) -> Path:
        """File with the key of the review site's sessions."""
        return self.folder / "review-key"

    @property
    def mlflow_config(self) -> Path:
        """MLflow's own file of settings for signing in."""
        return self.folder / "mlflow.ini"


def read(folder: Path) -> Secrets | None:
    """The secrets of a folder, or None before the first start.

    Raises:
        LandedError: a file can be read by others, is empty or cannot be read.
    """
    if not all((folder / name).exists() for name in _FILES):
        return None
    _require_private(folder, 0o700)
    return Secrets(folder, *(_content(folder / name) for name in _FILES))


def read_or_make(folder: Path) -> Secrets:
    """The secrets of a folder; what is missing is made.

    Raises:
        LandedError: a file can be read by others, is empty or cannot be read or written; or MLflow's users are there
            without the password of their administrator.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise _unusable(folder, f"cannot be made: {exc.strerror}", "give write access to the data folder") from exc
    _require_private(folder, 0o700)
    users = folder / "mlflow-users.db"
    if users.exists() and users.stat().st_size and not (folder / "mlflow-password").exists():
        raise _unusable(
            folder / "mlflow-password",
            "is missing, and MLflow keeps only a hash of it",
            f"put it back, or delete {users} to have MLflow's users made anew",
        )
    found = Secrets(
        folder,
        prefect=_kept(folder / "prefect", lambda: f"{USER}:{randomness.token_urlsafe(24)}"),
        mlflow_password=_kept(folder / "mlflow-password", lambda: randomness.token_urlsafe(24)),
        mlflow_key=_kept(folder / "mlflow-key", lambda: randomness.token_urlsafe(32)),
        site_key=_kept(folder / "review-key", lambda: randomness.token_urlsafe(32)),
    )
    if not users.exists():
        _write(users, "")  # SQLite takes an empty file as a new database and keeps its mode
    _require_private(users, 0o600)
    _write(found.mlflow_config, _mlflow_config(found, users))
    return found


def _mlflow_config(secrets: Secrets, users: Path) -> str:
    # Written anew at each start, since the data folder may have moved. MLflow's reader takes % for its own.
    lines = {
        "default_permission": "READ",
        "database_uri": f"sqlite:///{users.resolve()}",
        "admin_username": USER,
        "admin_password": secrets.mlflow_password,
        "authorization_function": "mlflow.server.auth:authenticate_request_basic_auth",
    }
    return "[mlflow]\n" + "".join(f"{name} = {value.replace('%', '%%')}\n" for name, value in lines.items())


def _kept(path: Path, make: Callable[[], str]) -> str:
    if not path.exists():
        _write(path, make() + "\n")
    return _content(path)


def _content(path: Path) -> str:
    _require_private(path, 0o600)
    try:
        content = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise _unusable(path, f"cannot be read: {exc}", "put it back from a backup, or delete it and start") from exc
    if not content:
        raise _unusable(path, "is empty", "put it back from a backup, or delete it and start again")
    return content


def _write(path: Path, content: str) -> None:
    """Write so that there is never half a file, nor one that others may read."""
    half = path.with_name(f".{path.name}.new")
    try:
        half.unlink(missing_ok=True)
        with os.fdopen(os.open(half, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
            file.write(content)
        half.replace(path)
    except OSError as exc:
        raise _unusable(path, f"cannot be written: {exc.strerror}", "give write access to the data folder") from exc


def _require_private(path: Path, mode: int) -> None:
    found = path.stat().st_mode & 0o777
    if found & ~mode:
        raise _unusable(path, f"others may use it: its mode is {found:o}", f"chmod {mode:o} {path}")


def _unusable(path: Path, found: str, remedy: str) -> LandedError:
    return LandedError(_HEADLINE, [Finding(str(path), found, remedy)])
