"""The Evidently report of an iteration, on as many rows as the flows draw."""

from datetime import date

import stopwatch
from children import ROOT
from drift_frames import SAMPLE, frames, rows_of

from pipeline.charter import read_charter
from pipeline.evaluation import drift


def side(watch, folder, sample=SAMPLE):
    charter = read_charter(ROOT / "configs" / "replenishment" / "charter.yaml", date(2026, 11, 23))
    current, reference = frames(rows_of(folder))
    with watch.work():
        if sample:
            current, reference = (frame.sample(sample, random_state=1) for frame in (current, reference))
        found = drift.report(current, reference, None, charter, folder / "drift")
    return {"columns": len(found.columns), "rows": found.rows_current}


if __name__ == "__main__":
    stopwatch.main(side)
