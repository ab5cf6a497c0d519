"""Contracts: which rows may come in, and the quarantine of those that may not, each with all its reasons.

A contract is a :class:`pandera.pandas.DataFrameSchema` per table: the type of each column, its checks, and the
columns that make a row unique. Rows are judged in this order:

1. each cell is brought to its column's type; what cannot be is refused (``units: 'three' is not a whole number``);
2. each column's checks run on the cells that passed, lazily, so that every failure is found. A check judges a cell by
   its value alone, so it runs on the distinct values first; only if it fails there, on every cell;
3. among rows that passed both, the first of each unique key is kept and later copies are refused.

Pandera's own ``drop_invalid_rows`` loses count of rows (unionai-oss/pandera#1830, #1852) and its coercion walks
through Python row by row as soon as one cell fails. So coercion works here on the distinct values of a column, and the
quarantine is built from the ``failure_cases`` of a lazy validation.

What no single row can be blamed for (a column that is missing, or wrong in every row) is a :class:`DataError`.
"""

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandera.errors import SchemaErrors
from pandera.pandas import Column, DataFrameSchema

from pipeline.datasets.coercion import SLICE, Coerced, coerce
from pipeline.datasets.dataset import Quarantine, Tables
from pipeline.errors import DataError, Finding

Schemas = Mapping[str, DataFrameSchema]


def apply_contracts(tables: Tables, schemas: Schemas) -> tuple[dict[str, pd.DataFrame], Quarantine]:
    """Split every table into clean rows and refused ones.

    Args:
        tables: frames as loaded; not changed.
        schemas: a contract per table. Of a schema its columns (type, ``nullable``, ``required``, checks), ``unique``
            and ``strict="filter"`` count; anything else in it is an error in the program. Tables without a contract
            are left out.

    Returns:
        Clean tables, in their contract's types and in the order they came, and the quarantine.

    Raises:
        DataError: with a finding for every table or column that is missing, empty, of the wrong type in all rows, and
            every table in which no row is left.
    """
    findings = [finding for name, schema in schemas.items() for finding in _gaps(name, tables.get(name), schema)]
    if findings:
        raise DataError("the data does not have the tables and columns it must have", findings)
    sheets = {name: _judge(name, tables[name], schema) for name, schema in schemas.items()}
    findings = [finding for sheet in sheets.values() for finding in sheet.hopeless()]
    if findings:
        raise DataError("the data breaks its contract as a whole, not in single rows", findings)
    refused = [sheet.quarantine(tables[name]) for name, sheet in sheets.items()]
    return (
        {name: sheet.clean for name, sheet in sheets.items()},
        Quarantine(
            rows=pd.concat(refused, ignore_index=True),
            loaded={name: len(tables[name]) for name in sheets},
            kept={name: len(sheet.clean) for name, sheet in sheets.items()},
        ),
    )


def duplicates_in(quarantine: Quarantine) -> int:
    """How many rows were refused for nothing but an earlier row of the same key."""
    return int(quarantine.rows["reason"].str.startswith(_DUPLICATE).sum())


_DUPLICATE = "same key as row "


def _gaps(name: str, table: pd.DataFrame | None, schema: DataFrameSchema) -> list[Finding]:
    """What is missing altogether."""
    if table is None:
        return [
            Finding(f"table {name}", "missing", "add the table to the source, or take it out of charter data.tables")
        ]
    if table.empty:
        return [Finding(f"table {name}", "empty: it has no rows", "export it again and check the export's filter")]
    there = ", ".join(map(str, table.columns))
    return [
        Finding(
            f"table {name}, column {column}",
            f"missing; the table has {there}",
            f"add the column (type {rule.dtype}) or rename the one that holds it",
        )
        for column, rule in schema.columns.items()
        if rule.required and column not in table.columns
    ]


@dataclass
class _Sheet:
    """A table while it is judged: coerced cells, and the reasons against rows by position."""

    name: str
    size: int
    cells: dict[str, pd.Series] = field(default_factory=dict)
    passed: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    codes: dict[str, NDArray[np.integer]] = field(default_factory=dict)  # of columns whose distinct values are known
    reasons: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    spoilt: dict[str, tuple[str, str, str]] = field(default_factory=dict)  # column: found type, asked type, example
    clean: pd.DataFrame = field(default_factory=pd.DataFrame)

    def blame(self, rows: NDArray[np.int64], reasons: list[str]) -> None:
        for row, reason in zip(rows.tolist(), reasons, strict=True):
            self.reasons[row].append(reason)

    def good(self) -> NDArray[np.bool_]:
        mask = np.ones(self.size, np.bool_)
        mask[list(self.reasons)] = False
        return mask

    def hopeless(self) -> list[Finding]:
        """Failures of the whole table."""
        if self.spoilt:
            return [
                Finding(
                    f"table {self.name}, column {column}",
                    f"type {found}, and no value is a valid {asked} (such as {example})",
                    f"export the column as {asked}",
                )
                for column, (found, asked, example) in self.spoilt.items()
            ]
        if not len(self.clean):
            counts = Counter(_without_value(reason) for reasons in self.reasons.values() for reason in reasons)
            common = ", ".join(f"{reason} ({count} rows)" for reason, count in counts.most_common(3))
            remedy = "correct the export; the contract of the table is stated in the problem's documentation"
            return [Finding(f"table {self.name}", f"all {self.size} rows were refused: {common}", remedy)]
        return []

    def quarantine(self, table: pd.DataFrame) -> pd.DataFrame:
        """The refused rows as :class:`Quarantine` holds them."""
        rows = sorted(self.reasons)
        records = table.iloc[rows].to_dict(orient="records") if rows else []
        frame = pd.DataFrame(
            {
                "row": np.array(rows, np.int64),
                "reason": ["; ".join(dict.fromkeys(self.reasons[row])) for row in rows],
                "content": [json.dumps(_plain(record), ensure_ascii=False) for record in records],
            }
        ).astype({"reason": "str", "content": "str"})
        frame.insert(0, "table", pd.Series([self.name] * len(rows), dtype="str"))
        return frame


