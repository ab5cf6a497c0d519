"""The files of the VN2 Inventory Planning Challenge, read as they are and turned into the long tables of the contract.

Five CSV files in one directory, keyed by ``Store`` and ``Product``: ``sales.csv`` and ``in_stock.csv`` with one
column a week (the Monday's ISO date) and growing by a column a week (``in_stock.csv`` may lag behind by the weeks of a
game), ``initial_state.csv`` with the stock at the end of the last week, ``master.csv`` with hierarchy codes,
``submission_template.csv`` with the row order of orders.
"""

from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.errors import DataError, Finding

KEY = ["Store", "Product"]
SALES, IN_STOCK, STATE, MASTER, TEMPLATE = (
    "sales.csv",
    "in_stock.csv",
    "initial_state.csv",
    "master.csv",
    "submission_template.csv",
)
ON_HAND, DUE = "End Inventory", "In Transit W+"
PRODUCT_COLUMNS = {
    "ProductGroup": "group",
    "Division": "division",
    "Department": "department",
    "DepartmentGroup": "department_group",
}
STORE_COLUMNS = {"StoreFormat": "store_format", "Format": "format"}
#: Newest weeks that ``in_stock.csv`` may lack: the weeks of a game.
UNTOLD = 8
#: Cells named in a finding at most.
NAMED = 3


@dataclass(frozen=True)
class _Grid:
    """A week-by-week file: its series in file order, its week columns, and the cells (rows, weeks)."""

    keys: pd.MultiIndex
    weeks: list[str]
    cells: NDArray[np.float64]


def read_vn2(directory: Path, lead_time: int) -> dict[str, pd.DataFrame]:
    """The long tables ``sales``, ``state``, ``products`` and ``stores``.

    Raises:
        DataError: a file is missing, unreadable, lacks a column, holds a cell that is no whole number ≥ 0, or the
            files do not speak of the same series and weeks.
    """
    frames = _read_all(directory)
    sales, in_stock = _grid(directory / SALES, frames[SALES]), _grid(directory / IN_STOCK, frames[IN_STOCK])
    _same_weeks(directory, sales, in_stock)
    _same_series(directory, sales.keys, {name: _keys(frames[name]) for name in (IN_STOCK, STATE, MASTER)})
    if not np.isin(in_stock.cells, (0, 1)).all():
        raise _cell_error(directory / IN_STOCK, in_stock, ~np.isin(in_stock.cells, (0, 1)), "0 or 1")
    order = in_stock.keys.get_indexer(sales.keys)
    state = _state(directory / STATE, frames[STATE], lead_time, sales.weeks[-1])
    left = state["on_hand"].to_numpy()[_keys(frames[STATE]).get_indexer(sales.keys)]
    return {
        "sales": _long(sales, _until_now(in_stock.cells[order] == 1, len(sales.weeks), left)),
        "state": state,
        **_masters(directory / MASTER, frames[MASTER]),
    }


def read_template(directory: Path) -> pd.DataFrame:
    """The submission template as it is: ``Store``, ``Product`` and the column the orders go into.

    Raises:
        DataError: when it cannot be read or has no column for the orders.
    """
    path = directory / TEMPLATE
    template = _read(path)
    if template.shape[1] != len(KEY) + 1:
        found = f"columns {', '.join(map(str, template.columns))}"
        raise _error(path, found, f"it must have {', '.join(KEY)} and one column for the orders")
    return template


def in_template_order(template: pd.DataFrame, series: pd.DataFrame, orders: NDArray[np.int64]) -> pd.DataFrame:
    """Fill the template with the orders of the panel's series.

    Raises:
        DataError: when the template names a series that has no order.
    """
    filled = template.copy()
    filled[template.columns[-1]] = orders[template_order(template, series)]
    return filled


