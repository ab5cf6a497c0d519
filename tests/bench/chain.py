"""The chain that both sides of a comparison work on: stores × products × weeks, every cell listed, seeded."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.replenishment.panel import FUTURE_WEEKS, WEEK, Panel

STORES, PRODUCTS, WEEKS = 300, 100, 156
SEED = 20260
#: Every how many series one is compared between two sides.
SAMPLE = 37
FIRST = np.datetime64("2023-01-02", "D")


def write(folder: Path, stores: int) -> Path:
    """``panel.npz`` for dense sides, ``sales.parquet`` (week-major) and ``long.parquet`` (by series) for the others."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(SEED)
    size = stores * PRODUCTS
    level = draw.lognormal(1.2, 0.9, size)
    season = 1 + 0.3 * np.sin(2 * np.pi * np.arange(WEEKS) / 52.18)
    units = draw.poisson(level * season[:, None]).astype(np.int32)
    discount = np.where(draw.random((WEEKS + FUTURE_WEEKS, PRODUCTS)) < 0.1, np.float32(0.2), np.float32(0))
    np.savez(folder / "panel.npz", units=units, discount=discount)
    shops, goods = _texts("S", stores), _texts("P", PRODUCTS)
    store, product = np.divmod(np.tile(np.arange(size, dtype=np.int32), WEEKS), np.int32(PRODUCTS))
    week = np.repeat((FIRST + np.arange(WEEKS) * WEEK).astype("datetime64[us]"), size)
    columns = {
        "store": pa.DictionaryArray.from_arrays(store, shops),
        "product": pa.DictionaryArray.from_arrays(product, goods),
        "week": week,
        "units": units.ravel().astype(np.int64),
        "in_stock": np.ones(units.size, np.bool_),
    }
    pq.write_table(pa.table(columns), folder / "sales.parquet", store_schema=False)
    series = {
        "unique_id": np.repeat(np.arange(size, dtype=np.int32), WEEKS),
        "ds": np.tile((FIRST + np.arange(WEEKS) * WEEK).astype("datetime64[ns]"), size),
        "y": units.T.ravel().astype(np.float32),
    }
    pq.write_table(pa.table(series), folder / "long.parquet")
    return folder


def panel(folder: Path, lead_time: int = 2) -> Panel:
    """The written chain as the dense panel."""
    held = np.load(folder / "panel.npz")
    units, discount = held["units"], held["discount"]
    size = units.shape[1]
    stores = size // PRODUCTS
    series = pd.DataFrame(
        {
            "store": np.repeat(_texts("S", stores), PRODUCTS),
            "product": np.tile(_texts("P", PRODUCTS), stores),
            "department": np.tile([f"D{number % 6}" for number in range(PRODUCTS)], stores),
        }
    ).astype(str)
    every = np.ones(units.shape, np.bool_)
    calendar = np.zeros(WEEKS + FUTURE_WEEKS, np.float32)
    return Panel(
        weeks=FIRST + np.arange(WEEKS) * WEEK,
        series=series,
        sales=units.astype(np.float32),
        in_stock=every,
        listed=every,
        promotion=np.tile(discount, (1, stores)),
        holiday=calendar,
        pay_week=calendar,
        on_hand=np.ceil(units[-4:].mean(axis=0)).astype(np.float32),
        on_order=np.zeros((lead_time - 1, size), np.float32),
    )


def _texts(letter: str, count: int) -> list[str]:
    width = len(str(count))
    return [f"{letter}{number + 1:0{width}d}" for number in range(count)]
