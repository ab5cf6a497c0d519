"""The life of one part as values: what it is in, and what follows from what was seen. Touches no process and no clock.

::

    waiting ─▶ starting ─▶ healthy ◀─▶ silent
                  │           │           │
                  └───────────┴──▶ stopping ─▶ pausing ─▶ starting
"""

from dataclasses import dataclass, replace
from typing import Literal

Phase = Literal["waiting", "starting", "healthy", "silent", "stopping", "pausing", "stopped"]

#: Phases in which the part has a process.
ALIVE: frozenset[Phase] = frozenset({"starting", "healthy", "silent", "stopping"})


@dataclass(frozen=True)
class Pace:
    """How patient the supervisor is; all in seconds.

    Attributes:
        first, longest: pause before a crashed part starts again: the first, doubling up to the longest.
        settled: after being healthy for so long the next pause is the first again.
        silence: how long a part that was healthy may fail its check before it is restarted.
        start: how long a part may take to become healthy.
        grace: between asking a part to stop and ending it.
        tick: between two looks at the processes.
        check: between two checks of a healthy part.
    """

    first: float = 1.0
    longest: float = 60.0
    settled: float = 60.0
    silence: float = 60.0
    start: float = 180.0
    grace: float = 10.0
    tick: float = 0.2
    check: float = 3.0


@dataclass(frozen=True)
class Life:
    """What a part is in.

    Attributes:
        phase: see the drawing above.
        since: moment the phase began, in seconds of any steady clock.
        pause: seconds before the next start.
        restarts: starts after the first.
        reason: why it is not well, in words for people; empty when it is.
        failed: whether it failed before it was ever healthy, which lets parts that need it go ahead.
    """

    phase: Phase = "waiting"
    since: float = 0.0
    pause: float = 0.0
    restarts: int = 0
    reason: str = ""
    failed: bool = False

    @property
    def settled(self) -> bool:
        """Whether those who wait for this part need not wait any longer."""
        return self.phase in {"healthy", "silent"} or self.failed or self.restarts > 0


def started(life: Life, now: float) -> Life:
    """The part's process was started."""
    again = life.restarts + (life.phase == "pausing" and not life.reason.startswith(BLOCKED))
    return replace(life, phase="starting", since=now, restarts=again)


#: How a reason begins when the part could not even be started.
BLOCKED = "not started: "


def blocked(life: Life, now: float, pace: Pace, why: str) -> Life:
    """The part cannot be started now; it is tried again after a pause."""
    return _pausing(replace(life, reason=BLOCKED + why), now, pace)


def seen(life: Life, now: float, pace: Pace, *, code: int | None, well: bool | None) -> Life:
    """What follows from a look at the part.

    Args:
        life: what it was in.
        now: the moment of the look.
        pace: the patience.
        code: the exit code of its process, None while it runs.
        well: what its check said since the last look, None when it said nothing.
    """
    if life.phase not in ALIVE:
        return life
    if code is not None:
        reason = life.reason if life.phase == "stopping" else _ended(code)
        return _pausing(replace(life, reason=reason), now, pace, well_for=_well_for(life, now))
    if life.phase == "healthy":
        return _silent(life, now, pace) if well is False else life
    if life.phase == "stopping":
        return life
    if well:
        return replace(life, phase="healthy", since=now, reason="")
    if life.phase == "starting" and now - life.since > pace.start:
        return _stopping(life, now, f"was not healthy within {pace.start:.0f} s")
    if life.phase == "silent" and now - life.since > pace.silence:
        return _stopping(life, now, f"did not answer its health check for {pace.silence:.0f} s")
    return life


def due(life: Life, now: float) -> bool:
    """Whether the pause is over."""
    return life.phase == "pausing" and now - life.since >= life.pause


def _silent(life: Life, now: float, pace: Pace) -> Life:
    forgiven = 0.0 if now - life.since >= pace.settled else life.pause
    return replace(life, phase="silent", since=now, pause=forgiven, reason="does not answer its health check")


def _well_for(life: Life, now: float) -> float:
    return now - life.since if life.phase == "healthy" else 0.0


def _stopping(life: Life, now: float, reason: str) -> Life:
    return replace(life, phase="stopping", since=now, reason=reason)


def _pausing(life: Life, now: float, pace: Pace, well_for: float = 0.0) -> Life:
    doubled = min(life.pause * 2, pace.longest)
    pause = pace.first if well_for >= pace.settled else max(doubled, pace.first)
    return replace(life, phase="pausing", since=now, pause=pause, failed=True)


def _ended(code: int) -> str:
    if code < 0:
        return f"its keeper was ended by signal {-code}"
    return f"ended by signal {code - 128}" if code > 128 else f"ended with code {code}"
