"""What went wrong with the store, in words: no traceback of SQLAlchemy or a driver reaches a user."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from pipeline.errors import Finding, LedgerError


@dataclass(frozen=True)
class _Trouble:
    """One kind of trouble: how SQLite words it, PostgreSQL's SQLSTATEs for it (appendix A), and what to say."""

    words: tuple[str, ...]
    states: tuple[str, ...]
    headline: str
    remedy: str


_KNOWN = (
    _Trouble(
        ("locked", "busy"),
        ("55P03", "40P01"),
        "The ledger is locked by another process",
        "another command is writing; wait for it to end and try again, or end it if it hangs",
    ),
    _Trouble(
        ("password authentication failed", "no password supplied", "no pg_hba.conf entry"),
        ("28P01", "28000"),
        "The ledger's server refuses this user",
        "correct user and password in LANDED_LEDGER_URL, or in the file that LANDED_LEDGER_URL_FILE names",
    ),
    _Trouble(
        ('" does not exist',),
        ("3D000",),
        "The ledger's database is not there",
        "create the database and its role first, as docs/deploy.md shows, or correct its name in LANDED_LEDGER_URL",
    ),
    _Trouble(
        ("readonly", "read-only"),
        ("25006", "42501"),
        "The ledger is read-only",
        "give this user the right to write it (file and folder, or the database role), or point to another ledger",
    ),
    _Trouble(
        ("append-only",),
        ("P0001",),
        "The ledger's events are append-only",
        "nothing may change or delete an event; write a new one that corrects it",
    ),
    _Trouble(
        ("not a database", "malformed", "unsupported file format"),
        ("XX001", "XX002"),
        "The ledger's store is damaged or is not a ledger",
        "put the file aside, restore it from a backup, then run `landed audit verify`",
    ),
    _Trouble(("disk is full", "disk i/o"), ("53100",), "The ledger's disk fails", "free some space and try again"),
    _Trouble(
        ("no such table", "no such column", "has no column"),
        ("42P01", "42703"),
        "The ledger's tables are not the ones this version knows",
        "point to a ledger that this version of Landed wrote, or restore it from a backup",
    ),
)
_CONFLICT = "try again; if it comes back, run `landed audit verify`"
_UNREACHABLE = "check that the path or server exists, runs, and lets this user in; then try again"


def explain(error: Exception, where: str) -> LedgerError:
    """The ledger's own error for one of the store's.

    Args:
        error: what SQLAlchemy, a driver or the operating system raised.
        where: the store's address, without password.
    """
    cause = error.orig if isinstance(error, DBAPIError) else error
    words = " ".join(str(cause).split()) or type(cause).__name__
    state = getattr(cause, "sqlstate", None)
    for known in _KNOWN:
        if (state in known.states) if state else any(word in words.lower() for word in known.words):
            return LedgerError(known.headline, [Finding(where, words, known.remedy)])
    if isinstance(error, IntegrityError):
        return LedgerError("The ledger refused a second entry under the same key", [Finding(where, words, _CONFLICT)])
    return LedgerError("The ledger cannot be reached", [Finding(where, words, _UNREACHABLE)])


@contextmanager
def explained(where: str) -> Iterator[None]:
    """Turn the store's errors of a block into :class:`LedgerError`; every other error passes unchanged.

    SQLite's own come where the ledger asks the driver itself, as it does to make a new file.
    """
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as exc:
        raise explain(exc, where) from exc
