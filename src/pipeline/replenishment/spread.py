"""How far demand strays from its forecast: a negative binomial whose dispersion is measured on held-out weeks.

Demand of a week with mean ``m`` has variance ``m + a(m) m²`` (NB2: Cameron, Trivedi, Regression Analysis of Count
Data, 2nd ed., § 3.3). The dispersion ``a`` is measured by volume class, because slow sellers err in another way than
fast ones. Weeks of one path are tied by a Gaussian copula: who sells more than forecast this week tends to next week.
"""

from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from pipeline.replenishment.panel import Floats
from pipeline.replenishment.training import HeldOut

Array = NDArray[np.floating]

#: Upper bounds of the volume classes, mean units a week.
CLASS_EDGES = (0.3, 0.7, 1.5, 3.0, 6.0, 12.0, 30.0)
DISPERSIONS = np.geomspace(0.02, 6.0, 48)
#: A class with fewer held-out cells takes its neighbours' word.
LEAST_CELLS = 60
#: Cells a class is measured on at most; beyond that the likelihood is flat enough.
MOST_CELLS = 6000
#: No week is held to be less likely than this: one odd sale must not set the spread of a class.
LEAST_CHANCE = 1e-6
#: Steps of the grid of means on which quantiles are tabled: 2 % apart, less than any forecast knows.
GRID_STEP = 0.02
LEAST_MEAN, MOST_MEAN = 0.005, 20_000.0
#: Up to so many whole numbers for each quantile asked are tabled: it takes about as long then as finding them singly.
_NEAR = 4


@dataclass(frozen=True)
class Spread:
    """Dispersion by volume class, and the tie between the weeks of one path.

    Attributes:
        means: (C,) representative mean of each class, rising.
        dispersions: (C,) ``a`` of each class.
        correlation: of the normal scores of two weeks of one series, 0 … 0.95.
    """

    means: tuple[float, ...]
    dispersions: tuple[float, ...]
    correlation: float

    def dispersion(self, mean: Array) -> NDArray[np.float64]:
        """``a`` at each mean, straight lines between the classes on log scales."""
        position = np.log(np.clip(mean, LEAST_MEAN, MOST_MEAN))
        return np.exp(np.interp(position, np.log(self.means), np.log(self.dispersions)))

    def variance(self, mean: Array) -> NDArray[np.float64]:
        """Units²; same shape as ``mean``."""
        return np.asarray(mean + self.dispersion(mean) * np.square(mean, dtype=np.float64))


