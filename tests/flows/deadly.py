"""Work that kills whoever does it, in a module of its own: workers import it, and little else."""

import os
import signal
from functools import partial
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


def killed_at(rank: int, function):
    """The function, except that the worker of this rank dies in place of its share."""
    return partial(_killed_at, rank, function)


def _killed_at(rank, function, place, values):
    return killed(values) if place.rank == rank else function(place, values)
