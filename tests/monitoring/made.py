"""A small chain's recorded weeks as plain tables, cut at any week, and a project trained on the first of them."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.charter import Charter
from pipeline.charter.reading import charter_from_canonical
from pipeline.datasets import catalog
from pipeline.datasets.contracts import apply_contracts
from pipeline.datasets.dataset import Dataset
from pipeline.ledger import Ledger, mark_done, open_iteration, open_key, record_report, transition
from pipeline.problems.registry import find
from pipeline.replenishment import world
from pipeline.replenishment.demand import WorldSpec
from pipeline.replenishment.exports import export, read_exports
from pipeline.rollout.ladder import Release, release
from tests.flows.made import charter_values

#: The demand shift of the world itself lies beyond the weeks that are played here.
SPEC = WorldSpec(stores=24, products=16, weeks=120, seed=20260, lead_time=2, shift_after=80)
PLAYED = 26
FIRST = np.datetime64(SPEC.first_week)

Tables = dict[str, pd.DataFrame]


def week(number: int) -> date:
    """Monday of a week, counted from 1."""
    return SPEC.first_week + timedelta(weeks=number - 1)


def charter(**changes: Any) -> Charter:
    """The small charter of the flows' tests; sections are changed by name."""
    values = charter_values()
    for section, change in changes.items():
        values[section] = {**values.get(section, {}), **change} if isinstance(change, dict) else change
    return charter_from_canonical(json.loads(json.dumps(values, default=str)))


@lru_cache(maxsize=1)
def _all_weeks(place: Path) -> tuple[tuple[str, pd.DataFrame], ...]:
    later, _ = world.play(world.found(SPEC), PLAYED, ())
    raw = read_exports(export(later, place))
    problem, rules = find("replenishment"), charter()
    clean, _ = apply_contracts(raw, problem.contracts(rules, raw))
    return tuple(clean.items())


def tables_until(place: Path, number: int, change: Callable[[pd.DataFrame], pd.DataFrame] | None = None) -> Tables:
    """The chain's clean tables as they stood at the end of a week.

    Args:
        place: folder for the export all tests of a process share.
        number: the week, counted from 1.
        change: what is done to the sales, whole history, before they are cut.
    """
    tables = {name: frame.copy() for name, frame in _all_weeks(place)}
    sales = change(tables["sales"]) if change else tables["sales"]
    last = pd.Timestamp(week(number))
    tables["sales"] = sales[sales["week"] <= last].reset_index(drop=True)
    tables["state"]["week"] = last
    return tables


def write(tables: Tables, folder: Path) -> Path:
    """One Parquet file per table."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in tables.items():
        frame.to_parquet(folder / f"{name}.parquet", index=False)
    return folder


def dataset_of(rules: Charter, location: Path) -> Dataset:
    """What the loop makes of a folder of tables."""
    problem = find("replenishment")
    raw = problem.load(rules, location)
    clean, quarantine = apply_contracts(raw, problem.contracts(rules, raw))
    return Dataset(clean, catalog.digest(clean), problem.cutoff(clean), quarantine)


def trained(ledger: Ledger, datasets: Path, rules: Charter, location: Path, *, closed: bool = True) -> Dataset:
    """Iteration 1 as a run leaves it, without its training: dataset, figures, and closed by its people."""
    dataset = dataset_of(rules, location)
    catalog.store(dataset, datasets)
    kpi = {"title": "Stock-out rate", "unit": "share", "direction": "lower", "value": [0.05, 0.04, 0.06]}
    kpi |= {"baseline": [0.09, 0.08, 0.1], "difference": [-0.04, -0.05, -0.03]}
    stock = {"title": "Stock", "unit": "units per store-product", "direction": "lower", "value": [9, 8, 10]}
    stock |= {"baseline": [20.0, 19.0, 21.0], "difference": [-11, -12, -10]}
    result = {
        "kpi": "stockout_rate", "order": ["stockout_rate"], "kpis": {"stockout_rate": kpi, "average_inventory": stock},
        "dataset": dataset.digest, "cutoff": dataset.cutoff.isoformat(), "location": str(location), "blocking": [],
        "next_period": str(dataset.cutoff + timedelta(weeks=1)),
    }  # fmt: skip
    with ledger.transaction() as tx:
        record = open_iteration(
            tx, project=rules.project, number=1, stage="pilot", kind="train", charter=rules.canonical(),
            charter_digest=rules.digest, why={"sentence": "made", "file": rules.digest}, started_by="robin",
        )  # fmt: skip
        record = transition(tx, record, "running", actor="robin")
        record = record_report(tx, record, "f" * 64, result)
        mark_done(tx, open_key(rules.project, 1, "pilot"))
        for state in ("awaiting_review", "decided", "applied", "closed") if closed else ():
            record = transition(tx, record, state, actor="robin")
    return dataset


def released(ledger: Ledger, rules: Charter, units: tuple[str, ...], start: date) -> None:
    """Let stores follow a model from a week on."""
    new = Release(
        project=rules.project, stage="pilot", units=units, model_version="1", model_digest="1" * 64, candidate="key",
        charter_digest=rules.digest, start=start.isoformat(), review=f"made-{start}",
    )  # fmt: skip
    with ledger.transaction() as tx:
        release(tx, new, actor="ana.silva")
