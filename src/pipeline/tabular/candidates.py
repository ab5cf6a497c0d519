"""A charter's candidate: forecasts at past cutoffs, the backtest they give, and the model that is kept."""

import time
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.charter import Candidate, Charter
from pipeline.datasets.splits import tune_confirm
from pipeline.errors import Finding, ModelError
from pipeline.evaluation.outcomes import Outcomes
from pipeline.models.files import digest
from pipeline.problems import played as kept
from pipeline.problems.base import Arm, Progress, TrainedCandidate
from pipeline.tabular.cases import Cases
from pipeline.tabular.forecasts import CHOOSING, FINAL, PART, REPLAY, TRUTH, foreseen, scores_in
from pipeline.tabular.learning import Learner
from pipeline.tabular.offers import baselines
from pipeline.tabular.parameters import learner_of
from pipeline.tabular.policies import Chosen, chosen
from pipeline.tabular.replay import FORECASTS, batch, part_of, played, replayed_cutoffs
from pipeline.tabular.source import UNIT
from pipeline.tabular.values import Floats

BACKTEST, METRICS = "backtest", "metrics.parquet"


def train(
    charter: Charter, spec: Candidate, cases: Cases, units: tuple[str, ...], directory: Path, progress: Progress
) -> TrainedCandidate:
    """Foresee the cases after every cutoff by a model that saw nothing later, then fit the one that is kept.

    Raises:
        DataError: the history is too short for the cutoffs the charter asks for.
        ModelError: there is too little to learn from.
    """
    began = time.perf_counter()
    forecasts, learner = foreseen(charter, spec, cases, units, progress)
    learner.save(directory)
    forecasts.to_parquet(directory / FORECASTS, index=False)
    arms = {spec.name: (Arm(spec.name, charter), forecasts)}
    arms |= {f"baseline:{name}": (_baseline(charter, name), forecasts) for name in baselines(charter)}
    kept.save(played(arms, charter, cases.names, replayed_cutoffs(forecasts)), directory / BACKTEST)
    figures = metrics(forecasts, len(cases.names))
    pd.DataFrame([figures]).to_parquet(directory / METRICS, index=False)
    return _trained(spec, directory, time.perf_counter() - began)


def load(spec: Candidate, directory: Path) -> TrainedCandidate:
    """Read a trained candidate back; its seconds are not kept, as they would make equal models differ.

    Raises:
        ModelError: a file is missing or unreadable.
        DataError: its backtest is.
    """
    Learner.load(directory)
    forecasts_of(directory)
    return _trained(spec, directory, 0.0)


def forecasts_of(directory: Path) -> pd.DataFrame:
    """What a candidate foresaw.

    Raises:
        ModelError: the file is missing or unreadable.
    """
    try:
        return pd.read_parquet(directory / FORECASTS)
    except (OSError, ValueError) as error:
        finding = Finding(str(directory / FORECASTS), str(error), "train the candidate again")
        raise ModelError("a model's forecasts cannot be read", [finding]) from error


def replayed(charter: Charter, cases: Cases, arms: tuple[Arm, ...], treated: str, units: tuple[str, ...]) -> Outcomes:
    """Every arm on the cases of some units after the confirming cutoffs, which no candidate was chosen on.

    Args:
        charter: whose values count.
        cases: name the classes.
        arms: trained candidates and baselines.
        treated: name of the arm whose forecasts the baselines are played on.
        units: whose cases count.
    """
    own = {arm.name: forecasts_of(arm.candidate.directory) for arm in arms if arm.candidate is not None}
    shown = {name: frame[frame[UNIT].isin(list(units)) | (frame[PART] != REPLAY)] for name, frame in own.items()}
    cutoffs = tune_confirm(replayed_cutoffs(own[treated]))[1]
    first = {arm.name: (arm, shown.get(arm.name, shown[treated])) for arm in arms}
    return played(first, charter, cases.names, cutoffs)


def settled(charter: Charter, directory: Path) -> Chosen:
    """What the policy leaves open, for the model that is kept."""
    return chosen(charter, batch(part_of(forecasts_of(directory), FINAL, CHOOSING)))


def metrics(forecasts: pd.DataFrame, classes: int) -> dict[str, float]:
    """Technical figures of all cases after the cutoffs, shown and never gated on."""
    rows = forecasts[forecasts[PART] == REPLAY]
    truth, scores = rows[TRUTH].to_numpy(dtype=np.float64), scores_in(rows)
    if not classes:
        return _amount_metrics(truth, scores[:, 0])
    from sklearn.metrics import log_loss, roc_auc_score

    labels = np.arange(classes)
    found = {
        "log_loss": float(log_loss(truth, scores, labels=labels)),
        "accuracy": float((scores.argmax(axis=1) == truth).mean()),
    }
    if classes > 2:
        return found
    both = len(np.unique(truth)) == 2
    return {
        "auc": float(roc_auc_score(truth, scores[:, 1])) if both else 0.5,
        "brier": float(np.mean((scores[:, 1] - truth) ** 2)),
        "calibration_error": calibration_error(scores[:, 1], truth),
        **found,
    }


def calibration_error(probability: Floats, truth: Floats, bins: int = 10) -> float:
    """Mean gap of foreseen and seen shares over bins of equal width, weighted by rows (Naeini et al., AAAI 2015)."""
    place = np.minimum((probability * bins).astype(np.int64), bins - 1)
    gaps = np.abs(np.bincount(place, probability - truth, minlength=bins))
    return float(gaps.sum() / max(len(truth), 1))


def _amount_metrics(truth: Floats, foreseen_: Floats) -> dict[str, float]:
    error = foreseen_ - truth
    spread = float(np.var(truth))
    return {
        "mae": float(np.abs(error).mean()),
        "bias": float(error.mean()),
        "r2": 1.0 - float((error**2).mean()) / max(spread, 1e-12),
    }


def _baseline(charter: Charter, name: str) -> Arm:
    return Arm(f"baseline:{name}", charter, baseline=name)


def _trained(spec: Candidate, directory: Path, seconds: float) -> TrainedCandidate:
    found = pd.read_parquet(directory / METRICS).iloc[0]
    return TrainedCandidate(
        spec=spec,
        directory=directory,
        digest=digest(directory),
        backtest=kept.load(directory / BACKTEST),
        metrics={str(name): float(value) for name, value in found.items()},
        parameters={**learner_of(spec).model_dump(), "features": ", ".join(spec.features)},
        seconds=seconds,
    )
