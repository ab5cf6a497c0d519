"""Lags and rolling means of every series at the end of every week, by the dense week-major panel.

A week's features are made, handed on and let go, as training does with them; a sample is kept for the comparison.
"""

import numpy as np
import stopwatch
from chain import SAMPLE, WEEKS, panel

from pipeline.replenishment.features import features_at
from pipeline.replenishment.history import History


def side(watch, folder):
    chain = panel(folder, lead_time=1)
    weeks, kept = range(1, WEEKS), []
    with watch.work():
        history = History(chain)
        for known in weeks:
            features, names = features_at(history, known, ("recent_sales",))
            kept.append(features[0, ::SAMPLE].copy())
    made = np.stack(kept) * np.stack([history.level(known)[::SAMPLE] for known in weeks])[..., None]
    np.savez(folder / "features_landed.npz", **{name: made[..., at] for at, name in enumerate(names)})
    return {"cells": chain.size * len(weeks) * (len(names) - 1)}


stopwatch.main(side)
