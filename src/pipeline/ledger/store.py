"""The ledger's store: opens it, serialises its writers, appends and reads events."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from sqlalchemy import Connection, Executable, Select, inspect, select

from pipeline.errors import ChainBroken, Finding, LedgerError, Refused
from pipeline.ledger import tables
from pipeline.ledger.chain import GENESIS, canonical, event_hash
from pipeline.ledger.engines import begin_writing, connect, make_file, parse
from pipeline.ledger.notary import ANCHORED, Notary
from pipeline.ledger.trouble import explained
from pipeline.settings import Settings

#: Rows read at once.
PAGE = 2000
_LAST = select(tables.events.c.seq, tables.events.c.hash).order_by(tables.events.c.seq.desc()).limit(1)


def utc_now() -> datetime:
    """The present moment in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Head:
    """The last event of a chain: how many there are, and the hash that stands for all of them."""

    seq: int
    hash: str


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    Attributes:
        seq: position in the ledger, from 1 without gaps.
        at: UTC time, ISO 8601.
        actor, role: who did it, and in which role (empty for programs).
        kind: what happened, such as ``review.signed``.
        project: the project, empty for what belongs to none.
        subject: what it happened to, such as a review's id.
        body: everything else.
        previous, hash: the chain.
    """

    seq: int
    at: str
    actor: str
    role: str
    kind: str
    project: str
    subject: str
    body: Mapping[str, Any]
    previous: str
    hash: str


class Reader(Protocol):
    """Whatever can answer a query: the ledger itself, or a transaction on it, which sees its own writes."""

    def rows(self, query: Select[Any], values: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """All rows of a query, with the values of its bound parameters."""

    def now(self) -> datetime:
        """The present moment by the ledger's clock."""


