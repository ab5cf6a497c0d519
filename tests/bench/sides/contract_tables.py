"""The shipped contract of sales for the bench's chain."""

import pandas as pd

from pipeline.replenishment.contract import contracts


def contract(sales):
    stores = pd.DataFrame({"store": sales["store"].unique()})
    products = pd.DataFrame({"product": sales["product"].unique()})
    state = pd.DataFrame({"week": [sales["week"].max()]})
    return contracts({"sales": sales, "stores": stores, "products": products, "state": state}, lead_time=2)["sales"]
