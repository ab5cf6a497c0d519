"""How a ledger's URL becomes a connection: SQLite in a file, or PostgreSQL."""

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, NullPool, QueuePool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from pipeline.errors import Finding, LedgerError
from pipeline.ledger.trouble import explain

#: PostgreSQL's advisory lock that every writing transaction takes first; any constant serves.
_WRITER_LOCK = 0x1A4DED

#: Connections to a SQLite file that a server keeps open: as many as it has threads to answer with.
_KEPT_OPEN = 40

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


def connect(url: URL, patience: float, *, kept_open: bool = False) -> Engine:
    """An engine for the URL; nothing is opened yet.

    Args:
        url: from :func:`parse`.
        patience: seconds to wait for another writer.
        kept_open: whether connections to a SQLite file stay open between uses; those to a server always do.

    Raises:
        LedgerError: the driver for PostgreSQL is not installed.
    """
    if url.drivername == "sqlite":
        return _sqlite(Path(str(url.database)).absolute(), patience, kept_open=kept_open)
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


def _sqlite(path: Path, patience: float, *, kept_open: bool) -> Engine:
    def open_file() -> sqlite3.Connection:
        address = f"file:{quote(str(path))}"
        if _must_not_be_touched(path):
            address += "?immutable=1"
        connection = sqlite3.connect(
            address, uri=True, timeout=patience, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        # Damaged bytes must be seen by the verification, not raise inside the driver.
        connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
        try:
            connection.execute("PRAGMA synchronous=FULL")  # a decision survives a power cut; reads the schema too
            connection.execute("PRAGMA foreign_keys=ON")
        except UnicodeDecodeError as exc:  # the driver cannot even tell what it found in the place of a name
            connection.close()
            raise sqlite3.DatabaseError("malformed database schema: a name in it is not text") from exc
        except sqlite3.Error:
            connection.close()  # not left to the garbage collector, which would hold the file for a while
            raise
        return connection

    # A connection per use is cheap for a command, and nothing is shared across threads or forks. To a server that asks
    # many times a second, opening the file and reading its schema costs ten times what a query does.
    if kept_open:
        engine = create_engine("sqlite://", creator=open_file, poolclass=QueuePool, pool_size=_KEPT_OPEN)
        _open_anew_when_replaced(engine, path)
    else:
        engine = create_engine("sqlite://", creator=open_file, poolclass=NullPool)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("landed_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _open_anew_when_replaced(engine: Engine, path: Path) -> None:
    """Never go on with a file that is no longer the one at the path, as after a restored backup, nor after a fork."""

    def identity() -> tuple[int, int, int] | None:
        try:
            found = path.stat()
        except FileNotFoundError:
            return None
        return os.getpid(), found.st_dev, found.st_ino

    @event.listens_for(engine, "connect")
    def opened(_: object, record: ConnectionPoolEntry) -> None:
        record.info["file"] = identity()

    @event.listens_for(engine, "checkout")
    def used(_: object, record: ConnectionPoolEntry, __: object) -> None:
        if record.info["file"] != identity():
            raise DisconnectionError("another file lies at the ledger's path")


def _must_not_be_touched(path: Path) -> bool:
    """Whether the file lies on a read-only medium with nothing left in its write-ahead log.

    SQLite cannot open a WAL database there, since it wants to make its -shm file, unless told that nobody writes.
    """
    if not path.exists() or os.access(path.parent, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        return False
    log = path.with_name(f"{path.name}-wal")
    return not (log.exists() and log.stat().st_size)
