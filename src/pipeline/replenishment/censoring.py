"""What demand was where the shelf ran empty: more than was sold, by as much as the series' own law says.

Weeks with an empty shelf are the weeks of high demand. Who leaves them out learns from the quiet weeks only, orders
less, runs empty more often and learns from still quieter weeks. So a censored week counts with the mean of demand
*given* that it was above the sales (the E step of the EM algorithm for censored data: Dempster, Laird, Rubin, JRSS B
39, 1977, § 4.2). A censored week without any sales says nothing and stays unknown.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from pipeline.replenishment.panel import Bools, Floats

Array = NDArray[np.floating]

#: Dispersion of demand around the running mean; that of forecasts is measured, this one only fills gaps.
DISPERSION = 0.25
#: Least weight of a new week in the running mean: about half a year of memory.
MEMORY = 0.08
#: Above this improbability the tail is taken as exponential.
TINY = 1e-9


def mean_above(mean: Array, sold: Array, dispersion: Array | float) -> NDArray[np.float64]:
    """Mean of demand given that it was more than what was sold, for each cell.

    Demand of mean ``m`` and variance ``m + a m²`` is taken as Gamma with shape ``k`` and scale ``θ = 1 + a m``:
    ``E[D | D > s] = m Q(k + 1, x) / Q(k, x)`` with ``x = (s + ½) / θ`` and ``Q`` the regularised upper gamma.

    >>> float(mean_above(np.array([4.0]), np.array([0.0]), 0.25).round(1))
    4.3
    >>> bool(mean_above(np.array([4.0]), np.array([50.0]), 0.25) > 50)
    True
    """
    mean = np.maximum(mean, 1e-3).astype(np.float64)
    scale = 1 + dispersion * mean
    shape, position = mean / scale, (sold + 0.5) / scale
    above = special.gammaincc(shape, position)
    ratio = np.divide(special.gammaincc(shape + 1, position), above, out=np.ones_like(mean), where=above > TINY)
    return np.asarray(np.where(above > TINY, np.maximum(mean * ratio, sold + 0.5), sold + scale))


@dataclass(frozen=True)
class Uncensored:
    """Demand of each cell as far as it can be told.

    Attributes:
        demand: (T, N) units, 0 where unknown.
        usable: (T, N) whether anything is known.
        running: (N,) mean of ordinary weeks and how many there were, after the last one; None if no cell is censored.
    """

    demand: Floats
    usable: Bools
    running: tuple[Array, Array] | None


def uncensored(
    sales: Floats, known: Bools, listed: Bools, promoted: Bools, before: Uncensored | None = None
) -> Uncensored:
    """Tell demand, of each cell by weeks up to it only, so that a week more changes nothing of those before.

    Args:
        sales: (T, N) units.
        known: (T, N) sales are demand.
        listed: (T, N) the product was in the range.
        promoted: (T, N) weeks that say nothing about ordinary ones.
        before: what was found of the first weeks, equal to these; only in the others anything is supposed then.
    """
    usable = known | (listed & (sales > 0))
    demand = np.where(known, sales, np.float32(0))
    if np.array_equal(usable, known):
        return Uncensored(demand, usable, None)
    mean: Array = np.zeros(sales.shape[1])
    weeks: Array = np.zeros(sales.shape[1])
    done = 0
    if before is not None and before.running is not None:
        done = len(before.demand)
        demand[:done] = before.demand
        mean, weeks = (each.copy() for each in before.running)
    ordinary = usable & ~promoted
    for week in range(done, len(sales)):
        gap = np.flatnonzero(usable[week] & ~known[week])
        if len(gap):
            demand[week, gap] = mean_above(mean[gap], sales[week, gap], DISPERSION)
        learned = ordinary[week]
        weeks += learned
        weight = np.where(learned, np.maximum(1 / np.maximum(weeks, 1), MEMORY), 0)
        mean += weight * (demand[week] - mean)
    return Uncensored(demand, usable, (mean, weeks))
