"""The organisers of a VN2 game, played from outside on files alone; nothing of the program's own games is used."""

from pathlib import Path

import numpy as np
import pandas as pd

KEY = ["Store", "Product"]


class Contest:
    """They know the demand of all weeks, and show a directory of the weeks gone by.

    Attributes:
        shown: the directory as it stands now.
        stock: (N,) units at the end of the last week.
        costs: of each week played, over all series.
    """

    def __init__(self, whole: Path, shown: Path, known: int) -> None:
        self.shown = shown
        self.sales, self.in_stock = (pd.read_csv(whole / name) for name in ("sales.csv", "in_stock.csv"))
        self.state = pd.read_csv(whole / "initial_state.csv").set_index(KEY)
        assert all(frame[KEY].equals(self.sales[KEY]) for frame in (self.in_stock, self.state.reset_index()))
        self.demand = self.sales.set_index(KEY).iloc[:, known:]
        self.stock = self.state["End Inventory"].to_numpy(float)
        self.due = [self.state["In Transit W+1"].to_numpy(float), self.state["In Transit W+2"].to_numpy(float)]
        self.sales, self.in_stock = self.sales.iloc[:, : 2 + known], self.in_stock.iloc[:, : 2 + known]
        self.costs: list[float] = []
        shown.mkdir(parents=True)
        for name in ("master.csv", "submission_template.csv"):
            (shown / name).write_bytes((whole / name).read_bytes())
        self.show()

    def show(self) -> None:
        self.sales.to_csv(self.shown / "sales.csv", index=False)
        self.in_stock.to_csv(self.shown / "in_stock.csv", index=False)
        columns = {"End Inventory": self.stock, "In Transit W+1": self.due[0], "In Transit W+2": self.due[1]}
        whole = {name: values.astype(int) for name, values in columns.items()}
        self.state.assign(**whole).reset_index().to_csv(self.shown / "initial_state.csv", index=False)

    def start_over(self) -> None:
        """Begin with the stock that the organisers' formula gives after the weeks shown."""
        mean = self.sales.iloc[:, -52:].to_numpy(float).mean(axis=1)
        self.stock, due = np.ceil(mean), np.maximum(np.rint(2 * mean - np.ceil(mean)), 0)
        self.due = [np.zeros(len(mean)), due]
        self.show()

    def order(self, filled: pd.DataFrame | None) -> None:
        """Take an order (none once ordering is over), live a week, show what the shelf showed."""
        if filled is None:
            filled = self.state.reset_index()[KEY].assign(**{"0": 0})
        orders = filled.set_index(KEY).iloc[:, 0].reindex(self.state.index).to_numpy(float)
        monday = self.demand.columns[0]
        demand = self.demand[monday].to_numpy(float)
        self.demand = self.demand.drop(columns=monday)
        start = self.stock + self.due[0]
        self.stock, self.due = np.maximum(start - demand, 0), [self.due[1], orders]
        self.costs.append(0.2 * float(self.stock.sum()) + float(np.maximum(demand - start, 0).sum()))
        self.sales = beside(self.sales, monday, np.minimum(start, demand))
        self.in_stock = beside(self.in_stock, monday, demand <= start)
        self.show()


def beside(frame: pd.DataFrame, name: str, values: np.ndarray) -> pd.DataFrame:
    return pd.concat([frame, pd.DataFrame({name: values.astype(int)})], axis=1)
