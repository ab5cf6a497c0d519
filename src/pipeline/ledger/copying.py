"""A ledger's whole content of one moment, as a SQLite file, and back into an empty ledger of either store."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, select

from pipeline.errors import Finding, LedgerError
from pipeline.ledger import tables
from pipeline.ledger.engines import make_file
from pipeline.ledger.store import PAGE, Ledger

#: Whether a row of a table, by its columns' names, is to be taken.
Wanted = Callable[[Table, Mapping[str, Any]], bool]


def snapshot(ledger: Ledger, path: Path) -> None:
    """Write the ledger, as it is at one moment, into a new SQLite file; others may go on writing.

    A SQLite ledger is copied page by page with SQLite's online backup, whatever was done to it; of one on PostgreSQL
    the rows are copied in one transaction.

    Raises:
        LedgerError: the ledger cannot be read, or the file not be written.
    """
    if ledger.path is not None:
        ledger.head()
        copy_file(ledger.path, path)
    else:
        with Ledger(f"sqlite:///{path}") as target:
            fill(ledger, target)


def copy_file(source: Path, target: Path) -> None:
    """SQLite's online backup of a database that may be in use.

    Raises:
        LedgerError: it cannot be read or written.
    """
    make_file(target)
    try:
        with closing(sqlite3.connect(source, timeout=30.0)) as old, closing(sqlite3.connect(target)) as new:
            old.backup(new)
            # One file, without a log beside it that could be left behind.
            new.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as exc:
        finding = Finding(str(source), f"it cannot be copied to {target}: {exc}", "check both, make room, try again")
        raise LedgerError("A database cannot be copied", [finding]) from exc


def fill(source: Ledger, target: Ledger, wanted: Wanted | None = None) -> None:
    """Copy a ledger's rows of one moment into an empty ledger.

    Args:
        source: where they are read, in one transaction.
        target: a ledger without an event.
        wanted: whether to take a row of a table; all of them if None.

    Raises:
        LedgerError: the target is not empty, or one of them cannot be used.
    """
    if target.head().seq:
        finding = Finding(target.where, f"it holds {target.head().seq} events", "name an empty one")
        raise LedgerError("A ledger is only put back into an empty one", [finding])
    with source.snapshot() as connection, target.transaction() as tx:
        for table in tables.metadata.sorted_tables:
            if table is tables.about:
                continue
            for page in _pages(connection, table):
                rows = [row for row in page if wanted is None or wanted(table, row)]
                if rows:
                    tx.execute(table.insert().values(rows))


def _pages(connection: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    """The rows of a table by its primary key, as many at a time as one statement takes."""
    size = max(1, min(PAGE, 20_000 // len(table.columns)))
    result = connection.execution_options(yield_per=size).execute(select(table).order_by(*table.primary_key.columns))
    for page in result.mappings().partitions(size):
        yield [dict(row) for row in page]


@contextmanager
def held_still(ledger: Ledger) -> Iterator[None]:
    """Let nobody write the ledger for a block; whoever wants to waits."""
    with ledger.transaction():
        yield
