"""The newest data of a large chain, read by parts of whole stores so that no table is ever in memory as a whole.

The rows of the two large tables are dealt out, a million at a time, into one folder per part in the source's own
layout; the small tables are put beside them. Each folder is then read, held against the contract and made a panel as
the whole source would be, and its panel is kept beside it. An unknown store's are refused in the part its
name would belong to.

What cannot be cut is read in one piece: a chain of one part, CSV files, days that are summed to weeks, and whatever is
wrong with a table as a whole, so that it is told as always.
"""

import os
import shutil
import tempfile
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.charter import Charter
from pipeline.datasets.coercion import coerce
from pipeline.datasets.contracts import apply_contracts
from pipeline.datasets.dataset import Tables
from pipeline.datasets.parquet import batches, read_parquet
from pipeline.errors import DataError, Finding
from pipeline.problems.parts import Parts
from pipeline.replenishment.chain import Chain
from pipeline.replenishment.contract import contracts
from pipeline.replenishment.demand import CHAINS
from pipeline.replenishment.exports import read_exports
from pipeline.replenishment.field import exports_at
from pipeline.replenishment.longform import ID, days_of, read_long
from pipeline.replenishment.panel import PER_SERIES, Panel, panel_from_tables
from pipeline.replenishment.parameters import business_of
from pipeline.replenishment.parts import cut, in_rounds

Result = TypeVar("Result")

#: Rows of a large table in memory at a time.
ROWS = 1_000_000
PANEL = "panel.npz"
#: Seconds after which the parts of a command that was killed are cleared away.
FORGOTTEN = 2 * 86_400.0


@dataclass(frozen=True)
class Layout:
    """Where a source keeps its rows.

    Attributes:
        folder: of the tables.
        stock: the table with one row per series; ``sales`` is the other large one.
        key: the column that says whose row it is.
        store: key → store; None where the key is the store.
        last: the week of the stock-taking where the table of stock does not tell it.
    """

    folder: Path
    stock: str
    key: str
    store: Mapping[str, str] | None = None
    last: pd.Timestamp | None = None


@dataclass(frozen=True)
class InParts:
    """A chain whose parts lie on disk, each as a panel of all its weeks.

    Attributes:
        folder: of the parts.
        series: ``store`` and ``product`` of every series of the chain, in the order of its parts.
        last: its last week.
        count: of parts.
        names: every product and department.
    """

    folder: Path
    series: pd.DataFrame
    last: date
    count: int
    names: Mapping[str, tuple[str, ...]]

    def worked(self, parts: Parts, work: Callable[[Panel], Result]) -> list[Result]:
        """The work done on every part, as if each had the whole chain at hand."""
        return in_rounds(parts.mapped, partial(_on_panel, self.folder, work), self.count, self.names)


@contextmanager
def newest_in_parts(charter: Charter, location: Path, parts: Parts) -> Iterator[InParts | None]:
    """The newest data in parts; None where it is better read in one piece, or cannot be cut.

    Raises:
        DataError: the parts cannot be written.
    """
    with _folder(parts, charter.project) as folder:
        yield _in_parts(charter, location, folder, parts)


@contextmanager
def panel_in_parts(panel: Panel, parts: Parts) -> Iterator[InParts]:
    """A panel that is at hand, as parts on disk for others to work on.

    Raises:
        DataError: the parts cannot be written.
    """
    with _folder(parts, "panel") as folder:
        stores, place = np.unique(panel.series["store"].to_numpy(dtype=str), return_inverse=True)
        held = cut(np.bincount(place, minlength=len(stores)).tolist(), parts.series)
        for number, part in enumerate(held):
            home = folder / f"{number:04d}"
            home.mkdir()
            save_panel(panel.take((place >= part.start) & (place < part.stop)), home / PANEL)
        yield InParts(folder, panel.series[["store", "product"]], panel.last, len(held), _names(panel.series))


@contextmanager
def _folder(parts: Parts, name: str) -> Iterator[Path]:
    with _writing(parts.scratch):
        parts.scratch.mkdir(parents=True, exist_ok=True)
        for left in parts.scratch.iterdir():
            # Another command may clear it away at the same moment.
            with suppress(FileNotFoundError):
                if time.time() - left.stat().st_mtime > FORGOTTEN:
                    shutil.rmtree(left, ignore_errors=True)
        home = tempfile.TemporaryDirectory(prefix=f"{name}-", dir=parts.scratch, ignore_cleanup_errors=True)
    with home as folder:
        yield Path(folder)


