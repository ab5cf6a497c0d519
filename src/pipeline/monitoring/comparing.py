"""What a delivery would change: rows new, changed, removed and refused, table by table, and the periods they cover."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.datasets.contracts import Schemas
from pipeline.datasets.dataset import Quarantine, Tables

#: Reasons of refused rows that are told per table.
_TOLD = 3


@dataclass(frozen=True)
class TableChange:
    """What becomes of one table.

    Attributes:
        table: its name.
        new, changed, removed: rows by the table's key; a changed row has the same key and another value.
        lost: removed rows of periods that were over already, which is history.
        refused: rows the contract refused.
        reasons: the commonest reasons of refused rows, with their number.
        first, last: the periods that new and changed rows cover; None where the table has no dates or nothing changed.
    """

    table: str
    new: int
    changed: int
    removed: int
    lost: int
    refused: int
    reasons: tuple[tuple[str, int], ...]
    first: date | None
    last: date | None


def compare(
    now: Tables, before: Tables, schemas: Schemas, quarantine: Quarantine, until: date | None
) -> tuple[TableChange, ...]:
    """Every table of a delivery beside what is in place.

    Args:
        now: clean tables with the delivery in them.
        before: clean tables in place; empty for a first delivery.
        schemas: contracts, whose unique columns make a row the same row.
        quarantine: what the contract refused of ``now``.
        until: the last period in place, up to which rows are history; None for a first delivery.
    """
    return tuple(
        _change(name, frame, before.get(name), list(schemas[name].unique or []), quarantine, until)
        for name, frame in now.items()
    )


def worst_share(quarantine: Quarantine) -> tuple[float, str]:
    """The largest share of a table's rows that was refused, and that table."""
    shares = {table: quarantine.refused[table] / max(rows, 1) for table, rows in quarantine.loaded.items()}
    worst = max(shares, key=lambda table: shares[table], default="")
    return shares.get(worst, 0.0), worst


def commonest(quarantine: Quarantine, table: str) -> tuple[tuple[str, int], ...]:
    """The commonest reasons of a table's refused rows, their values left out."""
    rows = quarantine.rows
    counts = Counter(_plain(reason) for reason in rows.loc[rows["table"] == table, "reason"])
    return tuple(counts.most_common(_TOLD))


def _plain(reason: str) -> str:
    """The first reason of a row as it reads for every row it hits."""
    first = reason.split("; ")[0]
    if first.startswith("same key as row"):
        return "a key that occurs twice"
    return re.sub(r"^(\w+): .* (breaks|is not) ", r"\1: \2 ", first)


def _change(
    name: str,
    now: pd.DataFrame,
    before: pd.DataFrame | None,
    key: list[str],
    quarantine: Quarantine,
    until: date | None,
) -> TableChange:
    dates = next((column for column in key if pd.api.types.is_datetime64_any_dtype(now[column])), None)
    new, changed, removed = _rows(now, before if before is not None else now.head(0), key)
    touched = now.loc[new | changed, dates] if dates else pd.Series(dtype="datetime64[us]")
    gone = before.loc[removed, dates] if dates and before is not None else pd.Series(dtype="datetime64[us]")
    return TableChange(
        table=name,
        new=int(new.sum()),
        changed=int(changed.sum()),
        removed=int(removed.sum()),
        lost=int((gone <= pd.Timestamp(until)).sum()) if until is not None else 0,
        refused=quarantine.refused[name],
        reasons=commonest(quarantine, name),
        first=touched.min().date() if len(touched) else None,
        last=touched.max().date() if len(touched) else None,
    )


def _rows(
    now: pd.DataFrame, before: pd.DataFrame, key: list[str]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Masks: of ``now`` the new and the changed rows, of ``before`` the removed ones."""
    key = key or [str(column) for column in now.columns]
    if not set(key) <= set(map(str, before.columns)):
        before = before.head(0).reindex(columns=now.columns)
    there, here = _codes(now, before, key)
    order = np.argsort(here, kind="stable")
    if len(here):
        place = np.minimum(np.searchsorted(here[order], there), len(here) - 1)
        same = here[order][place] == there
        partner = order[place]
    else:
        same, partner = np.zeros(len(there), np.bool_), np.zeros(len(there), np.int64)
    changed = np.zeros(len(there), np.bool_)
    at = np.flatnonzero(same)
    for column in now.columns:
        if column not in before.columns:
            changed[at] = True
        elif column not in key:
            changed[at] |= _unlike(now[column].iloc[at], before[column].iloc[partner[at]])
    removed = ~np.isin(here, there)
    return ~same, changed, removed


def _codes(now: pd.DataFrame, before: pd.DataFrame, key: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """One integer per distinct key, for the rows of both."""
    code = np.zeros(len(now) + len(before), np.int64)
    for column in key:
        both = pd.concat([now[column].astype("str"), before[column].astype("str")], ignore_index=True)
        codes, distinct = pd.factorize(both)
        # Squeezed after every column, so that products of many distinct values cannot overflow.
        code = pd.factorize(code * (len(distinct) + 1) + codes)[0].astype(np.int64)
    return code[: len(now)], code[len(now) :]


def _unlike(ours: "pd.Series[Any]", theirs: "pd.Series[Any]") -> NDArray[np.bool_]:
    ours, theirs = ours.reset_index(drop=True), theirs.reset_index(drop=True)
    if ours.dtype != theirs.dtype:
        ours, theirs = ours.astype("str"), theirs.astype("str")
    missing = ours.isna() & theirs.isna()
    differs: NDArray[np.bool_] = ((ours != theirs) & ~missing).to_numpy(dtype=np.bool_)
    return differs


def totals(changes: tuple[TableChange, ...]) -> Mapping[str, Mapping[str, int]]:
    """The figures by table, for the ledger."""
    names = ("new", "changed", "removed", "refused")
    return {change.table: {name: getattr(change, name) for name in names} for change in changes}
