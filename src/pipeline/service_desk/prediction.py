"""How long a ticket will take and how urgent it is: two models, learned from what was closed before a week.

Hours of work are learned on the log scale, as they are lognormal in shape, and brought back with the smearing estimator
(Duan, JASA 78, 1983). Urgency is the rate at which customers escalate while they wait, in 1 / hour: a count of 0 or 1
with the hours waited as exposure, that is, an exponential survival model fitted as a Poisson regression, which treats
answered tickets as censored (Holford, Biometrics 36, 1980; Laird and Olivier, JASA 76, 1981).
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from pipeline.charter import Candidate, Charter
from pipeline.errors import Finding, ModelError
from pipeline.models.boosters import read_booster
from pipeline.service_desk.clock import WEEK_HOURS, Bools, Floats, Names
from pipeline.service_desk.features import features
from pipeline.service_desk.log import Log
from pipeline.service_desk.parameters import LightGBM, Linear, learner_of

META, HOURS, URGENCY = "model.json", "model.txt", "urgency.txt"
#: Hours waited below which a ticket says nothing about patience.
_LEAST_EXPOSURE = 0.05
_LEAST_ROWS = 200


class Scorer(Protocol):
    """A fitted model on the log scale."""

    def score(self, rows: Floats) -> Floats:
        """(N,) the logarithm of what is predicted."""

    def shares(self, rows: Floats) -> Floats:
        """(N, F + 1) each feature's share of the score, the level last; a row adds up to its score.

        LightGBM's own SHAP values (TreeSHAP; Lundberg et al., Nature Machine Intelligence 2, 2020), or, of a linear
        model, weight times distance from the training mean (Lundberg and Lee, NeurIPS 2017, corollary 1).
        """

    def kept(self, directory: Path, name: str) -> dict[str, Any]:
        """Write what is needed beside the meta data, and hand back what belongs into it."""


@dataclass(frozen=True)
class Predictor:
    """A fitted candidate.

    Attributes:
        groups: feature groups.
        names: features in order.
        hours: log hours of work.
        urgency: log escalations per hour waited.
        smear: mean of exp(residual): from the mean of a logarithm to a mean.
        mean_urgency: escalations per hour waited over all training rows.
        low, high: (F,) ends of each feature's range over the training rows.
        rows: training rows.
    """

    groups: tuple[str, ...]
    names: tuple[str, ...]
    hours: Scorer
    urgency: Scorer
    smear: float
    mean_urgency: float
    low: Floats
    high: Floats
    rows: int

    def outside(self, log: Log, tickets: pd.DataFrame) -> Names:
        """(N,) the feature that lies farthest outside its range over the training rows; empty for none."""
        rows, names = features(log, tickets, self.groups)
        width = np.where(self.high > self.low, self.high - self.low, 1.0)
        beyond = np.maximum(self.low - rows, rows - self.high) / width
        worst = beyond.argmax(axis=1)
        return np.where(beyond.max(axis=1) > 0, np.array(names, dtype=object)[worst], "")

    def expected(self, log: Log, tickets: pd.DataFrame) -> tuple[Floats, Floats]:
        """(N,) hours of work and (N,) urgency relative to the mean, for tickets as they come in."""
        rows, _ = features(log, tickets, self.groups)
        hours = np.exp(self.hours.score(rows)) * self.smear
        return np.asarray(hours), np.asarray(np.exp(self.urgency.score(rows)) / self.mean_urgency)

    def save(self, directory: Path) -> None:
        """Write the model: LightGBM's text and JSON, nothing that runs."""
        directory.mkdir(parents=True, exist_ok=True)
        meta = {name: getattr(self, name) for name in ("groups", "names", "smear", "mean_urgency", "rows")}
        meta |= {"low": self.low.tolist(), "high": self.high.tolist()}
        meta |= {"hours": self.hours.kept(directory, HOURS), "urgency": self.urgency.kept(directory, URGENCY)}
        (directory / META).write_text(json.dumps(meta, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> "Predictor":
        """Read a model back.

        Raises:
            ModelError: a file is missing or unreadable.
        """
        try:
            meta = json.loads((directory / META).read_text(encoding="utf-8"))
            return cls(
                groups=tuple(meta["groups"]),
                names=tuple(meta["names"]),
                hours=_read(meta["hours"], directory),
                urgency=_read(meta["urgency"], directory),
                smear=float(meta["smear"]),
                mean_urgency=float(meta["mean_urgency"]),
                low=np.array(meta["low"], np.float64),
                high=np.array(meta["high"], np.float64),
                rows=int(meta["rows"]),
            )
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            finding = Finding(str(directory), f"{type(error).__name__}: {error}", "train the candidate again")
            raise ModelError("a model of the service desk cannot be read", [finding]) from error


def fitted(charter: Charter, spec: Candidate, log: Log) -> Predictor:
    """Learn from the tickets of the newest ``train_periods`` weeks of a log.

    Raises:
        ModelError: there are too few closed tickets to learn from.
    """
    groups, parameters = tuple(spec.features), learner_of(spec)
    recent = log.tickets[log.tickets["arrival"] >= (log.weeks - charter.model.train_periods) * WEEK_HOURS]
    if len(recent) > parameters.row_budget:
        draw = np.random.default_rng(charter.seed)
        recent = recent.iloc[np.sort(draw.choice(len(recent), parameters.row_budget, replace=False))]
    rows, names = features(log, recent, groups)
    closed = recent["closed"].notna().to_numpy() & (recent["spent"].to_numpy() > 0)
    if closed.sum() < _LEAST_ROWS:
        found = f"{int(closed.sum())} closed tickets in the last {charter.model.train_periods} weeks"
        raise ModelError(
            "There is too little to learn from", [Finding("tickets", found, f"bring at least {_LEAST_ROWS}")]
        )
    target = np.log(recent["spent"].to_numpy()[closed])
    hours = _fit_hours(parameters, rows[closed], target, names, charter.seed)
    exposure, escalated = exposures(recent, log.weeks * WEEK_HOURS)
    waited = exposure > _LEAST_EXPOSURE
    urgency = _fit_urgency(
        parameters, rows[waited], escalated[waited].astype(np.float64), exposure[waited], names, charter.seed
    )
    smear = float(np.exp(target - hours.score(rows[closed])).mean())
    mean = float((escalated[waited].sum() + 1) / exposure[waited].sum())
    low, high = rows.min(axis=0), rows.max(axis=0)
    return Predictor(groups, names, hours, urgency, smear, mean, low, high, int(closed.sum()))


def exposures(tickets: pd.DataFrame, now: float) -> tuple[Floats, Bools]:
    """(N,) hours waited until the customer escalated, was answered or the log ends; (N,) whether it was escalated."""
    escalated = tickets["escalated"].to_numpy()
    angry = ~np.isnan(escalated)
    until = np.where(angry, escalated, np.minimum(tickets["first"].fillna(now).to_numpy(), now))
    return np.maximum(until - tickets["arrival"].to_numpy(), 0.0), angry


@dataclass(frozen=True)
class _Boosted:
    """A LightGBM booster on the log scale, beside the level that all rows share."""

    booster: Any
    level: float

    def score(self, rows: Floats) -> Floats:
        raw = self.booster.predict(rows, raw_score=True, num_threads=1)
        return np.asarray(raw, dtype=np.float64) + self.level

    def shares(self, rows: Floats) -> Floats:
        found = np.asarray(self.booster.predict(rows, pred_contrib=True, num_threads=1), dtype=np.float64)
        found[:, -1] += self.level
        return found

    def kept(self, directory: Path, name: str) -> dict[str, Any]:
        self.booster.save_model(directory / name)
        return {"file": name, "level": self.level}


@dataclass(frozen=True)
class _Weighted:
    """A linear score, and the mean of each feature over the training rows."""

    weights: Floats
    intercept: float
    center: Floats

    def score(self, rows: Floats) -> Floats:
        return np.asarray(rows @ self.weights + self.intercept)

    def shares(self, rows: Floats) -> Floats:
        level = np.full(len(rows), self.intercept + float(self.weights @ self.center))
        return np.column_stack([self.weights * (rows - self.center), level])

    def kept(self, directory: Path, name: str) -> dict[str, Any]:  # noqa: ARG002 - all of it fits into the meta data
        return {"weights": self.weights.tolist(), "intercept": self.intercept, "center": self.center.tolist()}


def _read(meta: dict[str, Any], directory: Path) -> Scorer:
    if "file" not in meta:
        weights, center = (np.array(meta[name], np.float64) for name in ("weights", "center"))
        return _Weighted(weights, float(meta["intercept"]), center)
    if meta["file"] not in (HOURS, URGENCY):
        raise ValueError(f"{meta['file']!r} is no file of this model")
    return _Boosted(read_booster(directory / meta["file"]), float(meta["level"]))


def _fit_hours(
    parameters: LightGBM | Linear, rows: Floats, target: Floats, names: tuple[str, ...], seed: int
) -> Scorer:
    if isinstance(parameters, LightGBM):
        return _boosted(parameters, "regression", rows, target, np.zeros(len(rows)), names, seed)
    from sklearn.linear_model import Ridge

    scaled, center, scale = _scaled(rows)
    model = Ridge(alpha=parameters.penalty).fit(scaled, target)
    return _unscaled(model, center, scale)


def _fit_urgency(
    parameters: LightGBM | Linear, rows: Floats, counts: Floats, exposure: Floats, names: tuple[str, ...], seed: int
) -> Scorer:
    if isinstance(parameters, LightGBM):
        return _boosted(parameters, "poisson", rows, counts, np.log(exposure), names, seed)
    from sklearn.linear_model import PoissonRegressor

    scaled, center, scale = _scaled(rows)
    # A penalty per row of weight 1; rates with their exposures as weights are the counts with an offset.
    model = PoissonRegressor(alpha=parameters.penalty / exposure.sum(), max_iter=300)
    model.fit(scaled, counts / exposure, sample_weight=exposure)
    return _unscaled(model, center, scale)


def _boosted(
    parameters: LightGBM,
    objective: str,
    rows: Floats,
    target: Floats,
    offset: Floats,
    names: tuple[str, ...],
    seed: int,
) -> _Boosted:
    import lightgbm

    settings = {
        "objective": objective, "learning_rate": parameters.learning_rate, "num_leaves": parameters.leaves,
        "min_data_in_leaf": parameters.min_data_in_leaf, "lambda_l2": parameters.lambda_l2, "seed": seed,
        "deterministic": True, "force_row_wise": True, "num_threads": 1, "verbosity": -1,
        "boost_from_average": False,
    }  # fmt: skip
    counts = objective == "poisson"
    level = float(np.log((target.sum() + 1) / np.exp(offset).sum())) if counts else float(target.mean())
    data = lightgbm.Dataset(rows, target, init_score=offset + level, feature_name=list(names))
    return _Boosted(lightgbm.train(settings, data, num_boost_round=parameters.rounds), level)


def _scaled(rows: Floats) -> tuple[Floats, Floats, Floats]:
    center, scale = rows.mean(axis=0), rows.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    return (rows - center) / scale, center, scale


def _unscaled(model: Any, center: Floats, scale: Floats) -> _Weighted:
    weights = np.asarray(model.coef_, dtype=np.float64) / scale
    return _Weighted(weights, float(model.intercept_ - (weights * center).sum()), center)