class Reading:
    """Several queries over one connection; handed out by :meth:`Ledger.reading`."""

    def __init__(self, connection: Connection, now: Callable[[], datetime]) -> None:
        self._connection = connection
        self._now = now

    def now(self) -> datetime:
        """The present moment by the ledger's clock."""
        return self._now()

    def rows(self, query: Select[Any], values: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """All rows of a query, with the values of its bound parameters."""
        return [dict(row) for row in self._connection.execute(query, values).mappings()]


class Transaction(Reading):
    """The only writer of the ledger while it lasts; handed out by :meth:`Ledger.transaction`."""

    def __init__(self, connection: Connection, now: Callable[[], datetime], notary: Notary) -> None:
        super().__init__(connection, now)
        self._notary = notary
        self._head: Head | None = None
        self.to_note: Head | None = None
        self.refusals: list[dict[str, Any]] = []

    def execute(self, statement: Executable) -> int:
        """Carry out an insert or update; returns the number of rows it touched."""
        return self._connection.execute(statement).rowcount

    def append(self, kind: str, project: str, subject: str, actor: str, role: str, body: Mapping[str, Any]) -> Event:
        """Add an event to the chain.

        Raises:
            LedgerError: the body is not JSON, or the event is to be signed and the ledger's key is not here.
        """
        head = self._head or last_event(self)
        fields: dict[str, Any] = {
            "seq": head.seq + 1,
            "at": self._now().astimezone(UTC).isoformat(timespec="microseconds"),
            "actor": actor,
            "role": role,
            "kind": kind,
            "project": project,
            "subject": subject,
            "body": canonical(body),
        }
        row = {**fields, "previous": head.hash, "hash": event_hash(head.hash, fields)}
        self._connection.execute(tables.events.insert(), row)
        signature = self._notary.signature(self, row)
        if signature is not None:
            self._connection.execute(tables.signatures.insert(), signature)
        self._head = Head(head.seq + 1, row["hash"])
        if kind in ANCHORED or self.to_note is not None:
            self.to_note = self._head
        return to_event(row)

    def note_refusal(
        self, kind: str, project: str, subject: str, actor: str, role: str, body: Mapping[str, Any]
    ) -> None:
        """Have an event recorded if this transaction ends with :class:`Refused`.

        The transaction's own writes are rolled back then; the attempt is recorded all the same.
        """
        self.refusals.append(
            {"kind": kind, "project": project, "subject": subject, "actor": actor, "role": role, "body": body}
        )


class Ledger:
    """A ledger at a URL. Opens nothing until it is used; may be shared by threads.

    Args:
        url: ``sqlite:///path`` or ``postgresql://…``.
        now: the clock, in UTC.
        patience: seconds to wait for another writer before giving up.
        kept_open: whether a SQLite file stays open between uses, for a server that asks many times a second.
    """

    def __init__(
        self, url: str, *, now: Callable[[], datetime] = utc_now, patience: float = 30.0, kept_open: bool = False
    ) -> None:
        parsed = parse(url)
        self.path = Path(str(parsed.database)).absolute() if parsed.drivername == "sqlite" else None
        self.where = str(self.path) if self.path else parsed.render_as_string(hide_password=True)
        self._now = now
        #: Signs and notes heads down beside the ledger's file, or in the data folder.
        self.notary = Notary(self.path.parent if self.path else Settings().data)
        self._patience = patience
        self._engine = connect(parsed, patience, kept_open=kept_open)
        self._ready = False
        self._preparing = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def now(self) -> datetime:
        """The present moment by the ledger's clock."""
        return self._now()

    def close(self) -> None:
        """Let go of pooled connections; the ledger opens new ones if it is used again."""
        self._engine.dispose()

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """All or nothing, one writer at a time; commits at the end of the block.

        If the block raises, nothing of it is kept; if it raises :class:`Refused`, the refusals it noted are
        recorded in a transaction of their own before the error goes on.

        Raises:
            LedgerError: locked for longer than the ledger's patience, read-only, damaged or out of reach.
        """
        self._prepare()
        transaction: Transaction | None = None
        try:
            with explained(self.where), self._writing() as connection:
                transaction = Transaction(connection, self._now, self.notary)
                yield transaction
        except Refused:
            self._record(transaction.refusals if transaction else [])
            raise
        if transaction.to_note is not None:
            self.notary.note(self, transaction.to_note, self._now())

    def rows(self, query: Select[Any], values: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """All rows of a query, read in a transaction of its own.

        Raises:
            LedgerError: damaged or out of reach.
        """
        with self.reading() as reader:
            return reader.rows(query, values)

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """Ask several things over one connection.

        Raises:
            LedgerError: damaged or out of reach.
        """
        self._prepare()
        with explained(self.where), self._engine.connect() as connection:
            yield Reading(connection, self._now)

    def events(self, project: str | None = None, kind: str | None = None, after: int = 0) -> Iterator[Event]:
        """Events in order, read page by page so that any number of them fits in memory.

        Raises:
            ChainBroken: an event cannot be read because it was damaged.
        """
        for row in self.raw_events(project, kind, after):
            yield to_event(row)

    def raw_events(
        self, project: str | None = None, kind: str | None = None, after: int = 0
    ) -> Iterator[dict[str, Any]]:
        """The rows of :meth:`events` as they are stored, whatever was done to them."""
        query = select(tables.events).order_by(tables.events.c.seq).limit(PAGE)
        if project is not None:
            query = query.where(tables.events.c.project == project)
        if kind is not None:
            query = query.where(tables.events.c.kind == kind)
        while page := self.rows(query.where(tables.events.c.seq > after)):
            yield from page
            after = page[-1]["seq"]

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A connection that sees the ledger as it is at one moment, whoever goes on writing."""
        self._prepare()
        level = {} if self.path else {"isolation_level": "REPEATABLE READ"}
        with explained(self.where), self._engine.connect().execution_options(**level) as connection, connection.begin():
            yield connection

    def unguarded(self) -> tuple[str, ...]:
        """The triggers that refuse to change events and are missing or switched off."""
        self._prepare()
        with explained(self.where), self._engine.connect() as connection:
            return tables.unguarded(connection)

    def head(self) -> Head:
        """The last event; seq 0 and the genesis hash when there is none."""
        return last_event(self)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._engine.connect().execution_options(landed_writes=True) as connection, connection.begin():
            begin_writing(connection, self._patience)
            yield connection

    def _record(self, refusals: list[dict[str, Any]]) -> None:
        if refusals:
            with explained(self.where), self._writing() as connection:
                transaction = Transaction(connection, self._now, self.notary)
                for refusal in refusals:
                    transaction.append(**refusal)

    def _prepare(self) -> None:
        """Create the schema where there is none; refuse one that is not ours."""
        if self._ready:
            return
        with self._preparing:
            if self._ready:
                return
            if self.path:
                make_file(self.path)
            with explained(self.where):
                if not self._has_schema():
                    self._create()
                if self._schema() in tables.EARLIER:
                    self._migrate()
                self._check_version()
            self._ready = True

    def _has_schema(self) -> bool:
        with self._engine.connect() as connection:
            return inspect(connection).has_table(tables.about.name)

    def _create(self) -> None:
        if self.path:
            self._switch_to_wal()
        with self._writing() as connection:
            tables.create(connection)

    def _switch_to_wal(self) -> None:
        """Let readers and the writer work side by side.

        SQLite answers "locked" at once, whatever its timeout, when two processes switch together: try again.
        """
        deadline = time.monotonic() + self._patience
        while True:
            raw = self._engine.raw_connection()
            try:
                if raw.cursor().execute("PRAGMA journal_mode=WAL").fetchone():
                    return
            except self._engine.dialect.dbapi.OperationalError as exc:  # type: ignore[union-attr]
                if "locked" not in str(exc) or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            finally:
                raw.close()

    def _schema(self) -> str:
        with self._engine.connect() as connection:
            return tables.schema_of(connection)

    def _migrate(self) -> None:
        from pipeline.ledger.migrations import migrate  # Alembic takes a while to import, and is rarely needed

        with self._writing() as connection:
            migrate(connection)

    def _check_version(self) -> None:
        schema = self._schema()
        if schema != tables.SCHEMA:
            found = f"its schema is {schema or 'unknown'}, this version reads {tables.SCHEMA}"
            remedy = "use the version of Landed that wrote it, or point to another ledger"
            raise LedgerError("The ledger was written by another version", [Finding(self.where, found, remedy)])


def last_event(reader: Reader) -> Head:
    """The last event a reader sees; seq 0 and the genesis hash when there is none."""
    rows = reader.rows(_LAST)
    return Head(rows[0]["seq"], rows[0]["hash"]) if rows else Head(0, GENESIS)


def to_event(row: Mapping[str, Any]) -> Event:
    """An event from its stored columns.

    Raises:
        ChainBroken: the body is no JSON object any more.
    """
    try:
        body = json.loads(row["body"])
    except (TypeError, ValueError) as exc:
        finding = Finding(f"event {row['seq']}", "its body is not JSON", "run `landed audit verify`, restore a backup")
        raise ChainBroken("The ledger was changed after it was written", [finding]) from exc
    return Event(**{**row, "body": body})
