"""A user's own tables: the same panel and the same orders as the other sources give on the same history."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.charter import Charter
from pipeline.datasets.contracts import apply_contracts
from pipeline.datasets.dataset import Dataset
from pipeline.errors import DataError
from pipeline.problems.base import Arm
from pipeline.replenishment.contract import contracts
from pipeline.replenishment.longform import read_long
from pipeline.replenishment.panel import Panel, panel_from_tables
from pipeline.replenishment.problem import Replenishment
from pipeline.replenishment.vn2 import read_vn2
from tests.replenishment.made import charter, write_long, write_vn2

WEEKS = 60


@pytest.fixture
def original(tmp_path: Path) -> Path:
    return write_vn2(tmp_path / "vn2", weeks=WEEKS, stores=3, products=4)


def of_source(rules: Charter, source: str) -> Charter:
    return rules.model_copy(update={"data": rules.data.model_copy(update={"source": source})})


def panel_of(tables) -> Panel:
    clean, quarantine = apply_contracts(tables, contracts(tables, 3))
    assert not len(quarantine.rows)
    return panel_from_tables(clean, 3)


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
@pytest.mark.parametrize("days", [False, True], ids=["weeks", "days"])
def test_long_tables_give_the_panel_of_the_same_history(original, tmp_path, suffix, days):
    expected = panel_from_tables(read_vn2(original, 3), 3)
    panel = panel_of(read_long(write_long(tmp_path / "long", original, suffix, days=days), 3))
    assert panel.series[["store", "product", "department"]].equals(expected.series[["store", "product", "department"]])
    for name in ("weeks", "sales", "in_stock", "listed", "on_hand", "on_order"):
        assert np.array_equal(getattr(panel, name), getattr(expected, name)), name


@pytest.mark.parametrize("baseline", ["official_benchmark", "seasonal_average"])
def test_the_orders_are_those_of_the_same_history_under_the_users_own_ids(original, tmp_path, baseline):
    own, theirs = of_source(charter("vn2"), "tables"), charter("vn2")
    place = write_long(tmp_path / "long", original, "parquet", days=True)
    orders = Replenishment().decide(own, place, Arm("b", own, baseline=baseline))
    expected = Replenishment().decide(theirs, original, Arm("b", theirs, baseline=baseline))
    expected = expected.set_index("id-" + expected["Store"].astype(str) + "-" + expected["Product"].astype(str))["0"]
    assert list(orders.columns) == ["unique_id", "store", "product", "order"]
    assert orders.set_index("unique_id")["order"].sort_index().tolist() == expected.sort_index().tolist()
    assert orders["order"].sum() > 0


def test_series_nobody_described_are_their_own_stores_and_keep_their_ids(original, tmp_path):
    place = write_long(tmp_path / "long", original, "csv")
    (place / "series.csv").unlink()
    panel = panel_of(read_long(place, 3))
    assert panel.series["store"].tolist() == sorted(pd.read_csv(place / "stock.csv")["unique_id"])
    rules = of_source(charter("vn2"), "tables")
    orders = Replenishment().decide(rules, place, Arm("b", rules, baseline="official_benchmark"))
    assert orders["unique_id"].tolist() == panel.series["store"].tolist()


def test_a_day_without_stock_or_without_a_row_makes_the_weeks_sales_a_lower_bound(original, tmp_path):
    place = write_long(tmp_path / "long", original, "parquet", days=True)
    sales = pd.read_parquet(place / "sales.parquet")
    first = sales["unique_id"].iloc[0]
    days = sales[(sales["unique_id"] == first) & sales["in_stock"]]
    monday = days["ds"].iloc[14] - pd.Timedelta(days=int(days["ds"].iloc[14].dayofweek))
    gap = (sales["unique_id"] == first) & (sales["ds"] == monday + pd.Timedelta(days=2))
    sales[~gap].to_parquet(place / "sales.parquet")
    tables = read_long(place, 3)["sales"]
    week = tables[(tables["week"] == monday) & (tables["store"] == "0") & (tables["product"] == "100")].iloc[0]
    assert not week["in_stock"]
    assert week["units"] == sales[(sales["unique_id"] == first) & ~gap & (sales["ds"] >= monday)
                                  & (sales["ds"] < monday + pd.Timedelta(days=7))]["y"].sum()  # fmt: skip


def test_what_is_left_at_the_end_tells_an_empty_shelf(original, tmp_path):
    place = write_long(tmp_path / "long", original, "csv")
    sales = pd.read_csv(place / "sales.csv")
    sales.assign(stock=sales["in_stock"] * 3).drop(columns="in_stock").to_csv(place / "sales.csv", index=False)
    expected = panel_from_tables(read_vn2(original, 3), 3)
    panel = panel_of(read_long(place, 3))
    assert np.array_equal(panel.in_stock, expected.in_stock)
    assert panel.stock is not None
    assert np.array_equal(panel.stock, expected.in_stock * 3)


def test_the_stock_of_a_week_of_days_is_that_of_its_last_evening(original, tmp_path):
    place = write_long(tmp_path / "long", original, "parquet", days=True)
    sales = pd.read_parquet(place / "sales.parquet")
    counted = np.random.default_rng(2).integers(0, 50, len(sales))
    sales = sales.assign(stock=counted).sample(frac=1, random_state=1)
    sales.to_parquet(place / "sales.parquet")
    panel = panel_of(read_long(place, 3))
    evenings = sales[sales["ds"].dt.dayofweek == 6].pivot(index="ds", columns="unique_id", values="stock")
    assert panel.stock is not None
    ids = ("id-" + panel.series["store"] + "-" + panel.series["product"]).tolist()
    assert np.array_equal(panel.stock, evenings[ids].to_numpy())


def test_an_accounted_decision_names_the_users_ids_beside_store_and_product(original, tmp_path):
    rules = of_source(charter("vn2"), "tables")
    place = write_long(tmp_path / "long", original, "parquet")
    arm = Arm("b", rules, baseline="official_benchmark")
    account = Replenishment().account(rules, place, arm, None)
    assert account.decisions.equals(Replenishment().decide(rules, place, arm))


def test_rows_that_cannot_be_used_are_refused_one_by_one(original, tmp_path):
    place = write_long(tmp_path / "long", original, "csv")
    sales = pd.read_csv(place / "sales.csv", dtype=object)
    sales.iloc[3, 1], sales.iloc[5, 2], sales.iloc[7, 0] = "soon", "many", "nobody"
    sales.to_csv(place / "sales.csv", index=False)
    tables = read_long(place, 3)
    clean, quarantine = apply_contracts(tables, contracts(tables, 3))
    assert len(quarantine.rows) == 3
    assert len(clean["sales"]) == len(sales) - 3
    assert all(quarantine.rows["reason"].str.len() > 0)


def edit(place: Path, name: str, change) -> None:
    path = place / f"{name}.csv"
    change(pd.read_csv(path, dtype=object)).to_csv(path, index=False)


def put(row: int, column: str, value: object):
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[row, column] = value
        return frame

    return change


CASES = {
    "no sales": (lambda d: (d / "sales.csv").unlink(), "sales", "no such file"),
    "no stock": (lambda d: (d / "stock.csv").unlink(), "stock", "no such file"),
    "no y": (lambda d: edit(d, "sales", lambda f: f.drop(columns="y")), "sales", "no column y"),
    "no arrivals": (lambda d: edit(d, "stock", lambda f: f.drop(columns="due_2")), "stock", "no column due_2"),
    "no word of the shelf": (lambda d: edit(d, "sales", lambda f: f.drop(columns="in_stock")), "sales", "no stock"),
    "a table twice": (lambda d: (d / "stock.parquet").write_bytes(b""), "long", "stock.parquet and stock.csv"),
    "a series twice": (lambda d: edit(d, "series", lambda f: pd.concat([f, f[:1]])), "series", "id-0-100"),
    "not a table": (lambda d: (d / "sales.csv").write_bytes(b"\xff\xfe\x00"), "sales.csv", "not readable"),
    "a day that is none": (lambda d: edit(d, "sales", put(4, "ds", "soon")), "row 5", "date"),
    "no rows": (lambda d: edit(d, "sales", lambda f: f[:0]), "sales", "no date can be read"),
    "no day at all": (lambda d: edit(d, "sales", lambda f: f.assign(ds="soon")), "sales", "no date can be read"),
    "units that are none": (lambda d: edit(d, "sales", put(6, "y", "many")), "row 7", "no number"),
    "a day twice": (lambda d: edit(d, "sales", lambda f: pd.concat([f, f[:1]])), "row", "more than one row"),
    "a week that is not over": (
        lambda d: edit(d, "sales", lambda f: f[f["ds"] < f["ds"].max()]), "sales", "the newest day is Saturday",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_what_is_wrong_is_named_with_its_place_and_a_remedy(original, tmp_path, case):
    spoil, place, found = case
    directory = write_long(tmp_path / "long", original, "csv", days=True)
    spoil(directory)
    with pytest.raises(DataError) as caught:
        read_long(directory, 3)
    finding = caught.value.findings[0]
    assert place in finding.place
    assert found in finding.found or found in str(caught.value)
    assert finding.remedy


def test_a_users_tables_are_played_in_games_as_any_recorded_history(original, tmp_path):
    """The benchmark's cost over the games is that of the same history in the challenge's own files."""
    rules = charter("vn2", model__backtest_cutoffs=2, model__backtest_every=4)
    # Against the benchmark the benchmark is 1 on any history; in money it is not.
    rules = rules.model_copy(update={"kpi": rules.kpi.model_copy(update={"name": "cost"})})
    long = tmp_path / "weeks"
    vn2 = write_vn2(tmp_path / "longer", weeks=80, stores=3, products=3)
    found = []
    for source, place in (("vn2", vn2), ("tables", write_long(long, vn2, "parquet"))):
        own = of_source(rules, source)
        problem = Replenishment()
        raw = problem.load(own, place)
        clean, quarantine = apply_contracts(raw, problem.contracts(own, raw))
        data = Dataset(clean, source, problem.cutoff(clean), quarantine)
        found.append(problem.measured_baseline(own, data, ("0", "1", "2")))
    assert found[0] == found[1]
