"""Population stability index of every column on all rows."""

import stopwatch
from drift_frames import frames, rows_of

from pipeline.evaluation.stability import psi


def side(watch, folder):
    current, reference = frames(rows_of(folder))
    with watch.work():
        return {name: psi(current[name], reference[name]) for name in current.columns}


stopwatch.main(side)
