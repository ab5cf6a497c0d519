"""A small booster, its parameters and figures: what both sides track."""

import lightgbm as lgb
import numpy as np

PARAMETERS = {f"parameter_{number}": number for number in range(12)}
METRICS = {f"metric_{number}": number / 7 for number in range(20)}


def booster():
    draw = np.random.default_rng(1)
    features = draw.random((5_000, 20))
    data = lgb.Dataset(features, label=features[:, 0], params={"verbosity": -1})
    return lgb.train({"verbosity": -1, "num_threads": 1}, data, num_boost_round=100)
