"""Our work beside that of other libraries, on the same data, in turns."""

from functools import cache
from pathlib import Path

import chain
import numpy as np
from children import GIBI
from figures import Figure, Result, unjudged
from peers import NotMeasured, python_of
from turns import Side, cpu, in_turns, last_runs, peak, seconds

#: Stores of a quick run, and rows of its drift.
FEW, FEW_ROWS = 12, 20_000
DRIFT_ROWS = 1_000_000
#: Features of both sides are float32 of float64 sums; they may differ in the last digits.
CLOSE = 1e-4


class Comparisons:
    """The comparisons of one run of the benchmark; the chain is written once for all of them."""

    def __init__(self, work: Path, logs: Path, *, quick: bool) -> None:
        self.work, self.logs, self.quick = work, logs, quick
        self.stores = FEW if quick else chain.STORES
        self.times = 1 if quick else 3

    def features(self) -> Result:
        """Four lags and six rolling means of every series at the end of every week."""
        try:
            sides = {"landed": Side("features_landed"), "mlforecast": _peer("features", "mlforecast")}
        except NotMeasured as reason:
            return Result("features", skipped=f"not measured: {reason}")
        folder = self._chain()
        took = in_turns(sides, folder, self.logs, self.times)
        ours, theirs = took["landed"], took["mlforecast"]
        with np.load(folder / "features_landed.npz") as one, np.load(folder / "features_mlforecast.npz") as other:
            apart = max(float(np.nanmax(np.abs(one[name] - other[name]))) for name in other.files)
        figures = (
            Figure("features, CPU of mlforecast to ours", cpu(theirs) / cpu(ours), "×", least=4.0),
            Figure("features, our peak memory to mlforecast's", peak(ours) / peak(theirs), "×", 0.7),
        )
        return Result(
            "features",
            (
                *self._judged(figures),
                Figure("features, ours", cpu(ours), "s"),
                Figure("features, mlforecast on pandas", cpu(theirs), "s"),
                Figure("largest difference between both sides' features", apart, "", CLOSE),
            ),
            last_runs(ours, theirs),
            {"seconds": seconds(took), "stores": self.stores},
        )

    def contract(self) -> Result:
        """The contract of sales with its unique key, on a table that is sound."""
        sides = {"landed": Side("contract_landed"), "pandera": Side("contract_pandera")}
        took, missing = in_turns(sides, self._chain(), self.logs, self.times), ""
        try:
            peer = {"great_expectations": _peer("contract", "great_expectations")}
            # Once: it takes twenty times as long, so that noise says little about it.
            took |= in_turns(peer, self._chain(), self.logs)
        except NotMeasured as reason:
            missing = f"not measured: {reason}"
        ours = cpu(took["landed"])
        others = [
            figure
            for name, title in (("pandera", "Pandera"), ("great_expectations", "Great Expectations"))
            if name in took
            for figure in (
                Figure(f"contract with unique key, {title}", cpu(took[name]), "s"),
                Figure(f"contract, CPU of {title} to ours", cpu(took[name]) / ours, "×"),
            )
        ]
        figures = (*self._judged((Figure("contract with unique key, ours", ours, "s", 0.2),)), *others)
        details = {"seconds": seconds(took), "stores": self.stores, "left_out": missing}
        return Result("contract", figures, last_runs(*took.values()), details)

    def drift(self) -> Result:
        """Fifteen columns: scores on all rows, Evidently on a sample, Evidently on all rows."""
        rows = FEW_ROWS if self.quick else DRIFT_ROWS
        folder = self.work / "drift"
        folder.mkdir(exist_ok=True)
        (folder / "rows").write_text(str(rows), encoding="ascii")
        took = in_turns({"scores": Side("drift_scores"), "sample": Side("drift_sample")}, folder, self.logs, self.times)
        took |= in_turns({"whole": Side("drift_whole")}, folder, self.logs)
        sample = took["sample"][0].answers["rows"]
        figures = (
            Figure(f"drift scores of 15 columns on {rows:,} rows, ours", cpu(took["scores"]), "s", 1.0),
            Figure(f"Evidently's report on the flows' sample of {sample:,} rows", cpu(took["sample"]), "s", 8.0),
        )
        whole = Figure(f"Evidently's report on {rows:,} rows", cpu(took["whole"]), "s")
        both = cpu(took["scores"]) + cpu(took["sample"])
        ratio = Figure("drift, CPU of Evidently on all rows to scores and sample", cpu(took["whole"]) / both, "×")
        return Result(
            "drift",
            (*self._judged(figures), whole, ratio),
            last_runs(*took.values()),
            {"seconds": seconds(took), "rows": rows},
        )

    def replay(self) -> Result:
        """A year of every series, closed loop, base-stock orders with a fixed lead time."""
        took = in_turns({"landed": Side("replay_landed")}, self._chain(), self.logs, self.times)
        missing = ""
        try:
            took |= in_turns({"stockpyl": _peer("replay", "stockpyl")}, self._chain(), self.logs, self.times)
        except NotMeasured as reason:
            missing = f"not measured: {reason}"
        rates = {name: turns[0].answers["series_weeks"] / cpu(turns) for name, turns in took.items()}
        figures = [
            *self._judged((Figure("replay, million series-weeks/s", round(rates["landed"] / 1e6, 1), "", least=50.0),))
        ]
        if "stockpyl" in rates:
            figures += [
                Figure("replay by stockpyl, series-weeks/s", round(rates["stockpyl"]), ""),
                Figure("replay, our rate to stockpyl's", rates["landed"] / rates["stockpyl"], "×"),
            ]
        details = {"seconds": seconds(took), "stores": self.stores, "left_out": missing}
        return Result("replay", tuple(figures), last_runs(*took.values()), details)

    def fit(self) -> Result:
        """Train and forecast beside LightGBM alone on the same two matrices."""
        folder = self._chain()
        took = in_turns({"landed": Side("fit_landed"), "lightgbm": Side("fit_lightgbm")}, folder, self.logs)
        ours, bare = cpu(took["landed"]), cpu(took["lightgbm"])
        figures = (
            Figure("train and forecast, to LightGBM's bare fits of the same rows", ours / bare, "×", 1.1),
            Figure("peak memory of train and forecast", peak(took["landed"]) / GIBI, "GiB"),
        )
        rows, series = took["lightgbm"][0].answers["rows"], self.stores * chain.PRODUCTS
        return Result(
            "fit",
            (
                *self._judged(figures),
                Figure(f"train and forecast, {rows:,} rows drawn of {series:,} series", ours, "s"),
                Figure("LightGBM's two bare fits", bare, "s"),
            ),
            last_runs(*took.values()),
            {"seconds": seconds(took), "stores": self.stores, "fits": took["lightgbm"][0].answers["fits"]},
        )

    def tracking(self) -> Result:
        """One run with a model, twelve parameters and twenty figures."""
        folder = self.work / "tracking"
        took: dict[str, list] = {"landed": [], "mlflow": []}
        for turn in range(self.times):
            fresh = folder / str(turn)
            fresh.mkdir(parents=True)
            for name, turns in in_turns(
                {"landed": Side("tracking_landed"), "mlflow": Side("tracking_mlflow")}, fresh, self.logs
            ).items():
                took[name] += turns
        ours, theirs = cpu(took["landed"]), cpu(took["mlflow"])
        return Result(
            "tracking",
            (
                Figure("tracking one run with its model, ours", ours, "s", 0.6),
                Figure("the same with MLflow's defaults", theirs, "s"),
                Figure("tracking, CPU of MLflow's defaults to ours", theirs / ours, "×"),
            ),
            last_runs(*took.values()),
            {"seconds": seconds(took)},
        )

    def _chain(self) -> Path:
        return _written(self.work / "chain", self.stores)

    def _judged(self, figures: tuple[Figure, ...]) -> tuple[Figure, ...]:
        return unjudged(figures) if self.quick else figures


@cache
def _written(folder: Path, stores: int) -> Path:
    return chain.write(folder, stores)


def _peer(work: str, name: str) -> Side:
    return Side(f"{work}_{name}", python_of(name))
