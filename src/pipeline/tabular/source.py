"""Reading the table of a project: one CSV or Parquet file and its contract, with period and unit of every row."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.charter import Charter
from pipeline.datasets.parquet import read_parquet
from pipeline.datasets.undated import DAYS, ORIGIN
from pipeline.errors import DataError, Finding
from pipeline.tabular.parameters import Business, business_of, label, slug
from pipeline.tabular.rules import CONTRACT, HEADINGS

#: Added to every table: the first day of a row's period, and the unit it belongs to.
PERIOD, UNIT = "period", "unit"


def tables_at(charter: Charter, location: Path) -> dict[str, pd.DataFrame]:
    """The table and its contract as they are, the table with its period and unit.

    Raises:
        DataError: a file is missing or cannot be read, or a column that the charter names is not there.
    """
    business, name = business_of(charter), charter.data.tables[0].name
    rules = _contract(location)
    frame = _renamed(_read(location, name, rules), location, name)
    _require(frame, business, location / name)
    if business.task != "regression":
        # Also 1, 1.0 and true of a file that another program wrote again.
        for column in (business.target, business.today if business.task == "multiclass" else ""):
            if column:
                frame[column] = _labels(frame[column])
    frame[PERIOD] = _periods(frame, business, charter)
    frame[UNIT] = _units(frame, business, charter.seed)
    return {name: frame, CONTRACT: rules}


def _contract(location: Path) -> pd.DataFrame:
    path = location / f"{CONTRACT}.csv"
    try:
        rules = pd.read_csv(path, dtype=str, keep_default_na=False, comment="#")
    except FileNotFoundError as error:
        remedy = "write one rule per column, as `landed init` does, or name another folder with --data"
        raise DataError("The table has no contract", [Finding(str(path), "there is no such file", remedy)]) from error
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    rules = rules.replace("", np.nan)
    rules = rules.assign(**{name: None for name in HEADINGS[3:] if name not in rules.columns})
    rules["column"] = rules["column"].map(slug) if "column" in rules else np.nan
    return rules


def _read(location: Path, name: str, rules: pd.DataFrame) -> pd.DataFrame:
    parquet, text = location / f"{name}.parquet", location / f"{name}.csv"
    try:
        if parquet.exists():
            return read_parquet(parquet)
        if not text.exists():
            remedy = f"put {name}.csv or {name}.parquet there, or name another folder with --data"
            raise DataError("The table is not there", [Finding(str(location), f"no {name}.csv", remedy)])
        texts = set(rules.loc[rules["type"].isin(["text", "date"]), "column"]) if "type" in rules else set()
        heads = pd.read_csv(text, nrows=0).columns
        return pd.read_csv(text, dtype={head: str for head in heads if slug(head) in texts}, low_memory=False)
    except (OSError, ValueError) as error:
        raise _unreadable(parquet if parquet.exists() else text, error) from error


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError("A file cannot be read", [Finding(str(path), str(error), "export it again, as UTF-8 with commas")])


def _renamed(frame: pd.DataFrame, location: Path, name: str) -> pd.DataFrame:
    """The same with names a charter may write; two columns that become one are refused."""
    names: dict[str, str] = {}
    for column in map(str, frame.columns):
        other = names.setdefault(slug(column), column)
        if other != column:
            found = f"'{column}' and '{other}' are both written {slug(column)} here"
            raise DataError("Two columns have one name", [Finding(f"{location}/{name}", found, "rename one of them")])
    return frame.rename(columns=lambda column: slug(column))


def _require(frame: pd.DataFrame, business: Business, place: Path) -> None:
    there = ", ".join(map(str, frame.columns))
    findings = [
        Finding(
            f"{place}, business.{key}", f"no column {column}; there are {there}", "correct the charter or the export"
        )
        for key, column in business.columns.items()
        if column not in frame.columns
    ]
    for reserved, own in ((PERIOD, business.time), (UNIT, business.unit)):
        if reserved in frame.columns and own != reserved:
            findings.append(Finding(f"{place}, column {reserved}", "the name is Landed's own", "rename the column"))
    if findings:
        raise DataError("The table does not have the columns it must have", findings)


def _labels(cells: pd.Series) -> pd.Series:
    return pd.Series([None if pd.isna(cell) else label(cell) for cell in cells], index=cells.index, dtype=object)


def _periods(frame: pd.DataFrame, business: Business, charter: Charter) -> Any:
    """The first day of every row's week (Monday) or day; without dates, that of a seeded group."""
    length = DAYS[charter.data.period]
    if business.time:
        moments = pd.to_datetime(frame[business.time], errors="coerce", format="ISO8601", utc=True).dt.tz_localize(None)
        days = moments.dt.normalize()
        return (days - pd.to_timedelta(days.dt.dayofweek, unit="D") if length > 1 else days).astype("datetime64[us]")
    group = _dealt(frame[business.together or business.key], business.groups, charter.seed)
    return pd.Timestamp(ORIGIN) + pd.to_timedelta(group * length, unit="D")


def _units(frame: pd.DataFrame, business: Business, seed: int) -> Any:
    if business.unit:
        return _labels(frame[business.unit])
    lot = _dealt(frame[business.key], business.lots, seed + 1)
    return pd.Series([f"lot-{number + 1:03d}" for number in lot], index=frame.index, dtype=object)


def _dealt(keys: pd.Series, into: int, seed: int) -> NDArray[np.int64]:
    """(N,) the place of every key among ``into``: seeded, and the same whatever rows stand beside it."""
    hashed = pd.util.hash_array(keys.astype(str).to_numpy(dtype=object), hash_key=f"{seed % 10**16:016d}")
    return np.asarray(hashed % np.uint64(into), dtype=np.int64)
