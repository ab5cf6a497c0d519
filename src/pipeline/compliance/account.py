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
        effects: (M, K) what each does to the prediction: a factor (1.2 raises it by a fifth), or, where ``added``, what
            it adds in the prediction's own unit.
        gap: the largest distance between the sum of the contributions and the model's own output, on its raw scale.
    """

    rows: NDArray[np.int64]
    names: Names
    effects: NDArray[np.float64]
    gap: float
    added: bool = False


def sample(size: int, most: int | None, seed: int) -> NDArray[np.int64]:
    """The places of the decisions that are taken apart, ascending: all of ``size``, or ``most`` of them by chance."""
    if most is None or size <= most:
        return np.arange(size)
    return np.sort(np.random.default_rng(seed).choice(size, most, replace=False))


@dataclass(frozen=True)
class Account:
    """The decisions of one period, each with what there is to say about it.

    Attributes:
        decisions: one row per decision, as the problem's ``decide`` gives them.
        column: the column of ``decisions`` that holds the decision.
        by_model: (N,) whether the model decided; today's rule did so otherwise.
        incumbent: (N,) what today's rule decides.
        outside: (N,) a feature that lies outside the range the model was trained on; empty for none.
        standing: (N,) what a decision starts from, for the problem's own hindsight.
        cutoff: the last period that was known.
        drivers: why; None where it was not asked for.
        about: the columns that say what a decision is about; all but the decision's where left out.
        words: where a decision is a word, the words in the order of the numbers that stand for them.
        ranked: (N,) names the queue in which a decision is a place, counted from 1; empty for a decision that is none.
        whole: whether amounts are whole numbers of 0 or more, as orders are.
    """

    decisions: pd.DataFrame
    column: str
    by_model: NDArray[np.bool_]
    incumbent: NDArray[np.float64]
    outside: Names
    standing: NDArray[np.float64]
    cutoff: date
    drivers: Drivers | None = None
    about: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    ranked: Names | None = None
    whole: bool = True

    @property
    def keys(self) -> list[str]:
        """The columns that say what a decision is about."""
        return list(self.about) or [str(name) for name in self.decisions.columns if name != self.column]

    @property
    def amounts(self) -> NDArray[np.float64]:
        """(N,) the decisions as numbers."""
        cells = self.decisions[self.column]
        if self.words:
            return np.asarray(cells.map({word: place for place, word in enumerate(self.words)}), dtype=np.float64)
        return np.asarray(cells.to_numpy(dtype=np.float64))

    @property
    def measured(self) -> NDArray[np.bool_]:
        """(N,) whether a decision is an amount, so that more and less can be said of it."""
        if self.words:
            return np.zeros(len(self.decisions), np.bool_)
        return np.ones(len(self.decisions), np.bool_) if self.ranked is None else np.asarray(self.ranked == "")

    def named(self, values: NDArray[np.float64]) -> NDArray[np.generic]:
        """(N,) decisions as people read them: words, or numbers of the type the problem gives."""
        if self.words:
            return np.array(self.words, dtype=object)[values.astype(np.int64)]
        return np.asarray(pd.Series(values).astype(self.decisions[self.column].dtype))

    def with_values(self, values: NDArray[np.float64]) -> pd.DataFrame:
        """The decisions with other values, of the same type as before."""
        return self.decisions.assign(**{self.column: self.named(values)})