def _without_value(reason: str) -> str:
    """The reason as it reads for every row it hits."""
    return re.sub(r"^(\w+): .* (breaks|is not) ", r"\1: \2 ", reason)


def _plain(record: Mapping[object, object]) -> dict[str, object]:
    """A row as JSON values: missing is null, and what JSON does not know is its text."""
    simple = (str, int, float, bool)
    return {
        str(key): None if pd.isna(value) is True else value if isinstance(value, simple) else str(value)  # type: ignore[call-overload]
        for key, value in record.items()
    }


def _judge(name: str, table: pd.DataFrame, schema: DataFrameSchema) -> _Sheet:
    """Coerce, check and compare the rows of one table."""
    if schema.checks or schema.index or any(rule.unique or rule.regex for rule in schema.columns.values()):
        raise ValueError(f"the contract of {name} uses checks of whole frames, an index, or unique or regex columns")
    sheet = _Sheet(name, len(table))
    table = table.reset_index(drop=True)
    for label, rule in schema.columns.items():
        column = str(label)
        if column not in table.columns:
            continue
        coerced = _coerce_column(sheet, column, table[column], rule)
        if coerced.distinct is None or not _holds(rule, column, coerced.distinct):
            _check_column(sheet, column, rule, coerced.passed)
    if schema.strict != "filter":
        free = {str(label): table[label] for label in table.columns if str(label) not in sheet.cells}
        sheet.cells |= free
        sheet.passed |= {column: np.ones(len(table), np.bool_) for column in free}
    if not sheet.spoilt:
        _keep_first(sheet, list(schema.unique or []))
        good = sheet.good()
        cells = pd.DataFrame(sheet.cells, copy=False)
        sheet.clean = cells if good.all() else cells.loc[good].reset_index(drop=True)
    return sheet


def _coerce_column(sheet: _Sheet, column: str, values: pd.Series, rule: Column) -> Coerced:
    """Bring a column to its type, and blame the cells that cannot be."""
    asked = str(rule.dtype)
    result = coerce(values, asked, nullable=bool(rule.nullable))
    sheet.cells[column], sheet.passed[column] = result.cells, result.passed
    if result.codes is not None:
        sheet.codes[column] = result.codes
    if result.passed.all():
        return result
    failed = np.flatnonzero(~result.passed)
    if len(failed) == len(values):
        sheet.spoilt[column] = (str(values.dtype), asked, result.reason(values.iloc[0]))
    sheet.blame(failed, [f"{column}: {result.reason(value)}" for value in values.iloc[failed]])
    return result


def _holds(rule: Column, column: str, distinct: pd.Series) -> bool:
    """Whether every check holds for each of these values; False too where one judges the column as a whole."""
    if not rule.checks or distinct.empty:
        return not rule.checks
    try:
        _bare(rule, column).validate(pd.DataFrame({column: distinct}), lazy=True)
    except SchemaErrors:
        return False
    return all(isinstance(check(distinct).check_output, pd.Series) for check in rule.checks)


def _bare(rule: Column, column: str) -> Column:
    """The checks of a column alone; its type was seen to before."""
    return Column(None, checks=rule.checks, nullable=True, name=column)


def _check_column(sheet: _Sheet, column: str, rule: Column, passed: NDArray[np.bool_]) -> None:
    """Run the column's checks on the cells that have its type."""
    if not rule.checks or not passed.any():
        return
    values = sheet.cells[column]
    frame = pd.DataFrame({column: values if passed.all() else values[passed]})
    try:
        _bare(rule, column).validate(frame, lazy=True, inplace=True)
    except SchemaErrors as errors:
        cases = errors.failure_cases
        found = [
            f"{column}: {_shown(value)} breaks {check}"
            for value, check in zip(cases["failure_case"], cases["check"], strict=True)
        ]
        if cases["index"].isna().any():
            text = "; ".join(found)
            remedy = "correct the column, or the check in the contract"
            raise DataError(
                f"a check of table {sheet.name} failed as a whole",
                [Finding(f"table {sheet.name}, column {column}", text, remedy)],
            ) from errors
        sheet.blame(cases["index"].to_numpy(dtype=np.int64), found)


