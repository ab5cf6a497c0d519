"""A charter's candidate: past games with a model fitted for each, then the fit on everything."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.charter import Candidate, Charter
from pipeline.datasets.splits import cutoffs
from pipeline.models.files import digest
from pipeline.problems import played
from pipeline.problems.base import Arm, Progress, TrainedCandidate
from pipeline.service_desk.clock import WEEK_HOURS, Ints
from pipeline.service_desk.desk import Plan
from pipeline.service_desk.log import Log
from pipeline.service_desk.offers import BASELINES
from pipeline.service_desk.parameters import business_of, learner_of
from pipeline.service_desk.planning import plans, with_predictor
from pipeline.service_desk.prediction import Predictor, exposures, fitted
from pipeline.service_desk.replay import GAME_WEEKS, Planner, rolling_games

BACKTEST = "backtest"
#: Weeks of history before the first game at least.
LEAST_HISTORY = 10
#: Teams the games are played in at most, those of the stage first.
GAME_TEAMS = 8


def train(
    charter: Charter, spec: Candidate, log: Log, units: tuple[str, ...], directory: Path, progress: Progress
) -> TrainedCandidate:
    """Play the games, each with a model that saw nothing later, then fit on all weeks.

    Raises:
        DataError: the history is too short for the games the charter asks for.
        ModelError: there are too few closed tickets.
    """
    began = time.perf_counter()
    model = charter.model
    chosen = cutoffs(log.weeks, GAME_WEEKS, model.backtest_cutoffs, model.backtest_every, least=LEAST_HISTORY)
    teams, learned = _game_teams(charter, log, units), _learned(charter, log, units)
    metrics: list[dict[str, float]] = []

    def by_model(past: Log, tickets: Mapping[int, pd.DataFrame], weeks: int) -> Mapping[int, Plan]:
        predictor = fitted(charter, spec, past.of(learned))
        metrics.append(_metrics(predictor, past, log))
        return with_predictor(Arm(spec.name, charter), predictor, past, tickets, weeks)

    planners: dict[str, Planner] = {f"baseline:{name}": _baseline(charter, name) for name in BASELINES}
    planners[spec.name] = by_model
    limit = business_of(charter).response_limit
    backtest = rolling_games(log, chosen, teams.tolist(), planners, limit, GAME_WEEKS, progress)
    fitted(charter, spec, log.of(learned)).save(directory)
    played.save(backtest, directory / BACKTEST)
    mean = {name: float(np.mean([one[name] for one in metrics])) for name in metrics[0]}
    pd.DataFrame([mean]).to_parquet(directory / "metrics.parquet", index=False)
    return _trained(spec, directory, time.perf_counter() - began)


def load(spec: Candidate, directory: Path) -> TrainedCandidate:
    """Read a trained candidate back; its seconds are not kept, as they would make equal models differ.

    Raises:
        ModelError: a file is missing or unreadable.
        DataError: its backtest is.
    """
    Predictor.load(directory)
    return _trained(spec, directory, 0.0)


def measured(charter: Charter, log: Log, units: tuple[str, ...], numerator: str, denominator: str) -> float:
    """A KPI of the charter's baseline policy on these teams over ``measured_over`` recorded weeks, as one game.

    Played and not read off: some of these weeks may have followed a model already.
    """
    weeks = min(charter.kpi.baseline.measured_over, log.weeks - 1)
    planners = {"baseline": _baseline(charter, charter.kpi.baseline.policy)}
    teams, limit = log.codes(units).tolist(), business_of(charter).response_limit
    frame = rolling_games(log, [log.weeks - weeks], teams, planners, limit, weeks, lambda *_: None).frame
    return float(frame[numerator].sum() / max(float(frame[denominator].sum()), 1e-9))


def _baseline(charter: Charter, name: str) -> Planner:
    arm = Arm(f"baseline:{name}", charter, baseline=name)
    return lambda past, tickets, weeks: plans(arm, past, tickets, weeks)


def _game_teams(charter: Charter, log: Log, units: tuple[str, ...]) -> Ints:
    own = log.codes(units)
    others = np.setdiff1d(np.arange(len(log.teams)), own)
    order: Sequence[int] = [*own, *np.random.default_rng(charter.seed).permutation(others)]
    return np.sort(np.array(order[:GAME_TEAMS], dtype=np.int64))


def _learned(charter: Charter, log: Log, units: tuple[str, ...]) -> Ints:
    return log.codes(units) if charter.model.train_on == "stage" else np.arange(len(log.teams))


def _metrics(predictor: Predictor, past: Log, log: Log) -> dict[str, float]:
    """How well the next weeks' tickets were foreseen, of all teams."""
    begin, end = past.weeks * WEEK_HOURS, (past.weeks + GAME_WEEKS) * WEEK_HOURS
    rows = log.tickets[log.tickets["arrival"].between(begin, end, inclusive="left")]
    hours, urgency = predictor.expected(past, rows)
    spent = rows["spent"].to_numpy()
    done = spent > 0
    error = np.log(spent[done]) - np.log(hours[done] / predictor.smear)
    spread = float(np.var(np.log(spent[done])))
    waited, escalated = exposures(rows, log.weeks * WEEK_HOURS)
    expected = urgency * predictor.mean_urgency * waited
    return {
        "r2_log_hours": 1.0 - float((error**2).mean()) / max(spread, 1e-9),
        "bias_hours": float(hours[done].sum() / max(spent[done].sum(), 1e-9)) - 1.0,
        "escalations_expected_over_seen": float(expected.sum() / max(escalated.sum(), 1)),
        "auc_urgency": _auc(urgency, escalated),
    }


def _auc(
    score: np.ndarray[tuple[int], np.dtype[np.float64]], positive: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> float:
    """Chance that an escalated ticket was thought more urgent than one that was not (Mann and Whitney 1947)."""
    ranks = pd.Series(score).rank().to_numpy()
    hits, rest = int(positive.sum()), int((~positive).sum())
    if not hits or not rest:
        return 0.5
    return float((ranks[positive].sum() - hits * (hits + 1) / 2) / (hits * rest))


def _trained(spec: Candidate, directory: Path, seconds: float) -> TrainedCandidate:
    backtest = played.load(directory / BACKTEST)
    found = pd.read_parquet(directory / "metrics.parquet").iloc[0]
    return TrainedCandidate(
        spec=spec,
        directory=directory,
        digest=digest(directory),
        backtest=backtest,
        metrics={str(name): float(value) for name, value in found.items()},
        parameters={**learner_of(spec).model_dump(), "features": ", ".join(spec.features)},
        seconds=seconds,
    )
