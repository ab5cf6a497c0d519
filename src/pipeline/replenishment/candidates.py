"""A charter's candidate: from its entry to a fitted model, its decisions and its rolling games."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.charter import Candidate, Charter
from pipeline.evaluation.outcomes import KpiDefinition, Outcomes
from pipeline.models.files import digest
from pipeline.problems import played
from pipeline.problems.base import Arm, Progress, TrainedCandidate
from pipeline.problems.parts import Parts
from pipeline.replenishment.baselines import baseline
from pipeline.replenishment.fitting import Together
from pipeline.replenishment.forecast import LightGBMForecaster
from pipeline.replenishment.games import Builder, rolling_games
from pipeline.replenishment.history import Growing, History
from pipeline.replenishment.limiting import within
from pipeline.replenishment.offers import BASELINES
from pipeline.replenishment.panel import Bools, Ints, Panel
from pipeline.replenishment.parameters import ALGORITHMS, Business, Parameters, business_of, lightgbm_of, policy_of
from pipeline.replenishment.policy import order
from pipeline.replenishment.replay import Decide

#: Rows a past game is fitted on at least, where its stores are a sample of the chain; the final fit has all of them.
GAME_ROWS = 60_000
#: Folder of the models of past games inside a candidate's directory, by cutoff.
GAMES = "games"
BACKTEST = "backtest"


@dataclass(frozen=True)
class Material:
    """What a candidate is trained on.

    Attributes:
        whole: the panel of the final fit.
        games: the panel of the rolling games, a sample of its stores when the chain is large.
        cutoffs: weeks known at the first decision of each game.
        parts: who makes the rows of a large chain; this process from one piece if not given.
    """

    whole: Panel
    games: Panel
    cutoffs: tuple[int, ...]
    parts: Parts | None = None


def train(
    charter: Charter, spec: Candidate, material: Material, directory: Path, progress: Progress
) -> TrainedCandidate:
    """Play the rolling games, each with a model that saw nothing later, then fit on everything."""
    began = time.perf_counter()
    business, policy = business_of(charter), policy_of(charter)
    builder = fitting(charter, spec, policy, material, directory / GAMES)
    arms: dict[str, Builder] = {**baseline_builders(business, policy), spec.name: builder}
    backtest = rolling_games(material.games, material.cutoffs, arms, business, progress)
    model = _fitted(forecaster(charter, spec), material)
    model.save(directory)
    played.save(backtest, directory / BACKTEST)
    return _trained(spec, directory, model, backtest, time.perf_counter() - began)


def _fitted(model: LightGBMForecaster, material: Material) -> LightGBMForecaster:
    """The model fitted on everything; where the chain is large, an engine's workers make its rows."""
    if material.parts is None or material.whole.size <= material.parts.series:
        return model.fit(material.whole)
    from pipeline.replenishment.newest import panel_in_parts

    parts = material.parts
    with panel_in_parts(material.whole, parts) as chain:
        gang = None if parts.gang is None or model.row_budget <= parts.rows else Together(parts.gang, chain.folder)
        return model.fit_parts(
            lambda work: chain.worked(parts, partial(_on_history, work)), material.whole.periods, gang
        )


def _on_history(work: Callable[[History], Any], panel: Panel) -> Any:
    return work(History(panel))


def load(spec: Candidate, directory: Path) -> TrainedCandidate:
    """Read a trained candidate back; its seconds are not kept, as they would make equal models differ.

    Raises:
        ModelError: a file is missing or unreadable.
    """
    model = LightGBMForecaster.load(directory)
    return _trained(spec, directory, model, played.load(directory / BACKTEST), 0.0)


def replayed(
    arms: Sequence[Arm], business: Business, panel: Panel, cutoffs: Sequence[int], progress: Progress
) -> Outcomes:
    """Play arms again on some cutoffs, each with the models its candidate had fitted for those games.

    Args:
        arms: each decides by the policy of its own charter.
        business: what costs are counted with, the same for all arms.
        panel: the panel of the games.
        cutoffs: weeks known at the first decision of each game.
        progress: called after each game.
    """
    return rolling_games(panel, cutoffs, {arm.name: _builder(arm) for arm in arms}, business, progress)


def measured_in_games(charter: Charter, panel: Panel, cutoffs: Sequence[int], kpi: KpiDefinition) -> float:
    """A KPI of the charter's baseline policy over rolling games."""
    name, business = charter.kpi.baseline.policy, business_of(charter)
    builders = {name: _baseline_builder(name, business, policy_of(charter))}
    frame = rolling_games(panel, cutoffs, builders, business, lambda *_: None).frame
    return float(frame[kpi.numerator].sum() / max(float(frame[kpi.denominator].sum()), 1e-9))


def baseline_builders(business: Business, policy: Parameters) -> dict[str, Builder]:
    """Arm ``baseline:<name>`` → builder, for every baseline."""
    return {f"baseline:{name}": _baseline_builder(name, business, policy) for name in BASELINES}


