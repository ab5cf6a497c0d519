"""What an iteration waits for in any case, fetched at the same time: Prefect's server and the libraries."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from flows.server import begin

#: What the steps load on their way; named here because each step imports its own only when it is reached.
_LIBRARIES = ("flows.steps", "pipeline.models.tracking", "pipeline.evaluation.drift")


def warm_up() -> None:
    """Let Prefect's own server start while the libraries of the steps load: seconds saved, nothing else changed."""
    begin()
    with _unswept():
        for name in _LIBRARIES:
            import_module(name)


@contextmanager
def _unswept() -> Iterator[None]:
    """What is made inside stays for good: the collector neither interrupts its making nor looks at it ever again.

    The libraries make a million objects. Sweeping them again and again while they load takes a fifth of their time,
    and every later full sweep would walk through all of them.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
