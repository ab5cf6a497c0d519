"""How a ledger's URL becomes a connection: SQLite in a file, or PostgreSQL."""

import os
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, NullPool, QueuePool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError

from pipeline.errors import Finding, LedgerError
from pipeline.ledger.trouble import explain

#: PostgreSQL's advisory lock that every writing transaction takes first; any constant serves.
_WRITER_LOCK = 0x1A4DED

#: Connections that a fork handed down. They belong to the parent: a child that closed them would touch its locks.
_INHERITED: list[object] = []

_FORMS = "write sqlite:///path/to/ledger.db or postgresql://user@host/database"


def parse(url: str) -> URL:
    """The URL of a ledger, with the driver filled in.

    Raises:
        LedgerError: not a URL, or not one of a store the ledger knows.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as exc:
        # The text is not repeated: a mistyped URL may hold a password.
        raise LedgerError("The ledger's URL is no URL", [Finding("ledger URL", "cannot be read", _FORMS)]) from exc
    if parsed.drivername in {"postgres", "postgresql"}:
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername not in {"sqlite", "postgresql+psycopg"}:
        found = f"{parsed.drivername} is not supported"
        raise LedgerError("The ledger's store is of an unknown kind", [Finding("ledger URL", found, _FORMS)])
    if parsed.drivername == "sqlite" and parsed.database in {None, "", ":memory:"}:
        found = "a ledger in memory would be forgotten at once"
        raise LedgerError("The ledger needs a file", [Finding("ledger URL", found, _FORMS)])
    return parsed


def connect(url: URL, patience: float, *, keep: int = 0) -> Engine:
    """An engine for the URL; nothing is opened yet.

    Args:
        url: from :func:`parse`.
        patience: seconds to wait for another writer.
        keep: connections to a file that stay open between uses. PostgreSQL's always stay.

    Raises:
        LedgerError: the driver for PostgreSQL is not installed.
    """
    if url.drivername == "sqlite":
        return _sqlite(Path(str(url.database)).absolute(), patience, keep)
    try:
        return create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": 10})
    except ModuleNotFoundError as exc:
        finding = Finding("ledger URL", f"needs the package {exc.name}", "install landed[postgres]")
        raise LedgerError("PostgreSQL's driver is not installed", [finding]) from exc


def begin_writing(connection: Connection, patience: float) -> None:
    """Make the transaction that just began the only writer; released with its end.

    SQLite has done so with BEGIN IMMEDIATE.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{round(patience * 1000)}ms'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITER_LOCK})")


def make_file(path: Path) -> None:
    """Make sure that a SQLite file exists, in WAL mode, readable by its owner only.

    Raises:
        LedgerError: the folder or file cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            # SQLite gives its -wal and -shm files the mode of the database.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as exc:
        raise explain(exc, str(path)) from exc


def _sqlite(path: Path, patience: float, keep: int) -> Engine:
    def open_file() -> sqlite3.Connection:
        address = f"file:{quote(str(path))}"
        if _must_not_be_touched(path):
            address += "?immutable=1"
        connection = sqlite3.connect(
            address, uri=True, timeout=patience, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        # Damaged bytes must be seen by the verification, not raise inside the driver.
        connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
        connection.execute("PRAGMA synchronous=FULL")  # a decision survives a power cut
        connection.execute("PRAGMA foreign_keys=ON")
        return connection

    if keep and not _must_not_be_touched(path):
        # No upper limit: whoever asks gets a connection at once, and those above `keep` are closed after use.
        engine = create_engine(
            "sqlite://", creator=open_file, poolclass=QueuePool, pool_size=keep, max_overflow=-1, pool_use_lifo=True
        )
        _stay_true(engine, path)
    else:
        # A connection per use: nothing stays behind, and the last one to close tidies the write-ahead log away.
        engine = create_engine("sqlite://", creator=open_file, poolclass=NullPool)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("landed_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _stay_true(engine: Engine, path: Path) -> None:
    """Open a kept connection anew where it would not read what lies at the path now, or belongs to another process."""

    @event.listens_for(engine, "connect")
    def opened(_: Any, record: Any) -> None:
        record.info["process"], record.info["file"] = os.getpid(), _identity(path)

    @event.listens_for(engine, "checkout")
    def taken(connection: Any, record: Any, borrowed: Any) -> None:
        if record.info["process"] != os.getpid():
            # https://www.sqlite.org/howtocorrupt.html, 2.6: neither used nor closed in the child.
            _INHERITED.append(connection)
            record.dbapi_connection = borrowed.dbapi_connection = None
            raise DisconnectionError("the connection was opened before a fork")
        if record.info["file"] != _identity(path):
            raise DisconnectionError("another file was put in the ledger's place")


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file lies at a path; None for none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _must_not_be_touched(path: Path) -> bool:
    """Whether the file lies on a read-only medium with nothing left in its write-ahead log.

    SQLite cannot open a WAL database there, since it wants to make its -shm file, unless told that nobody writes.
    """
    if not path.exists() or os.access(path.parent, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        return False
    log = path.with_name(f"{path.name}-wal")
    return not (log.exists() and log.stat().st_size)
