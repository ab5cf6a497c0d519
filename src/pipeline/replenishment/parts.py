"""Work on a chain by parts of whole stores, in rounds, with what comes out of the chain in one piece.

A part works until it needs a figure of the whole chain, hands in its share and stops. Once all parts have stopped, the
shares are put together and every part is worked on anew, now with the answers. Two or three rounds are enough for a
forecast; what a part computes before its first question is little beside its trees and demand paths.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

import numpy as np

from pipeline.problems.parts import Mapped
from pipeline.replenishment.chain import Array, Chain, Key, Pending, Share

Result = TypeVar("Result")
#: Does a piece of work on the part whose chain it is handed.
Work = Callable[[Chain], Result]


@dataclass(frozen=True)
class Done(Generic[Result]):
    """What a part came to."""

    result: Result


def in_rounds(mapped: Mapped, work: Work[Result], count: int, names: Mapping[str, tuple[str, ...]]) -> list[Result]:
    """The results of all parts, in their order.

    Args:
        mapped: works on the parts.
        work: must ask the same of the chain in every part, which it does if it branches on answers alone.
        count: how many parts there are.
        names: every product and department of the chain, sorted.
    """
    answers: dict[Key, tuple[Array, ...]] = {}
    while True:
        chains = [Chain(names, answers, place) for place in range(count)]
        replies = list(mapped(partial(tried, work), chains))
        done = [reply.result for reply in replies if isinstance(reply, Done)]
        if len(done) == count:
            return done
        asked = {frozenset(reply) for reply in replies if not isinstance(reply, Done)}
        if done or len(asked) > 1:
            raise RuntimeError("parts of one chain asked for different figures")
        answers |= {key: _together([reply[key] for reply in replies]) for key in asked.pop()}


def tried(work: Work[Result], chain: Chain) -> Done[Result] | dict[Key, Share]:
    """The result of the work on a part, or its shares of what it needs to know first."""
    try:
        return Done(work(chain))
    except Pending as pending:
        return pending.shares


def cut(sizes: Sequence[int], most: int) -> list[slice]:
    """Neighbouring stores of at most so many series together, and at least one store each."""
    parts, start, held = [], 0, 0
    for place, size in enumerate(sizes):
        if place > start and held + size > most:
            parts.append(slice(start, place))
            start, held = place, 0
        held += size
    return [*parts, slice(start, len(sizes))]


def _together(shares: Sequence[Share]) -> tuple[Array, ...]:
    columns = list(zip(*(share.arrays for share in shares), strict=True))
    if shares[0].how == "add":
        return tuple(np.sum(np.stack(column), axis=0) for column in columns)
    return tuple(np.concatenate(column, axis=-1) for column in columns)
