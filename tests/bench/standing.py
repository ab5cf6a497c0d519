"""Six small steps as a flow against a server that stands, beside the same steps as a plain script."""

import statistics
import sys
from pathlib import Path

import chain
from children import ROOT, Measured, environment, measure
from figures import Figure, Result
from turns import SIDES

from tests.orchestration.parts import Stack

FEW, ROUNDS, LIMIT = 20, 3, 2.0
_AT_MOST = 300.0


def orchestration(work: Path, logs: Path) -> Result:
    """Whole processes in turns, imports included; the server is started before and not counted."""
    work.mkdir(exist_ok=True)
    folder, stack = chain.write(work / "chain", FEW), Stack(work)
    taken: dict[str, list[Measured]] = {"plain": [], "flow": []}
    try:
        stack.start("server")
        quiet = {name: value for name, value in stack.env.items() if name.startswith("PREFECT_")}
        env = environment(PYTHONPATH=f"{ROOT / 'tests' / 'bench'}:{ROOT}", **quiet | {"PREFECT_API_URL": stack.api})
        # One round more, that is not counted: bytecode files, and the server's first flow.
        for _ in range(ROUNDS + 1):
            for name, runs in taken.items():
                command = [sys.executable, str(SIDES / "six_steps.py"), str(folder), name]
                runs.append(measure(command, env, logs / f"six-{name}.log", at_most=_AT_MOST))
    finally:
        stack.close()
    flow, plain = (statistics.median(run.cpu for run in taken[name][1:]) for name in ("flow", "plain"))
    return Result(
        "orchestration",
        (
            Figure("six small steps, CPU of the flow to the plain script", flow / plain, "×", LIMIT),
            Figure("six small steps as a flow against a standing server", flow, "s"),
            Figure("six small steps as a plain script", plain, "s"),
        ),
        (taken["flow"][-1], taken["plain"][-1]),
        {"cpu": {name: [run.cpu for run in runs] for name, runs in taken.items()}},
    )
