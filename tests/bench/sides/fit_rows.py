"""The bench's forecaster: all groups of features, the shipped size."""

from pipeline.replenishment.features import GROUPS
from pipeline.replenishment.forecast import LightGBMForecaster


def forecaster():
    return LightGBMForecaster(groups=tuple(GROUPS), seed=20260)
