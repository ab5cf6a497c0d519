"""What a decision is worth once the truth is known, and what it is expected to be worth before.

Decisions are numbers, shape (N,): 1 for acting and 0 for leaving, the place of a class, or an estimate. Scores are what
a model foresees: (N, C) calibrated probabilities of the classes, or (N, 1) expected amounts.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.charter import Charter
from pipeline.tabular.parameters import AS, business_of, exceptions_of, shape_of, slug

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Names = NDArray[np.object_]


class Values(Protocol):
    """The table of values."""

    def of(self, decided: Floats, truth: Floats) -> Floats:
        """(N,) what each decision was worth, in the charter's ``business.counted_in``."""


class Gains(Values, Protocol):
    """The table of values where a decision is to act or to leave."""

    def gains(self, scores: Floats) -> Floats:
        """(N,) what acting is expected to be worth more than leaving."""


@dataclass(frozen=True)
class Matrix:
    """Values by decision and true class, shape (decisions, classes)."""

    values: Floats

    def of(self, decided: Floats, truth: Floats) -> Floats:
        """See :class:`Values`."""
        return np.asarray(self.values[decided.astype(np.int64), truth.astype(np.int64)])

    def expected(self, scores: Floats) -> Floats:
        """(N, decisions) expected values (Elkan, The Foundations of Cost-Sensitive Learning, IJCAI 2001, eq. 1)."""
        return np.asarray(scores @ self.values.T)

    def gains(self, scores: Floats) -> Floats:
        """See :class:`Gains`."""
        return np.asarray(scores @ (self.values[1] - self.values[0]))


@dataclass(frozen=True)
class Amount:
    """Acting on a case is worth its true amount times ``per_unit``, less what acting costs."""

    per_unit: float
    acting: float

    def of(self, decided: Floats, truth: Floats) -> Floats:
        """See :class:`Values`."""
        return np.asarray(decided * (self.per_unit * truth - self.acting))

    def gains(self, scores: Floats) -> Floats:
        """See :class:`Gains`."""
        return np.asarray(self.per_unit * scores[:, 0] - self.acting)


@dataclass(frozen=True)
class Miscost:
    """What estimates too high or too low cost per unit."""

    over: float
    under: float

    def of(self, decided: Floats, truth: Floats) -> Floats:
        """See :class:`Values`."""
        error = decided - truth
        return np.asarray(-np.where(error > 0, self.over * error, -self.under * error))


def values_of(charter: Charter) -> Matrix | Amount | Miscost:
    """The table of values a charter declares; :func:`pipeline.tabular.offers.check` has found it valid."""
    business = business_of(charter)
    if shape_of(charter) == "estimate":
        return Miscost(business.over, business.under)
    if business.task == "regression":
        return Amount(business.per_unit, business.acting)
    if business.task == "binary":
        leaving, acting = (business.correct_rejection, business.miss), (business.false_alarm, business.hit)
        return Matrix(np.array([leaving, acting], np.float64))
    names = [slug(name) for name in business.names]
    values = np.full((len(names), len(names)), business.wrong)
    np.fill_diagonal(values, business.right)
    for name, value in exceptions_of(charter).items():
        truth, decided = name.split(AS)
        values[names.index(decided), names.index(truth)] = float(value)
    return Matrix(values)
