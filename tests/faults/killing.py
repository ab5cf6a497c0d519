"""Kill -9 everywhere: every work is killed at each boundary between its steps and at random instants, and carried on.

``python -m tests.faults.killing --instants 200 --write docs/reliability.md`` plays it at full length. Each try starts
from the same state of the installation, in a process forked from this one; what the record says afterwards is held
against what it says where nobody was killed.
"""

import argparse
import gc
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.orchestration.parts import TOY, Stack, written_charter

#: Seconds after which a process that runs a work counts as hung.
PATIENCE = 300.0
#: How the random instants are shared out among the works.
SHARES = {"iteration": 9, "sign-off": 3, "feedback flow, sent back": 3, "feedback flow, advanced": 3, "export": 2}
#: Places from which a work is a long one, of which not every place that is no step or commit is tried.
LONG = 150
#: A killed holder of a lease is waited for this long, in seconds, in the place of 20: the wait costs wall time alone.
SILENCE = 0.5


@dataclass
class Figures:
    """How the tries of one work ended.

    Attributes:
        name: of the work.
        boundaries: how many places there are at which it may be killed between two changes.
        at_boundaries, at_instants: kills at such places, and at random instants.
        lost: what did not come out as if nobody had been killed.
    """

    name: str
    boundaries: int = 0
    at_boundaries: int = 0
    at_instants: int = 0
    lost: list[str] = field(default_factory=list)

    @property
    def line(self) -> str:
        tried = self.at_boundaries + self.at_instants
        cells = (
            self.name,
            self.boundaries,
            self.at_boundaries,
            self.at_instants,
            tried - len(self.lost),
            len(self.lost),
        )
        return f"| {' | '.join(map(str, cells))} |"


HEAD = ("| what was killed | boundaries | kills at boundaries | at random instants | survived | lost |\n"
        "| --- | --- | --- | --- | --- | --- |")  # fmt: skip


