"""Sides of a comparison as children, one after another in turns, so that a busy moment of the machine meets all."""

import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from children import ROOT, Measured, environment, measure

SIDES = Path(__file__).parent / "sides"
AT_MOST = 1200.0


@dataclass(frozen=True)
class Side:
    """A script of ``sides/`` and the interpreter that runs it; a peer's sees nothing of ours but the bench itself."""

    script: str
    python: str = sys.executable


@dataclass(frozen=True)
class Took:
    """What one side took in one turn.

    Attributes:
        cpu: seconds of user and system time of the work alone, without imports and reading.
        wall: seconds likewise.
        peak: most resident bytes while it worked.
        answers: what the side found, to compare.
        run: the whole child, measured from outside.
    """

    cpu: float
    wall: float
    peak: int
    answers: Mapping[str, Any]
    run: Measured


def in_turns(sides: Mapping[str, Side], folder: Path, logs: Path, times: int = 1) -> dict[str, list[Took]]:
    """Run all sides ``times`` times, in turns.

    Raises:
        BenchmarkFailed: a side ended with an error or took far too long.
    """
    found: dict[str, list[Took]] = {name: [] for name in sides}
    for _ in range(times):
        for name, side in sides.items():
            found[name].append(_took(side, folder, logs))
    return found


def _took(side: Side, folder: Path, logs: Path) -> Took:
    out = folder / f"{side.script}.json"
    command = [side.python, str(SIDES / f"{side.script}.py"), str(folder), str(out)]
    paths = (ROOT / "tests" / "bench", ROOT) if side.python == sys.executable else (ROOT / "tests" / "bench",)
    env = environment(PYTHONPATH=":".join(map(str, paths)))
    run = measure(command, env, logs / f"{side.script}.log", at_most=AT_MOST)
    told = json.loads(out.read_text(encoding="utf-8"))
    return Took(told["cpu"], told["wall"], told["peak"], told["answers"], run)


def cpu(turns: Sequence[Took]) -> float:
    """Median CPU seconds of the work."""
    return statistics.median(took.cpu for took in turns)


def peak(turns: Sequence[Took]) -> float:
    """Median of the most bytes."""
    return statistics.median(took.peak for took in turns)


def last_runs(*sides: Sequence[Took]) -> tuple[Measured, ...]:
    """The last child of each side, for the file."""
    return tuple(turns[-1].run for turns in sides)


def seconds(taken: Mapping[str, Sequence[Took]]) -> dict[str, list[float]]:
    """CPU seconds of every turn, for the file."""
    return {name: [round(took.cpu, 4) for took in turns] for name, turns in taken.items()}
