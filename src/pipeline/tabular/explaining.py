"""What moved a score: the exact share of each column, for LightGBM and for linear candidates.

LightGBM's are its own SHAP values (TreeSHAP; Lundberg et al., Nature Machine Intelligence 2, 2020). Those of a linear
model are weight times distance from the training mean, which are its SHAP values for independent features (Lundberg and
Lee, NeurIPS 2017, corollary 1). Both are told of the model's own score: the logarithm of odds for classes, so that a
share is a factor on the odds, and an amount in the target's unit for amounts. Calibration comes after, and bends all
scores of a class alike.
"""

import numpy as np
import pandas as pd

from pipeline.compliance.account import Drivers
from pipeline.tabular.learning import Learner
from pipeline.tabular.values import Floats, Ints

#: Columns named for each decision.
NAMED = 3


def drivers(learner: Learner, rows: pd.DataFrame, places: Ints, told: Ints) -> Drivers:
    """What moved the decisions on some cases most.

    Args:
        learner: the model that decided.
        rows: the cases.
        places: (N,) where they stand in the account.
        told: (N,) the class whose score is told of each; not looked at for amounts and for two classes.
    """
    shares, raw = contributions(learner, rows, told)
    gap = float(np.abs(shares.sum(axis=1) - raw).max(initial=0.0))
    names, effects = _by_column(learner, shares[:, :-1])
    order = np.argsort(-np.abs(effects), axis=1, kind="stable")[:, :NAMED]
    top = np.take_along_axis(effects, order, axis=1)
    added = not learner.classes
    return Drivers(places, np.where(top != 0, names[order], ""), top if added else np.exp(top), gap, added=added)


def contributions(learner: Learner, rows: pd.DataFrame, told: Ints) -> tuple[Floats, Floats]:
    """(N, F + 1) the share of each feature in the score of a class, the level last; (N,) the score they add up to."""
    matrix = learner.preparation.matrix(rows)
    every, place = np.arange(len(matrix)), told if learner.classes > 2 else np.zeros(len(matrix), np.int64)
    raw = learner.odds(matrix)
    if learner.weights is not None:
        weights = learner.weights[:-1].T
        level = learner.weights[-1] + learner.center @ learner.weights[:-1]
        shares = weights[place] * (matrix - learner.center)
        return np.column_stack([shares, level[place]]), raw[every, place]
    found = np.asarray(learner.booster.predict(matrix, pred_contrib=True, num_threads=1), np.float64)
    return found.reshape(len(matrix), raw.shape[1], -1)[every, place], raw[every, place]


def _by_column(learner: Learner, shares: Floats) -> tuple[np.ndarray[tuple[int], np.dtype[np.object_]], Floats]:
    """Names of the table's columns, and (N, columns) the shares of all features made of each."""
    sources = learner.preparation.sources
    names = list(dict.fromkeys(sources))
    total = np.zeros((len(shares), len(names)))
    for feature, source in enumerate(sources):
        total[:, names.index(source)] += shares[:, feature]
    return np.array(names, dtype=object), total
