"""Stop a stack from outside, and clear away what a killed one left."""

import os
import signal
import time
from contextlib import suppress

from pipeline.stack.processes import end_members, is_running
from pipeline.stack.state import Folders, StackState, is_locked, last


def stop(folders: Folders, patience: float = 100.0) -> StackState | None:
    """Have the supervisor stop everything; wait until it has.

    Args:
        folders: of the data folder.
        patience: seconds before the supervisor is ended; its keepers stop the parts then.

    Returns:
        What ran, or None when nothing did.
    """
    if not is_locked(folders):
        return None
    state = last(folders)
    for number, wait in ((signal.SIGTERM, patience), (signal.SIGKILL, 10.0)):
        # Without the mark a number could be somebody else's by now.
        if state is not None and is_running(state.pid, state.mark):
            with suppress(ProcessLookupError):
                os.kill(state.pid, number)
        deadline = time.monotonic() + wait
        while time.monotonic() < deadline:
            if not is_locked(folders):
                clear(folders)
                return state
            time.sleep(0.1)
    return state


def clear(folders: Folders, grace: float = 10.0) -> bool:
    """End what a stack that is gone left behind; to be called when no supervisor lives.

    Returns:
        True when nothing is left.
    """
    state = last(folders)
    if state is None:
        return True
    keepers = [(part.pid, part.mark) for part in state.parts if part.pid]
    deadline = time.monotonic() + grace
    # Keepers without a supervisor stop their parts by themselves.
    while any(is_running(pid, mark) for pid, mark in keepers) and time.monotonic() < deadline:
        time.sleep(0.1)
    for pid, mark in keepers:
        if is_running(pid, mark):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
    return end_members(state.word, grace)
