"""A user's own data in long form, as forecasting tools keep it: ``unique_id``, ``ds``, ``y`` and stock.

A directory of Parquet or CSV files, described in ``docs/data.md``::

    sales     unique_id, ds, y, and in_stock (could it be bought all the time), stock (units left at the end), or both
    stock     unique_id, on_hand, due_1 … due_{lead time - 1}: now, and on the way
    series    optional: unique_id, store, product, and department, group, cluster, format, price, case_size
    promotions, calendar   optional, as the contract of the domain has them

Dates may be days or weeks. Orders are placed by the week, so days are summed to weeks that begin on Monday; a week in
which the product was missing or empty on any day is one whose sales are a lower bound of demand.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.datasets.coercion import coerce
from pipeline.datasets.parquet import read_parquet
from pipeline.errors import DataError, Finding

ID = "unique_id"
SUFFIXES = (".parquet", ".csv")
#: Columns of the optional table of series that describe the product; all others describe the store.
PRODUCT_COLUMNS = ("department", "group", "price", "case_size")
STORE_COLUMNS = ("cluster", "format", "region")
DAYS = 7
#: Share of dates on one weekday above which they are weeks; of days it is a seventh.
MOSTLY = 0.5
#: The zone at the end of a moment.
_ZONE = r"(:\d\d(?:\.\d+)?)\s*(?:Z|[+-]\d\d(?::?\d\d)?)$"


def read_long(location: Path, lead_time: int) -> dict[str, pd.DataFrame]:
    """The tables of the domain's contract; rows that break it are left as they are for it to refuse.

    Args:
        location: the directory.
        lead_time: weeks; arrivals of ``lead_time - 1`` weeks are asked for.

    Raises:
        DataError: a file is missing or unreadable, a column is missing, days hold what cannot be summed, or the last
            week is not over.
    """
    sales, stock = _required(location, "sales"), _required(location, "stock")
    _columns(location, "sales", sales, (ID, "ds", "y"))
    _columns(location, "stock", stock, (ID, "on_hand", *(f"due_{ahead}" for ahead in range(1, lead_time))))
    if not {"in_stock", "stock"} & set(sales.columns):
        remedy = "add in_stock (true where it could be bought all the time) or stock (units left at the end)"
        raise DataError(
            "nothing says when the shelf was empty", [Finding(str(location / "sales"), "no stock in it", remedy)]
        )
    names = _names(location, sales, stock)
    tables = {
        "sales": _named(_weekly(location, sales), names),
        "state": _named(stock.drop(columns="ds", errors="ignore"), names),
        **_masters(names),
    }
    for name in ("promotions", "calendar"):
        found = _read(location, name)
        if found is not None:
            tables[name] = found
    last = pd.to_datetime(tables["sales"]["week"], errors="coerce").max()
    return {**tables, "state": tables["state"].assign(week=last)}


def ids_of(location: Path, series: pd.DataFrame) -> NDArray[np.object_]:
    """(N,) the ``unique_id`` of each series of the panel."""
    described = _read(location, "series")
    keys = series[["store", "product"]].astype(str)
    if described is None:
        return keys["store"].to_numpy(dtype=object)
    names = described[[ID, "store", "product"]].astype(str)
    return keys.merge(names, on=["store", "product"], how="left")[ID].to_numpy(dtype=object)


def _weekly(location: Path, sales: pd.DataFrame) -> pd.DataFrame:
    """``unique_id, week, units, in_stock``, and ``stock`` at the week's end where told; weeks named by their Monday."""
    day = days_of(sales["ds"])
    if not day.notna().any():
        remedy = "deliver rows with a date each in the column ds, written as 2026-01-05"
        raise DataError("no date can be read", [Finding(str(location / "sales"), "no row of it has a date", remedy)])
    frame = pd.DataFrame({ID: sales[ID], "day": day, "units": sales["y"], "in_stock": _in_stock(sales)})
    if "stock" in sales.columns:
        frame["stock"] = sales["stock"]
    # A date that cannot be read stays as it is, so that the contract refuses the row and shows it.
    monday = day - pd.to_timedelta(day.dt.dayofweek, unit="D")
    if day.dt.dayofweek.value_counts(normalize=True).max() > MOSTLY:
        return frame.drop(columns="day").assign(week=monday.astype(object).where(day.notna(), sales["ds"]))
    told = coerce(frame["in_stock"], "bool", nullable=False)
    _summable(location, frame, told.passed)
    frame["in_stock"] = told.cells
    last = day.max()
    if last.dayofweek != DAYS - 1:
        remedy = "deliver up to a Sunday, with the stock of that evening: orders are placed at the end of a week"
        raise DataError(
            "the last week is not over",
            [Finding(str(location / "sales"), f"the newest day is {last:%A} {last:%Y-%m-%d}", remedy)],
        )
    begun = day.min() + pd.to_timedelta(-day.min().dayofweek % DAYS, unit="D")
    frame = frame.assign(units=pd.to_numeric(frame["units"]), week=monday, ds=day, day=1)[monday >= begun]
    kept = {"stock": ("stock", "last")} if "stock" in frame.columns else {}
    weeks = (
        frame.sort_values([ID, "ds"], kind="stable")
        .groupby([ID, "week"], as_index=False, sort=False)
        .agg(units=("units", "sum"), in_stock=("in_stock", "all"), day=("day", "sum"), **kept)
    )
    return weeks.assign(in_stock=weeks["in_stock"] & (weeks["day"] == DAYS)).drop(columns="day")


