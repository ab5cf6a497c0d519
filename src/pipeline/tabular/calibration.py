"""From a model's scores to probabilities that can be taken at their word, learned on rows kept for that.

``sigmoid`` is Platt's scaling with his targets (Platt, Probabilistic Outputs for Support Vector Machines, 1999),
``isotonic`` a rising step function (Zadrozny and Elkan, KDD 2002). More than two classes are calibrated one against the
rest and made to add up to one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.tabular.values import Floats

#: Rows, and rows of either class, below which the scores are left as they are.
LEAST_ROWS, LEAST_CLASS = 30, 5
_EDGE = 1e-12

Curve = Mapping[str, Any]


def calibrated(probabilities: Floats, curves: Sequence[Curve]) -> Floats:
    """(N, C) calibrated probabilities, each row adding up to one.

    Args:
        probabilities: (N, C) the model's own.
        curves: as :func:`curves_for` found them; one for two classes, one per class for more.
    """
    if len(curves) == 1:
        positive = _bent(probabilities[:, 1], curves[0])
        return np.column_stack([1 - positive, positive])
    bent = np.column_stack([_bent(probabilities[:, place], curve) for place, curve in enumerate(curves)])
    total = bent.sum(axis=1, keepdims=True)
    return np.where(total > 0, bent / np.where(total > 0, total, 1.0), 1 / bent.shape[1])


def curves_for(kind: str, probabilities: Floats, truth: Floats) -> tuple[Curve, ...]:
    """A curve for the positive class of two, or for every class of more.

    Args:
        kind: ``sigmoid``, ``isotonic`` or ``none``.
        probabilities: (N, C) the model's own, on rows it was not trained on.
        truth: (N,) place of the true class.
    """
    classes = [1] if probabilities.shape[1] == 2 else list(range(probabilities.shape[1]))
    return tuple(_curve(kind, probabilities[:, place], truth == place) for place in classes)


def _curve(kind: str, score: Floats, positive: Any) -> Curve:
    hits = int(positive.sum())
    if kind == "none" or len(score) < LEAST_ROWS or min(hits, len(score) - hits) < LEAST_CLASS:
        return {"kind": "none"}
    if kind == "isotonic":
        from sklearn.isotonic import IsotonicRegression

        fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(score, positive.astype(np.float64))
        return {"kind": kind, "x": fitted.X_thresholds_.tolist(), "y": fitted.y_thresholds_.tolist()}
    slope, intercept = _platt(logit(score), positive)
    return {"kind": kind, "slope": slope, "intercept": intercept}


def _platt(odds: Floats, positive: Any) -> tuple[float, float]:
    """Slope and intercept on log-odds; every row counts for both classes, by Platt's targets."""
    from sklearn.linear_model import LogisticRegression

    hits, rest = int(positive.sum()), int((~positive).sum())
    target = np.where(positive, (hits + 1) / (hits + 2), 1 / (rest + 2))
    rows, classes = np.concatenate([odds, odds]).reshape(-1, 1), np.repeat([1, 0], len(odds))
    model = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000)
    model.fit(rows, classes, sample_weight=np.concatenate([target, 1 - target]))
    return float(model.coef_[0, 0]), float(model.intercept_[0])


def _bent(score: Floats, curve: Curve) -> Floats:
    if curve["kind"] == "sigmoid":
        return sigmoid(curve["slope"] * logit(score) + curve["intercept"])
    if curve["kind"] == "isotonic":
        return np.asarray(np.interp(score, curve["x"], curve["y"]))
    return score


def logit(probability: Floats) -> Floats:
    """Log-odds; kept finite at 0 and 1."""
    kept = np.clip(probability, _EDGE, 1 - _EDGE)
    return np.asarray(np.log(kept / (1 - kept)))


def sigmoid(odds: Floats) -> Floats:
    """The probability of log-odds."""
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -500, 500))))
