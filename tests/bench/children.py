"""Children that are measured from outside: wall time, CPU seconds and memory of the whole process tree.

Memory is the sum of the resident sets of all processes of the tree, read from ``/proc`` every 0.2 s. Pages that
processes share are counted once in each of them, and a peak shorter than the interval may be missed.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
INTERVAL = 0.2
GIBI = 2.0**30

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
#: Lines of a failed child's output that are shown.
_TAIL = 12


class BenchmarkFailed(Exception):
    """A benchmark has no figures: its child ended with an error, or took far too long."""


@dataclass(frozen=True)
class Measured:
    """What one child took.

    Attributes:
        command: as a person would type it.
        wall: seconds from start to end.
        cpu: seconds of user and system time of the whole tree.
        peak: largest sum of resident bytes seen.
        peak_at: seconds after the start at which it was seen.
        peak_of: resident bytes of each process at that moment, largest first.
    """

    command: str
    wall: float
    cpu: float
    peak: int
    peak_at: float
    peak_of: tuple[int, ...]


@dataclass
class _Tree:
    """Samples a process tree until it is told to stop."""

    root: int
    began: float
    peak_at: float = 0.0
    peak_of: tuple[int, ...] = ()
    _cpu: dict[tuple[int, int], float] = field(default_factory=dict)
    _known: set[int] = field(default_factory=set)
    _stop: threading.Event = field(default_factory=threading.Event)

    @property
    def cpu(self) -> float:
        """CPU seconds of every process seen, as it stood when it was last seen."""
        return sum(self._cpu.values())

    @property
    def peak(self) -> int:
        """Largest sum of resident bytes."""
        return sum(self.peak_of)

    def watch(self) -> None:
        """Sample until stopped."""
        self._known.add(self.root)
        while True:
            self._sample()
            if self._stop.wait(INTERVAL):
                return

    def stop(self) -> None:
        """End the watching at its next step."""
        self._stop.set()

    def _sample(self) -> None:
        seen = [entry for entry in map(_stat, Path("/proc").glob("[0-9]*")) if entry is not None]
        # A process whose parent died keeps its session, or was known before; a new one may stand before its parent.
        alive = {entry.pid for entry in seen if entry.pid in self._known or entry.session == self.root}
        while found := {entry.pid for entry in seen if entry.parent in alive and entry.pid not in alive}:
            alive |= found
        tree = [entry for entry in seen if entry.pid in alive]
        self._known = alive
        self._cpu |= {(entry.pid, entry.started): entry.cpu for entry in tree}
        resident = tuple(sorted((entry.resident for entry in tree), reverse=True))
        if sum(resident) > self.peak:
            self.peak_at, self.peak_of = time.perf_counter() - self.began, resident


@dataclass(frozen=True)
class _Process:
    pid: int
    parent: int
    session: int
    started: int
    cpu: float
    resident: int


def _stat(folder: Path) -> _Process | None:
    """One line of ``/proc/PID/stat`` (proc(5)); None if the process went in the meantime."""
    try:
        line = (folder / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The name in brackets may hold blanks and brackets itself, so the fields are counted from the last one on.
    fields = line.rpartition(")")[2].split()
    return _Process(
        pid=int(folder.name),
        parent=int(fields[1]),
        session=int(fields[3]),
        started=int(fields[19]),
        cpu=(int(fields[11]) + int(fields[12])) / _TICKS,
        resident=int(fields[21]) * _PAGE,
    )


def environment(**extra: str) -> dict[str, str]:
    """This environment without what would change the figures: settings of stores, and the ban on bytecode files."""
    foreign = ("LANDED_", "PREFECT_", "MLFLOW_")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(foreign) and name != "PYTHONDONTWRITEBYTECODE"
    }
    return kept | extra


def stores(folder: Path) -> dict[str, str]:
    """An environment whose stores are all in a folder of their own."""
    return environment(
        LANDED_DATA=str(folder / "data"), LANDED_REPORTS=str(folder / "reports"), LANDED_USER="benchmark"
    )


def landed(*arguments: str | Path) -> list[str]:
    """The documented command, from the environment this program runs in."""
    return [str(Path(sys.executable).parent / "landed"), *map(str, arguments)]


def measure(command: Sequence[str], env: Mapping[str, str], log: Path, *, at_most: float) -> Measured:
    """Run a child in the project's folder to its end and measure its tree.

    Args:
        command: what to run.
        env: its whole environment.
        log: file for its output.
        at_most: seconds after which it is ended.

    Raises:
        BenchmarkFailed: it ended with an error or was ended; the last lines of its output are in the message.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    ended = threading.Event()
    with log.open("wb") as out:
        began = time.perf_counter()
        # Closed below by wait4, which alone tells the CPU seconds of the children the child waited for.
        child = subprocess.Popen(command, cwd=ROOT, env=dict(env), stdout=out, stderr=out, start_new_session=True)
        tree = _Tree(child.pid, began)
        watcher = threading.Thread(target=tree.watch, daemon=True)
        timer = threading.Timer(at_most, _end, (child.pid, ended))
        watcher.start()
        timer.start()
        try:
            _, status, usage = os.wait4(child.pid, 0)
        except BaseException:
            _end(child.pid, ended)
            raise
        finally:
            timer.cancel()
            tree.stop()
        wall = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
    watcher.join()
    shown = " ".join([Path(command[0]).name, *command[1:]]).replace(f"{ROOT}/", "")
    if child.returncode:
        why = f"was ended after {at_most:.0f} s" if ended.is_set() else f"ended with code {child.returncode}"
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL:]
        raise BenchmarkFailed("\n".join([f"`{shown}` {why}; the end of {log}:", *lines]))
    cpu = max(usage.ru_utime + usage.ru_stime, tree.cpu)
    return Measured(shown, wall, cpu, tree.peak, tree.peak_at, tree.peak_of)


def _end(session: int, ended: threading.Event) -> None:
    """End a child that we started, with everything in its own process group."""
    ended.set()
    with suppress(ProcessLookupError):
        os.killpg(session, signal.SIGKILL)
