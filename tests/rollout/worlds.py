"""Small chains of stores with a known effect, for the statistics of the rollout."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.evaluation.observed import Observed
from pipeline.evaluation.outcomes import KpiDefinition

GOAL = KpiDefinition("stockout_rate", "Stock-out rate", "share", "lower", "out", "cells")
STOCK = KpiDefinition("average_inventory", "Stock", "units per store-product", "lower", "stock", "cells")
KPIS = {kpi.name: kpi for kpi in (GOAL, STOCK)}
START = "2026-07-06"


def weeks(before: int, after: int) -> list[str]:
    """ISO Mondays, ``before`` of them in front of START."""
    first = np.datetime64(START) - np.timedelta64(7 * before, "D")
    return [str(first + np.timedelta64(7 * step, "D")) for step in range(before + after)]


@dataclass(frozen=True)
class Chain:
    """A chain as arrays, (stores, weeks).

    Stores differ for good (gamma), each has swings of its own (AR(1), memory 0.7), all share a season. Nothing of it is
    an effect; :meth:`observed` adds one to the stores that are treated.
    """

    rate: np.ndarray
    cells: np.ndarray
    before: int
    rng: np.random.Generator

    @classmethod
    def drawn(cls, seed: int, stores: int, before: int = 26, after: int = 13, swing: float = 0.02) -> "Chain":
        rng = np.random.default_rng(seed)
        length = before + after
        noise = rng.normal(0, swing, (stores, length))
        noise[:, 0] /= np.sqrt(1 - 0.7**2)
        for week in range(1, length):
            noise[:, week] += 0.7 * noise[:, week - 1]
        season = 0.02 * np.sin(np.arange(length) / 8 + rng.uniform(0, 6)) + rng.normal(0, 0.005, length)
        level = 0.10 + 0.06 * rng.gamma(6, 1 / 6, stores)
        cells = rng.integers(60, 160, stores)[:, None].repeat(length, 1)
        return cls(level[:, None] + season + noise, cells, before, rng)

    @property
    def names(self) -> list[str]:
        return [f"S{store:03d}" for store in range(len(self.rate))]

    def observed(self, treated=(), effect: float = 0.0, spread: float = 0.0, stock: float = 0.0) -> Observed:
        """What is seen: from START on the rate of treated stores moves by ``effect``, their stock by a factor."""
        stores, length = self.rate.shape
        rate, stocks = self.rate.copy(), 10.0 * np.exp(self.rng.normal(0, 0.02, self.rate.shape))
        for name in treated:
            place = self.names.index(name)
            rate[place, self.before :] += effect + spread * self.rng.normal()
            stocks[place, self.before :] *= 1 + stock
        out = self.rng.binomial(self.cells, np.clip(rate, 0, 1))
        periods = weeks(self.before, length - self.before)
        frame = pd.DataFrame(
            {
                "unit": np.repeat(self.names, length),
                "period": np.tile(periods, stores),
                "region": np.repeat(np.where(np.arange(stores) % 3 == 0, "north", "south"), length),
                "out": out.ravel().astype(float),
                "cells": self.cells.ravel().astype(float),
                "stock": (stocks * self.cells).ravel(),
                "sold": (self.cells * 3.0).ravel(),
            }
        )
        return Observed(frame, ("region",), "sold")