def template_order(template: pd.DataFrame, series: pd.DataFrame) -> NDArray[np.int64]:
    """(M,) the place of each line of the template among the panel's series.

    Raises:
        DataError: when the template names a series there is none of.
    """
    known = pd.MultiIndex.from_frame(series[["store", "product"]].astype(str))
    wanted = pd.MultiIndex.from_frame(template[KEY].astype(str))
    position = np.asarray(known.get_indexer(wanted), np.int64)
    if (position < 0).any():
        raise _error(
            Path(TEMPLATE),
            f"names {_shown(wanted[position < 0])}, of which sales.csv knows nothing",
            "use the template that belongs to these sales",
        )
    return position


def _read_all(directory: Path) -> dict[str, pd.DataFrame]:
    """The four files by name; what is wrong with several of them is told at once."""
    frames, errors = {}, []
    for name in (SALES, IN_STOCK, STATE, MASTER):
        try:
            frames[name] = _read(directory / name)
        except DataError as error:
            errors.append(error)
    if len(errors) > 1:
        findings = [finding for error in errors for finding in error.findings]
        raise DataError(f"{len(errors)} files cannot be used", findings)
    if errors:
        raise errors[0]
    return frames


def _read(path: Path) -> pd.DataFrame:
    try:
        frame = pd.read_csv(path)
    except FileNotFoundError as error:
        raise _error(path, "no such file", "put the file there, or correct --data") from error
    except (OSError, ValueError) as error:
        raise _error(path, f"not readable as CSV: {error}", "export the file again as comma-separated UTF-8") from error
    missing = [column for column in KEY if column not in frame.columns]
    if missing:
        raise _error(path, f"no column {' and '.join(missing)}", "the first two columns are Store and Product")
    if frame.empty:
        raise _error(path, "no rows", "export the file again")
    if frame.duplicated(KEY).any():
        twice = _shown(_keys(frame)[frame.duplicated(KEY)])
        raise _error(path, f"more than one row for {twice}", "keep one row per store and product")
    return frame


def _grid(path: Path, frame: pd.DataFrame) -> _Grid:
    weeks = [str(column) for column in frame.columns if column not in KEY]
    _check_weeks(path, weeks)
    values = frame.drop(columns=KEY).apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    grid = _Grid(_keys(frame), weeks, values)
    wrong = ~np.isfinite(values) | (values < 0) | (values != np.floor(values))
    if wrong.any():
        raise _cell_error(path, grid, wrong, "a whole number ≥ 0")
    return grid


def _check_weeks(path: Path, weeks: list[str]) -> None:
    """Columns must be Mondays without a gap, rising."""
    days = []
    for week in weeks:
        try:
            days.append(date.fromisoformat(week))
        except ValueError as error:
            raise _error(
                path, f"column '{week}' is no week", "name week columns by their Monday, YYYY-MM-DD"
            ) from error
    gaps = [str(later) for earlier, later in pairwise(days) if (later - earlier).days != 7]
    if not days or days[0].weekday() != 0 or gaps:
        found = f"a gap before {gaps[0]}" if gaps else f"first week {days[0] if days else 'missing'}"
        raise _error(path, found, "one column per week, Mondays, oldest first, none left out")


def _same_weeks(directory: Path, sales: _Grid, in_stock: _Grid) -> None:
    missing = len(sales.weeks) - len(in_stock.weeks)
    if 0 <= missing <= UNTOLD and sales.weeks[: len(in_stock.weeks)] == in_stock.weeks:
        return
    apart = sorted(set(sales.weeks) ^ set(in_stock.weeks))
    found = f"{len(in_stock.weeks)} weeks where {SALES} has {len(sales.weeks)}; not in both: {', '.join(apart[:NAMED])}"
    raise _error(
        directory / IN_STOCK, found, f"both files must hold the same weeks, the newest being {sales.weeks[-1]}"
    )


