"""LightGBM alone on the same two matrices, which are made before the clock runs."""

import lightgbm as lgb
import numpy as np
import stopwatch
from chain import panel
from fit_rows import forecaster

from pipeline.replenishment.forecast import CALIBRATION_ROWS, CALIBRATION_SHARE, HELD_OUT
from pipeline.replenishment.history import History
from pipeline.replenishment.training import training_rows


def side(watch, folder):
    chain, model = panel(folder), forecaster()
    history, weeks = History(chain), chain.periods
    first, budget = max(weeks - model.train_periods, 1), model.row_budget
    parts = [
        (training_rows(history, first, weeks - HELD_OUT, model.groups, int(budget * CALIBRATION_ROWS), model.seed),
         int(model.rounds * CALIBRATION_SHARE)),
        (training_rows(history, first, weeks, model.groups, budget, model.seed), model.rounds),
    ]  # fmt: skip
    del history, chain
    taken = []
    for rows, rounds in parts:
        before = watch.cpu
        with watch.work():
            data = lgb.Dataset(
                rows.features, label=rows.demand, weight=np.power(0.5, rows.age / model.half_life),
                init_score=np.log(rows.level), params={"verbosity": -1, "max_bin": 127},
            )  # fmt: skip
            booster = lgb.train(model._parameters(), data, num_boost_round=rounds)
        taken.append(watch.cpu - before)
    return {"trees": booster.num_trees(), "rows": len(parts[-1][0].demand), "fits": taken}


stopwatch.main(side)
