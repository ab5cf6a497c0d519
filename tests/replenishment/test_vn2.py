"""The VN2 files, read as they are; what does not fit is named with its place."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.datasets.contracts import apply_contracts
from pipeline.errors import DataError
from pipeline.replenishment.contract import contracts
from pipeline.replenishment.panel import panel_from_tables
from pipeline.replenishment.vn2 import in_template_order, read_template, read_vn2
from tests.replenishment.made import write_vn2


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return write_vn2(tmp_path / "vn2", weeks=60)


def test_the_long_tables_hold_every_cell_and_pass_their_contract(files: Path):
    tables = read_vn2(files, 3)
    clean, quarantine = apply_contracts(tables, contracts(tables, 3))
    assert sum(quarantine.refused.values()) == 0
    wide, stock = pd.read_csv(files / "sales.csv"), pd.read_csv(files / "in_stock.csv")
    panel = panel_from_tables(clean, 3)
    assert panel.sales.shape == (60, 9)
    for column, (store, product) in enumerate(panel.series[["store", "product"]].itertuples(index=False)):
        row = wide[(wide["Store"] == int(store)) & (wide["Product"] == int(product))].index[0]
        assert panel.sales[:, column].tolist() == wide.iloc[row, 2:].tolist()
        assert panel.in_stock[:, column].tolist() == (stock.iloc[row, 2:] == 1).tolist()
    assert "department" in panel.series.columns


def test_one_week_later_the_files_have_a_column_more_and_so_has_the_panel(tmp_path: Path):
    before = panel_from_tables(read_vn2(write_vn2(tmp_path / "a", weeks=60), 3), 3)
    after = panel_from_tables(read_vn2(write_vn2(tmp_path / "b", weeks=61), 3), 3)
    assert after.periods == before.periods + 1
    assert after.weeks[-1] - before.weeks[-1] == np.timedelta64(7, "D")


def test_stock_and_arrivals_come_from_the_state(files: Path):
    state = pd.read_csv(files / "initial_state.csv")
    panel = panel_from_tables(read_vn2(files, 3), 3)
    first = state[(state["Store"] == 0) & (state["Product"] == 100)].iloc[0]
    assert panel.on_hand[0] == first["End Inventory"]
    assert panel.on_order[:, 0].tolist() == [first["In Transit W+1"], first["In Transit W+2"]]


def test_weeks_that_in_stock_does_not_tell_yet_count_as_in_stock_but_for_a_shelf_the_state_shows_empty(files: Path):
    told = panel_from_tables(read_vn2(files, 3), 3)
    edit(files / "in_stock.csv", lambda frame: frame.iloc[:, :-3])
    edit(files / "initial_state.csv", put(4, 3, 0))
    panel = panel_from_tables(read_vn2(files, 3), 3)
    assert np.array_equal(panel.in_stock[:-3], told.in_stock[:-3])
    assert panel.in_stock[-3:-1].all()
    assert panel.in_stock[-1].tolist() == (panel.on_hand > 0).tolist()
    assert not panel.in_stock[-1].all()
    assert np.array_equal(panel.sales, told.sales)


def test_orders_are_written_in_the_templates_row_order(files: Path):
    panel = panel_from_tables(read_vn2(files, 3), 3)
    template = read_template(files)
    orders = np.arange(9)
    filled = in_template_order(template, panel.series, orders)
    assert filled.columns.tolist() == ["Store", "Product", "0"]
    assert filled[["Store", "Product"]].equals(template[["Store", "Product"]])
    for row in filled.itertuples(index=False):
        position = panel.series.index[(panel.series["store"] == str(row[0])) & (panel.series["product"] == str(row[1]))]
        assert row[2] == orders[position[0]]


def edit(path: Path, change) -> None:
    frame = pd.read_csv(path).astype(object)
    change(frame).to_csv(path, index=False)


def put(row: int, column: int, value: object):
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame.iat[row, column] = value
        return frame

    return change


CASES = {
    "a file is missing": (lambda d: (d / "master.csv").unlink(), "master.csv", "no such file"),
    "a file is empty": (lambda d: (d / "sales.csv").write_text(""), "sales.csv", "not readable as CSV"),
    "text instead of units": (lambda d: edit(d / "sales.csv", put(1, 4, "many")), "line 3", "not a number"),
    "a fraction of a unit": (lambda d: edit(d / "sales.csv", put(0, 2, 1.5)), "line 2", "1.5"),
    "negative units": (lambda d: edit(d / "sales.csv", put(0, 2, -1)), "column 2021-04-12", "-1"),
    "an empty cell": (lambda d: edit(d / "sales.csv", put(0, 2, None)), "line 2", "not a number"),
    "in stock neither yes nor no": (lambda d: edit(d / "in_stock.csv", put(2, 5, 2)), "in_stock.csv, line 4", "2"),
    "weeks that disagree": (
        lambda d: edit(d / "in_stock.csv", lambda f: f.iloc[:, :-9]), "in_stock.csv", "51 weeks where sales.csv has 60",
    ),
    "sales that lag behind": (
        lambda d: edit(d / "sales.csv", lambda f: f.iloc[:, :-1]), "in_stock.csv", "60 weeks where sales.csv has 59",
    ),
    "in stock of other weeks": (
        lambda d: edit(d / "in_stock.csv", lambda f: f.drop(columns=f.columns[2])), "in_stock.csv", "2021-04-12",
    ),
    "a week is left out": (
        lambda d: [edit(d / n, lambda f: f.drop(columns=f.columns[10])) for n in ("sales.csv", "in_stock.csv")],
        "sales.csv", "a gap before 2021-06-14",
    ),
    "a column that is no week": (
        lambda d: edit(d / "sales.csv", lambda f: f.rename(columns={f.columns[-1]: "total"})), "sales.csv", "'total'",
    ),
    "rows that are missing": (
        lambda d: edit(d / "initial_state.csv", lambda f: f.iloc[1:]), "initial_state.csv", "lacks",
    ),
    "a series twice": (
        lambda d: edit(d / "sales.csv", lambda f: pd.concat([f, f.iloc[:1]])), "sales.csv", "more than one row",
    ),
    "no keys": (lambda d: edit(d / "sales.csv", lambda f: f.drop(columns="Store")), "sales.csv", "no column Store"),
    "a state without arrivals": (
        lambda d: edit(d / "initial_state.csv", lambda f: f.drop(columns="In Transit W+2")),
        "initial_state.csv", "In Transit W+2",
    ),
    "negative stock": (lambda d: edit(d / "initial_state.csv", put(0, 3, -2)), "initial_state.csv", "-2"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_what_is_wrong_is_named_with_its_place_and_a_remedy(files: Path, case):
    spoil, place, found = case
    spoil(files)
    with pytest.raises(DataError) as caught:
        read_vn2(files, 3)
    finding = caught.value.findings[0]
    assert place in finding.place
    assert found in finding.found
    assert finding.remedy


def test_a_template_of_other_series_is_refused(files: Path):
    panel = panel_from_tables(read_vn2(files, 3), 3)
    edit(files / "submission_template.csv", put(0, 0, 77))
    with pytest.raises(DataError, match="store 77"):
        in_template_order(read_template(files), panel.series, np.zeros(9, np.int64))
    edit(files / "submission_template.csv", lambda frame: frame[["Store", "Product"]])
    with pytest.raises(DataError, match="one column for the orders"):
        read_template(files)
