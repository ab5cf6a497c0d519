"""Reading a Parquet file that somebody brings: broken in any way it is one error, and it unpacks within bounds."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

#: Bytes a file may always unpack to; cells count as eight.
ALWAYS = 2 * 1024**3
#: A file may also unpack to so many times its size. Real tables stay below: repeated values pack well, but not all do.
TIMES = 200
_CELL = 8


def read_parquet(path: Path) -> pd.DataFrame:
    """The table of a file as it is.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it cannot be read, or would unpack to far more than a file of its size holds.
    """
    try:
        _require_bounds(path)
        return _with_texts(pd.read_parquet(path))
    except FileNotFoundError:
        raise
    # A broken file makes Arrow and pandas raise nearly anything: KeyError, TypeError, RecursionError, MemoryError …
    except Exception as error:
        raise ValueError(str(error) or type(error).__name__) from error


@contextmanager
def batches(path: Path, rows: int) -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
    """The schema of a file and its rows, so many at a time.

    Raises:
        ValueError: as :func:`read_parquet`, also while the rows are gone through.
    """
    try:
        _require_bounds(path)
        with pq.ParquetFile(path) as file:
            yield file.schema_arrow, file.iter_batches(rows)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(str(error) or type(error).__name__) from error


def _with_texts(frame: pd.DataFrame) -> pd.DataFrame:
    """Arrow does not look whether texts are UTF-8; whoever touched such a cell later would fail over it."""
    for place in range(frame.shape[1]):
        cells = frame.iloc[:, place]
        if isinstance(cells.dtype, pd.StringDtype) and cells.dtype.storage == "pyarrow":
            pa.array(cells).validate(full=True)
        elif pd.api.types.infer_dtype(cells) == "bytes":
            cells.astype("str")  # some programs write texts as plain bytes
    return frame


def _require_bounds(path: Path) -> None:
    """Look at what the file says of itself before anything is unpacked."""
    size = path.stat().st_size
    told = pq.read_metadata(path)
    groups = [told.row_group(place) for place in range(told.num_row_groups)]
    unpacked = max(sum(group.total_byte_size for group in groups), told.num_rows * max(told.num_columns, 1) * _CELL)
    if unpacked > max(ALWAYS, TIMES * size) or told.num_rows < 0:
        raise ValueError(f"{told.num_rows:,} rows and {unpacked:,} bytes would come out of a file of {size:,} bytes")
