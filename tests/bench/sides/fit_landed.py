"""Train on the chain and forecast every series: history, features, both fits, calibration, forecast."""

import stopwatch
from chain import panel
from fit_rows import forecaster


def side(watch, folder):
    chain = panel(folder)
    with watch.work():
        model = forecaster().fit(chain)
        forecast = model.predict(chain)
    return {"trees": model.booster_.num_trees(), "mean": float(forecast.mean.mean())}


stopwatch.main(side)
