"""The same weekly batch as :mod:`week`, as ``landed decide`` works it: by parts of whole stores, one after another."""

import tempfile
from pathlib import Path

import pandas as pd
import stopwatch
from chain import FIRST, panel
from week import fitted

from pipeline.problems.base import Arm, TrainedCandidate
from pipeline.problems.parts import Parts
from pipeline.replenishment.problem import Replenishment
from tests.replenishment.made import charter

#: Small enough that the chain of 100 stores is cut too.
SERIES = 5000


def side(watch, folder):
    whole = panel(folder)
    model = fitted(whole)
    _write_masters(whole, folder)
    del whole
    rules = charter("replenishment", policy={"name": "paths", "parameters": {"service_level": 0.95, "paths": 100}})
    rules = rules.model_copy(update={"model": rules.model.model_copy(update={"train_on": "all"})})
    with tempfile.TemporaryDirectory() as scratch:
        model.save(Path(scratch) / "model")
        spec = rules.model.candidates[0]
        arm = Arm(spec.name, rules, TrainedCandidate(spec, Path(scratch) / "model", "", None, {}, {}, 0.0))
        problem = Replenishment(Parts(SERIES, Path(scratch) / "parts"))
        with watch.work():
            orders = problem.decide(rules, folder, arm)["order"]
    return {"orders": int(orders.size), "units": int(orders.sum())}


def _write_masters(whole, folder):
    """What the chain's sales lack to be a source: stock, masters, and calendars that say nothing."""
    series = whole.series[["store", "product"]]
    day = pd.Timestamp(FIRST)
    tables = {
        "state": series.assign(on_hand=whole.on_hand.astype(int), due_1=0),
        "stores": pd.DataFrame({"store": series["store"].unique()}),
        "products": whole.series[["product", "department"]].drop_duplicates(),
        "promotions": pd.DataFrame({"product": [series["product"][0]], "week": [day], "discount": [0.0]}),
        "calendar": pd.DataFrame({"week": [day], "holiday": [0.0], "pay_week": [0.0]}),
    }
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet", index=False)


if __name__ == "__main__":
    stopwatch.main(side)
