"""The same lags and rolling means by mlforecast on pandas."""

import numpy as np
import pandas as pd
import stopwatch
from mlforecast import MLForecast
from mlforecast.lag_transforms import RollingMean

SAMPLE = 37
WINDOWS = (2, 4, 8, 13, 26, 52)


def side(watch, folder):
    frame = pd.read_parquet(folder / "long.parquet")
    maker = MLForecast(
        models=[],
        freq="W-MON",
        lags=[1, 2, 3, 4],
        lag_transforms={1: [RollingMean(window, min_samples=1) for window in WINDOWS]},
    )
    with watch.work():
        made = maker.preprocess(frame, static_features=[], dropna=False)
    weeks = made["ds"].nunique()
    names = [f"lag{lag}" for lag in (1, 2, 3, 4)] + [
        f"rolling_mean_lag1_window_size{window}_min_samples1" for window in WINDOWS
    ]
    ours = [f"lag_{lag}" for lag in (1, 2, 3, 4)] + [f"mean_{window}" for window in WINDOWS]
    dense = {
        here: made[there].to_numpy().reshape(-1, weeks).T[1:, ::SAMPLE] for here, there in zip(ours, names, strict=True)
    }
    np.savez(folder / "features_mlforecast.npz", **dense)
    return {"cells": int(len(made) * len(names))}


stopwatch.main(side)
