"""The spread of demand: what was put in is found again, also where shelves ran empty."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipeline.replenishment.censoring import mean_above, uncensored
from pipeline.replenishment.spread import PathSampler, Spread, _quantiles, measure_spread
from pipeline.replenishment.training import HeldOut


def held(demand: np.ndarray, stock: np.ndarray) -> HeldOut:
    sold = np.minimum(demand, stock)
    censored = (demand > stock) & (sold > 0)
    return HeldOut((0,), demand, sold, demand <= stock, censored)


def drawn(mean: np.ndarray, dispersion: float, seed: int = 3) -> np.ndarray:
    draw = np.random.default_rng(seed)
    return draw.poisson(draw.gamma(1 / dispersion, mean * dispersion)).astype(np.float32)


@pytest.mark.parametrize("dispersion", [0.1, 0.5, 1.5])
def test_the_dispersion_demand_was_drawn_with_is_measured(dispersion):
    mean = np.full((10, 2, 300), 5.0)
    spread = measure_spread(mean, held(drawn(mean, dispersion), np.full(mean.shape, 1e9)))
    assert spread.dispersion(np.array([5.0])) == pytest.approx([dispersion], rel=0.2)


def test_empty_shelves_do_not_hide_the_upper_tail():
    mean = np.full((10, 2, 400), 5.0)
    demand = drawn(mean, 0.5)
    seen = held(demand, np.full(mean.shape, 8.0))
    honest = measure_spread(mean, seen).dispersion(np.array([5.0]))[0]
    blind = HeldOut(seen.origins, seen.demand, seen.sold, seen.known, np.zeros_like(seen.censored))
    assert honest == pytest.approx(0.5, rel=0.25)
    assert measure_spread(mean, blind).dispersion(np.array([5.0]))[0] < 0.85 * honest


def test_each_volume_class_has_its_own_dispersion():
    mean = np.concatenate([np.full((10, 2, 300), 1.0), np.full((10, 2, 300), 20.0)], axis=2)
    demand = np.concatenate([drawn(mean[..., :300], 1.0), drawn(mean[..., 300:], 0.1)], axis=2)
    spread = measure_spread(mean, held(demand, np.full(mean.shape, 1e9)))
    slow, fast = spread.dispersion(np.array([1.0, 20.0]))
    assert slow > 3 * fast


def test_sampled_paths_have_the_mean_and_variance_they_were_asked_for():
    spread = Spread((1.0, 50.0), (0.4, 0.2), 0.0)
    mean = np.array([[0.3, 2.0, 10.0, 60.0]] * 2, np.float32)
    paths = PathSampler(spread, 2, 2000, 1).demand(mean)
    assert paths.shape == (2000, 2, 4)
    assert paths.mean(axis=0) == pytest.approx(mean, rel=0.03)
    assert paths.var(axis=0) == pytest.approx(spread.variance(mean), rel=0.1)
    law = stats.nbinom(1 / 0.2, (1 / 0.2) / (1 / 0.2 + 60))
    assert np.quantile(paths[:, 0, 3], 0.9) == pytest.approx(law.ppf(0.9), abs=2)


def test_weeks_of_a_path_move_together_as_measured():
    for tie in (0.0, 0.6):
        paths = PathSampler(Spread((1.0,), (0.3,), tie), 2, 4000, 1).demand(np.full((2, 1), 30, np.float32))
        assert np.corrcoef(paths[:, 0, 0], paths[:, 1, 0])[0, 1] == pytest.approx(tie, abs=0.05)


def test_the_same_sampler_draws_the_same_paths():
    spread, mean = Spread((1.0,), (0.3,), 0.2), np.full((2, 3), 7, np.float32)
    assert np.array_equal(PathSampler(spread, 2, 50, 9).demand(mean), PathSampler(spread, 2, 50, 9).demand(mean))


@pytest.mark.parametrize(("mean", "sold"), [(4.0, 2.0), (4.0, 9.0), (30.0, 25.0)])
def test_demand_above_the_sales_is_supposed_as_a_simulation_finds_it(mean, sold):
    demand = drawn(np.full(400_000, mean), 0.25)
    above = demand[demand > sold].mean()
    assert mean_above(np.array([mean]), np.array([sold]), 0.25) == pytest.approx([above], rel=0.04)


def test_censored_weeks_with_sales_count_as_more_and_those_without_stay_unknown():
    sales = np.array([[5], [5], [6], [0]], np.float32)
    known = np.array([[True], [True], [False], [False]])
    told = uncensored(sales, known, np.ones_like(known), np.zeros_like(known))
    assert told.usable[:, 0].tolist() == [True, True, True, False]
    assert told.demand[:2, 0].tolist() == [5, 5]
    assert told.demand[2, 0] > 6
    assert told.demand[3, 0] == 0


def test_leaving_censored_weeks_out_would_underrate_demand_and_supposing_does_not():
    draw = np.random.default_rng(0)
    demand = draw.poisson(draw.gamma(4, 8 / 4, (100, 200))).astype(np.float32)
    stock = np.full(demand.shape, 10.0)
    known = demand <= stock
    told = uncensored(np.minimum(demand, stock), known, np.ones_like(known), np.zeros_like(known))
    assert demand[known].mean() < 6.5
    assert told.demand[20:][told.usable[20:]].mean() == pytest.approx(8.0, rel=0.06)


@given(st.floats(0.005, 20_000), st.floats(0.02, 6), st.sampled_from([20, 200, 500]))
def test_quantiles_are_those_of_scipy(mean, dispersion, paths):
    shares, size = (np.arange(paths) + 0.5) / paths, 1 / dispersion
    found = _quantiles(np.array([mean]), np.array([dispersion]), shares)[0]
    assert np.array_equal(found, stats.nbinom.ppf(shares, size, size / (size + mean)).astype(np.float32))
