"""Who runs: a lock that the supervisor holds while it lives, and a file in which it says how its parts are.

The lock is what counts: the system takes it back however the supervisor ends. The file only tells what there is to see.
"""

import fcntl
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from pipeline.errors import Finding, LandedError
from pipeline.stack.lifecycle import Phase

#: Seconds without a word after which a supervisor counts as stuck; it writes every few seconds.
STALE = 30.0


@dataclass(frozen=True)
class PartState:
    """How one part is.

    Attributes:
        name: the part.
        phase: see :mod:`pipeline.stack.lifecycle`.
        pid: number of its keeper, the head of all its processes; None when it has none.
        mark: start of that process, see :func:`pipeline.stack.processes.start_mark`.
        since: UTC moment the phase began, ISO 8601.
        restarts: starts after the first.
        reason: why it is not well; empty when it is.
        version: version of the program.
        link: its page, empty for a part without one.
        log: file of its output.
    """

    name: str
    phase: Phase
    pid: int | None
    mark: str
    since: str
    restarts: int
    reason: str
    version: str
    link: str
    log: str

    @property
    def healthy(self) -> bool:
        """Whether the part is well."""
        return self.phase == "healthy"


@dataclass(frozen=True)
class StackState:
    """How the stack of a data folder is.

    Attributes:
        pid, mark: the supervisor and the start of its process.
        word: what its processes carry in their environment.
        since: UTC moment of the start, ISO 8601.
        parts: in the order of their start.
    """

    pid: int
    mark: str
    word: str
    since: str
    parts: tuple[PartState, ...]

    @property
    def healthy(self) -> bool:
        """Whether every part is well."""
        return bool(self.parts) and all(part.healthy for part in self.parts)

    def link(self, name: str) -> str:
        """The page of a part; empty when there is no such part."""
        return next((part.link for part in self.parts if part.name == name), "")


@dataclass(frozen=True)
class Folders:
    """Where the stack of a data folder keeps what."""

    data: Path

    @property
    def run(self) -> Path:
        """Lock, state and beats."""
        return self.data / "run"

    @property
    def logs(self) -> Path:
        """A log per part."""
        return self.data / "logs"

    @property
    def secrets(self) -> Path:
        """See :mod:`pipeline.stack.secrets`."""
        return self.data / "secrets"

    @property
    def state(self) -> Path:
        """The file in which the supervisor says how its parts are."""
        return self.run / "stack.json"

    @property
    def lock(self) -> Path:
        """The file whose lock the supervisor holds."""
        return self.run / "stack.lock"

    def beat(self, name: str) -> Path:
        """The file that a part without a page touches every few seconds."""
        return self.run / f"{name}.beat"

    def log(self, name: str) -> Path:
        """The log of a part."""
        return self.logs / f"{name}.log"


@contextmanager
def locked(folders: Folders) -> Iterator[None]:
    """Be the only supervisor of the data folder.

    Raises:
        LandedError: another one is.
    """
    folders.run.mkdir(parents=True, exist_ok=True)
    with folders.lock.open("ab") as file:
        # Whoever asks for the state holds the lock for a moment.
        deadline = time.monotonic() + 1.0
        while not _took(file.fileno(), fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise runs_already(folders)
            time.sleep(0.05)
        yield


def is_locked(folders: Folders) -> bool:
    """Whether a supervisor of the data folder lives. Makes nothing."""
    try:
        with folders.lock.open("rb") as file:
            return not _took(file.fileno(), fcntl.LOCK_SH)
    except FileNotFoundError:
        return False


def write(folders: Folders, state: StackState) -> None:
    """Say how the parts are; a reader never sees half of it."""
    half = folders.state.with_suffix(".new")
    half.write_text(json.dumps(asdict(state), indent=1), encoding="utf-8")
    half.replace(folders.state)


def last(folders: Folders) -> StackState | None:
    """What a supervisor said last, living or not; None when nothing, or nothing readable, is there."""
    try:
        values = json.loads(folders.state.read_text(encoding="utf-8"))
        parts = tuple(PartState(**_known(PartState, part)) for part in values["parts"])
        return StackState(**{**_known(StackState, values), "parts": parts})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def running(folders: Folders) -> StackState | None:
    """What the living supervisor said last; None when there is none."""
    return last(folders) if is_locked(folders) else None


def silent_for(folders: Folders) -> float:
    """Seconds since the supervisor wrote last; 0 when it never did."""
    try:
        return max(0.0, time.time() - folders.state.stat().st_mtime)
    except OSError:
        return 0.0


def runs_already(folders: Folders) -> LandedError:
    """The error for a second start."""
    state = last(folders)
    found = "another `landed up` holds this data folder"
    if state:
        links = "".join(f", {part.name} {part.link}" for part in state.parts if part.link)
        found += f": pid {state.pid}, since {state.since}{links}"
    remedy = "use it, see `landed status`, stop it with `landed down`, or name another folder in LANDED_DATA"
    return LandedError("The stack runs already", [Finding(str(folders.data.absolute()), found, remedy)])


def _known(kind: type[Any], values: dict[str, Any]) -> dict[str, Any]:
    names = {one.name for one in fields(kind)}
    return {name: value for name, value in values.items() if name in names}


def _took(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
