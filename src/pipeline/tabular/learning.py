"""A fitted candidate: prepared columns, a model, and curves that calibrate it; kept as LightGBM's text and JSON."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.charter import Candidate
from pipeline.errors import Finding, ModelError
from pipeline.models.boosters import read_booster
from pipeline.tabular.calibration import Curve, calibrated, curves_for, sigmoid
from pipeline.tabular.cases import Cases
from pipeline.tabular.parameters import LightGBM, Linear, learner_of
from pipeline.tabular.preparing import Preparation, features_of, prepared
from pipeline.tabular.values import Bools, Floats

META, BOOSTER = "model.json", "model.txt"
#: A class without training rows is as good as impossible to a linear model.
_NEVER = -30.0


@dataclass(frozen=True)
class Learner:
    """A fitted candidate.

    Attributes:
        classes: number of classes; 0 for amounts.
        preparation: of the columns.
        booster: LightGBM's; None for a linear model.
        weights: (F + 1, C or 1) of a linear model, the intercept last; None for a booster.
        center: (F,) mean of each feature over the training rows.
        curves: of the calibration; none for amounts.
        rows: it was trained on.
    """

    classes: int
    preparation: Preparation
    booster: Any
    weights: Floats | None
    center: Floats
    curves: tuple[Curve, ...]
    rows: int

    def scores(self, frame: pd.DataFrame) -> Floats:
        """(N, C) calibrated probabilities, or (N, 1) expected amounts."""
        raw = self.raw(frame)
        return calibrated(raw, self.curves) if self.classes else raw

    def raw(self, frame: pd.DataFrame) -> Floats:
        """The same before calibration."""
        found = self.odds(self.preparation.matrix(frame))
        if not self.classes:
            return np.asarray(found, dtype=np.float64)
        if self.classes == 2:
            positive = sigmoid(found[:, 0])
            return np.column_stack([1 - positive, positive])
        shifted = np.exp(found - found.max(axis=1, keepdims=True))
        return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))

    def odds(self, matrix: Floats) -> Floats:
        """(N, C or 1) logarithms of odds, or amounts, of prepared rows: the scale on which features add up."""
        if self.weights is not None:
            return np.asarray(matrix @ self.weights[:-1] + self.weights[-1])
        found = self.booster.predict(matrix, raw_score=True, num_threads=1)
        return np.asarray(found, dtype=np.float64).reshape(len(matrix), -1)

    def save(self, directory: Path) -> None:
        """Write the model: LightGBM's text and JSON, nothing that runs."""
        directory.mkdir(parents=True, exist_ok=True)
        meta = {
            "classes": self.classes,
            "preparation": self.preparation.plain(),
            "weights": None if self.weights is None else self.weights.tolist(),
            "center": self.center.tolist(),
            "curves": list(self.curves),
            "rows": self.rows,
        }
        (directory / META).write_text(json.dumps(meta, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        if self.booster is not None:
            self.booster.save_model(directory / BOOSTER)

    @classmethod
    def load(cls, directory: Path) -> "Learner":
        """Read a model back.

        Raises:
            ModelError: a file is missing or unreadable.
        """
        try:
            meta = json.loads((directory / META).read_text(encoding="utf-8"))
            weights = meta["weights"]
            return cls(
                classes=int(meta["classes"]),
                preparation=Preparation(meta["preparation"]["numbers"], meta["preparation"]["texts"]),
                booster=read_booster(directory / BOOSTER) if weights is None else None,
                weights=None if weights is None else np.array(weights, np.float64),
                center=np.array(meta["center"], np.float64),
                curves=tuple(meta["curves"]),
                rows=int(meta["rows"]),
            )
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            finding = Finding(str(directory), f"{type(error).__name__}: {error}", "train the candidate again")
            raise ModelError("a model of a table cannot be read", [finding]) from error


def learned(cases: Cases, spec: Candidate, fitting: Bools, calibrating: Bools, seed: int) -> Learner:
    """Fit on some rows, calibrate on later ones.

    Raises:
        ModelError: all rows to fit on are of one class.
        DataError: a feature cannot be learned from.
    """
    parameters, classes = learner_of(spec), len(cases.names)
    truth = cases.truth[fitting]
    if classes and len(np.unique(truth)) < 2:
        found, remedy = f"{len(truth)} rows to fit on, all of one class", "bring more history, or fewer cutoffs"
        raise ModelError("There is too little to learn from", [Finding(spec.name, found, remedy)])
    rows = cases.frame[fitting]
    preparation = prepared(rows, features_of(cases.business, spec, cases.frame))
    matrix = preparation.matrix(rows)
    booster = weights = None
    if isinstance(parameters, LightGBM):
        booster = _boosted(parameters, matrix, truth, classes, preparation.names, seed)
    else:
        weights = _weighted(parameters, matrix, truth, classes)
    unbent: tuple[Curve, ...] = ({"kind": "none"},) * max(classes, 1)
    plain = Learner(classes, preparation, booster, weights, matrix.mean(axis=0), unbent, len(truth))
    if not classes:
        return plain
    raw = plain.raw(cases.frame[calibrating])
    curves = curves_for(parameters.calibration, raw, cases.truth[calibrating])
    return replace(plain, curves=curves)


def _boosted(
    parameters: LightGBM, matrix: Floats, truth: Floats, classes: int, names: tuple[str, ...], seed: int
) -> Any:
    import lightgbm

    objective = {0: "regression", 2: "binary"}.get(classes, "multiclass")
    settings = {
        "objective": objective, "learning_rate": parameters.learning_rate, "num_leaves": parameters.leaves,
        "min_data_in_leaf": parameters.min_data_in_leaf, "lambda_l2": parameters.lambda_l2, "seed": seed,
        "deterministic": True, "force_row_wise": True, "num_threads": 1, "verbosity": -1,
        **({"num_class": classes} if classes > 2 else {}),
    }  # fmt: skip
    # LightGBM's text allows no names with spaces or signs; the place says the same.
    columns = [f"column_{place}" for place, _ in enumerate(names)]
    return lightgbm.train(settings, lightgbm.Dataset(matrix, truth, feature_name=columns), parameters.rounds)


def _weighted(parameters: Linear, matrix: Floats, truth: Floats, classes: int) -> Floats:
    from sklearn.linear_model import LogisticRegression, Ridge

    if not classes:
        model = Ridge(alpha=parameters.penalty).fit(matrix, truth)
        return np.append(model.coef_, model.intercept_).reshape(-1, 1)
    model = LogisticRegression(C=1 / parameters.penalty, max_iter=2000).fit(matrix, truth.astype(np.int64))
    fitted = np.column_stack([model.coef_, model.intercept_]).T
    if classes == 2:
        return np.asarray(fitted)
    if len(model.classes_) == 2:
        fitted = np.column_stack([-fitted / 2, fitted / 2])
    weights = np.zeros((matrix.shape[1] + 1, classes))
    weights[-1] = _NEVER
    weights[:, model.classes_] = fitted
    return weights
