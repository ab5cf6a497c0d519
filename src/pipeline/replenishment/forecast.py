"""Global LightGBM forecasts of demand until delivery, under scikit-learn's estimator conventions."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from pipeline.errors import Finding, ModelError
from pipeline.models.boosters import read_booster
from pipeline.problems.parts import Place
from pipeline.replenishment.average import seasonal_mean
from pipeline.replenishment.censoring import mean_above
from pipeline.replenishment.chain import together
from pipeline.replenishment.features import features_at
from pipeline.replenishment.fitting import Together, fit_share, keep, read
from pipeline.replenishment.history import EVERY, Chosen, History
from pipeline.replenishment.panel import Bools, Panel
from pipeline.replenishment.parameters import Objective
from pipeline.replenishment.policy import Forecast
from pipeline.replenishment.spread import Spread, measure_spread
from pipeline.replenishment.training import Draw, HeldOut, Rows, drawn_rows, held_origins, held_out, whole_draw

#: Weeks at the end of the history that calibrate the spread before the final fit sees them.
HELD_OUT = 10
#: Rounds of the calibrating fit, relative to the final one's.
CALIBRATION_SHARE = 0.6
#: Training rows of the calibrating fit, likewise.
CALIBRATION_ROWS = 0.4
#: A chain of more series is calibrated on a seeded sample of so many of them. With a lead time of two weeks these give
#: 54,000 held-out cells; the spread reads 48,000 at most.
CALIBRATED_WHOLE, CALIBRATED = 20_000, 3_000
#: One thread per fit: games run side by side, and LightGBM's threads wait busily for each other on a shared machine.
THREADS = 1
MODEL_FILE, META_FILE = "model.txt", "model.json"


class LightGBMForecaster(BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """One booster for all series and horizons; the series' level is the offset, so that it learns ratios.

    A first fit without the last weeks calibrates the spread on them; the final fit sees all weeks. Where the shelf ran
    empty, sales are a lower bound: the target is the mean of demand above it, as the first fit supposes it; without
    any sales the cell is no target. Deterministic under ``seed``.

    Attributes:
        booster_: the fitted LightGBM booster.
        spread_: dispersion of demand around the forecast.
        names_: feature names, in the booster's order.
        bias_: sum of (supposed) demand over sum of forecast on the held-out weeks; shown, not applied.
        wape_: weighted absolute percentage error on the held-out weeks whose demand is known.
    """

    def __init__(
        self,
        *,
        objective: Objective = "poisson",
        groups: tuple[str, ...] = ("recent_sales", "level"),
        train_periods: int = 104,
        rounds: int = 250,
        learning_rate: float = 0.05,
        leaves: int = 31,
        min_data_in_leaf: int = 60,
        feature_fraction: float = 0.7,
        lambda_l2: float = 1.0,
        tweedie_power: float = 1.3,
        half_life: float = 104.0,
        row_budget: int = 300_000,
        average_share: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.objective = objective
        self.groups = groups
        self.train_periods = train_periods
        self.rounds = rounds
        self.learning_rate = learning_rate
        self.leaves = leaves
        self.min_data_in_leaf = min_data_in_leaf
        self.feature_fraction = feature_fraction
        self.lambda_l2 = lambda_l2
        self.tweedie_power = tweedie_power
        self.half_life = half_life
        self.row_budget = row_budget
        self.average_share = average_share
        self.seed = seed

    def fit(self, panel: Panel, y: None = None) -> Self:  # noqa: ARG002 - scikit-learn's signature
        """Learn from every week of the panel.

        Raises:
            ModelError: when the panel holds no demand to learn from.
        """
        history = History(panel)
        return self.fit_parts(lambda work: [work(history)], panel.periods)

    def fit_parts(self, worked: "Worked", weeks: int, gang: Together | None = None) -> Self:
        """The same from a chain in parts: they make the rows that are drawn and the forecasts that calibrate.

        Args:
            worked: does a piece of work on the history of every part and gives the results in the order of the parts.
            weeks: of the history.
            gang: who fits on rows that stay where they are made; this process on all of them if not given.

        Raises:
            ModelError: as :meth:`fit`, or those who fit together failed.
        """
        first = max(weeks - self.train_periods, 1)
        draws = (Draw(weeks - HELD_OUT, int(self.row_budget * CALIBRATION_ROWS)), Draw(weeks, self.row_budget))
        drawing = partial(drawn_rows, first=first, draws=draws, groups=self.groups, seed=self.seed)
        if gang is None:
            drawn = worked(drawing)
            early, rows = (whole_draw(parts) for parts in zip(*drawn, strict=True))
            self.names_, sold = early.names, float(early.demand.sum())
        else:
            kept = list(zip(*worked(partial(keep, gang.folder, drawing)), strict=True))
            self.names_, sold = kept[0][0].names, sum(each.demand for each in kept[0])
        if sold <= 0:
            raise ModelError(
                "nothing to learn from",
                [
                    Finding(
                        "sales", f"no sales in {weeks - HELD_OUT} weeks that count as demand", "load a longer history"
                    )
                ],
            )
        few = max(int(self.rounds * CALIBRATION_SHARE), 1)
        if gang is None:
            self.booster_ = self._boost(early, few)
        else:
            self.booster_ = lgb.Booster(model_str=gang.fitted(partial(self._share, few, supposing=False), kept[0]))
        self.spread_, self.bias_, self.wape_ = _measured(side_by_side(worked(partial(self._held_out, weeks=weeks))))
        if gang is None:
            self.booster_ = self._boost(self._supposed(rows), self.rounds)
        else:
            self.booster_ = lgb.Booster(
                model_str=gang.fitted(partial(self._share, self.rounds, supposing=True), kept[1])
            )
        return self

    def predict(self, panel: Panel) -> Forecast:
        """Demand of the ``lead_time`` weeks after the panel's last one, of all series."""
        return self.foresee(History(panel))

    def foresee(self, history: History, asked: Bools | None = None) -> Forecast:
        """The same from the panel's history, of all series or of the asked ones (N,)."""
        chosen = EVERY if asked is None else np.flatnonzero(asked)
        return Forecast(self._mean(history, history.panel.periods, chosen).astype(np.float32), self.spread_)

    def save(self, directory: Path) -> None:
        """Write ``model.txt`` (LightGBM's own text) and ``model.json``."""
        directory.mkdir(parents=True, exist_ok=True)
        (directory / MODEL_FILE).write_text(self.booster_.model_to_string(), encoding="utf-8")
        meta = {
            "parameters": {**self.get_params(), "groups": list(self.groups)},
            "names": list(self.names_),
            "spread": {
                "means": self.spread_.means,
                "dispersions": self.spread_.dispersions,
                "correlation": self.spread_.correlation,
            },
            "bias": self.bias_,
            "wape": self.wape_,
        }
        (directory / META_FILE).write_text(json.dumps(meta, indent=1, sort_keys=True) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read a model back.

        Raises:
            ModelError: when a file is missing or not what :meth:`save` wrote.
        """
        try:
            meta = json.loads((directory / META_FILE).read_text(encoding="utf-8"))
            model = cls(**{**meta["parameters"], "groups": tuple(meta["parameters"]["groups"])})
            model.booster_ = read_booster(directory / MODEL_FILE)
            spread = meta["spread"]
            model.spread_ = Spread(tuple(spread["means"]), tuple(spread["dispersions"]), spread["correlation"])
            model.names_, model.bias_, model.wape_ = tuple(meta["names"]), meta["bias"], meta["wape"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise ModelError(
                "the model cannot be read",
                [Finding(str(directory), f"{type(error).__name__}: {error}", "train the candidate again")],
            ) from error
        return model

    def _boost(self, rows: Rows, rounds: int) -> lgb.Booster:
        data = lgb.Dataset(
            rows.features,
            label=rows.demand,
            **self._weights(rows),
            feature_name=list(rows.names),
            params={"verbosity": -1, "max_bin": 127},
        )
        return lgb.train(self._parameters(), data, num_boost_round=rounds)

    def _share(self, rounds: int, place: Place, paths: Sequence[Path], *, supposing: bool) -> str:
        """One process's part of a fit; ``supposing``: the demand of censored cells, as the calibrated model does."""
        rows = self._supposed(read(paths)) if supposing else read(paths)
        return fit_share({**self._parameters(), "n_estimators": rounds}, rows, self._weights(rows), place)

    def _weights(self, rows: Rows) -> dict[str, NDArray[np.floating]]:
        return {"weight": np.power(0.5, rows.age / self.half_life), "init_score": np.log(rows.level)}

    def _supposed(self, rows: Rows) -> Rows:
        """The rows with the demand of censored cells as the calibrated model supposes it."""
        cells = np.flatnonzero(rows.censored)
        if not len(cells):
            return rows
        raw = self.booster_.predict(rows.features[cells], raw_score=True, num_threads=THREADS)
        mean = np.exp(raw) * rows.level[cells]
        demand = rows.demand.copy()
        demand[cells] = mean_above(mean, rows.sold[cells], self.spread_.dispersion(mean))
        return replace(rows, demand=demand)

    def _parameters(self) -> dict[str, str | int | float | bool]:
        parameters: dict[str, str | int | float | bool] = {
            "objective": self.objective,
            "learning_rate": self.learning_rate,
            "num_leaves": self.leaves,
            "min_data_in_leaf": self.min_data_in_leaf,
            "feature_fraction": self.feature_fraction,
            "lambda_l2": self.lambda_l2,
            "max_bin": 127,
            "deterministic": True,
            "force_row_wise": True,
            "seed": self.seed,
            "num_threads": THREADS,
            "verbosity": -1,
        }
        if self.objective == "tweedie":
            parameters["tweedie_variance_power"] = self.tweedie_power
        return parameters

    def _mean(self, history: History, known: int, chosen: Chosen = EVERY) -> NDArray[np.float64]:
        """(L, n) mean demand of the weeks after the first ``known``, of the chosen series."""
        features, names = features_at(history, known, self.groups, chosen)
        if names != self.names_:
            raise ModelError("the model was trained on other features", [_other_features(names, self.names_)])
        flat = np.ascontiguousarray(features).reshape(-1, len(names))
        # LightGBM refuses to forecast nothing, and a part of a chain may hold no series that is asked for.
        raw = self.booster_.predict(flat, raw_score=True, num_threads=THREADS) if len(flat) else np.zeros(0)
        ratio = np.exp(raw).reshape(features.shape[:2])
        mean = ratio * history.level(known)[None, chosen]
        if self.average_share > 0:
            mean = (1 - self.average_share) * mean + self.average_share * seasonal_mean(history, known)[:, chosen]
        return np.asarray(mean, dtype=np.float64)

    def _held_out(self, history: History, weeks: int) -> "Foreseen":
        # Asked of a chain in parts at once: what the sample rests on, and what forecasts need first.
        levels = (partial(history.level, known) for known in held_origins(history, weeks, HELD_OUT))
        asked: list[Any] = together(partial(_sample, history.panel, self.seed), *levels)
        return foreseen(history, weeks, partial(self._mean, history, chosen=asked[0]), asked[0])


#: Does a piece of work on the history of every part of a chain.
Worked = Callable[[Callable[[History], Any]], Sequence[Any]]
#: Forecasts (O, L, N) of the weeks kept back, and what happened in them.
Foreseen = tuple[NDArray[np.floating], HeldOut]


def _sample(panel: Panel, seed: int) -> Chosen:
    """The series of the panel that calibrate: all, or those of a sample of the whole chain."""
    before, total = panel.chain.span(panel.size)
    if total <= CALIBRATED_WHOLE:
        return EVERY
    drawn = np.sort(np.random.default_rng(seed).choice(total, CALIBRATED, replace=False))
    return np.asarray(drawn[(drawn >= before) & (drawn < before + panel.size)] - before, np.int64)


def foreseen(
    history: History, weeks: int, mean_at: Callable[[int], NDArray[np.floating]], chosen: Chosen = EVERY
) -> Foreseen:
    """Forecasts of the last :data:`HELD_OUT` weeks from every origin that had not seen them, of the chosen series.

    ``mean_at`` gives the mean of these series at an origin.
    """
    seen = held_out(history, weeks, HELD_OUT, chosen)
    return np.stack(together(*(partial(mean_at, known) for known in seen.origins))), seen


def side_by_side(parts: Sequence[Foreseen]) -> Foreseen:
    """What was foreseen of the parts of a chain, as of one."""
    seen = [part[1] for part in parts]
    return np.concatenate([part[0] for part in parts], axis=2), HeldOut(
        origins=seen[0].origins,
        demand=np.concatenate([each.demand for each in seen], axis=2),
        sold=np.concatenate([each.sold for each in seen], axis=2),
        known=np.concatenate([each.known for each in seen], axis=2),
        censored=np.concatenate([each.censored for each in seen], axis=2),
    )


def calibrate(
    history: History, weeks: int, mean_at: Callable[[int], NDArray[np.floating]]
) -> tuple[Spread, float, float]:
    """Spread, bias (demand / forecast) and WAPE of forecasts on the last :data:`HELD_OUT` weeks, of the whole chain."""
    mean, own = foreseen(history, weeks, mean_at)
    cells = (mean, own.demand, own.sold, own.known, own.censored)
    mean, *whole = history.panel.chain.joined(("held out", weeks), *cells)
    return _measured((mean, HeldOut(own.origins, *whole)))


def _measured(held: Foreseen) -> tuple[Spread, float, float]:
    mean, seen = held
    counted = seen.known | seen.censored
    bias = float(seen.demand[counted].sum() / max(float(mean[counted].sum()), 1e-9))
    error = np.abs(mean - seen.demand)[seen.known].sum()
    return measure_spread(mean, seen), bias, float(error / max(float(seen.demand[seen.known].sum()), 1e-9))


def _other_features(found: tuple[str, ...], trained: tuple[str, ...]) -> Finding:
    different = sorted(set(found) ^ set(trained))[:5]
    return Finding("model.json, names", f"differs in {', '.join(different) or 'order'}", "train the candidate again")
