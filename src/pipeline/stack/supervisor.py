"""The supervisor: starts parts in order, watches them, starts them again, and stops them in reverse order."""

import os
import secrets as randomness
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from pipeline.stack.lifecycle import ALIVE, Life, Pace, blocked, due, seen, started
from pipeline.stack.parts import Part
from pipeline.stack.ports import LOOPBACK, is_free
from pipeline.stack.processes import BELONGS, end_members, start_mark
from pipeline.stack.state import Folders, PartState, StackState, write

#: Bytes from which a log is put aside when its part starts.
_LOG_LIMIT = 10_000_000
#: Seconds between two signs of life in the state file when nothing changes.
_SIGN_OF_LIFE = 5.0


@dataclass
class _Kept:
    """A part with its process, if it has one."""

    part: Part
    life: Life = field(default_factory=Life)
    since: str = ""
    process: subprocess.Popen[bytes] | None = None
    mark: str = ""
    lifeline: int = -1
    answer: Future[bool] | None = None
    asked: float = float("-inf")


class Supervisor:
    """Keeps parts healthy until it is told to stop.

    Args:
        parts: in the order of their start.
        folders: where state, beats and logs go.
        pace: the patience.
        tell: called with the state whenever something changed.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        folders: Folders,
        pace: Pace | None = None,
        tell: Callable[[StackState], None] | None = None,
    ) -> None:
        self._kept = [_Kept(part) for part in parts]
        self._folders = folders
        self._pace = pace or Pace()
        self._tell = tell
        self._since = _now()
        self._word = randomness.token_hex(16)
        self._told: StackState | None = None
        self._wrote = float("-inf")

    def run(self, stopped: Callable[[], bool]) -> None:
        """Start the parts and keep them healthy until ``stopped`` says so; then stop them in reverse order.

        The question is asked at every tick; a signal's handler may answer it by setting a plain flag.
        """
        self._folders.logs.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(max_workers=max(1, len(self._kept)), thread_name_prefix="check") as checks:
            try:
                while not stopped():
                    for kept in self._kept:
                        self._look(kept, checks)
                    self._publish()
                    time.sleep(self._pace.tick)
            finally:
                self._stop_all()

    def _look(self, kept: _Kept, checks: ThreadPoolExecutor) -> None:
        now = time.monotonic()
        if kept.process is not None:
            code, well = kept.process.poll(), self._checked(kept, now, checks)
            if code is not None:
                self._clear(kept)
            self._enter(kept, seen(kept.life, now, self._pace, code=code, well=well))
        elif due(kept.life, now) or (kept.life.phase == "waiting" and self._may_start(kept.part)):
            self._start(kept, now)

    def _may_start(self, part: Part) -> bool:
        return all(other.life.settled for other in self._kept if other.part.name in part.needs)

    def _checked(self, kept: _Kept, now: float, checks: ThreadPoolExecutor) -> bool | None:
        """The answer to the last check, once; asks again when it is time."""
        if kept.answer is None:
            patience = self._pace.check if kept.life.phase == "healthy" else min(0.5, self._pace.check)
            if now - kept.asked >= patience:
                kept.answer, kept.asked = checks.submit(kept.part.check.well), now
        elif kept.answer.done():
            answer, kept.answer = kept.answer, None
            return answer.result()
        return None

    def _enter(self, kept: _Kept, life: Life) -> None:
        if life.phase != kept.life.phase:
            kept.since = _now()
            if life.phase == "stopping":
                self._let_go(kept)
        kept.life = life

    def _start(self, kept: _Kept, now: float) -> None:
        part = kept.part
        if part.port is not None and not is_free(part.port):
            why = f"port {part.port} of {LOOPBACK} is taken by another program; it is tried again and again"
            self._enter(kept, blocked(kept.life, now, self._pace, why))
            return
        for beat in part.beats:
            beat.unlink(missing_ok=True)
        reading, writing = os.pipe()
        try:
            with _log(self._folders.log(part.name)) as log:
                kept.process = subprocess.Popen(  # noqa: S603
                    [sys.executable, "-P", "-m", "pipeline.stack.keeper", str(reading), str(self._pace.grace),
                     *part.command],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[reading], start_new_session=True,
                    env={**part.environment, BELONGS: f"{self._word}/{part.name}"},
                )  # fmt: skip
        except OSError as exc:
            os.close(writing)
            self._enter(kept, blocked(kept.life, now, self._pace, str(exc)))
            return
        finally:
            os.close(reading)
        kept.lifeline, kept.answer, kept.asked = writing, None, float("-inf")
        kept.mark = start_mark(kept.process.pid) or ""
        self._enter(kept, started(kept.life, now))

    def _let_go(self, kept: _Kept) -> None:
        """Close the lifeline: the keeper stops the part."""
        if kept.lifeline >= 0:
            os.close(kept.lifeline)
            kept.lifeline = -1

    def _clear(self, kept: _Kept) -> None:
        """The keeper is gone; nothing of the part may be left."""
        self._let_go(kept)
        end_members(f"{self._word}/{kept.part.name}", 0.0)
        kept.process, kept.mark, kept.answer = None, "", None

    def _stop_all(self) -> None:
        for kept in reversed(self._kept):
            if kept.process is not None:
                self._enter(kept, Life(phase="stopping", restarts=kept.life.restarts))
                self._let_go(kept)
                self._publish()
                # The keeper needs its grace and some seconds to end what did not listen.
                with suppress(subprocess.TimeoutExpired):
                    kept.process.wait(self._pace.grace + 10.0)
                if kept.process.poll() is None:
                    kept.process.kill()
                    kept.process.wait()
                self._clear(kept)
            self._enter(kept, Life(phase="stopped", restarts=kept.life.restarts))
            self._publish()

    def _publish(self) -> None:
        state = self.state()
        changed = state != self._told
        if changed or time.monotonic() - self._wrote > _SIGN_OF_LIFE:
            # A full disk is no reason to stop what runs; `landed status` tells that nothing was written for long.
            with suppress(OSError):
                write(self._folders, state)
            self._wrote = time.monotonic()
        if changed:
            self._told = state
            if self._tell:
                self._tell(state)

    def state(self) -> StackState:
        """How the parts are."""
        parts = tuple(self._state_of(kept) for kept in self._kept)
        return StackState(os.getpid(), start_mark(os.getpid()) or "", self._word, self._since, parts)

    def _state_of(self, kept: _Kept) -> PartState:
        pid = kept.process.pid if kept.process is not None and kept.life.phase in ALIVE else None
        life, part = kept.life, kept.part
        reason = life.reason
        if life.phase == "pausing":
            reason = f"{life.reason}; next start after {life.pause:.0f} s"
        log = str(self._folders.log(part.name))
        return PartState(
            part.name, life.phase, pid, kept.mark, kept.since or self._since, life.restarts, reason,
            part.version, part.link, log,
        )  # fmt: skip


def _log(path: Path) -> BinaryIO:
    """The log of a part, to be written on; a long one is put aside first, over the one put aside before."""
    if path.exists() and path.stat().st_size > _LOG_LIMIT:
        path.replace(path.with_name(f"{path.name}.1"))
    return os.fdopen(os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600), "ab")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
