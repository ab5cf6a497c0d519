"""The weekly batch on the whole chain: read the sales, hold them against the contract, forecast, order.

The model is fitted before the clock runs: its rows are drawn up to a fixed budget, so its cost does not grow.
"""

import numpy as np
import pandas as pd
import stopwatch
from chain import PRODUCTS, panel
from contract_tables import contract
from fit_rows import forecaster

from pipeline.datasets.contracts import apply_contracts
from pipeline.replenishment.panel import panel_from_tables
from pipeline.replenishment.parameters import Paths
from pipeline.replenishment.policy import order

#: Stores the model is fitted on.
LEARNT = 20


def fitted(whole):
    few = whole.take(np.arange(LEARNT * PRODUCTS))
    return forecaster().set_params(rounds=100, row_budget=60_000).fit(few)


def side(watch, folder):
    whole = panel(folder)
    model = fitted(whole)
    series = whole.series[["store", "product"]]
    tables = {
        "state": series.assign(on_hand=whole.on_hand.astype(int), due_1=0),
        "stores": pd.DataFrame({"store": series["store"].unique()}),
        "products": whole.series[["product", "department"]].drop_duplicates().reset_index(drop=True),
    }
    del whole
    with watch.work():
        sales = pd.read_parquet(folder / "sales.parquet")
        clean, quarantine = apply_contracts({"sales": sales}, {"sales": contract(sales)})
        del sales
        chain = panel_from_tables({**tables, **clean}, lead_time=2)
        del clean
        forecast = model.predict(chain)
        orders = order(forecast, chain.on_hand, chain.on_order, Paths(service_level=0.95, paths=100), 0.95)
    return {"orders": int(orders.size), "units": int(orders.sum()), "refused": len(quarantine.rows)}


if __name__ == "__main__":
    stopwatch.main(side)
