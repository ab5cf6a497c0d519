"""The retailer's IT exports: Parquet tables as they leave the tills, a few hundred broken rows included.

Units and weeks are text, as in most exports. Broken rows are added to the good ones, never put in their place, so
that a contract that does its work keeps every good row. :func:`faults` says which rows were added and why.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.datasets.parquet import read_parquet
from pipeline.errors import DataError, Finding
from pipeline.replenishment.demand import Truth, truth_of
from pipeline.replenishment.panel import FUTURE_WEEKS, Ints
from pipeline.replenishment.world import World

TABLES = ("sales", "state", "products", "stores", "promotions", "calendar")
#: Broken sales rows of each kind in an export.
PER_FAULT = 30
_DIRT = 201

#: What can be wrong with a row of sales; each is a copy of a good row with one thing changed.
SALES_FAULTS = (
    "negative units", "text in units", "fraction in units", "no units", "duplicate", "conflicting duplicate",
    "unknown product", "unknown store", "no week", "impossible date", "not a Monday", "future week", "ancient week",
)  # fmt: skip
STATE_FAULTS = ("negative stock", "duplicate", "unknown product")
PROMOTION_FAULTS = ("discount above 1", "unknown product")
_TEXTS = ("n/a", "three", "12 pcs", "--", "#REF!")
_IMPOSSIBLE = ("2024-02-30", "2023-13-01", "0000-00-00", "31.31.2024")


@dataclass(frozen=True)
class _Column:
    """A text column as codes into its distinct values; -1 is missing."""

    codes: NDArray[np.int32]
    texts: list[str]

    def array(self) -> pa.Array:
        """As plain text: Parquet files of dictionaries with repeated entries differ from one writing to the next."""
        mask = self.codes < 0
        codes = pa.array(np.where(mask, 0, self.codes), mask=mask)
        return pa.DictionaryArray.from_arrays(codes, pa.array(self.texts)).dictionary_decode()


def export(world: World, directory: Path) -> Path:
    """Write all tables of the world's clock; an existing export there is replaced as a whole.

    The new tables are written beside the directory and renamed into place, so that a reader meets a whole export, or
    for the moment between two renames none; never a half one. The same world gives the same bytes.
    """
    fresh = directory.with_name(f".{directory.name}-{os.getpid()}-new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        for name, table in _tables(world).items():
            pq.write_table(table, fresh / f"{name}.parquet", compression="zstd", store_schema=False)
        _replace(fresh, directory)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    return directory


def _replace(fresh: Path, directory: Path) -> None:
    """Put a directory in the place of another; a directory cannot be renamed over a full one."""
    old = directory.with_name(f".{directory.name}-{os.getpid()}-old")
    if directory.exists():
        directory.rename(old)
    fresh.rename(directory)
    shutil.rmtree(old, ignore_errors=True)


def read_exports(directory: Path) -> dict[str, pd.DataFrame]:
    """Read the tables as they are, broken rows included.

    Raises:
        DataError: naming every table that is missing or does not read.
    """
    frames, findings = {}, []
    for name in TABLES:
        path = directory / f"{name}.parquet"
        try:
            frames[name] = read_parquet(path)
        except FileNotFoundError:
            findings.append(Finding(str(path), "no such file", "export the table, or correct --data"))
        except (OSError, ValueError) as exc:
            findings.append(Finding(str(path), f"not readable as Parquet: {exc}", "export the table again"))
    if findings:
        raise DataError(f"the exports in {directory} are incomplete", findings)
    return frames


def faults(world: World) -> pd.DataFrame:
    """The broken rows of this export: columns ``table``, ``row`` (position in the table as exported), ``fault``."""
    _, sales = _sales(world)
    _, state = _state(world)
    _, promotions = _promotions(world)
    return pd.concat(
        [frame.assign(table=name) for name, frame in (("sales", sales), ("state", state), ("promotions", promotions))],
        ignore_index=True,
    )[["table", "row", "fault"]]


def _tables(world: World) -> dict[str, pa.Table]:
    truth = truth_of(world.spec)
    return {
        "sales": _sales(world)[0],
        "state": _state(world)[0],
        "products": pa.Table.from_pandas(truth.products, preserve_index=False),
        "stores": pa.Table.from_pandas(truth.stores, preserve_index=False),
        "promotions": _promotions(world)[0],
        "calendar": _calendar(world),
    }


def _sales(world: World) -> tuple[pa.Table, pd.DataFrame]:
    """One row per listed series and week, by week and series, and the broken rows among them."""
    truth, spec = truth_of(world.spec), world.spec
    rows = slice(spec.burn_in, len(world.sold))
    week, series = np.nonzero(truth.listed_between(rows.start, rows.stop))
    units = world.sold[rows][week, series].astype(np.int64)
    in_stock = world.in_stock[rows][week, series]
    rng = np.random.default_rng((spec.seed, _DIRT, world.clock))
    good = len(week)
    source = rng.integers(0, good, PER_FAULT * len(SALES_FAULTS))
    fault = np.repeat(np.array(SALES_FAULTS), PER_FAULT)
    columns = {
        "store": _Column((series // spec.products).astype(np.int32), list(truth.stores["store"])),
        "product": _Column((series % spec.products).astype(np.int32), list(truth.products["product"])),
        "week": _Column(week.astype(np.int32), _dates(truth, rows)),
        "units": _Column(units.astype(np.int32), [str(value) for value in range(int(units.max(initial=0)) + 100)]),
    }
    columns = {name: _broken(name, column, source, fault, units[source], rng) for name, column in columns.items()}
    order, place = _scatter(good, source, rng)
    arrays = {name: _Column(column.codes[order], column.texts).array() for name, column in columns.items()}
    stock = world.stock[rows][week, series].astype(np.int32)
    arrays["in_stock"] = pa.array(np.concatenate([in_stock, in_stock[source]])[order])
    arrays["stock"] = pa.array(np.concatenate([stock, stock[source]])[order])
    return pa.table(arrays), pd.DataFrame({"row": place, "fault": fault})


def _dates(truth: Truth, rows: slice) -> list[str]:
    return [str(day) for day in truth.weeks[rows]]


def _broken(
    name: str, column: _Column, source: Ints, fault: NDArray[np.str_], units: Ints, rng: np.random.Generator
) -> _Column:
    """The column with the broken rows behind the good ones: copies of good rows, changed where the fault says so."""
    values = list(column.texts)
    codes = column.codes[source]
    for kind in _FAULTS_OF[name]:
        at = np.flatnonzero(fault == kind)
        if kind == "conflicting duplicate":
            codes[at] = units[at] + rng.integers(1, 50, len(at))
            continue
        texts = _wrong(kind, [column.texts[code] for code in codes[at]], rng)
        codes[at] = [-1 if text is None else len(values) + number for number, text in enumerate(texts)]
        values += ["" if text is None else text for text in texts]
    return _Column(np.concatenate([column.codes, codes]), values)


_FAULTS_OF = {
    "store": ("unknown store",),
    "product": ("unknown product",),
    "week": ("no week", "impossible date", "not a Monday", "future week", "ancient week"),
    "units": ("negative units", "text in units", "fraction in units", "no units", "conflicting duplicate"),
}


def _wrong(kind: str, texts: list[str], rng: np.random.Generator) -> list[str | None]:
    """What stands in the broken rows instead of these texts."""
    if kind in _SHIFTED_DAYS:
        return [str(np.datetime64(text) + _SHIFTED_DAYS[kind]) for text in texts]
    if kind in _CHOICES:
        return [str(rng.choice(_CHOICES[kind])) for _ in texts]
    if kind in ("no week", "no units"):
        return [None] * len(texts)
    return [{"negative units": f"-{int(text) + 1}", "fraction in units": f"{text}.5"}[kind] for text in texts]


_SHIFTED_DAYS = {
    "not a Monday": np.timedelta64(2, "D"),
    "future week": np.timedelta64(7 * 520, "D"),
    "ancient week": np.timedelta64(-7 * 2000, "D"),
}
_CHOICES = {
    "text in units": _TEXTS,
    "impossible date": _IMPOSSIBLE,
    "unknown product": ("P0000", "TEST", "DUMMY-1"),
    "unknown store": ("S0000", "WEB"),
}


def _scatter(good: int, source: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Where the broken rows go among the good ones: anywhere after the row they copy, for a first row is the good one.

    Returns:
        ``order`` (good + broken,), the rows in export order, and ``place`` (broken,), where each broken one ended.
    """
    at = rng.integers(source + 1, good + 1)
    order = np.insert(np.arange(good), at, good + np.arange(len(source)))
    place = np.empty(len(source), np.int64)
    broken = np.flatnonzero(order >= good)
    place[order[broken] - good] = broken
    return order, place


