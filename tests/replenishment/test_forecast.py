"""The forecaster: deterministic, saved as text, blind to the future, and better than a mean."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

from pipeline.errors import ModelError
from pipeline.models.files import digest
from pipeline.replenishment.features import features_at
from pipeline.replenishment.forecast import LightGBMForecaster
from pipeline.replenishment.history import History
from pipeline.replenishment.training import Draw, drawn_rows, held_out, training_rows
from tests.replenishment.made import GROUPS, made_panel, other_future

SMALL = {"groups": GROUPS, "rounds": 30, "min_data_in_leaf": 10, "train_periods": 90, "seed": 7}


@pytest.fixture(scope="module")
def panel():
    return made_panel(stores=8, products=6)


@pytest.fixture(scope="module")
def fitted(panel):
    return LightGBMForecaster(**SMALL).fit(panel)


def test_the_same_seed_gives_the_same_files(panel, fitted, tmp_path: Path):
    fitted.save(tmp_path / "one")
    LightGBMForecaster(**SMALL).fit(panel).save(tmp_path / "two")
    assert digest(tmp_path / "one") == digest(tmp_path / "two")
    LightGBMForecaster(**{**SMALL, "seed": 8}).fit(panel).save(tmp_path / "three")
    assert digest(tmp_path / "one") != digest(tmp_path / "three")


def test_a_model_read_back_forecasts_the_same(panel, fitted, tmp_path: Path):
    fitted.save(tmp_path)
    back = LightGBMForecaster.load(tmp_path)
    assert back.get_params() == fitted.get_params()
    assert np.array_equal(back.predict(panel).mean, fitted.predict(panel).mean)
    assert back.predict(panel).spread == fitted.predict(panel).spread
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "model.txt"]


@pytest.mark.parametrize("damage", ["missing", "cut", "other"])
def test_a_damaged_model_says_so(fitted, tmp_path: Path, damage):
    fitted.save(tmp_path)
    if damage == "missing":
        (tmp_path / "model.txt").unlink()
    elif damage == "cut":
        (tmp_path / "model.json").write_text("{", encoding="utf-8")
    else:
        meta = json.loads((tmp_path / "model.json").read_text(encoding="utf-8"))
        del meta["spread"]
        (tmp_path / "model.json").write_text(json.dumps(meta), encoding="utf-8")
    with pytest.raises(ModelError, match="train the candidate again"):
        LightGBMForecaster.load(tmp_path)


@pytest.mark.parametrize("objective", ["poisson", "tweedie"])
def test_it_beats_the_mean_of_each_series(panel, objective):
    known = 100
    model = LightGBMForecaster(**SMALL, objective=objective).fit(panel.upto(known))
    mean = model.predict(panel.upto(known)).mean
    target = slice(known, known + 3)
    usable = panel.in_stock[target]
    level = np.broadcast_to(History(panel).level(known), mean.shape)
    assert (mean >= 0).all()
    assert np.square(mean - panel.sales[target])[usable].mean() < np.square(level - panel.sales[target])[usable].mean()


def test_forecasts_of_asked_series_are_those_of_all(panel, fitted):
    asked = np.zeros(panel.size, np.bool_)
    asked[[3, 11, 40]] = True
    assert fitted.foresee(History(panel), asked).mean == pytest.approx(fitted.predict(panel).mean[:, asked])


def test_neither_fit_nor_forecast_changes_when_only_the_future_does(panel, fitted):
    known = 95
    honest = LightGBMForecaster(**SMALL).fit(panel.upto(known)).predict(panel.upto(known)).mean
    turned = other_future(panel, known)
    assert np.array_equal(honest, LightGBMForecaster(**SMALL).fit(turned.upto(known)).predict(turned.upto(known)).mean)


def test_no_training_row_has_a_target_after_the_last_week(panel):
    for last in (40, 77, 110):
        rows = training_rows(History(panel), 1, last, ("level",), 10**6, 0)
        assert rows.age.min() == 0
        assert (rows.age >= 0).all()
        turned = training_rows(History(other_future(panel, last)), 1, last, ("level",), 10**6, 0)
        assert np.array_equal(rows.features, turned.features, equal_nan=True)
        assert np.array_equal(rows.demand, turned.demand)


def test_cells_without_any_word_on_demand_are_no_targets(panel):
    silent = replace(panel, sales=np.where(panel.in_stock, panel.sales, 0))
    rows = training_rows(History(silent), 26, 110, ("level",), 10**6, 0)
    assert not rows.censored.any()
    full = training_rows(History(panel), 26, 110, ("level",), 10**6, 0)
    assert full.censored.any()
    assert (full.demand[full.censored] > full.sold[full.censored]).all()
    assert np.array_equal(full.demand[~full.censored], full.sold[~full.censored])


def test_rows_keep_to_their_budget_and_the_draw_is_seeded(panel):
    history = History(panel)
    few = training_rows(history, 26, 110, ("level",), 900, 3)
    assert len(few.demand) <= 900
    assert np.array_equal(few.demand, training_rows(history, 26, 110, ("level",), 900, 3).demand)
    assert not np.array_equal(few.demand, training_rows(history, 26, 110, ("level",), 900, 4).demand)


def test_held_out_targets_lie_in_the_last_weeks(panel):
    seen = held_out(History(panel), 110, 10)
    assert seen.origins == tuple(range(100, 108))
    assert np.array_equal(seen.sold[-1], panel.sales[107:110])


def test_a_history_without_sales_cannot_be_learned_from(panel):
    with pytest.raises(ModelError, match="nothing to learn from"):
        LightGBMForecaster(**SMALL).fit(replace(panel, sales=np.zeros_like(panel.sales)))


def test_features_other_than_those_trained_on_are_refused(panel, fitted):
    other = clone(fitted).set_params(groups=("level",))
    other.booster_, other.names_, other.spread_ = fitted.booster_, fitted.names_, fitted.spread_
    with pytest.raises(ModelError, match="other features"):
        other.predict(panel)


def test_a_share_of_the_plain_average_is_mixed_in_as_asked(panel, fitted, tmp_path: Path):
    fitted.save(tmp_path)
    mixed = LightGBMForecaster.load(tmp_path).set_params(average_share=1.0)
    from pipeline.replenishment.average import seasonal_mean

    assert mixed.predict(panel).mean == pytest.approx(seasonal_mean(History(panel), panel.periods), rel=1e-5)


def test_rows_drawn_together_are_to_the_bit_those_drawn_alone():
    history = History(made_panel())
    draws = (Draw(last=97, budget=600), Draw(last=110, budget=900), Draw(last=109, budget=10**6))
    for draw, together in zip(draws, drawn_rows(history, 30, draws, GROUPS, 3), strict=True):
        alone = training_rows(History(made_panel()), 30, draw.last, GROUPS, draw.budget, 3)
        assert together.names == alone.names
        for field in ("features", "demand", "sold", "censored", "level", "age"):
            assert np.array_equal(getattr(together, field), getattr(alone, field), equal_nan=True), field


def test_rows_are_those_of_the_features_of_all_series_looked_up():
    panel, seed, budget = made_panel(stores=6), 3, 700
    history, draw = History(panel), np.random.default_rng(seed)
    drawn = training_rows(History(panel), 60, 110, GROUPS, budget, seed)
    origins = range(60, 110)
    features, demand = [], []
    for known in origins:
        whole, _ = features_at(history, known, GROUPS)
        reach = min(panel.lead_time, 110 - known)
        horizon, series = np.nonzero(history.usable[known : known + reach] & (history.count[known] > 0))
        kept = np.sort(draw.choice(len(horizon), budget // len(origins), replace=False))
        features.append(whole[horizon[kept], series[kept]])
        demand.append(history.demand[known + horizon[kept], series[kept]])
    assert np.array_equal(drawn.features, np.concatenate(features), equal_nan=True)
    assert np.array_equal(drawn.demand, np.concatenate(demand))


@pytest.mark.parametrize("known", [20, 60, 110])
def test_features_of_some_series_are_those_of_all_taken_from(panel, known):
    some = np.array([0, 3, 4, 11])
    whole, names = features_at(History(panel), known, GROUPS)
    part, same = features_at(History(panel), known, GROUPS, some)
    assert names == same
    assert np.array_equal(part, whole[:, some], equal_nan=True)


@pytest.fixture
def large(monkeypatch):
    """What counts as a large chain is made small."""
    monkeypatch.setattr("pipeline.replenishment.forecast.CALIBRATED_WHOLE", 100)
    monkeypatch.setattr("pipeline.replenishment.forecast.CALIBRATED", 80)


def test_a_large_chain_is_calibrated_on_a_seeded_sample_of_its_series(large, fitted):
    panel = made_panel(stores=60)
    model = clone(fitted).set_params(seed=4).fit(panel)
    chosen = np.sort(np.random.default_rng(4).choice(300, 80, replace=False))
    mean = np.stack([model._mean(History(panel), known)[:, chosen] for known in range(100, 108)])
    seen = held_out(History(panel), 110, 10, chosen)
    early = clone(fitted).set_params(seed=4)
    early.booster_, early.names_ = model.booster_, model.names_
    found, same = early._held_out(History(panel), 110)
    assert np.array_equal(found, mean)
    assert np.array_equal(same.demand, seen.demand)


def test_a_sample_says_nearly_what_the_whole_chain_says(monkeypatch, fitted):
    panel = made_panel(stores=120, seed=5)
    whole = clone(fitted).fit(panel)
    monkeypatch.setattr("pipeline.replenishment.forecast.CALIBRATED_WHOLE", 100)
    monkeypatch.setattr("pipeline.replenishment.forecast.CALIBRATED", 300)
    some = clone(fitted).fit(panel)
    assert (some.bias_, some.wape_) == pytest.approx((whole.bias_, whole.wape_), rel=0.05)
    mean = np.array([0.5, 2.0, 8.0])
    assert some.spread_.variance(mean) == pytest.approx(whole.spread_.variance(mean), rel=0.25)
