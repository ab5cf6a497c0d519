"""One iteration: what all of it costs beside its fits, and what the same command costs a second time."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from children import Measured, landed, measure, stores
from figures import Figure, Result, unjudged
from flagship import CHARTER, small_charter
from turns import SIDES

REST, SECOND = 0.35, 0.10
_AT_MOST = 1800.0


@dataclass(frozen=True)
class _Ran:
    whole: Measured
    fits: int
    cpu: float


def iteration(work: Path, logs: Path, *, quick: bool) -> Result:
    """The first iteration of the flagship's charter in a fresh world, then the same command again."""
    work.mkdir(exist_ok=True)
    charter = small_charter(work / "charter.yaml") if quick else CHARTER
    first = _first(work, logs, charter)
    again = measure(landed("run", charter), stores(work), logs / "iteration-again.log", at_most=_AT_MOST)
    rest, whole = first.whole.cpu - first.cpu, first.whole.cpu
    judged = (
        Figure("everything of an iteration but the fits, to the fits", rest / first.cpu, "×", REST),
        Figure("the same command again on the same inputs, to the first time", again.cpu / whole, "×", SECOND),
    )
    return Result(
        "iteration",
        (
            *(unjudged(judged) if quick else judged),
            Figure(f"one iteration, CPU of all its processes ({first.fits} fits)", whole, "s"),
            Figure("its fits", first.cpu, "s"),
            Figure("the same command again", again.cpu, "s"),
        ),
        (first.whole, again),
        {"fits": first.fits},
    )


def _first(work: Path, logs: Path, charter: Path) -> _Ran:
    out = work / "first.json"
    command = [sys.executable, str(SIDES / "one_command.py"), str(out), "run", str(charter)]
    whole = measure(command, stores(work), logs / "iteration-first.log", at_most=_AT_MOST)
    told = json.loads(out.read_text(encoding="utf-8"))
    return _Ran(whole, told["fits"], told["cpu"])
