"""How long ``landed --help`` takes, beside the least that a click program takes on the same machine at that moment."""

import statistics
import sys
from pathlib import Path

from children import Measured, environment, landed, measure
from figures import Figure, Result

RUNS = 7
LIMIT, RATIO = 0.4, 3.0
_AT_MOST = 30.0

_BARE = "import click\n@click.command()\ndef main():\n    '''Nothing.'''\nmain(['--help'])"


def startup(logs: Path) -> Result:
    """Medians of alternating runs; one of each first, that is not counted, so that bytecode files are there."""
    commands = {"landed": landed("--help"), "bare": [sys.executable, "-c", _BARE]}
    env = environment()
    taken: dict[str, list[Measured]] = {name: [] for name in commands}
    for _ in range(RUNS + 1):
        for name, command in commands.items():
            taken[name].append(measure(command, env, logs / f"help-{name}.log", at_most=_AT_MOST))
    walls = {name: [run.wall for run in runs[1:]] for name, runs in taken.items()}
    cpus = {name: [run.cpu for run in runs[1:]] for name, runs in taken.items()}
    ours, bare = (statistics.median(cpus[name]) for name in ("landed", "bare"))
    return Result(
        "help",
        (
            Figure("landed --help to bare click, CPU", ours / bare, "×", RATIO),
            Figure(f"landed --help, CPU, median of {RUNS}", ours, "s", LIMIT),
            Figure(f"bare click program --help, CPU, median of {RUNS}", bare, "s"),
            Figure("landed --help, wall", statistics.median(walls["landed"]), "s"),
        ),
        (taken["landed"][-1],),
        {"seconds": walls, "cpu": cpus},
    )
