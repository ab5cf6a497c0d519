"""Stacks of fake parts for tests, and waiting for what must become true."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.stack.health import BeatCheck, Check
from pipeline.stack.lifecycle import Pace
from pipeline.stack.parts import Part
from pipeline.stack.processes import start_mark
from pipeline.stack.state import Folders, StackState, last
from pipeline.stack.supervisor import Supervisor

ACTING = Path(__file__).with_name("acting.py")
QUICK = Pace(first=0.1, longest=0.4, settled=30.0, silence=0.5, start=60.0, grace=2.0, tick=0.02, check=0.1)
#: A loaded machine may be slow; a test that is right never waits so long.
PATIENCE = 60.0


def until(condition: Callable[[], Any], what: str = "", patience: float = PATIENCE) -> Any:
    """The first true answer."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if answer := condition():
            return answer
        time.sleep(0.02)
    raise AssertionError(f"never came true: {what or condition}")


def actor(name: str, role: str, *arguments: object, check: Check, port: int | None = None, needs: Sequence[str] = ()):
    """A fake part."""
    command = (sys.executable, "-I", "-S", str(ACTING), role, *map(str, arguments))
    return Part(name, command, dict(os.environ), check, port=port, needs=tuple(needs))


def beating(folders: Folders, name: str, role: str = "beat", *more: object, needs: Sequence[str] = ()) -> Part:
    """A fake part that touches its file."""
    folders.run.mkdir(parents=True, exist_ok=True)
    return actor(name, role, folders.beat(name), *more, check=BeatCheck(folders.beat(name)), needs=needs)


@contextmanager
def supervised(parts: Sequence[Part], folders: Folders, pace: Pace = QUICK) -> Iterator[list[StackState]]:
    """Supervise inside a thread; hands out every state that was told."""
    folders.run.mkdir(parents=True, exist_ok=True)
    told: list[StackState] = []
    stop = threading.Event()
    thread = threading.Thread(target=Supervisor(parts, folders, pace, told.append).run, args=[stop.is_set])
    thread.start()
    try:
        yield told
    finally:
        stop.set()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def part(folders: Folders, name: str):
    """What the state file says of a part, None as long as it says nothing."""
    state = last(folders)
    return next((one for one in state.parts if one.name == name), None) if state else None


def is_healthy(folders: Folders, *names: str) -> bool:
    """Whether these parts are well by the state file."""
    found = [part(folders, name) for name in names]
    return all(one is not None and one.healthy for one in found)


def births(file: Path) -> list[tuple[float, int]]:
    """When a fake part was born, and its process."""
    lines = file.read_text().splitlines() if file.exists() else []
    return [(float(at), int(pid)) for at, pid in (line.split() for line in lines)]


def lives(pid: int) -> bool:
    """Whether the process is there and is no zombie."""
    return start_mark(pid) is not None
