"""Beginning a project: what people answered, and how a domain turns their file into a folder that can be run.

A domain that can start projects registers a :class:`Starter` under the entry-point group ``landed.starters``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol

from pipeline.errors import CharterError, Finding

GROUP = "landed.starters"


@dataclass(frozen=True)
class Answers:
    """What people said; an empty text or None is not answered and will be marked.

    Attributes:
        title: what people call the project.
        pain_point: what hurts today.
        decision: the decision to be improved.
        key, time, unit: columns; empty takes the proposal.
        target: the column that is foreseen; never guessed.
        positive: of two values, the one that asks for action.
        counted_in: what values count.
        worth: what decisions are worth, by name.
        baseline: today's way to decide; never guessed. ``today=COLUMN`` names the column that holds it.
        goal: the KPI's value that means success.
        deadline: the day by which.
        sponsor, owner: people, as ``Ada Lund <ada@example.com>``.
    """

    title: str = ""
    pain_point: str = ""
    decision: str = ""
    key: str = ""
    time: str = ""
    unit: str = ""
    target: str = ""
    positive: str = ""
    counted_in: str = ""
    worth: Mapping[str, float] = field(default_factory=dict)
    baseline: str = ""
    goal: float | None = None
    deadline: date | None = None
    sponsor: str = ""
    owner: str = ""


@dataclass(frozen=True)
class Column:
    """A column as found: ``kind`` in words of the contract, and what was seen in it."""

    name: str
    kind: str
    seen: str


@dataclass(frozen=True)
class Proposal:
    """What a file looks like.

    Attributes:
        rows: how many.
        columns: as found.
        key, time, unit: proposed; empty where none fits.
        targets: columns that could be the target, most likely first, each with its task and why.
    """

    rows: int
    columns: tuple[Column, ...]
    key: str
    time: str
    unit: str
    targets: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Started:
    """A project folder.

    Attributes:
        folder: where it lies.
        charter: its charter.
        open: how many places somebody has still to fill in.
        notes: sentences worth telling whoever started it.
    """

    folder: Path
    charter: Path
    open: int
    notes: tuple[str, ...] = ()


class Starter(Protocol):
    """What a domain offers ``landed init``."""

    def propose(self, file: Path) -> Proposal:
        """Look at a file.

        Raises:
            DataError: it cannot be read or holds no table.
        """

    def worth(self, file: Path, target: str) -> Sequence[tuple[str, str]]:
        """The values of decisions to ask for, each with its meaning, once the target is known."""

    def baselines(self, file: Path, target: str) -> Sequence[str]:
        """The ways to decide without a model, once the target is known."""

    def start(self, file: Path, answers: Answers, folder: Path, today: date) -> Started:
        """Write a project folder.

        Raises:
            DataError: the file cannot be read, or an answer names a column that is not there.
            Refused: the folder holds something already.
        """


def find_starter(name: str) -> Starter:
    """The starter of this name.

    Raises:
        CharterError: nothing registered it.
    """
    known = {point.name: point for point in entry_points(group=GROUP)}
    if name not in known:
        remedy = f"write one of: {', '.join(sorted(known)) or '(none is installed)'}"
        raise CharterError("No such kind of project", [Finding(f"--problem {name}", "nothing starts it", remedy)])
    try:
        starter: Starter = known[name].load()()
    except (ImportError, AttributeError) as error:
        place = f"--problem {name}, entry point {known[name].value}"
        remedy = "install the package that offers it again"
        raise CharterError("This kind of project cannot be loaded", [Finding(place, str(error), remedy)]) from error
    return starter