def days_of(cells: pd.Series) -> "pd.Series[pd.Timestamp]":
    """The calendar day of each cell; a moment counts on the day its own clock shows, in whatever zone that was.

    Only ISO dates are read: 05/01/2026 is another day to every other reader.
    """
    if isinstance(cells.dtype, pd.DatetimeTZDtype):
        cells = cells.dt.tz_localize(None)
    elif cells.dtype.kind != "M":
        cells = cells.astype("str").str.replace(_ZONE, r"\1", regex=True)
    days: pd.Series[pd.Timestamp] = pd.to_datetime(cells, errors="coerce", format="ISO8601").dt.normalize()
    return days


def _in_stock(sales: pd.DataFrame) -> "pd.Series[bool]":
    """What is told of the shelf: reported, or something left at the end of the period."""
    if "in_stock" in sales.columns:
        return sales["in_stock"]
    return pd.to_numeric(sales["stock"], errors="coerce") > 0


def _summable(location: Path, frame: pd.DataFrame, told: NDArray[np.bool_]) -> None:
    """Days are summed before the contract sees them, so what would be lost in a sum is refused here."""
    units = pd.to_numeric(frame["units"], errors="coerce")
    faults = {
        "a date that cannot be read": frame["day"].isna(),
        "a y that is no number ≥ 0": ~(units >= 0),
        "more than one row for a series and day": frame.duplicated([ID, "day"]),
        "an in_stock that is neither true nor false": pd.Series(~told, index=frame.index),
    }
    findings = [
        Finding(f"{location / 'sales'}, row {int(np.flatnonzero(wrong)[0]) + 1}", what, "correct the row, or remove it")
        for what, wrong in faults.items()
        if wrong.any()
    ]
    if findings:
        raise DataError("the days cannot be summed to weeks", findings)


def _names(location: Path, sales: pd.DataFrame, stock: pd.DataFrame) -> pd.DataFrame:
    """``unique_id`` with store, product and what is known of both; a series that nobody described is its own store."""
    described = _read(location, "series")
    if described is None:
        known = pd.unique(pd.concat([sales[ID], stock[ID]]).dropna().astype(str))
        return pd.DataFrame({ID: known, "store": known, "product": "all", "department": "all"})
    _columns(location, "series", described, (ID, "store", "product"))
    for key in ([ID], ["store", "product"]):
        twice = described.duplicated(key)
        if twice.any():
            found = f"more than one row for {' '.join(map(str, described.loc[twice, key].iloc[0]))}"
            place = Finding(str(location / "series"), found, f"keep one row per {' and '.join(key)}")
            raise DataError("the table of series is not unique", [place])
    named = described.astype({ID: str, "store": str, "product": str})
    return named if "department" in named.columns else named.assign(department="all")


def _named(table: pd.DataFrame, names: pd.DataFrame) -> pd.DataFrame:
    """``store`` and ``product`` in the place of ``unique_id``; an id nobody described has none and is refused."""
    keyed = table.assign(**{ID: table[ID].astype(object).where(table[ID].isna(), table[ID].astype(str))})
    return keyed.merge(names[[ID, "store", "product"]], on=ID, how="left").drop(columns=ID)


def _masters(names: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Products and stores, each once; what describes them differently is refused by the contract as a duplicate."""
    return {
        f"{key}s": names[[key, *(name for name in columns if name in names.columns)]]
        .drop_duplicates()
        .reset_index(drop=True)
        for key, columns in (("product", PRODUCT_COLUMNS), ("store", STORE_COLUMNS))
    }


def _required(location: Path, name: str) -> pd.DataFrame:
    found = _read(location, name)
    if found is None:
        remedy = f"put {name}.parquet or {name}.csv there, or correct --data"
        raise DataError(f"there is no table of {name}", [Finding(str(location / name), "no such file", remedy)])
    return found


def _read(location: Path, name: str) -> pd.DataFrame | None:
    """A table from either format; None where there is none.

    Raises:
        DataError: it lies there twice, or cannot be read.
    """
    paths = [location / f"{name}{suffix}" for suffix in SUFFIXES if (location / f"{name}{suffix}").is_file()]
    if len(paths) > 1:
        found = f"{' and '.join(path.name for path in paths)} lie there both"
        raise DataError(f"there are two tables of {name}", [Finding(str(location), found, "remove the older one")])
    if not paths:
        return None
    try:
        # Ids and keys are names, also where they look like numbers: "007" stays "007".
        names = dict.fromkeys((ID, "store", "product"), str)
        return read_parquet(paths[0]) if paths[0].suffix == ".parquet" else pd.read_csv(paths[0], dtype=names)
    except (OSError, ValueError) as error:
        finding = Finding(str(paths[0]), f"not readable: {error}", "write the file again")
        raise DataError(f"{paths[0].name} cannot be used", [finding]) from error


def _columns(location: Path, name: str, table: pd.DataFrame, wanted: tuple[str, ...]) -> None:
    missing = [column for column in wanted if column not in table.columns]
    if missing:
        remedy = f"the table of {name} needs {', '.join(wanted)}"
        finding = Finding(str(location / name), f"no column {', '.join(missing)}", remedy)
        raise DataError(f"the table of {name} cannot be used", [finding])