@contextmanager
def _writing(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        remedy = "free some space, or name another data folder in LANDED_DATA"
        raise DataError("The data cannot be cut into parts", [Finding(str(place), str(error), remedy)]) from error


def _in_parts(charter: Charter, location: Path, folder: Path, parts: Parts) -> InParts | None:
    with _writing(folder):
        try:
            with _layout(charter, location) as layout:
                dealt = None if layout is None else _deal(layout, folder, parts.series)
        except (ValueError, KeyError, DataError):
            return None
    if dealt is None:
        return None
    count, taken = dealt
    read = partial(_read, charter, folder, taken)
    found: list[_Part | None] = list(parts.mapped(partial(read, None), range(count)))
    known = [part for part in found if part is not None]
    if len(known) < count:
        return None
    span = min(part.first for part in known), max(part.last for part in known)
    short = [place for place, part in enumerate(known) if (part.first, part.last) != span]
    list(parts.mapped(partial(read, span), short))
    names = {
        column: tuple(sorted({name for part in known for name in part.names.get(column, ())}))
        for column in known[0].names
    }
    series = pd.concat([part.series for part in known], ignore_index=True)
    return InParts(folder, series, span[1], count, names)


@contextmanager
def _layout(charter: Charter, location: Path) -> Iterator[Layout | None]:
    source, lead_time = charter.data.source, business_of(charter).lead_time
    if source in CHAINS:
        with exports_at(location, replace(CHAINS[source], seed=charter.seed, lead_time=lead_time)) as folder:
            yield Layout(folder, "state", "store")
    elif source == "tables" and (location / "sales.parquet").is_file() and (location / "stock.parquet").is_file():
        last = _last_week(location / "sales.parquet")
        yield None if last is None else Layout(location, "stock", ID, _stores_of(location), last)
    else:
        yield None


def _stores_of(location: Path) -> Mapping[str, str] | None:
    """The store of each id, where they are described."""
    tables = [path for path in (location / "series.parquet", location / "series.csv") if path.is_file()]
    if not tables:
        return None
    described = read_parquet(tables[0]) if tables[0].suffix == ".parquet" else pd.read_csv(tables[0], dtype=str)
    return dict(zip(described[ID].astype(str), described["store"].astype(str), strict=True))


def _last_week(sales: Path) -> pd.Timestamp | None:
    """The last Monday of a table whose dates all fall on one day of the week, so that every part of it tells so too."""
    dates: set[object] = set()
    with batches(sales, ROWS) as (_, rows):
        for batch in rows:
            dates |= set(pc.unique(batch.column("ds")).to_pylist())
    days = days_of(pd.Series(list(dates))).dropna()
    return None if len(set(days.dt.dayofweek)) != 1 else days.max() - pd.Timedelta(days=days.max().dayofweek)


def _deal(layout: Layout, folder: Path, most: int) -> tuple[int, pd.DataFrame] | None:
    """How many parts, and what the contract must know of the whole table of stock; None where one part is enough."""
    held: Counter[str] = Counter()
    weeks: Counter[object] = Counter()
    with batches(layout.folder / f"{layout.stock}.parquet", ROWS) as (_, rows):
        for batch in rows:
            keys, codes = _keys(batch.column(layout.key), layout.store)
            for key, count in zip(keys, np.bincount(codes + 1, minlength=len(keys) + 1)[1:], strict=True):
                held[key] += int(count)
            if "week" in batch.schema.names:
                weeks.update({one["values"]: one["counts"] for one in batch.column("week").value_counts().to_pylist()})
    stores = sorted(held)
    parts = cut([held[store] for store in stores], most)
    if len(parts) == 1:
        return None
    begins = [stores[part.start] for part in parts[1:]]
    targets = [folder / f"{number:04d}" for number in range(len(parts))]
    for target in targets:
        target.mkdir()
    for name in ("sales", layout.stock):
        _deal_rows(layout, layout.folder / f"{name}.parquet", begins, targets)
    for small in layout.folder.iterdir():
        if small.suffix in {".parquet", ".csv"} and small.stem not in {"sales", layout.stock}:
            shutil.copyfile(small, targets[0] / small.name)
            for target in targets[1:]:
                (target / small.name).hardlink_to(targets[0] / small.name)
    return len(parts), pd.DataFrame({"week": [layout.last] if layout.last is not None else _commonest(weeks)})


def _commonest(weeks: Mapping[object, int]) -> list[object]:
    """The week most rows name, the earliest of several, as the contract takes it; nothing where none is told."""
    cells = coerce(pd.Series(list(weeks), dtype=object), "datetime64[us]", nullable=False)
    counts = pd.Series(list(weeks.values()))[cells.passed].groupby(cells.cells[cells.passed]).sum()
    return [counts.idxmax()] if len(counts) else []


def _keys(values: pa.Array, store: Mapping[str, str] | None) -> tuple[list[str], NDArray[np.int64]]:
    """The stores of the distinct keys of a column as its contract reads them, and each row's; -1 for none."""
    encoded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    distinct = coerce(encoded.dictionary.to_pandas(), "str", nullable=False)
    names = [
        "" if not good else name if store is None else store.get(name, "")
        for name, good in zip(distinct.cells, distinct.passed, strict=True)
    ]
    stores, of_distinct = np.unique(np.array([*names, ""], dtype=object), return_inverse=True)
    codes = encoded.indices.fill_null(len(names)).to_numpy(zero_copy_only=False)
    return [str(name) for name in stores[1:]], of_distinct[codes].astype(np.int64) - 1


def _deal_rows(layout: Layout, table: Path, begins: Sequence[str], targets: Sequence[Path]) -> None:
    """Append each row to its part's file of the same name; rows keep their order.

    Stores follow each other by name, and ``begins`` holds the first one of each further part.
    """
    with batches(table, ROWS) as (schema, rows):
        writers = [pq.ParquetWriter(target / table.name, schema) for target in targets]
        try:
            for batch in rows:
                keys, codes = _keys(batch.column(layout.key), layout.store)
                parts = np.array([0, *(bisect_right(begins, key) for key in keys)])[codes + 1]
                order = np.argsort(parts, kind="stable")
                bounds = np.searchsorted(parts[order], np.arange(len(targets) + 1))
                dealt = batch.take(pa.array(order))
                for number, writer in enumerate(writers):
                    mine = dealt.slice(bounds[number], bounds[number + 1] - bounds[number])
                    if mine.num_rows:
                        writer.write_batch(mine)
        finally:
            for writer in writers:
                writer.close()


@dataclass(frozen=True)
class _Part:
    """What one part says of itself: its own first and last week, its series, and its products and departments."""

    first: date
    last: date
    series: pd.DataFrame
    names: Mapping[str, tuple[str, ...]]


def _read(
    charter: Charter, folder: Path, taken: pd.DataFrame, span: tuple[date, date] | None, place: int
) -> _Part | None:
    """Read a part, hold it against the contract, and keep its panel; None where something is wrong with all of it."""
    lead_time, home = business_of(charter).lead_time, folder / f"{place:04d}"
    try:
        raw = read_long(home, lead_time) if charter.data.source == "tables" else read_exports(home)
        tables, _ = apply_contracts(raw, _schemas(raw, taken, lead_time))
        panel = panel_from_tables(tables, lead_time, span=span)
    except DataError:
        return None
    save_panel(panel, home / PANEL)
    series = panel.series
    first, last = (day.astype("datetime64[D]").item() for day in panel.weeks[[0, -1]])
    return _Part(first, last, series[["store", "product"]], _names(series))


def _names(series: pd.DataFrame) -> Mapping[str, tuple[str, ...]]:
    """What figures are added up by over the parts: every product and department, sorted, where there are any."""
    grouped = [column for column in ("product", "department") if column in series.columns]
    return {column: tuple(sorted(series[column].unique())) for column in grouped}


def _schemas(raw: Tables, taken: pd.DataFrame, lead_time: int) -> Mapping[str, Any]:
    """The contract of a part; the stock-taking is that of the whole chain."""
    return contracts({**raw, "state": taken} if len(taken) else raw, lead_time)


def _on_panel(folder: Path, work: Callable[[Panel], Result], chain: Chain) -> Result:
    return work(replace(load_panel(folder / f"{chain.place:04d}" / PANEL), chain=chain))


def save_panel(panel: Panel, path: Path) -> None:
    """Write a panel that is whole or not there."""
    arrays = {name: getattr(panel, name) for name in _ARRAYS if getattr(panel, name) is not None}
    texts = {f"series_{name}": panel.series[name].to_numpy(dtype=str) for name in panel.series.columns}
    partial_ = path.with_name(f".{os.getpid()}.{path.name}")
    cells: dict[str, Any] = {**arrays, **texts}
    with _writing(path):
        np.savez(partial_, **cells)
        partial_.replace(path)


def load_panel(path: Path) -> Panel:
    """Read a panel back."""
    with np.load(path, allow_pickle=False) as held:
        cells: dict[str, Any] = {name: held[name] for name in _ARRAYS if name in held}
        texts = {name.removeprefix("series_"): held[name] for name in held if name.startswith("series_")}
    return Panel(series=pd.DataFrame(texts).astype(str), **cells)


_ARRAYS = ("weeks", "holiday", "pay_week", *PER_SERIES)
