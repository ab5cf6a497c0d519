"""Deciders within the limits of their charter, so that what is replayed and played is what will be served.

Without limits a decider is handed back as it is: nothing is computed twice.
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.charter import Charter
from pipeline.compliance.account import Names
from pipeline.compliance.limits import held
from pipeline.replenishment.features import features_at
from pipeline.replenishment.forecast import LightGBMForecaster
from pipeline.replenishment.history import History
from pipeline.replenishment.panel import Bools, Ints, Panel
from pipeline.replenishment.replay import Decide

#: Features are 32-bit, and LightGBM writes the ends of its ranges in decimals.
_SLACK = 1e-5


def within(
    charter: Charter, model: LightGBMForecaster, decide: Decide, rest: Decide, asked: Bools | None = None
) -> Decide:
    """A model's decider held to the limits its charter declares.

    Args:
        charter: its limits, and whether the model learned from all series.
        model: knows its training range.
        decide: what the model decides.
        rest: today's rule on the same panel.
        asked: (N,) series the decider answers for; None for all.
    """
    limits = charter.compliance.limits
    if not limits.any:
        return decide

    def limited(panel: Panel) -> Ints:
        ours = np.ones(panel.size, np.bool_) if asked is None else asked
        outside: Names = np.full(panel.size, "", dtype=object)
        if limits.outside_training == "refuse":
            outside[ours] = outside_of(model, features_of(model, charter, panel, ours)[:, ours])
        incumbent = np.where(panel.listed[-1], rest(panel), 0).astype(np.float64)
        found = held(limits, decide(panel).astype(np.float64), incumbent, outside, ours=ours)
        return found.amounts.astype(np.int64)

    return limited


def features_of(
    model: LightGBMForecaster, charter: Charter, panel: Panel, asked: Bools, view: str = ""
) -> NDArray[np.float32]:
    """(L, N, F) as the model sees them; series it does not see stay NaN. ``view``: their name in a part of a chain."""
    if charter.model.train_on == "all":
        return features_at(History(panel), panel.periods, model.groups)[0]
    seen, _ = features_at(History(panel.take(asked, view)), panel.periods, model.groups)
    whole = np.full((seen.shape[0], panel.size, seen.shape[2]), np.nan, np.float32)
    whole[:, asked] = seen
    return whole


def outside_of(model: LightGBMForecaster, matrix: NDArray[np.float32]) -> Names:
    """(n,) the feature that lies farthest outside the range of the training rows; empty for none."""
    infos = model.booster_.dump_model(num_iteration=1)["feature_infos"]
    ranges = [infos.get(name) for name in model.names_]
    low = np.array([one["min_value"] if one else -np.inf for one in ranges])
    high = np.array([one["max_value"] if one else np.inf for one in ranges])
    width = np.where(np.isfinite(high - low) & (high > low), high - low, 1.0)
    beyond = np.maximum(low - matrix, matrix - high) / width
    farthest = np.nan_to_num(beyond, nan=0.0).max(axis=0)
    worst = farthest.argmax(axis=1)
    names = np.array(model.names_, dtype=object)
    return np.where(farthest[np.arange(len(worst)), worst] > _SLACK, names[worst], "")
