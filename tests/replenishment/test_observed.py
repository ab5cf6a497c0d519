"""What is handed to field experiments is what was recorded, store by store and week by week."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.evaluation.observed import Cube
from pipeline.replenishment import world
from pipeline.replenishment.demand import WorldSpec
from pipeline.replenishment.observed import UNSEEN, observed, seen
from pipeline.replenishment.offers import KPIS
from tests.replenishment.made import made_panel

PANEL = made_panel(weeks=30, stores=4, products=5)


def test_every_cell_is_counted_once_where_it_belongs():
    found = observed(PANEL)
    frame = found.frame
    assert not frame.duplicated(["unit", "period", "department"]).any()
    assert (found.units, len(found.periods)) == (("S0", "S1", "S2", "S3"), 30)
    for row in frame.sample(25, random_state=1).itertuples():
        week = list(PANEL.weeks.astype(str)).index(row.period)
        mine = (PANEL.series["store"] == row.unit) & (PANEL.series["department"] == row.department)
        listed = PANEL.listed[week][mine]
        assert row.weeks == listed.sum()
        assert row.stockout_weeks == (listed & ~PANEL.in_stock[week][mine]).sum()
        assert row.sold == pytest.approx(PANEL.sales[week][mine].sum())
    assert frame["weeks"].sum() == PANEL.listed.sum()


def test_the_kpi_over_all_stores_is_the_one_the_baseline_is_measured_by():
    found = observed(PANEL)
    sums = Cube(found.frame, ("stockout_weeks", "weeks")).sums(KPIS["stockout_rate"], found.units, found.periods[-13:])
    out, weeks = sums.sum(axis=0)
    assert out / weeks == pytest.approx(seen(PANEL, KPIS["stockout_rate"], 13))


def test_stock_counted_every_week_is_observed_and_what_was_lost_is_not():
    """Against the world's own account of the same weeks; VN2's files hold no stock of past weeks."""
    before = world.found(WorldSpec(stores=4, products=6, weeks=60, burn_in=8))
    after, played = world.play(before, 9, ())
    panel = world.observed(after)
    newest = observed(panel).frame.query("period >= @day", local_dict={"day": str(played.weeks[0])})
    by_store = newest.groupby("unit")[["inventory", "stock_days", "sold", "weeks"]].sum()
    ends = played.end.reshape(9, 4, 6).sum(axis=(0, 2))
    assert by_store["inventory"].tolist() == ends.tolist()
    assert by_store["stock_days"].tolist() == (7 * ends).tolist()
    days = seen(panel, KPIS["turnover_days"], 9)
    assert days == pytest.approx(7 * played.end.sum() / played.sold.sum())
    assert {"lost", "demand"} == UNSEEN.keys()
    assert not {"lost", "demand", "cost"} & set(newest.columns)
    assert "inventory" not in observed(PANEL).frame.columns
    assert np.isnan(seen(PANEL, KPIS["turnover_days"], 9))


def test_attributes_of_stores_are_slices_and_tags():
    clusters = np.where(PANEL.series["store"] == "S1", "city", "suburb")
    found = observed(replace(PANEL, series=PANEL.series.assign(cluster=clusters)))
    assert (found.slices, found.tags()) == (("department", "cluster"), ("cluster",))
    assert set(found.frame.loc[found.frame["unit"] == "S1", "cluster"]) == {"city"}
