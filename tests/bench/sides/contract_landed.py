"""The contract of sales, unique key included, on a table that is sound."""

import pandas as pd
import stopwatch
from contract_tables import contract

from pipeline.datasets.contracts import apply_contracts


def side(watch, folder):
    sales = pd.read_parquet(folder / "sales.parquet")
    schema = contract(sales)
    # Once on a few rows, so that what Pandera loads at its first call is loaded on both sides.
    apply_contracts({"sales": sales.head(100)}, {"sales": schema})
    with watch.work():
        clean, quarantine = apply_contracts({"sales": sales}, {"sales": schema})
    return {"rows": len(clean["sales"]), "refused": len(quarantine.rows)}


stopwatch.main(side)
