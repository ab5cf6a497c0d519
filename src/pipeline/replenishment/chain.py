"""What the series of a chain have in common, also where only some of its stores are at hand.

A few figures look at all series: a product in all stores, a department's season. A :class:`Chain` adds them up. Where
the panel is a part of a larger one, it hands in its own share instead and stops with :class:`Pending`; once the shares
of all parts are together, the part is run again with the answers (:mod:`pipeline.replenishment.parts`).

Float sums depend on the order they are added in, and so on how a chain is cut. What is summed here is first rounded to
multiples of two powers of two, the second for what the first leaves over, so that every addition is exact and cutting
changes nothing (Demmel, Nguyen, Parallel Reproducible Summation, IEEE Transactions on Computers 64, 2015).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[Any]
Reals = NDArray[np.float64]
Ints = NDArray[np.int64]
Key = tuple[str | int, ...]
Result = TypeVar("Result")

#: Multiples that are summed: exact up to 2^45 units, and to 2^-35 units of each of 2^27 series.
COARSE, FINE = 2.0**-8, 2.0**-35


@dataclass(frozen=True)
class Share:
    """What one part knows of a figure: arrays to be added up, or to be put side by side along their last axis."""

    arrays: tuple[Array, ...]
    how: Literal["add", "join"]


class Pending(Exception):
    """A part cannot go on without the others' shares; not an error."""

    def __init__(self, shares: Mapping[Key, Share]) -> None:
        super().__init__(f"waiting for {len(shares)} figures of the whole chain")
        self.shares = dict(shares)


@dataclass(frozen=True)
class Chain:
    """The whole a panel belongs to; by default the panel is all of it.

    Attributes:
        names: of a part, every product and department of the chain, sorted, by the column of the panel's series.
        answers: of a part, what is known of the whole so far; None where the panel is the whole.
        place: of a part, its number in the order of the stores.
        view: the choices of series the panel went through; equal names stand for the same choice in all parts.
    """

    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    answers: Mapping[Key, tuple[Array, ...]] | None = None
    place: int = 0
    view: tuple[str, ...] = ()

    def narrowed(self, view: str) -> "Chain":
        """The chain of a choice of its series."""
        return replace(self, view=(*self.view, view))

    def added(self, key: Key, share: Reals) -> Reals:
        """The share of every part added up; exact where it was made by :func:`multiples` or holds whole numbers."""
        return np.asarray(self._answer(key, Share((share,), "add"))[0], np.float64)

    def joined(self, key: Key, *pieces: Array) -> tuple[Array, ...]:
        """The pieces of every part side by side, in the order of the stores."""
        return self._answer(key, Share(pieces, "join"))

    def some(self, key: Key, mask: NDArray[np.bool_]) -> bool:
        """Whether anything is true in any part."""
        return bool(self.added(key, np.array([mask.sum()], np.float64))[0] > 0)

    def span(self, size: int) -> tuple[int, int]:
        """Series of the whole before this part's first one, and in all."""
        (sizes,) = self.joined(("sizes",), np.array([size], np.int64))
        before = 0 if self.answers is None else int(sizes[: self.place].sum())
        return before, int(sizes.sum())

    def groups(self, series: pd.DataFrame, column: str) -> "Groups":
        """The groups of the series by a column, with the same numbers in all parts.

        All belong to one when the panel has no such attribute.
        """
        return Groups.of(*self._codes(series, column))

    def _codes(self, series: pd.DataFrame, column: str) -> tuple[Ints, int]:
        if column not in series.columns:
            return np.zeros(len(series), np.int64), 1
        if column in self.names:
            known = pd.Index(self.names[column], dtype=object)
            found = known.get_indexer(pd.Index(series[column].to_numpy(dtype=object)))
            return np.asarray(found, np.int64), len(known)
        codes, distinct = pd.factorize(series[column], sort=True)
        return np.asarray(codes, np.int64), len(distinct)

    def _answer(self, key: Key, share: Share) -> tuple[Array, ...]:
        if self.answers is None:
            return share.arrays
        full = (*self.view, *key)
        if full not in self.answers:
            raise Pending({full: share})
        return self.answers[full]


def together(*works: Callable[[], Result]) -> list[Result]:
    """Results of works that do not need each other; what several of them wait for is asked for at once."""
    results: list[Result] = []
    waiting: dict[Key, Share] = {}
    for work in works:
        try:
            results.append(work())
        except Pending as pending:
            waiting |= pending.shares
    if waiting:
        raise Pending(waiting)
    return results


def multiples(values: NDArray[np.number]) -> Reals:
    """(2, …) the values as multiples of :data:`COARSE`, and what that leaves over as multiples of :data:`FINE`."""
    parts = np.zeros((2, *values.shape))
    rest: Array = values
    for part, unit in zip(parts, (COARSE, FINE), strict=True):
        # In place: a fresh array for each step takes longer than the step.
        np.multiply(rest, 1 / unit, out=part)
        np.rint(part, out=part)
        part *= unit
        rest = values - part
        if not rest.any():
            # Whole numbers leave nothing over, and most of what is summed are units and weeks.
            break
    return parts


@dataclass(frozen=True)
class Groups:
    """Which of G groups each of N series belongs to, and how to go through them one group after another.

    Attributes:
        codes: (N,) number of the group.
        size: G; some may have no series here.
        order: (N,) the series by group; None where they come so.
        present: groups that have a series.
        starts: where each of these begins in the order.
    """

    codes: Ints
    size: int
    order: Ints | None
    present: Ints
    starts: Ints

    @classmethod
    def of(cls, codes: Ints, size: int) -> "Groups":
        """From the codes alone."""
        order = None if (codes[1:] >= codes[:-1]).all() else np.argsort(codes, kind="stable")
        present, starts = np.unique(codes if order is None else codes[order], return_index=True)
        return cls(codes, size, order, present, starts)

    def sums(self, parts: Reals) -> Reals:
        """(2, G) sums of multiples (2, N), ready to be added up over parts of a chain."""
        sums = np.zeros((2, self.size))
        for found, part in zip(sums, parts, strict=True):
            if part.any():
                found[self.present] = np.add.reduceat(
                    part if self.order is None else part.take(self.order), self.starts
                )
        return sums


def folded(sums: Reals) -> Reals:
    """(…) what sums of multiples come to."""
    return np.asarray(sums[0] + sums[1])
