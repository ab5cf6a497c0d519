"""What the columns of a file look like: types by reading them, bounds by Pandera, roles by what they hold."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd
import pandera.pandas as pa

from pipeline.compliance.personal import sampled, signs
from pipeline.datasets.parquet import read_parquet
from pipeline.errors import DataError, Finding
from pipeline.tabular.parameters import Task, slug

#: Text columns of so many values at most are categories.
MOST_CATEGORIES = 20
#: Whole numbers of so many values at most may be classes.
_MOST_CLASSES = 12
_LEAST_UNITS, _MOST_UNITS = 4, 400
#: Share of the cells that must read as dates.
_DATES = 0.99
_TARGETS = (
    "target", "label", "outcome", "churn", "default", "fraud", "status", "result", "diagnosis", "response", "approved",
    "returned", "cancelled", "failed", "demand", "sales", "amount", "price",
)  # fmt: skip
_UNITS = ("store", "branch", "team", "region", "site", "shop", "clinic", "plant", "depot", "office", "unit")


@dataclass(frozen=True)
class Profile:
    """A file's columns under the names a charter may write.

    Attributes:
        frame: the table, dates parsed.
        schema: inferred by Pandera.
        key, time, unit: proposed columns; empty where none fits.
        targets: columns that could be the target: name, task, and why; most likely first.
    """

    frame: pd.DataFrame
    schema: pa.DataFrameSchema
    key: str
    time: str
    unit: str
    targets: tuple[tuple[str, Task, str], ...]

    @cached_property
    def personal(self) -> dict[str, str]:
        """Columns that look like personal data, each with why; their values are repeated nowhere."""
        return {sign.column: sign.kind for sign in signs(sampled({"": self.frame}, seed=0))}

    def kind(self, column: str) -> str:
        """Its type in the contract's words."""
        cells = self.frame[column]
        if pd.api.types.is_bool_dtype(cells):
            return "truth"
        if pd.api.types.is_datetime64_any_dtype(cells):
            return "date"
        if pd.api.types.is_integer_dtype(cells):
            return "whole"
        return "number" if pd.api.types.is_numeric_dtype(cells) else "text"

    def seen(self, column: str) -> str:
        """What was seen in it, in a few words."""
        cells = self.frame[column].dropna()
        if cells.empty:
            return "nothing"
        if self.kind(column) in ("text", "truth"):
            values = sorted(map(str, cells.unique()))
            if column in self.personal:
                return f"{len(values)} values, perhaps personal data ({self.personal[column]})"
            return f"{len(values)} values: {', '.join(values[:4])}{' …' if len(values) > 4 else ''}"
        if self.kind(column) == "date":
            return f"{cells.min():%Y-%m-%d} to {cells.max():%Y-%m-%d}"
        return f"{cells.min():g} to {cells.max():g}"


def profiled(file: Path) -> Profile:
    """Read a file and look at its columns.

    Raises:
        DataError: it cannot be read, holds no table, or has two columns of one name.
    """
    frame = read(file)
    frame = frame.rename(columns=lambda name: slug(name))
    if len(set(frame.columns)) < len(frame.columns) or frame.empty:
        twice = [name for name in frame.columns if list(frame.columns).count(name) > 1]
        found = f"two columns are written {twice[0]} here" if twice else "no rows"
        raise DataError("The file holds no table", [Finding(str(file), found, "rename one, or export it again")])
    frame = frame.assign(**{name: _dates(frame[name]) for name in frame.columns})
    key, time = _key(frame), _time(frame)
    return Profile(frame, pa.infer_schema(frame), key, time, _unit(frame, key), _targets(frame, key, time))


def read(file: Path) -> pd.DataFrame:
    """A CSV or Parquet file as it is.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return read_parquet(file) if file.suffix == ".parquet" else pd.read_csv(file, low_memory=False)
    except (OSError, ValueError) as error:
        remedy = "name a CSV file (UTF-8, with commas and a first line of names) or a Parquet file"
        raise DataError("The file cannot be read", [Finding(str(file), str(error), remedy)]) from error


def task_of(cells: pd.Series) -> Task:
    """Which kind of target a column would be."""
    known = cells.dropna()
    values = known.nunique()
    if values == 2:
        return "binary"
    numeric = pd.api.types.is_numeric_dtype(known)
    whole = numeric and bool((known == known.round()).all())
    return "regression" if numeric and not (whole and values <= _MOST_CLASSES) else "multiclass"


def _dates(cells: pd.Series) -> pd.Series:
    if pd.api.types.is_numeric_dtype(cells) or pd.api.types.is_datetime64_any_dtype(cells):
        return cells
    known = cells.dropna().astype(str)
    if known.empty or not known.str.match(r"\d{4}-\d\d").all():
        return cells
    moments = pd.to_datetime(cells, errors="coerce", format="ISO8601", utc=True).dt.tz_localize(None)
    return moments if moments.notna().sum() >= _DATES * len(known) else cells


def _key(frame: pd.DataFrame) -> str:
    """The first column that names every row: a text or a whole number, once each, never empty."""
    for name in frame.columns:
        cells = frame[name]
        names = not pd.api.types.is_float_dtype(cells) and not pd.api.types.is_datetime64_any_dtype(cells)
        if names and cells.notna().all() and cells.is_unique:
            return str(name)
    return ""


def _time(frame: pd.DataFrame) -> str:
    """The first column of dates that is nearly always there."""
    dated = [name for name in frame.columns if pd.api.types.is_datetime64_any_dtype(frame[name])]
    return next((str(name) for name in dated if frame[name].notna().mean() >= _DATES), "")


def _unit(frame: pd.DataFrame, key: str) -> str:
    """A column named like a unit, of a few values that each have several rows."""
    for name in frame.columns:
        values = frame[name].nunique()
        named = any(word in str(name).split("_") or str(name).startswith(word) for word in _UNITS)
        if name != key and named and _LEAST_UNITS <= values <= min(_MOST_UNITS, len(frame) // 4):
            return str(name)
    return ""


def _targets(frame: pd.DataFrame, key: str, time: str) -> tuple[tuple[str, Task, str], ...]:
    """Columns that could be foreseen, by their names first, then the last column."""
    usable = [
        str(name)
        for name in frame.columns
        if name not in (key, time) and not pd.api.types.is_datetime64_any_dtype(frame[name])
    ]
    usable = [name for name in usable if _varies(frame[name]) and not _many_texts(frame[name])]
    named = [name for name in usable if any(part.startswith(_TARGETS) for part in name.split("_"))]
    found = dict.fromkeys(named, "by its name")
    if usable:
        found.setdefault(usable[-1], "the last column")
    return tuple((name, task_of(frame[name]), why) for name, why in found.items())


def _varies(cells: pd.Series) -> bool:
    return bool(len(cells.dropna().unique()) > 1)


def _many_texts(cells: pd.Series) -> bool:
    return not pd.api.types.is_numeric_dtype(cells) and cells.nunique() > MOST_CATEGORIES
