"""Every error Landed raises on purpose, and the exit code the command line gives it.

::

    LandedError                  1
    ├── CharterError             2   the charter, or a patch to it, says something it may not
    ├── DataError                3   tables are missing, unreadable, empty or break their contract
    ├── Refused                  4   a person or run asked for what the rules do not allow
    │   └── Busy                 4   another process is at this work, or took it over
    ├── LedgerError              5   the record cannot be read or written
    │   └── ChainBroken          5   the record was changed after it was written
    └── ModelError               6   a model is missing, unreleased or does not fit the data

Anything else that escapes is a bug.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: where it stands, what was found there, what to do about it.

    ``place`` is what a person looks for, such as ``configs/x.yaml:12 kpi.target`` or
    ``sales.csv, column units``.
    """

    place: str
    found: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.place}: {self.found}\n    → {self.remedy}"


class LandedError(Exception):
    """Root of the tree: a headline, and the findings under it."""

    exit_code: ClassVar[int] = 1

    def __init__(self, headline: str, findings: Sequence[Finding] = ()) -> None:
        self.headline = headline
        self.findings = tuple(findings)
        super().__init__("\n".join([headline, *(f"  {finding}" for finding in self.findings)]))


class CharterError(LandedError):
    """The charter, or a patch to it, is refused; all findings of the file at once."""

    exit_code = 2


class DataError(LandedError):
    """Tables are missing, unreadable, empty or break their contract."""

    exit_code = 3


class Refused(LandedError):
    """A person or a run asked for what the rules do not allow; the ledger records the attempt."""

    exit_code = 4


class Busy(Refused):
    """Another process is at this work, or took it over because this one was silent for too long."""


class LedgerError(LandedError):
    """The record cannot be read or written."""

    exit_code = 5


class ChainBroken(LedgerError):
    """The record was changed after it was written."""


class ModelError(LandedError):
    """A model is missing, not released or does not fit the data."""

    exit_code = 6
