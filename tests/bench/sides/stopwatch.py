"""What one side of a comparison took, measured from inside: reading the data and importing libraries do not count.

Standard library alone, because every peer's environment runs it.
"""

import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Stopwatch:
    """CPU seconds and memory of the blocks that are worked under it."""

    def __init__(self) -> None:
        self.cpu = self.wall = 0.0
        self.before = self.peak = 0

    @contextmanager
    def work(self) -> Iterator[None]:
        """Count a block: user and system seconds of this process and of children it waited for."""
        # From here on the kernel's high-water mark of resident memory counts anew (proc(5), clear_refs).
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        before, began, wall = _resident("VmRSS"), _cpu(), time.perf_counter()
        yield
        self.cpu += _cpu() - began
        self.wall += time.perf_counter() - wall
        self.before, self.peak = before, max(self.peak, _resident("VmHWM"))


def main(side: Callable[[Stopwatch, Path], dict[str, Any] | None]) -> None:
    """Run ``python SIDE.py FOLDER OUT``: the side finds its data in the folder, its figures go to the file."""
    watch = Stopwatch()
    answers = side(watch, Path(sys.argv[1])) or {}
    took = {"cpu": watch.cpu, "wall": watch.wall, "before": watch.before, "peak": watch.peak}
    Path(sys.argv[2]).write_text(json.dumps(took | {"answers": answers}), encoding="utf-8")


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _resident(name: str) -> int:
    """Bytes of this process: ``VmRSS`` now, ``VmHWM`` at most."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))
