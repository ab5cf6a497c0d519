"""The keeper: a small parent of one part that never outlives the supervisor, and lets nothing outlive itself.

The supervisor holds the only writing end of a pipe, the lifeline. When it is closed, on purpose or because the
supervisor was killed in whatever way, the keeper stops the part with all that the part started. So there is one way to
stop, and a killed supervisor takes it too. Works wherever there are pipes and process groups.

Run as ``python -m pipeline.stack.keeper LIFELINE GRACE COMMAND…``; ends with the command's code.
"""

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress

from pipeline.stack.processes import BELONGS, end_members, members

_STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
#: prctl(2): have the kernel send a signal to this process when its parent dies.
_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> int:
    """Start the command, keep watch, and stop it when the lifeline closes."""
    lifeline, grace, command = int(arguments[0]), float(arguments[1]), arguments[2:]
    os.set_inheritable(lifeline, False)  # noqa: FBT003 - positional only
    stirred, stir = os.pipe()
    os.set_blocking(stir, False)
    os.set_blocking(stirred, False)
    signal.set_wakeup_fd(stir)
    asked: list[int] = []
    for number in _STOP:
        signal.signal(number, lambda seen, _: asked.append(seen))
    signal.signal(signal.SIGCHLD, lambda *_: None)  # only to stir the wait below
    try:
        part = subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            process_group=0,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # safe: no threads here
        )
    except OSError as exc:
        sys.stderr.write(f"{command[0]} cannot be started: {exc.strerror}\n")
        return 127
    while not (asked or _ended(part.pid)):
        ready, _, _ = select.select([lifeline, stirred], [], [])
        if lifeline in ready:
            break
        with suppress(BlockingIOError):
            os.read(stirred, 512)
    _stop(part.pid, grace)
    code = part.wait()
    return code if code >= 0 else 128 - code


def _stop(pid: int, grace: float) -> None:
    """Stop the part's group, and what left the group; the part itself is reaped only after, which keeps its number."""
    deadline = time.monotonic() + grace
    word = os.environ.get(BELONGS, "")
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGTERM)
    asked: set[int] = set()
    while time.monotonic() < deadline:
        if _ended(pid):
            # The part is gone and may not have told its children; each is asked once.
            left = {other for other in members(word) if other != pid} if word else set()
            if not left:
                break
            for other in left - asked:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(other, signal.SIGTERM)
            asked |= left
        time.sleep(0.05)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    if word:
        end_members(word, 0.0)


def _ended(pid: int) -> bool:
    """Whether the child has ended; it is not reaped."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _die_with_parent() -> None:
    # A keeper that is killed itself cannot stop its part any more; Linux does it then.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
