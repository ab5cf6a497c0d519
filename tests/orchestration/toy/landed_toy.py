"""A domain that costs next to nothing, for tests that kill processes: depots, their visits, and how many came late.

It writes a line to the file named in ``TOY_LOG`` whenever a training or a play begins or ends, so that a test can
count them whatever became of the process.
"""

import json
import os
import time
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pandera.pandas as pa

from pipeline.datasets.dataset import DataFacts
from pipeline.evaluation.observed import Observed
from pipeline.evaluation.outcomes import KpiDefinition, Outcomes
from pipeline.models.files import digest
from pipeline.problems.base import TrainedCandidate

BASELINES = ("today", "longest_first")
UNITS = tuple(f"D{place:02d}" for place in range(12))
WEEKS = 30
MONDAY = date(2026, 1, 5)
KPI = KpiDefinition("late_share", "Late visits", "share", "lower", "late", "visits")


def tables(weeks: int = WEEKS) -> pd.DataFrame:
    """Every depot's visits per week; one in ten is late."""
    cells = [(place, week) for place in range(len(UNITS)) for week in range(weeks)]
    return pd.DataFrame(
        {
            "unit": [UNITS[place] for place, _ in cells],
            "week": pd.to_datetime([MONDAY + timedelta(weeks=week) for _, week in cells]).astype("datetime64[ns]"),
            "visits": 100,
            "late": [8 + (place + week) % 5 for place, week in cells],
        }
    )


def note(what: str) -> None:
    """A line of its own in the log, written at once."""
    if "TOY_LOG" in os.environ:
        with Path(os.environ["TOY_LOG"]).open("a", encoding="utf-8") as log:
            log.write(f"{os.getpid()} {what}\n")


class Toy:
    """See the module."""

    name = "toy"
    unit_word = "depots"

    def kpis(self, charter):
        return {KPI.name: KPI}

    def baselines(self, charter):
        return BASELINES

    def check(self, charter):
        return ()

    def load(self, charter, location):
        fault = location / f"fault-{charter.project}"
        if fault.exists():
            raise ValueError(fault.read_text(encoding="utf-8"))  # what nobody foresaw
        return {"visits": pd.read_parquet(location / "visits.parquet")}

    def contracts(self, charter, found):
        columns = {"unit": pa.Column(str), "week": pa.Column("datetime64[ns]", coerce=True), "visits": pa.Column(int)}
        return {"visits": pa.DataFrameSchema({**columns, "late": pa.Column(int)}, unique=["unit", "week"])}

    def cutoff(self, found):
        return found["visits"]["week"].max().date()

    def facts(self, charter, dataset, previous):
        weeks = dataset.tables["visits"]["week"].nunique()
        return DataFacts(weeks, len(UNITS), len(UNITS), 1.0, 0.0, {"visits": 0}, 0)

    def units(self, charter, dataset, stage):
        return UNITS[: stage.units]

    def measured_baseline(self, charter, dataset, units):
        visits = dataset.tables["visits"]
        return float(visits["late"].sum() / visits["visits"].sum())

    def train(self, charter, dataset, spec, units, directory, progress):
        note(f"train-begin {charter.project} {dataset.digest[:8]} {spec.name}")
        for done in range(10):
            progress("fit", done, 10)
            time.sleep(float(spec.parameters.get("seconds", 0.0)) / 10)
        directory.mkdir(parents=True)
        (directory / "model.json").write_text(json.dumps({"factor": spec.parameters.get("factor", 0.3)}))
        note(f"train-end {charter.project} {dataset.digest[:8]} {spec.name}")
        return self.load_candidate(spec, directory)

    def load_candidate(self, spec, directory):
        factor = json.loads((directory / "model.json").read_bytes())["factor"]
        arms = (spec.name, *(f"baseline:{name}" for name in BASELINES))
        frame = pd.concat([self._rows(name, factor, cutoff) for name in arms for cutoff in "ab"])
        backtest = Outcomes(frame, ("cutoff",), 4, "replay", "made up")
        return TrainedCandidate(spec, directory, digest(directory), backtest, {"wape": 0.1}, {"factor": factor}, 0.1)

    def _rows(self, arm, factor, cutoff, units=UNITS):
        share = 0.1 if arm.startswith("baseline:") else 0.1 * factor
        rows = [
            {"arm": arm, "unit": unit, "cutoff": cutoff, "late": 400 * share + place % 3, "visits": 400.0}
            for place, unit in enumerate(units)
        ]
        return pd.DataFrame(rows)

    def play(self, charter, dataset, location, arms, treated, units, periods, key, progress):
        note(f"play {charter.project} {key}")
        frame = pd.concat([self._rows(arm.name, 0.3, "field", units) for arm in arms])
        return Outcomes(frame, ("cutoff",), periods, "replay", "made up")

    def observed(self, charter, dataset):
        visits = dataset.tables["visits"]
        frame = visits.assign(period=visits["week"].dt.date.astype(str)).drop(columns="week")
        return Observed(frame.astype({"late": float, "visits": float}), (), "visits")

    def realised(self, charter, dataset, followers=None):
        visits = dataset.tables["visits"].groupby("week")[["late", "visits"]].sum()
        share = visits["late"] / visits["visits"]
        frame = pd.DataFrame({"period": [week.date() for week in share.index], "value": share.to_numpy()})
        return frame.assign(kpi=KPI.name, low=frame["value"], high=frame["value"], units=len(UNITS), group="all")

    def decide(self, charter, location, arm, units):
        return pd.DataFrame({"unit": UNITS, "visits": 100})

    def drift_frames(self, charter, dataset, previous, rows):
        return None
