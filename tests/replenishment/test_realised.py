"""What really happened, against SQL over the tables, and blind to everything later."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest

from pipeline.datasets import catalog
from pipeline.datasets.contracts import apply_contracts
from pipeline.datasets.dataset import Dataset
from pipeline.replenishment.demand import WorldSpec
from pipeline.replenishment.field import tables_at
from pipeline.replenishment.panel import WEEK
from pipeline.replenishment.problem import Replenishment
from pipeline.replenishment.realised import COLUMNS, NEWEST, realised
from tests.replenishment.made import charter, made_panel, write_vn2

SPEC = WorldSpec(stores=8, products=6, weeks=112, seed=3, lead_time=2)


@lru_cache(maxsize=2)
def dataset_of(case: str, location) -> Dataset:
    problem, rules = Replenishment(), charter(case)
    if case == "replenishment":
        tables_at(location, SPEC)
    else:
        write_vn2(location)
    raw = problem.load(rules, location)
    clean, quarantine = apply_contracts(raw, problem.contracts(rules, raw))
    return Dataset(clean, catalog.digest(clean), problem.cutoff(clean), quarantine)


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    return {case: tmp_path_factory.mktemp(case) / "data" for case in ("replenishment", "vn2")}


def by_sql(data: Dataset, followers: dict[str, date], lead_time: int) -> dict[tuple[str, str, str], tuple[float, int]]:
    """(week, group, KPI) to value and stores, by SQL over the clean tables."""
    with closing(sqlite3.connect(":memory:")) as store:
        sales = data.tables["sales"].assign(week=data.tables["sales"]["week"].dt.strftime("%Y-%m-%d"))
        sales.astype({"in_stock": int}).to_sql("sales", store, index=False)
        data.tables["state"].drop(columns="week").to_sql("state", store, index=False)
        since = [(unit, str(day + timedelta(weeks=lead_time - 1))) for unit, day in followers.items()]
        store.execute("CREATE TABLE follows (store TEXT, since TEXT)")
        store.executemany("INSERT INTO follows VALUES (?, ?)", since)
        store.execute(
            "CREATE VIEW seen AS SELECT 'all' AS who, s.* FROM sales s UNION ALL SELECT 'model', s.* FROM sales s "
            "JOIN follows f ON f.store = s.store AND s.week >= f.since"
        )
        weekly = store.execute(
            "SELECT week, who, avg(1 - in_stock), count(DISTINCT store) FROM seen "
            "WHERE week > (SELECT date(max(week), '-182 days') FROM sales) GROUP BY week, who"
        )
        told = {(week, who, "stockout_rate"): (rate, stores) for week, who, rate, stores in weekly}
        every_week = "stock" in sales.columns
        held = "seen.stock" if every_week else "coalesce(on_hand, 0)"
        first = "date(max(week), '-175 days')" if every_week else "max(week)"
        for week, who, stock, days, stores in store.execute(
            f"SELECT week, who, avg({held}), 7.0 * sum({held}) / nullif(sum(units), 0), "  # noqa: S608 - two constants
            "count(DISTINCT seen.store) FROM seen LEFT JOIN state USING (store, product) "
            f"WHERE week >= (SELECT {first} FROM sales) GROUP BY week, who"
        ):
            if days is None:
                continue
            told[week, who, "average_inventory"] = (stock, stores)
            told[week, who, "turnover_days"] = (days, stores)
    return told


@pytest.mark.parametrize("case", ["replenishment", "vn2"])
@pytest.mark.parametrize("follow", [0, 1, 3])
def test_every_figure_is_what_sql_says_of_the_tables(case, follow, places):
    data = dataset_of(case, places[case])
    rules, problem = charter(case), Replenishment()
    stores = sorted(data.tables["stores"]["store"])
    followers = {store: data.cutoff - timedelta(weeks=5 - at) for at, store in enumerate(stores[:follow])}
    found = problem.realised(rules, data, followers)
    assert list(found.columns) == COLUMNS
    told = {(str(row.period), row.group, row.kpi): (row.value, row.units) for row in found.itertuples()}
    expected = by_sql(data, followers, int(rules.business["lead_time"]))
    assert told.keys() == expected.keys()
    for key, (value, units) in expected.items():
        assert told[key] == (pytest.approx(value), units), key
    bounded = found[np.isfinite(found["low"])]
    assert (bounded["low"] <= bounded["value"]).all()
    assert (bounded["value"] <= bounded["high"]).all()
    assert found["period"].nunique() == NEWEST
    assert set(found["group"]) == ({"all", "model"} if follow else {"all"})


def test_without_followers_the_argument_may_be_left_out(places):
    data = dataset_of("vn2", places["vn2"])
    assert set(Replenishment().realised(charter("vn2"), data)["group"]) == {"all"}


def test_what_the_scope_leaves_out_does_not_count(places):
    data, problem = dataset_of("replenishment", places["replenishment"]), Replenishment()
    store = sorted(data.tables["stores"]["store"])[0]
    rules = charter("replenishment", **{"scope.leave_out": {"store": [store]}})
    found = problem.realised(rules, data)
    assert found["units"].max() == SPEC.stores - 1


def test_a_weeks_figures_do_not_depend_on_anything_later():
    panel = made_panel(weeks=110, lead_time=2)
    followers = {"S0": panel.weeks[90].astype(object), "S1": panel.weeks[104].astype(object)}
    state = pd.DataFrame({"on_hand": [1]})
    whole = realised(panel, state, followers, 7)
    cut = realised(panel.upto(100), state, followers, 7)
    both = whole.merge(cut, on=["period", "group", "kpi"], suffixes=("", "_then"))
    weekly = both[both["kpi"] == "stockout_rate"]
    # 26 weeks up to the 110th share 16 with 26 weeks up to the 100th.
    assert weekly["period"].nunique() == 16
    assert set(weekly["group"]) == {"all", "model"}
    for column in ("value", "low", "high", "units"):
        assert (weekly[column] == weekly[f"{column}_then"]).all()


def test_stock_counted_in_another_week_is_not_told():
    panel = made_panel(lead_time=2)
    old = pd.DataFrame({"week": [panel.weeks[-2]]})
    now = pd.DataFrame({"week": [panel.weeks[-1]]})
    assert set(realised(panel, old, {}, 1)["kpi"]) == {"stockout_rate"}
    assert set(realised(panel, now, {}, 1)["kpi"]) == {"stockout_rate", "average_inventory", "turnover_days"}


def test_a_store_counts_for_the_model_from_the_first_week_its_orders_can_change():
    panel = made_panel(lead_time=3)
    start = panel.weeks[-5]
    found = realised(panel, pd.DataFrame({"x": [1]}), {"S2": start.astype(object)}, 1)
    first = found[found["group"] == "model"]["period"].min()
    assert first == (start + 2 * WEEK).astype(object)


def test_a_week_nothing_was_listed_is_not_told():
    panel = made_panel(lead_time=2)
    listed = panel.listed.copy()
    listed[-3] = False
    found = realised(replace(panel, listed=listed), pd.DataFrame({"x": [1]}), {}, 1)
    assert panel.weeks[-3].astype(object) not in set(found["period"])
