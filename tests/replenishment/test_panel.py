"""The dense panel says what the long tables say, and a cut of it knows nothing of later weeks."""

from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import DataError
from pipeline.replenishment.panel import panel_from_tables
from pipeline.replenishment.world import WorldSpec, found, observed

MONDAYS = pd.date_range("2024-01-01", periods=6, freq="7D")
CELLS = st.dictionaries(
    st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.integers(0, 5)),
    st.tuples(st.integers(0, 50), st.booleans()),
    min_size=1,
)


def tables_of(cells):
    return {
        "sales": pd.DataFrame(
            [(store, product, MONDAYS[week], units, full) for (store, product, week), (units, full) in cells.items()],
            columns=["store", "product", "week", "units", "in_stock"],
        ),
        "state": pd.DataFrame(
            {"store": ["b", "a"], "product": ["z", "x"], "on_hand": [5, 6], "due_1": [1, 0], "due_2": [2, 0]}
        ),
        "products": pd.DataFrame({"product": list("zyx"), "department": ["dry", "dry", "fresh"]}),
        "stores": pd.DataFrame({"store": ["b", "a"], "cluster": ["city", "coast"]}),
    }


@settings(max_examples=60, deadline=None)
@given(CELLS)
def test_every_cell_of_the_long_table_stands_in_its_place_and_no_other(cells):
    panel = panel_from_tables(tables_of(cells), lead_time=3)
    column = {(row.store, row.product): number for number, row in enumerate(panel.series.itertuples())}
    assert set(column) == {(store, product) for store, product, _ in cells} | {("b", "z"), ("a", "x")}
    assert panel.series[["store", "product"]].apply(tuple, axis=1).is_monotonic_increasing
    assert panel.listed.sum() == len(cells)
    for (store, product, week), (units, full) in cells.items():
        row = int((MONDAYS[week].to_datetime64() - panel.weeks[0]) / np.timedelta64(7, "D"))
        place = row, column[store, product]
        assert (panel.sales[place], panel.in_stock[place], panel.listed[place]) == (units, full, True)
    assert not panel.sales[~panel.listed].any()
    assert not panel.in_stock[~panel.listed].any()
    bz = column["b", "z"]
    assert (panel.on_hand[bz], panel.on_order[:, bz].tolist()) == (5, [1, 2])
    assert (panel.lead_time, panel.series.loc[bz, "department"], panel.series.loc[bz, "cluster"]) == (3, "dry", "city")


def test_calendars_reach_into_the_future_and_are_zero_where_nothing_is_planned():
    tables = tables_of({("a", "x", 0): (1, True), ("a", "y", 1): (1, True)})
    tables["promotions"] = pd.DataFrame(
        {"product": ["x", "x", "z"], "week": MONDAYS[[1, 4, 0]], "discount": [0.2, 0.3, 0.4]}
    )
    tables["calendar"] = pd.DataFrame({"week": MONDAYS[[2, 3]], "holiday": [0.5, 1.0], "pay_week": [0, 1]})
    panel = panel_from_tables(tables, lead_time=1, future=3)
    assert (panel.periods, panel.future, panel.on_order.shape) == (2, 3, (0, 3))
    assert panel.promotion[:, 0].tolist() == pytest.approx([0, 0.2, 0, 0, 0.3])
    assert panel.promotion[:, 1].tolist() == [0] * 5
    assert panel.holiday.tolist() == [0, 0, 0.5, 1, 0]
    assert panel.pay_week.tolist() == [0, 0, 0, 1, 0]


def test_a_cut_does_not_change_when_later_weeks_do():
    panel = observed(found(WorldSpec(stores=3, products=8, weeks=30, burn_in=4)))
    changed = replace(
        panel,
        sales=np.concatenate([panel.sales[:20], panel.sales[20:] + 9]),
        in_stock=np.concatenate([panel.in_stock[:20], ~panel.in_stock[20:]]),
        listed=np.concatenate([panel.listed[:20], ~panel.listed[20:]]),
        promotion=np.concatenate([panel.promotion[: 20 + panel.future], panel.promotion[20 + panel.future :] + 1]),
        on_hand=panel.on_hand + 5,
        last_order=True,
    )
    cut = panel.upto(20)
    for field in fields(cut):
        mine, other = getattr(cut, field.name), getattr(changed.upto(20), field.name)
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(other))
    assert (cut.periods, cut.future, cut.lead_time) == (20, panel.future, panel.lead_time)
    assert np.isnan(cut.on_hand).all()
    assert cut.sales.base is not None
    assert panel.upto(30) is panel


@pytest.mark.parametrize("periods", [0, 31, -1])
def test_a_cut_outside_the_record_is_refused(periods):
    panel = observed(found(WorldSpec(stores=1, products=2, weeks=30, burn_in=0)))
    with pytest.raises(ValueError, match="cannot be cut"):
        panel.upto(periods)


def test_taking_series_by_mask_or_position_takes_the_same():
    panel = observed(found(WorldSpec(stores=3, products=8, weeks=10, burn_in=0)))
    mask = panel.series["store"].to_numpy() == "S002"
    taken, same = panel.take(mask), panel.take(np.flatnonzero(mask))
    assert taken.size == 8
    assert set(taken.series["store"]) == {"S002"}
    for field in fields(taken):
        np.testing.assert_array_equal(np.asarray(getattr(taken, field.name)), np.asarray(getattr(same, field.name)))
    np.testing.assert_array_equal(taken.sales, panel.sales[:, mask])
    np.testing.assert_array_equal(taken.promotion, panel.promotion[:, mask])


def test_a_state_without_the_arrivals_of_the_lead_time_is_refused():
    with pytest.raises(DataError) as caught:
        panel_from_tables(tables_of({("a", "x", 0): (1, True)}), lead_time=5)
    assert [finding.place for finding in caught.value.findings] == ["state, column due_3", "state, column due_4"]


def test_sales_of_an_unknown_product_are_refused_not_misplaced():
    tables = tables_of({("a", "x", 0): (1, True)})
    tables["products"] = tables["products"].iloc[:2]
    with pytest.raises(DataError, match="no master table knows"):
        panel_from_tables(tables, lead_time=3)