def _until_now(told: NDArray[np.bool_], weeks: int, left: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(N, weeks) in stock or not; the newest weeks may not be told yet.

    While the challenge is played, only sales and the state may grow. The state then says of the last week whether
    anything was left; the untold weeks before it count as in stock, which is what six shelves of seven are.
    """
    missing = weeks - told.shape[1]
    if not missing:
        return told
    untold = np.ones((len(told), missing), np.bool_)
    untold[:, -1] = left > 0
    return np.hstack([told, untold])


def _same_series(directory: Path, keys: pd.MultiIndex, others: dict[str, pd.MultiIndex]) -> None:
    findings = []
    for name, found in others.items():
        for what, apart in (("lacks", keys.difference(found)), ("knows also", found.difference(keys))):
            if len(apart) and (what == "lacks" or name != MASTER):
                remedy = f"{name} must have the same store-products as {SALES}"
                findings.append(Finding(str(directory / name), f"{what} {_shown(apart)} ({len(apart)})", remedy))
    if findings:
        raise DataError("the VN2 files do not belong together", findings)


def _long(sales: _Grid, in_stock: NDArray[np.bool_]) -> pd.DataFrame:
    count = len(sales.weeks)
    store, product = (sales.keys.get_level_values(level).to_numpy(dtype=object) for level in KEY)
    return pd.DataFrame(
        {
            "store": np.repeat(store, count),
            "product": np.repeat(product, count),
            "week": np.tile(np.array(sales.weeks, "datetime64[us]"), len(sales.keys)),
            "units": sales.cells.astype(np.int64).ravel(),
            "in_stock": in_stock.ravel(),
        }
    ).astype({"store": "str", "product": "str"})


def _state(path: Path, frame: pd.DataFrame, lead_time: int, week: str) -> pd.DataFrame:
    columns = {ON_HAND: "on_hand", **{f"{DUE}{ahead}": f"due_{ahead}" for ahead in range(1, lead_time)}}
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        remedy = f"a lead time of {lead_time} weeks needs {', '.join(columns)}; correct business.lead_time or the file"
        raise _error(path, f"no column {', '.join(missing)}", remedy)
    values = frame[list(columns)].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    wrong = ~np.isfinite(values) | (values < 0) | (values != np.floor(values))
    if wrong.any():
        raise _cell_error(path, _Grid(_keys(frame), list(columns), values), wrong, "a whole number ≥ 0")
    state = pd.DataFrame(values.astype(np.int64), columns=list(columns.values()))
    keys = frame[KEY].astype(str)
    state.insert(0, "product", keys["Product"])
    state.insert(0, "store", keys["Store"])
    # The file does not say which week it is of; it is taken for the last week of sales.
    state["week"] = np.full(len(state), np.datetime64(week, "us"))
    return state


def _masters(path: Path, master: pd.DataFrame) -> dict[str, pd.DataFrame]:
    tables = {}
    for name, key, columns in (("products", "Product", PRODUCT_COLUMNS), ("stores", "Store", STORE_COLUMNS)):
        missing = [column for column in columns if column not in master.columns]
        if missing:
            raise _error(path, f"no column {', '.join(missing)}", "use the hierarchy file of the challenge")
        table = master[[key, *columns]].astype(str).drop_duplicates()
        if table.duplicated(key).any():
            twice = table.loc[table.duplicated(key), key].iloc[0]
            raise _error(path, f"{key} {twice} has two different descriptions", f"describe each {key} once")
        tables[name] = table.rename(columns={key: key.lower(), **columns}).reset_index(drop=True)
    return tables


def _keys(frame: pd.DataFrame) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(frame[KEY].astype(str))


def _shown(keys: pd.MultiIndex) -> str:
    names = [f"store {store} product {product}" for store, product in list(keys)[:NAMED]]
    return ", ".join(names) + (" …" if len(keys) > NAMED else "")


def _cell_error(path: Path, grid: _Grid, wrong: NDArray[np.bool_], wanted: str) -> DataError:
    rows, columns = np.nonzero(wrong)
    findings = [
        Finding(
            f"{path}, line {row + 2}, column {grid.weeks[column]}",
            f"{'not a number' if np.isnan(grid.cells[row, column]) else grid.cells[row, column]}",
            f"write {wanted}",
        )
        for row, column in list(zip(rows.tolist(), columns.tolist(), strict=True))[:NAMED]
    ]
    return DataError(f"{len(rows)} cells of {path.name} are not {wanted}", findings)


def _error(path: Path, found: str, remedy: str) -> DataError:
    return DataError(f"{path.name} cannot be used", [Finding(str(path), found, remedy)])