def measure_spread(mean: Array, seen: HeldOut) -> Spread:
    """Measure dispersion and correlation on forecasts that had not seen the demand.

    A censored cell counts with the chance of more demand than was sold; leaving it out would hide the upper tail.

    Args:
        mean: (O, L, N) forecast at the origins of ``seen``.
        seen: what happened then.
    """
    kind = np.digitize(mean, CLASS_EDGES)
    counted = seen.known | seen.censored
    means, dispersions = [], []
    for number in range(len(CLASS_EDGES) + 1):
        cells = np.flatnonzero((kind == number) & counted)
        if len(cells) < LEAST_CELLS:
            continue
        cells = cells[:: max(len(cells) // MOST_CELLS, 1)]
        expected = np.maximum(mean.ravel()[cells].astype(np.float64), LEAST_MEAN)
        means.append(float(np.exp(np.log(expected).mean())))
        sold = seen.sold.ravel()[cells].astype(np.float64)
        dispersions.append(_likeliest(expected, sold, seen.censored.ravel()[cells]))
    if not means:
        return Spread((1.0,), (0.5,), 0.2)
    shape = Spread(tuple(means), tuple(dispersions), 0.0)
    return Spread(shape.means, shape.dispersions, _correlation(mean, seen.demand, counted, shape))


def _likeliest(mean: NDArray[np.float64], sold: NDArray[np.float64], censored: NDArray[np.bool_]) -> float:
    """The dispersion on the grid under which the sales are likeliest."""
    full, cut = ~censored, censored
    # Few different sales occur, and the gamma function is the dearest part.
    amounts, place = np.unique(sold[full], return_inverse=True)
    best, best_likelihood = float(DISPERSIONS[0]), -np.inf
    for dispersion in DISPERSIONS:
        size = 1 / float(dispersion)
        share = mean / (size + mean)
        exact = (
            special.gammaln(amounts + size)[place]
            - special.gammaln(size)
            + size * np.log1p(-share[full])
            + sold[full] * np.log(share[full])
        )
        # P(D > s) of a negative binomial is a regularised incomplete beta (Johnson, Kemp, Kotz, § 5.6).
        above = special.betainc(sold[cut] + 1, size, share[cut])
        likelihood = float(exact.sum() + np.log(np.maximum(above, LEAST_CHANCE)).sum())
        if likelihood > best_likelihood:
            best, best_likelihood = float(dispersion), likelihood
    return best


def _correlation(mean: Array, demand: Array, counted: NDArray[np.bool_], shape: Spread) -> float:
    """Mean product of the standardised errors of two weeks of one path."""
    score = (demand - mean) / np.sqrt(np.maximum(shape.variance(mean), 1e-9))
    score = np.clip(score, -3, 3)
    products, pairs = 0.0, 0
    for first in range(mean.shape[1]):
        for second in range(first + 1, mean.shape[1]):
            both = counted[:, first] & counted[:, second]
            products += float((score[:, first] * score[:, second])[both].sum())
            pairs += int(both.sum())
    return float(np.clip(products / pairs, 0.0, 0.95)) if pairs else 0.2


class PathSampler:
    """Demand paths by looking quantiles up, stratified: every share of every distribution is drawn exactly once.

    All series share one set of shares (common random numbers), so that two decisions differ by their forecasts only.
    """

    def __init__(self, spread: Spread, horizons: int, paths: int, seed: int) -> None:
        self.paths = paths
        draw = np.random.default_rng(seed)
        common = draw.standard_normal((paths, 1))
        own = draw.standard_normal((paths, horizons))
        mixed = np.sqrt(spread.correlation) * common + np.sqrt(1 - spread.correlation) * own
        #: (paths, horizons) which stratum a path takes in each week.
        self.stratum = mixed.argsort(axis=0).argsort(axis=0)
        self._spread = spread
        self._share = (np.arange(paths) + 0.5) / paths
        self._grid = np.exp(np.arange(np.log(LEAST_MEAN), np.log(MOST_MEAN), GRID_STEP))
        self._table = np.empty((len(self._grid), paths), np.float32)
        self._tabled = np.zeros(len(self._grid), np.bool_)
        self._lock = Lock()

    def demand(self, mean: Array) -> Floats:
        """(paths, L, N) units for means (L, N)."""
        step = np.rint((np.log(np.clip(mean, LEAST_MEAN, MOST_MEAN)) - np.log(LEAST_MEAN)) / GRID_STEP)
        step = np.minimum(step, len(self._grid) - 1).astype(np.int64)
        self._reach(np.unique(step))
        found = np.empty((self.paths, *mean.shape), np.float32)
        for horizon in range(len(mean)):
            found[:, horizon] = self._table[step[horizon]][:, self.stratum[:, horizon]].T
        return found

    def _reach(self, steps: NDArray[np.int64]) -> None:
        """Table the quantiles of these means, each once: the inverse is dear. Games share samplers between threads."""
        with self._lock:
            new = steps[~self._tabled[steps]]
            self._table[new] = _quantiles(self._grid[new], self._spread.dispersion(self._grid[new]), self._share)
            self._tabled[new] = True


def _quantiles(mean: NDArray[np.float64], dispersion: NDArray[np.float64], shares: NDArray[np.float64]) -> Floats:
    """(M, S) the least whole demand that is not exceeded with each chance, rising.

    Where the largest is not far away the distribution function is tabled up to it, as a regularised incomplete beta
    (Johnson, Kemp, Kotz, § 5.6), and looked up; SciPy's inverse looks for each one anew.
    """
    found = np.empty((len(mean), len(shares)), np.float32)
    size = 1 / dispersion
    chance = size / (size + mean)
    most = stats.nbinom.ppf(shares[-1], size, chance)
    near = most < _NEAR * len(shares)
    for place in np.flatnonzero(near):
        below = special.betainc(size[place], np.arange(1.0, most[place] + 2), chance[place])
        found[place] = np.searchsorted(below, shares)
    found[~near] = stats.nbinom.ppf(shares, size[~near, None], chance[~near, None])
    return found