def fitting(
    charter: Charter, spec: Candidate, policy: Parameters, material: Material, keep: Path | None = None
) -> Builder:
    """Fits the candidate at the start of each game; ``keep`` is where the games' models are written to, if anywhere."""
    return _Fitting(charter, spec, policy, material.games.size / material.whole.size, keep)


def loading(charter: Charter, candidate: TrainedCandidate, policy: Parameters) -> Builder:
    """Reads the models that a trained candidate had fitted for its games, to decide by this policy."""
    return _Loading(charter, candidate.directory / GAMES, policy)


def forecaster(charter: Charter, spec: Candidate) -> LightGBMForecaster:
    """An unfitted model of the candidate."""
    parameters = lightgbm_of(spec)
    return LightGBMForecaster(
        objective=ALGORITHMS[spec.algorithm],
        groups=tuple(spec.features),
        train_periods=charter.model.train_periods,
        seed=charter.seed,
        **parameters.model_dump(),
    )


def model_decider(
    model: LightGBMForecaster, policy: Parameters, critical_ratio: float, asked: Bools | None = None
) -> Decide:
    """Forecast, then decide; orders only for the asked series when not all are."""
    growing = Growing()

    def decide(panel: Panel) -> Ints:
        decided = partial(order, policy=policy, critical_ratio=critical_ratio, last=panel.last_order)
        forecast = model.foresee(growing(panel), asked)
        if asked is None:
            return decided(forecast, panel.on_hand, panel.on_order)
        orders = np.zeros(panel.size, np.int64)
        orders[asked] = decided(forecast, panel.on_hand[asked], panel.on_order[:, asked])
        return orders

    return decide


def sampled(panel: Panel, first_stores: Sequence[str], most_series: int, seed: int) -> Panel:
    """The panel of whole stores, the named ones first, up to a number of series; all of it when it is small."""
    if panel.size <= most_series:
        return panel
    stores = panel.series["store"].to_numpy(dtype=str)
    others = np.random.default_rng(seed).permutation(np.setdiff1d(stores, first_stores))
    kept: list[str] = []
    series = 0
    for store in (*first_stores, *others):
        series += int((stores == store).sum())
        if series > most_series and kept:
            break
        kept.append(str(store))
    return panel.take(np.isin(stores, kept))


def _builder(arm: Arm) -> Builder:
    policy, business = policy_of(arm.charter), business_of(arm.charter)
    if arm.candidate is not None:
        return loading(arm.charter, arm.candidate, policy)
    if arm.baseline is None:
        raise ValueError(f"arm {arm.name} has neither a model nor a baseline")
    return _baseline_builder(arm.baseline, business, policy)


def _baseline_builder(name: str, business: Business, policy: Parameters) -> Builder:
    return lambda start: baseline(name, start, business, policy)


@dataclass(frozen=True)
class _Fitting:
    """Fits a candidate at the start of each game, and keeps the model so that other policies can play it.

    ``share`` is the share of the series the games are played on; a sample needs fewer rows. Without a directory the
    models are not kept.
    """

    charter: Charter
    spec: Candidate
    policy: Parameters
    share: float
    directory: Path | None

    def __call__(self, start: Panel) -> Decide:
        model = forecaster(self.charter, self.spec)
        rows = max(int(self.share * model.row_budget), min(model.row_budget, GAME_ROWS))
        model.set_params(row_budget=rows).fit(start)
        if self.directory is not None:
            model.save(self.directory / str(start.weeks[-1]))
        return _bounded(self.charter, model, self.policy, start)


@dataclass(frozen=True)
class _Loading:
    """Reads the model a candidate had fitted for the game."""

    charter: Charter
    directory: Path
    policy: Parameters

    def __call__(self, start: Panel) -> Decide:
        model = LightGBMForecaster.load(self.directory / str(start.weeks[-1]))
        return _bounded(self.charter, model, self.policy, start)


def _bounded(charter: Charter, model: LightGBMForecaster, policy: Parameters, start: Panel) -> Decide:
    """The model's decider in a game, within the charter's limits."""
    business = business_of(charter)
    decide = model_decider(model, policy, business.critical_ratio)
    if not charter.compliance.limits.any:
        return decide
    return within(charter, model, decide, baseline(charter.kpi.baseline.policy, start, business, policy))


def _trained(
    spec: Candidate, directory: Path, model: LightGBMForecaster, backtest: Outcomes, seconds: float
) -> TrainedCandidate:
    parameters = {name: value for name, value in model.get_params().items() if name != "groups"}
    return TrainedCandidate(
        spec=spec,
        directory=directory,
        digest=digest(directory),
        backtest=backtest,
        metrics={
            "wape": model.wape_,
            "bias": model.bias_ - 1.0,
            "correlation": model.spread_.correlation,
            "mean_dispersion": float(np.mean(model.spread_.dispersions)),
        },
        parameters={**parameters, "features": ", ".join(spec.features)},
        seconds=seconds,
    )
