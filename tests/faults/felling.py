"""``landed up`` felled: its supervisor is killed at each change of the stack's state and at random instants.

``python -m tests.faults.felling --write docs/reliability.md`` starts the real stack (Prefect, MLflow, worker,
dispatcher, review site) again and again over one opened iteration. After each death nothing of the stack may be left;
left alone at last, it must bring the iteration to its review with the figures that ``landed run`` gives elsewhere.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from flows.opening import open_by_hand
from pipeline.charter.reading import read_charter
from pipeline.ledger import Ledger, all_iterations
from pipeline.ledger.deployed import deploy
from pipeline.settings import Settings
from pipeline.stack.state import Folders, is_locked, running
from tests.faults.killing import HEAD, Figures, written
from tests.faults.works import PROJECT, record_of
from tests.orchestration.parts import PATIENCE, TOY, processes_of, written_charter
from tests.orchestration.toy.landed_toy import tables

#: Longest wait for the last start to carry everything through, in seconds.
REST = 1800.0


class Home:
    """An installation with the toy domain and one opened iteration."""

    def __init__(self, root: Path) -> None:
        self.root, self.folders = root, Folders(root / "data")
        (root / "source").mkdir(parents=True)
        tables().to_parquet(root / "source" / "visits.parquet")
        self.charter = written_charter(root, PROJECT, seconds=1.0)
        self.enter()
        charter = read_charter(self.charter, date.today())
        with Ledger(Settings().ledger) as ledger:
            with ledger.transaction() as tx:
                source = str(root / "source")
                deploy(tx, PROJECT, charter.canonical(), charter.digest, source, "", "robin")
            open_by_hand(ledger, charter, root / "source", "robin")

    def enter(self) -> None:
        """Make it the one that this process and its children mean."""
        os.environ |= {
            "LANDED_DATA": str(self.root / "data"), "LANDED_REPORTS": str(self.root / "reports"),
            "LANDED_USER": "robin", "TOY_LOG": str(self.root / "toy.log"), "PYTHONPATH": str(TOY),
        }  # fmt: skip

    def landed(self, *words: str) -> subprocess.Popen[bytes]:
        with (self.root / "output").open("ab") as out:
            command = [Path(sys.executable).with_name("landed"), *words]
            return subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True)

    def up(self) -> subprocess.Popen[bytes]:
        ports = (word for name in ("prefect", "mlflow", "review") for word in (f"--{name}-port", "0"))
        return self.landed("up", *ports)

    def phases(self) -> tuple[Any, ...]:
        """How the parts of the living stack are."""
        state = running(self.folders)
        return tuple((part.name, part.phase) for part in state.parts) if state else ()


def until(
    there: Callable[[], Any], what: str, process: subprocess.Popen[bytes] | None = None, seconds: float = PATIENCE
) -> None:
    """Wait for what must come.

    Raises:
        RuntimeError: it did not, or the process ended before.
    """
    deadline = time.monotonic() + seconds
    while not there():
        if time.monotonic() > deadline or (process and process.poll() is not None):
            raise RuntimeError(f"never: {what}")
        time.sleep(0.05)


def fell(home: Home, when: Callable[[subprocess.Popen[bytes]], None]) -> None:
    """Start the stack, kill its supervisor when it is time, and see that all of it goes.

    Raises:
        RuntimeError: something of it stayed, or it did not even start.
    """
    process = home.up()
    try:
        when(process)
    finally:
        process.kill()
        process.wait()
    until(lambda: not processes_of(home.root / "data"), "all processes of a killed stack are gone")
    if is_locked(home.folders):
        raise RuntimeError("a killed stack holds its lock")


def changes(number: int, home: Home) -> Callable[[subprocess.Popen[bytes]], None]:
    """When the stack's state has changed so many times."""

    def passed(process: subprocess.Popen[bytes]) -> None:
        seen: list[Any] = []

        def enough() -> bool:
            now = home.phases()
            if now and now not in seen[-1:]:
                seen.append(now)
            return len(seen) >= number or (bool(now) and {phase for _, phase in now} == {"healthy"})

        until(enough, f"change {number} of the stack's state", process)

    return passed


def play(instants: int, most: int, seed: int) -> Figures:
    """Fell a stack at each change of its state, up to ``most`` of them, and at random instants; then let it work."""
    root, chance = Path(tempfile.mkdtemp(prefix="landed-felling-")), random.Random(seed)  # noqa: S311
    figures = Figures("`landed up`")
    try:
        twin = Home(root / "twin")
        done = twin.landed("run", str(twin.charter), "--data", str(twin.root / "source"))
        done.wait()
        wanted = record_of(twin.root)
        home = Home(root / "home")
        began = time.monotonic()
        for number in range(1, most + 1):
            fell(home, changes(number, home))
            figures.at_boundaries += 1
            sys.stderr.write(f"felled at change {number}\n")
        longest = 2 * (time.monotonic() - began) / max(most, 1)
        for _ in range(instants):
            wait = chance.uniform(0.0, longest)
            fell(home, lambda _, wait=wait: time.sleep(wait))
            figures.at_instants += 1
        _carried_through(home, wanted)
    except RuntimeError as error:
        figures.lost.append(str(error))
    finally:
        shutil.rmtree(root, ignore_errors=True)
    figures.boundaries = most
    return figures


def _carried_through(home: Home, wanted: dict[str, Any]) -> None:
    """Left alone, the stack brings the iteration to its review, as if nothing had been."""
    process = home.up()

    def reviewed() -> bool:
        with Ledger(Settings().ledger) as ledger:
            return all_iterations(ledger, PROJECT)[-1].state == "awaiting_review"

    try:
        until(reviewed, "the iteration's review", process, REST)
        seen = record_of(home.root)
    finally:
        home.landed("down").wait()
        process.wait()
    found = [f"{name}: {seen[name]} for {value}" for name, value in wanted.items() if seen[name] != value]
    if found:
        raise RuntimeError("; ".join(found))


def main() -> None:
    """Play, print the line of the table, and put it into a file where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instants", type=int, default=6)
    parser.add_argument(
        "--changes", type=int, default=10, help="deaths at changes of the state: the first, the second …"
    )
    parser.add_argument("--seed", type=int, default=20260)
    parser.add_argument("--write", type=Path, help="Markdown file to put the line into")
    asked = parser.parse_args()
    figures = play(asked.instants, asked.changes, asked.seed)
    sys.stdout.write(f"{figures.line}\n{figures.lost or ''}\n")
    if asked.write:
        written(asked.write, "felled", f"{HEAD}\n{figures.line}")
    sys.exit(1 if figures.lost else 0)


if __name__ == "__main__":
    main()
