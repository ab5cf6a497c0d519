"""Facts about the data: what is missing, what is censored, what leaks and what has drifted."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline.datasets.dataset import Dataset, Quarantine
from pipeline.replenishment import measures, world
from pipeline.replenishment.demand import WorldSpec
from pipeline.replenishment.features import GROUPS, level
from pipeline.replenishment.measures import ages, drift, facts_of, frames, leaks, stability
from pipeline.replenishment.observed import seen
from pipeline.replenishment.offers import KPIS
from tests.replenishment.made import charter, made_panel


def dataset() -> Dataset:
    sales = pd.DataFrame({"week": pd.to_datetime(["2024-01-01", "2024-01-08"])})
    reasons = pd.DataFrame({"reason": ["same key as row 3 (store, product, week), an exact copy", "units: missing"]})
    return Dataset({"sales": sales}, "d", sales["week"].max().date(), Quarantine(reasons, {"sales": 4}, {"sales": 2}))


def test_facts_count_what_is_there():
    panel = made_panel()
    holes = panel.listed.copy()
    holes[50:55, 3] = False
    panel = replace(panel, listed=holes, in_stock=panel.in_stock & holes)
    facts = facts_of(charter("vn2"), dataset(), panel, None)
    assert (facts.periods, facts.units, facts.series, facts.duplicates) == (110, 4, 20, 1)
    expected = 110 * 20 - 20
    assert facts.coverage == pytest.approx((expected - 5) / expected)
    assert facts.censored == pytest.approx((panel.listed & ~panel.in_stock).sum() / panel.listed.sum())
    assert facts.leaks == ()
    assert facts.drift == {}


def test_a_feature_that_peeks_is_named(monkeypatch):
    def peeking(history, known, chosen):
        return {
            **level(history, known, chosen),
            "tomorrow": history.panel.sales[min(known, history.panel.periods - 1), chosen],
        }

    monkeypatch.setitem(GROUPS, "level", peeking)
    assert leaks(made_panel(), ("recent_sales", "level"), 1) == ("tomorrow",)


def test_the_stock_out_rate_seen_is_the_share_of_listed_weeks_that_ran_empty():
    panel = made_panel()
    empty = [
        not panel.in_stock[week, series]
        for week in range(100, 110)
        for series in range(20)
        if panel.listed[week, series]
    ]
    assert seen(panel, KPIS["stockout_rate"], 10) == pytest.approx(np.mean(empty))


def test_a_table_is_as_old_as_it_lies_behind_sales_and_plans_are_never_old():
    weeks = {"sales": "2024-04-08", "state": "2024-04-08", "promotions": "2024-07-01", "calendar": "2024-03-25"}
    tables = {name: pd.DataFrame({"week": pd.to_datetime([week])}) for name, week in weeks.items()}
    found = ages({**tables, "products": pd.DataFrame({"product": ["a"]})})
    assert found == {"sales": 0, "state": 0, "promotions": 0, "calendar": 14}


def test_the_stability_index_is_nothing_for_equal_samples_and_known_for_a_shift():
    draw = np.random.default_rng(0)
    same = stability(draw.normal(size=20_000), draw.normal(size=20_000))
    shifted = stability(draw.normal(size=20_000), draw.normal(0.5, size=20_000))
    assert same < 0.002
    # Of two unit normals half a deviation apart the index over deciles tends to 0.24, below delta^2 = 0.25.
    assert shifted == pytest.approx(0.24, abs=0.02)


def test_a_shift_of_demand_is_seen_and_quiet_weeks_are_not():
    panel = made_panel(weeks=130, stores=30, seed=3)
    still = replace(panel, sales=np.random.default_rng(1).poisson(6, panel.sales.shape).astype(np.float32))
    before = still.upto(117)
    assert max(drift(still, before).values()) < 0.2
    louder = still.sales.copy()
    louder[117:] *= 1.5
    found = drift(replace(still, sales=louder), before)
    assert found["store_growth"] > 0.25


def test_the_flagships_demand_shift_is_caught_and_its_season_alone_is_not():
    founded = world.found(WorldSpec(seed=20260))
    later, _ = world.play(founded, 13, [])
    shifted, _ = world.play(later, 13, [])
    quiet = drift(world.observed(later), world.observed(founded))
    loud = drift(world.observed(shifted), world.observed(later))
    assert quiet["store_growth"] < 0.2
    assert loud["store_growth"] > 0.5


def test_frames_are_seeded_samples_of_the_newest_weeks_and_an_earlier_span():
    weeks = pd.date_range("2022-01-03", periods=100, freq="7D", unit="us")
    sales = pd.DataFrame({"store": "a", "product": "p", "week": weeks, "units": range(100), "in_stock": True})
    tables = {
        "sales": sales,
        "products": pd.DataFrame({"product": ["p"], "department": ["d"], "price": [2.0]}),
        "stores": pd.DataFrame({"store": ["a"], "cluster": ["c"]}),
    }
    current, reference = frames(tables, None, 100, 1)
    assert current["units"].tolist() == list(range(87, 100))
    assert reference["units"].tolist() == list(range(35, 48))
    assert (
        current.columns.tolist()
        == reference.columns.tolist()
        == ["units", "in_stock", "price", "department", "cluster"]
    )
    few, _ = frames(tables, None, 5, 1)
    assert len(few) == 5
    assert few.equals(frames(tables, None, 5, 1)[0])
    earlier = {**tables, "sales": sales[:95]}
    current, reference = frames(tables, earlier, 100, 1)
    assert current["units"].tolist() == [95, 96, 97, 98, 99]
    assert reference["units"].tolist() == [90, 91, 92, 93, 94]


def test_the_last_week_is_the_newest_of_sales():
    assert measures.last_week(dataset().tables).isoformat() == "2024-01-08"
