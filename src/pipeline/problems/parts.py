"""Large data in parts: how much is worked on at a time, where, and by whom."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

#: Calls a function with each of some values and gives the results in their order, as ``map`` does.
Mapped = Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]]


@dataclass(frozen=True)
class Place:
    """One of several processes that work on one thing together.

    Attributes:
        rank: its number, from 0.
        machines: ``host:port`` of each, by rank; the port is free for the work to listen on.
    """

    rank: int
    machines: tuple[str, ...]


#: Calls a function in several processes at once, each with its place and its share of some values; results by rank.
Gang = Callable[[Callable[[Place, Sequence[Any]], Any], Sequence[Any]], list[Any]]


@dataclass(frozen=True)
class Parts:
    """How a problem may cut what it works on; what comes out does not depend on it.

    Attributes:
        series: decisions (series, tickets …) worked on at a time, about.
        scratch: folder for the parts, which whoever works on them can read and write.
        mapped: works on the parts: one after another in this process, unless an engine does it elsewhere.
        rows: a model that learns from more is fitted by the gang together, where it can.
        gang: works on one thing in several processes; None where there is only this one.
    """

    series: int
    scratch: Path
    mapped: Mapped = map
    rows: int = 0
    gang: Gang | None = None


@runtime_checkable
class Partible(Protocol):
    """A problem that can decide by parts; to be one is optional."""

    def in_parts(self, parts: Parts) -> Self:
        """The same problem, which reads the newest data and decides by parts."""
