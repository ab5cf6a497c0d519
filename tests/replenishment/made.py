"""Small panels and charters made for tests."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.charter import Charter, apply_patch, read_charter
from pipeline.replenishment.panel import WEEK, Panel

CONFIGS = Path(__file__).parents[2] / "configs"
TODAY = date(2026, 11, 23)
FUTURE = 13
GROUPS = (
    "recent_sales", "level", "season", "intermittency", "last_year", "hierarchy", "promotions", "holidays", "stockouts",
)  # fmt: skip


def made_panel(weeks: int = 110, stores: int = 4, products: int = 5, lead_time: int = 3, seed: int = 1) -> Panel:
    """Seasonal, promoted, sometimes censored, sometimes not listed; nothing in it is regular."""
    draw = np.random.default_rng(seed)
    size = stores * products
    days = np.datetime64("2021-04-12") + np.arange(weeks) * WEEK
    level = draw.lognormal(0.8, 0.9, size)
    season = 1 + 0.4 * np.sin(2 * np.pi * np.arange(weeks + FUTURE) / 52.18)
    discount = np.where(draw.random((weeks + FUTURE, products)) < 0.1, 0.3, 0.0)
    promotion = np.tile(discount, (1, stores))
    mean = level * season[:weeks, None] * np.exp(2 * promotion[:weeks])
    demand = draw.poisson(draw.gamma(4, mean / 4))
    listed = np.ones((weeks, size), np.bool_)
    listed[:20, 0] = False
    stock = draw.poisson(mean * 2)
    in_stock = (demand <= stock) & listed
    series = pd.DataFrame(
        {
            "store": np.repeat([f"S{number}" for number in range(stores)], products),
            "product": np.tile([f"P{number}" for number in range(products)], stores),
            "department": np.tile([f"D{number % 2}" for number in range(products)], stores),
        }
    )
    return Panel(
        weeks=days,
        series=series,
        sales=np.where(listed, np.minimum(demand, stock), 0).astype(np.float32),
        in_stock=in_stock,
        listed=listed,
        promotion=promotion.astype(np.float32),
        holiday=(draw.random(weeks + FUTURE) < 0.05).astype(np.float32),
        pay_week=(draw.random(weeks + FUTURE) < 0.25).astype(np.float32),
        on_hand=draw.integers(0, 8, size).astype(np.float32),
        on_order=draw.integers(0, 4, (lead_time - 1, size)).astype(np.float32),
    )


def other_future(panel: Panel, known: int) -> Panel:
    """The same panel with everything recorded after ``known`` weeks turned upside down; calendars stay."""
    changed = {}
    for name in ("sales", "in_stock", "listed"):
        values = getattr(panel, name).copy()
        values[known:] = 99 - values[known:] if name == "sales" else ~values[known:]
        changed[name] = values
    return Panel(**{**{name: getattr(panel, name) for name in Panel.__dataclass_fields__}, **changed})


def charter(case: str, **patch: Any) -> Charter:
    """A shipped charter, patched by dotted paths (``__`` for the dot)."""
    read = read_charter(CONFIGS / case / "charter.yaml", TODAY)
    changes: Mapping[str, Any] = {path.replace("__", "."): value for path, value in patch.items()}
    return apply_patch(read, changes) if changes else read


def write_vn2(directory: Path, weeks: int = 100, stores: int = 3, products: int = 3, seed: int = 5) -> Path:
    """A tiny copy of the format of the VN2 files, with made-up figures."""
    draw = np.random.default_rng(seed)
    directory.mkdir(parents=True, exist_ok=True)
    keys = pd.DataFrame(
        [(store, 100 + product) for store in range(stores) for product in range(products)], columns=["Store", "Product"]
    )
    columns = [str(np.datetime64("2021-04-12") + week * WEEK) for week in range(weeks)]
    in_stock = (draw.random((len(keys), weeks)) > 0.05).astype(int)
    level = draw.lognormal(1.0, 0.6, len(keys))[:, None]
    sales = draw.poisson(level * np.ones(weeks)) * in_stock
    pd.concat([keys, pd.DataFrame(sales, columns=columns)], axis=1).to_csv(directory / "sales.csv", index=False)
    pd.concat([keys, pd.DataFrame(in_stock, columns=columns)], axis=1).to_csv(directory / "in_stock.csv", index=False)
    state = keys.assign(**{"Start Inventory": 0, "End Inventory": draw.integers(0, 9, len(keys))})
    state["In Transit W+1"], state["In Transit W+2"] = 0, draw.integers(0, 5, len(keys))
    state.to_csv(directory / "initial_state.csv", index=False)
    master = keys.assign(
        ProductGroup=keys["Product"],
        Division=1,
        Department=keys["Product"] % 2,
        DepartmentGroup=1,
        StoreFormat=1,
        Format=2,
    )
    master.to_csv(directory / "master.csv", index=False)
    # Orders are handed in in an order of their own.
    keys.iloc[::-1].assign(**{"0": 0}).to_csv(directory / "submission_template.csv", index=False)
    return directory


def write_long(directory: Path, vn2: Path, suffix: str, *, days: bool = False) -> Path:
    """The same history as VN2 files in long form, by week or by day; ids of their own."""
    directory.mkdir(parents=True)
    key = ["Store", "Product"]
    sales, in_stock = (
        pd.read_csv(vn2 / name).melt(key, var_name="ds", value_name=column)
        for name, column in (("sales.csv", "y"), ("in_stock.csv", "in_stock"))
    )
    long = sales.merge(in_stock, on=[*key, "ds"]).assign(ds=lambda f: pd.to_datetime(f["ds"]))
    long["in_stock"] = long["in_stock"] == 1
    if days:
        draw = np.random.default_rng(11)
        split = draw.multinomial(long["y"], np.full(7, 1 / 7))
        empty = np.where(long["in_stock"], -1, draw.integers(0, 7, len(long)))
        parts = [
            long.assign(ds=long["ds"] + pd.Timedelta(days=day), y=split[:, day], in_stock=empty != day)
            for day in range(7)
        ]
        long = pd.concat(parts, ignore_index=True)

    def named(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(unique_id="id-" + frame["Store"].astype(str) + "-" + frame["Product"].astype(str))

    state = pd.read_csv(vn2 / "initial_state.csv").rename(
        columns={"End Inventory": "on_hand", "In Transit W+1": "due_1", "In Transit W+2": "due_2"}
    )
    master = pd.read_csv(vn2 / "master.csv").rename(
        columns={"Department": "department", "Store": "store", "Product": "product"}
    )
    described = named(master.assign(Store=master["store"], Product=master["product"]))
    tables = {
        "sales": named(long)[["unique_id", "ds", "y", "in_stock"]].sort_values(["unique_id", "ds"]),
        "stock": named(state)[["unique_id", "on_hand", "due_1", "due_2"]],
        "series": described[["unique_id", "store", "product", "department"]].astype(str),
    }
    for name, table in tables.items():
        path = directory / f"{name}.{suffix}"
        write = table.to_parquet if suffix == "parquet" else table.to_csv
        write(path, index=False)
    return directory