def _state(world: World) -> tuple[pa.Table, pd.DataFrame]:
    """Stock of every series at the end of the last week, and the broken rows at its end."""
    truth = truth_of(world.spec)
    frame = truth.series()[["store", "product"]]
    frame["week"] = str(np.datetime64(world.week))
    frame["on_hand"] = world.on_hand
    for ahead, due in enumerate(world.on_order, start=1):
        frame[f"due_{ahead}"] = due
    bad = frame.sample(len(STATE_FAULTS) * 5, replace=True, random_state=world.clock).reset_index(drop=True)
    fault = np.repeat(np.array(STATE_FAULTS), 5)
    bad.loc[fault == "negative stock", "on_hand"] = -3
    bad.loc[fault == "unknown product", "product"] = "TEST"
    return _appended(frame, bad, fault)


def _promotions(world: World) -> tuple[pa.Table, pd.DataFrame]:
    """Planned promotions from the first week of history to 13 weeks after the last, and the broken rows at the end."""
    truth = truth_of(world.spec)
    start = world.spec.burn_in
    discount = truth.discount[start : len(world.sold) + FUTURE_WEEKS]
    week, product = np.nonzero(discount)
    frame = pd.DataFrame(
        {
            "product": truth.products["product"].to_numpy()[product],
            "week": np.datetime_as_string(truth.weeks[start:][week], unit="D"),
            "discount": discount[week, product],
        }
    )
    fault = np.repeat(np.array(PROMOTION_FAULTS), 2)
    bad = frame.head(1).loc[[0] * len(fault)].reset_index(drop=True) if len(frame) else frame.head(0)
    fault = fault[: len(bad)]
    bad.loc[fault == "discount above 1", "discount"] = 20.0
    bad.loc[fault == "unknown product", "product"] = "TEST"
    return _appended(frame, bad, fault)


def _appended(frame: pd.DataFrame, bad: pd.DataFrame, fault: NDArray[np.str_]) -> tuple[pa.Table, pd.DataFrame]:
    table = pa.Table.from_pandas(pd.concat([frame, bad], ignore_index=True), preserve_index=False)
    return table, pd.DataFrame({"row": len(frame) + np.arange(len(bad)), "fault": fault})


def _calendar(world: World) -> pa.Table:
    truth = truth_of(world.spec)
    rows = slice(world.spec.burn_in, len(world.sold) + FUTURE_WEEKS)
    return pa.table(
        {"week": _dates(truth, rows), "holiday": truth.holiday[rows], "pay_week": truth.pay_week[rows].astype(np.int64)}
    )
