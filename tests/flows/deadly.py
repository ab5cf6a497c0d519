"""Work that kills whoever does it, in a module of its own: workers import it, and little else."""

import os
import signal
from pathlib import Path


def killed_once(marker: Path, function, value):
    """The first worker that is asked to dies as by ``kill -9``, in the middle of its part."""
    result = function(value)
    try:
        marker.touch(exist_ok=False)
    except FileExistsError:
        return result
    return killed(value)


def killed(_):
    os.kill(os.getpid(), signal.SIGKILL)
