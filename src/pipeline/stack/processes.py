"""Which process is which: a number alone proves nothing, since numbers are used again.

A process is recognised by its number *and* the mark of its start. The processes of a part carry a random word in their
environment, so that those that left their parent and group (Prefect's flow runs do) are still found; only Linux shows
the environment of a process, elsewhere the group has to do.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

#: The variable that names the stack and the part a process belongs to: ``word/part``.
BELONGS = "LANDED_STACK_PART"
_PROC = Path("/proc")


def start_mark(pid: int) -> str | None:
    """What tells this process from another one that later gets the same number; None when there is no such process.

    Linux: the boot and the clock tick of the start (proc(5), field 22). Elsewhere: what ``ps`` says of the start.
    """
    if pid <= 0:
        return None
    if (_PROC / "self" / "stat").exists():
        try:
            stat = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
            boot = (_PROC / "sys" / "kernel" / "random" / "boot_id").read_text(encoding="ascii").strip()
        except OSError:
            return None
        fields = stat.rpartition(")")[2].split()  # the name before it may hold blanks and brackets
        return None if fields[0] == "Z" else f"{boot}/{fields[19]}"
    ps = subprocess.run(  # noqa: S603
        ["ps", "-o", "lstart=", "-p", str(pid)],  # noqa: S607
        capture_output=True, text=True, check=False, env={"LC_ALL": "C", "PATH": os.environ.get("PATH", os.defpath)},
    )  # fmt: skip
    return ps.stdout.strip() or None


def is_running(pid: int, mark: str) -> bool:
    """Whether this very process still runs."""
    return start_mark(pid) == mark


def members(word: str) -> tuple[int, ...]:
    """Processes whose environment says that they belong to ``word``, or to a part of it; never the caller itself.

    Empty where the system does not show the environment of a process.
    """
    return tuple(pid for pid in _own_processes() if pid != os.getpid() and _belongs(pid, word))


def end_members(word: str, grace: float) -> bool:
    """Ask all processes of ``word`` to end, then end them.

    Args:
        word: the stack's word, or ``word/part``.
        grace: seconds between asking and ending.

    Returns:
        True when none is left.
    """
    for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        deadline = time.monotonic() + patience
        while left := members(word):
            for pid in left:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
            if time.monotonic() > deadline:
                break
            time.sleep(0.1)
    return not members(word)


def _own_processes() -> Iterator[int]:
    try:
        entries = [entry for entry in os.listdir(_PROC) if entry.isdigit()]  # noqa: PTH208 - names are all that is needed
    except OSError:
        return
    yield from map(int, entries)


def _belongs(pid: int, word: str) -> bool:
    wanted = f"{BELONGS}={word}".encode()
    try:
        environment = (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:  # ended meanwhile, or somebody else's
        return False
    return any(entry == wanted or entry.startswith(wanted + b"/") for entry in environment)
