"""The contract of the replenishment tables: the same long tables for the synthetic retailer and for VN2."""

from typing import Any

import pandas as pd
from pandera.pandas import Check, Column, DataFrameSchema

from pipeline.datasets.coercion import coerce
from pipeline.datasets.contracts import Schemas
from pipeline.datasets.dataset import Tables

#: No chain's tills still hold sales older than this; an older date is a slip of the export.
OLDEST_YEARS = 10


def contracts(tables: Tables, lead_time: int) -> Schemas:
    """A schema per table, knowing the master tables' stores and products and the week the export was made.

    Args:
        tables: as loaded: ``sales``, ``state``, ``products``, ``stores``, and where there are any ``promotions`` and
            ``calendar``. Where ``state`` has a ``week`` (its stock-taking), later sales are refused.
        lead_time: weeks; ``state`` must have ``due_1 … due_{lead_time - 1}``.
    """
    store = _key(_known(tables, "stores", "store"), "known store")
    product = _key(_known(tables, "products", "product"), "known product")
    schemas = {
        "stores": DataFrameSchema({"store": Column(str), **_optional(cluster=str, format=str)}, unique=["store"]),
        "products": DataFrameSchema(
            {
                "product": Column(str),
                "department": Column(str),
                **_optional(group=str),
                "case_size": Column(int, Check.ge(1, error="case_size ≥ 1"), required=False),
                "price": Column(float, Check.gt(0, error="price > 0"), required=False),
            },
            unique=["product"],
        ),
        "sales": _sales(tables, store, product),
        "state": _state(store, product, lead_time),
        "promotions": DataFrameSchema(
            {"product": product, "week": _week(), "discount": _share("discount")}, unique=["product", "week"]
        ),
        "calendar": DataFrameSchema(
            {"week": _week(), "holiday": _share("holiday"), "pay_week": _share("pay_week")}, unique=["week"]
        ),
    }
    optional = ("promotions", "calendar")
    return {name: schema for name, schema in schemas.items() if name not in optional or name in tables}


def _sales(tables: Tables, store: Column, product: Column) -> DataFrameSchema:
    """Units of every listed series and week, and what was left at its end; strict, as these are millions of rows."""
    return DataFrameSchema(
        {
            "store": store,
            "product": product,
            "week": _week(*_age_checks(tables.get("state"))),
            "units": Column(int, Check.ge(0, error="units ≥ 0")),
            "in_stock": Column(bool),
            "stock": Column(int, Check.ge(0, error="stock ≥ 0"), required=False),
        },
        unique=["store", "product", "week"],
        strict="filter",
    )


def _state(store: Column, product: Column, lead_time: int) -> DataFrameSchema:
    stock = ["on_hand", *(f"due_{ahead}" for ahead in range(1, lead_time))]
    return DataFrameSchema(
        {
            "store": store,
            "product": product,
            "week": Column("datetime64[us]", _monday(), required=False),
            **{name: Column(int, Check.ge(0, error=f"{name} ≥ 0")) for name in stock},
        },
        unique=["store", "product"],
    )


def _week(*checks: Check) -> Column:
    return Column("datetime64[us]", [_monday(), *checks])


def _monday() -> Check:
    return Check(lambda week: week.dt.dayofweek == 0, error="weeks begin on Mondays")


def _share(name: str) -> Column:
    return Column(float, Check.in_range(0, 1, error=f"0 ≤ {name} ≤ 1"))


def _optional(**types: type) -> dict[str, Column]:
    return {name: Column(kind, required=False) for name, kind in types.items()}


def _key(known: list[str], wording: str) -> Column:
    return Column(str, Check.isin(known, error=wording))


def _known(tables: Tables, table: str, column: str) -> list[str]:
    """The keys of a master table; a table that is missing is reported by the contract, not here."""
    frame = tables.get(table)
    if frame is None or column not in frame.columns:
        return []
    keys = coerce(frame[column], "str", nullable=False)
    return sorted(set(keys.cells[keys.passed]))


def _age_checks(state: pd.DataFrame | None) -> list[Check]:
    """Sales lie between ten years before the stock-taking and its week, where the state knows its week."""
    taken = _stock_taking(state)
    if taken is None:
        return []
    oldest = taken - pd.DateOffset(years=OLDEST_YEARS)
    return [
        Check.le(taken, error=f"no week after the stock-taking of {taken:%Y-%m-%d}"),
        Check.ge(oldest, error=f"no week before {oldest:%Y-%m-%d}"),
    ]


def _stock_taking(state: pd.DataFrame | None) -> Any:
    """The week most rows of the state name."""
    if state is None or "week" not in state.columns:
        return None
    weeks = coerce(state["week"], "datetime64[us]", nullable=False)
    common = weeks.cells[weeks.passed].mode()
    return common.iloc[0] if len(common) else None
