"""Datasets on disk, found by their content: ``<root>/<digest>/`` with Parquet tables, quarantine and manifest.

The digest covers names, columns, types and values, not the files: the same data written by another version of a
library is the same dataset. It does cover the order of rows.
"""

import hashlib
import json
import os
import shutil
import socket
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyarrow import ArrowException

from pipeline.datasets.coercion import numbered
from pipeline.datasets.dataset import Dataset, Quarantine, Tables
from pipeline.errors import DataError, Finding

_MANIFEST, _QUARANTINE, _TABLES = "manifest.json", "quarantine.parquet", "tables"


def digest(tables: Tables) -> str:
    """SHA-256 over names, columns, types and values; the order of tables and columns does not matter."""
    total = hashlib.sha256()
    for name in sorted(tables):
        frame = tables[name]
        _add(total, "table", name, str(len(frame)))
        for column in sorted(map(str, frame.columns)):
            _add(total, "column", column)
            _add_values(total, frame[column])
    return total.hexdigest()


def _add(total: Any, *texts: str) -> None:
    """Each text with its length, so that no two lists of texts read the same."""
    for text in texts:
        data = text.encode()
        total.update(len(data).to_bytes(8, "little"))
        total.update(data)


def _add_values(total: Any, values: pd.Series) -> None:
    """The cells in a form that does not depend on how they are kept: bytes of numbers, codes of texts."""
    dtype = values.dtype
    if isinstance(dtype, np.dtype) and dtype.kind == "M":
        _add(total, "datetime")
        _add_cells(total, values.to_numpy().astype("datetime64[us]", copy=False), "<i8")
    elif isinstance(dtype, np.dtype) and dtype.kind == "f":
        _add(total, f"float{dtype.itemsize * 8}")
        # One pattern for every NaN and one for zero.
        numbers = np.where(np.isnan(values), np.nan, values.to_numpy() + 0.0)
        _add_cells(total, numbers, dtype.newbyteorder("<"))
    elif isinstance(dtype, np.dtype) and dtype.kind in "iub":
        _add(total, str(dtype))
        _add_cells(total, values.to_numpy(), dtype.newbyteorder("<"))
    else:
        codes, distinct = numbered(values.astype("str"))
        _add(total, "text", *(str(text) for text in distinct))
        _add_cells(total, codes, "<i4")


def _add_cells(total: Any, cells: NDArray[Any], dtype: np.dtype[Any] | str) -> None:
    """The bytes of cells of this type, without copying those that have it."""
    total.update(np.ascontiguousarray(cells.astype(dtype, copy=False)).view(np.uint8))


def store(dataset: Dataset, root: Path) -> Path:
    """Write a dataset under ``<root>/<digest>/``; where it already lies nothing is written.

    Everything is written beside its place and renamed into it, so that a reader meets a whole dataset or none. What
    writers that were killed left beside it is cleared away.
    """
    place = root / dataset.digest
    _clear(root)
    if (place / _MANIFEST).exists():
        return place
    fresh = root / f".{dataset.digest}-{_host()}-{os.getpid()}"
    shutil.rmtree(fresh, ignore_errors=True)
    (fresh / _TABLES).mkdir(parents=True)
    try:
        for name, frame in dataset.tables.items():
            # Tables are read whole; the least and largest of each block would take a quarter of the writing.
            path = fresh / _TABLES / f"{name}.parquet"
            frame.to_parquet(path, index=False, compression="zstd", write_statistics=False)
        dataset.quarantine.rows.to_parquet(fresh / _QUARANTINE, index=False)
        (fresh / _MANIFEST).write_text(json.dumps(_manifest(dataset), indent=2, ensure_ascii=False) + "\n")
        _settle(fresh, place)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return place


def _host() -> str:
    """This machine, in a file's name: the number of a process says nothing about those of another machine."""
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:12]


def _clear(root: Path) -> None:
    """Remove what processes of this machine left half-written when they were killed; a living one's stays."""
    for left in root.glob(f".*-{_host()}-*"):
        number = left.name.rpartition("-")[2]
        if number.isdecimal() and not _lives(int(number)):
            shutil.rmtree(left, ignore_errors=True)


def _lives(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        # Somebody else's process, or no number a process can have: not ours to judge.
        return True
    return True


def _settle(fresh: Path, place: Path) -> None:
    """Rename into place. A torn directory of an earlier crash gives way; a whole one of a twin process stays."""
    try:
        fresh.rename(place)
    except OSError:
        if not (place / _MANIFEST).exists():
            shutil.rmtree(place)
            fresh.rename(place)


def _manifest(dataset: Dataset) -> dict[str, Any]:
    return {
        "digest": dataset.digest,
        "cutoff": dataset.cutoff.isoformat(),
        "tables": {
            name: {"rows": len(frame), "columns": list(frame.columns)} for name, frame in dataset.tables.items()
        },
        "loaded": dataset.quarantine.loaded,
        "kept": dataset.quarantine.kept,
        "quarantine": digest({"quarantine": dataset.quarantine.rows}),
    }


def load(root: Path, digest_: str) -> Dataset:
    """Read a dataset back and compare its content with its digest.

    Raises:
        DataError: when it is not there, does not read, or is not what was stored.
    """
    place = root / digest_
    try:
        manifest = json.loads((place / _MANIFEST).read_text())
        tables = {name: pd.read_parquet(place / _TABLES / f"{name}.parquet") for name in manifest["tables"]}
        rows = pd.read_parquet(place / _QUARANTINE)
        quarantine = Quarantine(rows, dict(manifest["loaded"]), dict(manifest["kept"]))
        cutoff, stored = date.fromisoformat(manifest["cutoff"]), str(manifest["quarantine"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ArrowException) as exc:
        raise _unreadable(place, str(exc) or type(exc).__name__) from exc
    for what, asked, found in (
        ("tables", digest_, digest(tables)),
        ("quarantine", stored, digest({"quarantine": rows})),
    ):
        if asked != found:
            raise _unreadable(place, f"the content of the {what} is {found[:12]}…, stored was {asked[:12]}…")
    return Dataset(tables=tables, digest=digest_, cutoff=cutoff, quarantine=quarantine)


def _unreadable(place: Path, found: str) -> DataError:
    remedy = "restore the directory from a backup, or remove it and load the source again"
    return DataError("a stored dataset is damaged or was changed", [Finding(str(place), found, remedy)])
