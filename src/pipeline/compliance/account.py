"""What a problem can say about its single decisions: beside today's rule, inside its training range, and why."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Names = NDArray[np.object_]


@dataclass(frozen=True)
class Drivers:
    """What moved each of some decisions.

    Attributes:
        rows: (M,) places in the account.
        names: (M, K) features, the strongest first; empty text where there are fewer.
        effects: (M, K) factor on the prediction: 1.2 raises it by a fifth.
        gap: the largest distance between the sum of the contributions and the model's own output, on its raw scale.
    """

    rows: NDArray[np.int64]
    names: Names
    effects: NDArray[np.float64]
    gap: float


@dataclass(frozen=True)
class Account:
    """The decisions of one period, each with what there is to say about it.

    Attributes:
        decisions: one row per decision, as the problem's ``decide`` gives them.
        column: the column of ``decisions`` that holds the decision; all others say what it is about.
        by_model: (N,) whether the model decided; today's rule did so otherwise.
        incumbent: (N,) what today's rule decides.
        outside: (N,) a feature that lies outside the range the model was trained on; empty for none.
        standing: (N,) what a decision starts from, for the problem's own hindsight.
        cutoff: the last period that was known.
        drivers: why; None where it was not asked for.
    """

    decisions: pd.DataFrame
    column: str
    by_model: NDArray[np.bool_]
    incumbent: NDArray[np.float64]
    outside: Names
    standing: NDArray[np.float64]
    cutoff: date
    drivers: Drivers | None = None

    @property
    def keys(self) -> list[str]:
        """The columns that say what a decision is about."""
        return [str(name) for name in self.decisions.columns if name != self.column]

    @property
    def amounts(self) -> NDArray[np.float64]:
        """(N,) the decisions as numbers."""
        return np.asarray(self.decisions[self.column].to_numpy(dtype=np.float64))
