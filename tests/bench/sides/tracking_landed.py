"""A candidate with its model, logged as the flows log it, into a store that is there."""

import os

import stopwatch
from tracking_model import METRICS, PARAMETERS, booster


def side(watch, folder):
    os.environ |= {"LANDED_DATA": str(folder / "landed"), "LANDED_REPORTS": str(folder / "landed")}
    from pipeline.models.records import CandidateRecord, DatasetRecord, IterationRecord
    from pipeline.models.tracking import Tracking
    from pipeline.settings import Settings

    model = folder / "model"
    model.mkdir(exist_ok=True)
    booster().save_model(model / "model.txt")
    tracking = Tracking(Settings())
    data = DatasetRecord(name="chain", digest="0" * 64, location="nowhere", rows={"sales": 1})
    for number in (1, 2):
        parent = tracking.open(IterationRecord("tracked", number, "pilot", "c", "v", data, "benchmark"))
        record = CandidateRecord(
            name="one", key=f"key {number}", directory=model, parameters=PARAMETERS, metrics=METRICS, tags={}
        )
        if number == 1:
            # The first run makes the experiment and loads what MLflow loads late.
            tracking.log_candidate(parent, record)
            continue
        with watch.work():
            tracking.log_candidate(parent, record)


stopwatch.main(side)
