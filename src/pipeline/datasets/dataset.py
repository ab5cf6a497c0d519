"""What the loop hands on about data: the dataset, its quarantine, its facts and its assessment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import pandas as pd

from pipeline.verdicts import Verdict

Tables = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Quarantine:
    """Rows the contract refused.

    Attributes:
        rows: one row per refused row, columns ``table``, ``row`` (position in the table as loaded), ``reason``
            (all reasons of that row, joined by "; ") and ``content`` (the row as JSON text).
        loaded: rows per table before the contract.
        kept: rows per table after it; ``loaded == kept + refused`` for every table.
    """

    rows: pd.DataFrame
    loaded: dict[str, int]
    kept: dict[str, int]

    @property
    def refused(self) -> dict[str, int]:
        """Refused rows per table."""
        return {table: self.loaded[table] - self.kept[table] for table in self.loaded}


@dataclass(frozen=True)
class Dataset:
    """Clean tables of one moment, identified by their content.

    Attributes:
        tables: clean frames by name.
        digest: SHA-256 over names, columns, types and values of all tables; independent of file layout.
        cutoff: the last period the tables hold.
        quarantine: what the contract refused on the way in.
    """

    tables: Tables
    digest: str
    cutoff: date
    quarantine: Quarantine


@dataclass(frozen=True)
class DataFacts:
    """What a problem knows about its dataset, in the units the assessment judges.

    Attributes:
        periods: length of the history in periods.
        units: number of units (stores, teams).
        series: number of series (store-products).
        coverage: share of expected (series, period) cells that are present.
        censored: share of cells whose value is censored (a stock-out hides demand).
        ages_days: per table, days between its newest period's end and the newest period's end of all tables.
        duplicates: refused duplicate keys.
        leaks: names of features or columns found to hold later data; must be empty.
        drift: per column, population stability index against the previous iteration's dataset; empty for the first.
        notes: sentences worth telling a reviewer.
    """

    periods: int
    units: int
    series: int
    coverage: float
    censored: float
    ages_days: dict[str, int]
    duplicates: int
    leaks: tuple[str, ...] = ()
    drift: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Assessment:
    """Is this data good, and enough, for this charter."""

    facts: DataFacts
    verdicts: tuple[Verdict, ...]

    @property
    def sufficient(self) -> bool:
        """Whether no blocking verdict failed."""
        return not any(verdict.blocks for verdict in self.verdicts)
