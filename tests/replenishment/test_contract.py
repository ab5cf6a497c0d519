"""The contract refuses exactly the broken rows of the exports, and what is left is what the world showed."""

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest

from pipeline.datasets.contracts import apply_contracts, duplicates_in
from pipeline.errors import DataError
from pipeline.replenishment.contract import contracts
from pipeline.replenishment.exports import PER_FAULT, SALES_FAULTS, export, faults, read_exports
from pipeline.replenishment.panel import panel_from_tables
from pipeline.replenishment.world import WorldSpec, found, observed, play

SPEC = WorldSpec(stores=6, products=12, weeks=60, burn_in=8)
#: What the reason of each fault must say.
REASONS = {
    "negative units": "units ≥ 0", "text in units": "is not a whole number",
    "fraction in units": "is not a whole number",
    "no units": "units: missing", "duplicate": "an exact copy", "conflicting duplicate": "other units",
    "unknown product": "known product", "unknown store": "known store", "no week": "week: missing",
    "impossible date": "is not a date", "not a Monday": "begin on Mondays", "future week": "after the stock-taking",
    "ancient week": "no week before", "negative stock": "on_hand ≥ 0", "discount above 1": "0 ≤ discount ≤ 1",
}  # fmt: skip


@pytest.fixture(scope="module")
def world():
    return found(SPEC)


@pytest.fixture(scope="module")
def raw(world, tmp_path_factory):
    return read_exports(export(world, tmp_path_factory.mktemp("data") / "exports"))


def test_exactly_the_broken_rows_are_refused_each_for_its_fault(world, raw):
    _, quarantine = apply_contracts(raw, contracts(raw, SPEC.lead_time))
    broken = faults(world)
    merged = quarantine.rows.merge(broken, on=["table", "row"], how="outer", indicator=True)
    assert set(merged["_merge"]) == {"both"}
    for fault, reason in zip(merged["fault"], merged["reason"], strict=True):
        assert REASONS[fault] in reason
    assert broken.query("table == 'sales'")["fault"].value_counts().to_dict() == dict.fromkeys(SALES_FAULTS, PER_FAULT)
    assert duplicates_in(quarantine) == 2 * PER_FAULT + 5


def test_the_clean_tables_give_the_panel_the_world_shows(world, raw):
    clean, _ = apply_contracts(raw, contracts(raw, SPEC.lead_time))
    built, shown = panel_from_tables(clean, SPEC.lead_time), observed(world)
    for field in fields(shown)[:-1]:  # both are a whole chain
        left, right = getattr(built, field.name), getattr(shown, field.name)
        assert np.shape(left) == np.shape(right)
        np.testing.assert_array_equal(np.asarray(left), np.asarray(right), err_msg=field.name)


def test_later_exports_have_other_broken_rows_and_more_weeks(world, raw, tmp_path):
    later, _ = play(world, 3, ())
    export(later, tmp_path / "exports")
    export(later, tmp_path / "exports")
    again = read_exports(tmp_path / "exports")
    assert len(again["sales"]) > len(raw["sales"])
    assert not faults(later).equals(faults(world))
    assert [path.name for path in tmp_path.iterdir()] == ["exports"]
    clean, quarantine = apply_contracts(again, contracts(again, SPEC.lead_time))
    assert sum(quarantine.refused.values()) == len(faults(later))
    assert clean["sales"]["week"].max() == pd.Timestamp(later.week)


def test_exports_hold_no_demand(raw):
    assert {name: sorted(frame.columns) for name, frame in raw.items()} == {
        "sales": ["in_stock", "product", "stock", "store", "units", "week"],
        "state": ["due_1", "on_hand", "product", "store", "week"],
        "products": ["case_size", "department", "group", "price", "product"],
        "stores": ["cluster", "format", "store"],
        "promotions": ["discount", "product", "week"],
        "calendar": ["holiday", "pay_week", "week"],
    }


def test_stock_below_zero_is_refused_and_a_chain_that_records_none_is_not(raw):
    sales = raw["sales"].copy()
    sales.loc[sales.index[:3], "stock"] = -1
    _, quarantine = apply_contracts({**raw, "sales": sales}, contracts(raw, SPEC.lead_time))
    reasons = quarantine.rows.loc[quarantine.rows["row"] < 3, "reason"]
    assert len(reasons) == 3
    assert reasons.str.contains("stock ≥ 0").all()
    without = {**raw, "sales": raw["sales"].drop(columns="stock")}
    clean, _ = apply_contracts(without, contracts(without, SPEC.lead_time))
    assert panel_from_tables(clean, SPEC.lead_time).stock is None


def test_missing_and_unreadable_files_are_all_named(world, tmp_path):
    place = export(world, tmp_path / "exports")
    (place / "stores.parquet").unlink()
    (place / "state.parquet").write_bytes(b"not parquet")
    with pytest.raises(DataError) as caught:
        read_exports(place)
    assert [finding.place.rsplit("/", 1)[-1] for finding in caught.value.findings] == [
        "state.parquet",
        "stores.parquet",
    ]


def test_units_that_are_text_in_every_row_are_the_columns_fault(raw):
    tables = {**raw, "sales": raw["sales"].assign(units="n/a")}
    with pytest.raises(DataError) as caught:
        apply_contracts(tables, contracts(tables, SPEC.lead_time))
    assert [finding.place for finding in caught.value.findings] == ["table sales, column units"]


def test_a_missing_master_table_is_named_once_and_not_as_thousands_of_unknown_products(raw):
    tables = {name: frame for name, frame in raw.items() if name != "products"}
    with pytest.raises(DataError) as caught:
        apply_contracts(tables, contracts(tables, SPEC.lead_time))
    assert [finding.place for finding in caught.value.findings] == ["table products"]


def test_tables_of_another_chain_without_calendars_keys_as_numbers_and_a_longer_lead_time_pass():
    sales = pd.DataFrame(
        {"store": [0, 0], "product": [126, 182], "week": pd.to_datetime(["2021-04-12"] * 2), "units": [1, 2],
         "in_stock": [1, 0]}
    )  # fmt: skip
    tables = {
        "sales": sales,
        "state": pd.DataFrame(
            {"store": [0, 0], "product": [126, 182], "on_hand": [3, 1], "due_1": [0, 0], "due_2": [3, 1]}
        ),
        "products": pd.DataFrame({"product": [126, 182], "department": [8, 8], "level_2": [1, 2]}),
        "stores": pd.DataFrame({"store": [0]}),
    }
    clean, quarantine = apply_contracts(tables, contracts(tables, 3))
    panel = panel_from_tables(clean, 3)
    assert quarantine.rows.empty
    assert panel.series["product"].tolist() == ["126", "182"]
    assert panel.on_order.tolist() == [[0, 0], [3, 1]]