class Place:
    """The installation that all works run in, one after the other, and its earlier states.

    Args:
        root: its folder; ``home`` below it is put back to a kept state before each try, always at the same path.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.home = root, root / "home"
        (root / "kept").mkdir()

    def keep(self, name: str) -> None:
        shutil.copytree(self.home, self.root / "kept" / name)

    def put_back(self, name: str) -> None:
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.copytree(self.root / "kept" / name, self.home)

    def load_what_is_loaded_by(self, call: Callable[[], Any]) -> None:
        """Import here what a first process had to import, so that all later ones find it loaded."""

        def named() -> list[str]:
            call()
            return [*sys.modules]

        for name in self.fork(named)[1]:
            if name != "__main__":
                with suppress(Exception):
                    import_module(name)

    def fork(self, call: Callable[[], Any], stop: Callable[[int], None] | None = None) -> tuple[int, Any]:
        """Run something in a process of its own.

        Args:
            call: what to run; its result is JSON.
            stop: told the process's number at once; may end it.

        Returns:
            The number of the signal that ended it, 0 for none, and its result.

        Raises:
            RuntimeError: the process failed by itself, or hung.
        """
        out = self.root / "out.json"
        out.unlink(missing_ok=True)
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            with suppress(BaseException):
                os._exit(_acted(call, out))
            os._exit(2)
        if stop:
            stop(pid)
        status = _reaped(pid)
        result = json.loads(out.read_text()) if out.exists() else None
        if os.WIFEXITED(status) and os.WEXITSTATUS(status):
            raise RuntimeError(str(result))
        return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, result


def _acted(call: Callable[[], Any], out: Path) -> int:
    code, away = 0, os.open(os.devnull, os.O_WRONLY)
    os.dup2(away, sys.stdout.fileno())
    os.dup2(away, sys.stderr.fileno())
    try:
        result = call()
    except BaseException:  # noqa: BLE001 - told to the parent, whatever it is
        result, code = traceback.format_exc()[-3000:], 1
    whole = out.with_suffix(".part")
    whole.write_text(json.dumps(result))
    whole.replace(out)
    return code


def _reaped(pid: int) -> int:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return status
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise RuntimeError("it hung")


class Game:
    """One work, killed again and again."""

    def __init__(self, place: Place, work: Any, chance: random.Random) -> None:
        self.place, self.work, self.chance = place, work, chance
        self.figures = Figures(work.name)
        self.wanted: Any = None
        self.seconds = 0.0

    def play(self, instants: int, stride: int, *, sparse: bool) -> Figures:
        """Undisturbed first; then killed at every boundary; then at random instants."""
        from tests.faults.boundaries import armed

        def counted() -> list[str]:
            passed = armed(self.place.home)
            self.work.run(self.place.home)
            return passed.passed

        self.place.put_back(self.work.starts)
        began = time.monotonic()
        _, kinds = self.place.fork(counted)
        self.figures.boundaries = len(kinds)
        self.seconds = time.monotonic() - began
        _, self.wanted = self.place.fork(lambda: self.work.seen(self.place.home))
        if self.wanted.get("verified") != "intact":
            raise RuntimeError(f"undisturbed, {self.work.name}: {self.wanted}")
        # Around every step and commit; of the many other places of a long work, each `stride`-th.
        stride = stride if sparse or len(kinds) > LONG else 1
        others = [place for place, kind in enumerate(kinds, 1) if sparse or kind not in {"step", "commit"}]
        left_out = {*others} - {*others[self.chance.randrange(stride) :: stride]}
        for fatal in sorted({*range(1, len(kinds) + 1)} - left_out):
            self._try(f"{kinds[fatal - 1]}, boundary {fatal}", [fatal])
        while self.figures.at_instants < instants:
            # A third of the tries is killed twice, a part of them three times: also while it is being carried on.
            self._try("instants", [self.chance.random() * self.seconds for _ in range(self._kills())])
        return self.figures

    def _kills(self) -> int:
        return self.chance.choice((1, 1, 1, 1, 2, 3))

    def _try(self, what: str, deaths: list[Any]) -> None:
        """Kill it at a boundary (a whole number) or after some seconds, each time carrying on; then look."""
        self.place.put_back(self.work.starts)
        before, told = self._finished(), f"{self.work.name}, {what}, {deaths}"
        try:
            for death in deaths:
                if self._killed(death):
                    self._count(death)
                    if self.work.sound:
                        self.work.sound(self.place.home)
                    before = self._not_repeated(before)
            self.place.fork(lambda: self.work.run(self.place.home))
            self._not_repeated(before)
            _, seen = self.place.fork(lambda: self.work.seen(self.place.home))
            found = [f"{name}: {seen[name]} for {value}" for name, value in self.wanted.items() if seen[name] != value]
        except (RuntimeError, AssertionError) as error:
            found = [str(error)]
        if found:
            self.figures.lost.append(f"{told}: {'; '.join(found)}")
            sys.stderr.write(f"LOST {self.figures.lost[-1]}\n")

    def _count(self, death: Any) -> None:
        if isinstance(death, int):
            self.figures.at_boundaries += 1
        else:
            self.figures.at_instants += 1

    def _killed(self, death: Any) -> bool:
        from tests.faults.boundaries import armed

        def doomed() -> None:
            if isinstance(death, int):
                armed(self.place.home, death)
            self.work.run(self.place.home)

        def strike(pid: int) -> None:
            time.sleep(death)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

        ended_by, _ = self.place.fork(doomed, None if isinstance(death, int) else strike)
        return ended_by == signal.SIGKILL

    def _finished(self) -> dict[str, int]:
        from tests.faults.works import finished

        return finished(self.place.home)

    def _not_repeated(self, before: dict[str, int]) -> dict[str, int]:
        """What stood in the ledger as finished was not begun again since."""
        now = self._finished()
        again = [name for name, times in before.items() if now[name] != times]
        if again:
            raise AssertionError(f"finished, and begun again: {again}")
        return now


def prepare(root: Path) -> Stack:
    """A Prefect server, and the surroundings of all that is forked; before Prefect or MLflow is imported."""
    stack = Stack(root / "stack")
    home = {"LANDED_DATA": str(root / "home" / "data"), "LANDED_REPORTS": str(root / "home" / "reports")}
    stack.start("server")
    os.environ.update(stack.settings.quiet_environment())
    os.environ.update({**home, "LANDED_USER": "robin", "TOY_LOG": str(root / "home" / "toy.log")})
    os.environ["PREFECT_API_URL"] = stack.api
    sys.path.insert(0, str(TOY))
    return stack


def found_states(place: Place, source: Path) -> None:
    """The states that works start from, each made by the works themselves."""
    from pipeline.ledger import leases
    from pipeline.models.tracking import Tracking
    from pipeline.provenance import code_version
    from pipeline.settings import Settings
    from tests.faults import works

    leases.SILENCE = SILENCE
    shutil.copytree(source, place.home / "source")
    written_charter(place.home, works.PROJECT, seconds=0.2)
    place.fork(lambda: str(Tracking(Settings()).uri))
    place.keep("empty")
    place.load_what_is_loaded_by(lambda: works.iterate(place.home))
    place.keep("reviewed")
    place.load_what_is_loaded_by(lambda: works.record_of(place.home))
    code_version()  # read once: what runs is what was loaded, whatever is edited meanwhile
    gc.freeze()  # the libraries stay shared with whoever is forked
    for decision, name in (("iterate", "sent back"), ("advance", "advanced")):
        place.put_back("reviewed")
        place.fork(lambda decision=decision: works.sign_all(decision)(place.home))
        place.keep(name)


def play(instants: int, stride: int, seed: int, only: str = "", *, sparse: bool = False) -> list[Figures]:
    """All works; see ``--help``."""
    root = Path(tempfile.mkdtemp(prefix="landed-killing-"))
    stack = prepare(root)
    try:
        from tests.faults.works import WORKS

        place, chance = Place(root), random.Random(seed)  # noqa: S311 - a seeded game
        found_states(place, stack.root / "source")
        found, total = [], sum(SHARES.values())
        for work in WORKS:
            if only in work.name:
                own = -(-instants * SHARES[work.name] // total)
                found.append(Game(place, work, chance).play(own, stride, sparse=sparse))
                sys.stderr.write(f"{found[-1].line}\n")
    finally:
        stack.close()
        shutil.rmtree(root, ignore_errors=True)
    return found


def main() -> None:
    """Play, print the table, and put it into a file where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instants", type=int, default=200, help="kills at random instants, over all works")
    parser.add_argument(
        "--stride", type=int, default=1, help="of a long work's places that are no step or commit, try one in so many"
    )
    parser.add_argument("--sparse", action="store_true", help="skip so many of every work's places, of every kind")
    parser.add_argument("--seed", type=int, default=20260)
    parser.add_argument("--only", default="", help="works whose name holds this")
    parser.add_argument("--write", type=Path, help="Markdown file to put the table into")
    asked = parser.parse_args()
    found = play(asked.instants, asked.stride, asked.seed, asked.only, sparse=asked.sparse)
    table = "\n".join([HEAD, *(figures.line for figures in found)])
    sys.stdout.write(f"{table}\n")
    if asked.write:
        written(asked.write, "kills", table)
    sys.exit(1 if any(figures.lost for figures in found) else 0)


def written(path: Path, mark: str, table: str) -> None:
    """Put a table between its marks in a Markdown file."""
    before, _, rest = path.read_text(encoding="utf-8").partition(f"<!-- {mark} -->\n")
    _, end, after = rest.partition(f"<!-- /{mark} -->")
    path.write_text(f"{before}<!-- {mark} -->\n{table}\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