def _shown(value: object) -> str:
    return f"{value:%Y-%m-%d}" if isinstance(value, pd.Timestamp) else repr(value)


def _keep_first(sheet: _Sheet, key: list[str]) -> None:
    """Refuse every row whose key an earlier, otherwise good row already has.

    The key is one sorted integer, some fifteen times faster than hashing tuples of strings. Rows refused for another
    reason are compared too, as far as they have a key.
    """
    if not key:
        return
    columns = _key_codes(sheet, key)
    if not sheet.reasons and _all_differ(columns, sheet.size):
        return
    code = _codes(sheet, columns)
    good = sheet.good()
    rows = np.flatnonzero(good)
    order = rows[np.argsort(code[rows], kind="stable")]
    first = np.ones(len(order), np.bool_)
    first[1:] = code[order[1:]] != code[order[:-1]]
    kept = order[first]
    others = np.concatenate([order[~first], np.flatnonzero(~good & (code >= 0))])
    if not len(others) or not len(kept):
        return
    near = np.minimum(np.searchsorted(code[kept], code[others]), len(kept) - 1)
    same = (code[kept[near]] == code[others]) & (kept[near] < others)
    copies, originals = others[same], kept[near][same]
    likeness = _likeness(sheet, copies, originals)
    for row, original, like in zip(copies.tolist(), originals.tolist(), likeness, strict=True):
        sheet.reasons[row].append(f"{_DUPLICATE}{original} ({', '.join(key)}), {like}")


@dataclass(frozen=True)
class _KeyColumn:
    """(rows,) codes of a key's column, -1 where a cell is missing, and how many there may be, -1 included."""

    name: str
    codes: NDArray[np.integer]
    size: int


def _key_codes(sheet: _Sheet, key: list[str]) -> list[_KeyColumn]:
    """The columns of the key; the one that changes least counts most, so that a sorted table's numbers ascend."""
    coded = [(name, sheet.codes[name] if name in sheet.codes else pd.factorize(sheet.cells[name])[0]) for name in key]
    coded.sort(key=lambda one: int(np.count_nonzero(one[1][1:] != one[1][:-1])))
    return [_KeyColumn(name, codes, int(codes.max(initial=-1)) + 2) for name, codes in coded]


def _all_differ(columns: list[_KeyColumn], size: int) -> bool:
    """Whether every row has a whole key of its own; False too where that takes sorting to know.

    A table sorted by its key ascends; another has a mark for each possible key, where they are few.
    """
    room = math.prod(column.size for column in columns)
    if room > _MOST_KEYS:
        return False
    last, ascends = -1, True
    seen = np.zeros(room if room <= _DENSE * size else 0, np.bool_)
    for start in range(0, size, SLICE):
        code = np.zeros(min(SLICE, size - start), np.int64)
        for column in columns:
            own = column.codes[start : start + SLICE]
            if own.min() < 0:
                return False
            code *= column.size
            code += own
        ascends = ascends and code[0] > last and bool((code[1:] > code[:-1]).all())
        last = code[-1]
        if len(seen):
            seen[code] = True
        elif not ascends:
            return False
    return ascends or int(np.count_nonzero(seen)) == size


def _codes(sheet: _Sheet, columns: list[_KeyColumn]) -> NDArray[np.integer]:
    """(rows,) one integer per distinct key; -1 where a cell of the key is missing or not of its type."""
    code: NDArray[Any] = np.zeros(sheet.size, np.int64)
    usable = np.ones(sheet.size, np.bool_)
    room = 1
    for column in columns:
        room *= column.size
        if room > _MOST_KEYS:
            code, few = pd.factorize(code)
            room = (len(few) + 1) * column.size
        code *= column.size
        code += column.codes
        usable &= sheet.passed[column.name]
        usable &= column.codes >= 0
    code[~usable] = -1
    return code


_MOST_KEYS = 2**62
#: Up to so many possible keys per row each has a mark.
_DENSE = 8


def _likeness(sheet: _Sheet, rows: NDArray[np.int64], originals: NDArray[np.int64]) -> list[str]:
    """For each row the columns in which it differs from its original, in words."""
    differing: list[list[str]] = [[] for _ in rows]
    for name, cells in sheet.cells.items():
        one, other = (cells.iloc[places].reset_index(drop=True) for places in (rows, originals))
        same = (one == other) | (one.isna() & other.isna())
        alike = sheet.passed[name][rows] & same.to_numpy(np.bool_)
        for place in np.flatnonzero(~alike).tolist():
            differing[place].append(name)
    return [f"other {', '.join(names)}" if names else "an exact copy" for names in differing]
