"""What an iteration waits for in any case, fetched at the same time: Prefect's server, libraries, MLflow's store."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any

from flows.server import begin
from pipeline.errors import LandedError
from pipeline.settings import Settings

#: What the steps load on their way; named here because each step imports its own only when it is reached.
_LIBRARIES = ("flows.steps", "pipeline.models.tracking", "pipeline.evaluation.drift")
#: New objects after which the youngest are swept; Python's own 700 is from the days of small programs.
_SELDOM = 10_000


def warm_up() -> None:
    """Let Prefect's own server start while the libraries load and MLflow's store is made: seconds saved, no more."""
    begin()
    with _unswept():
        for name in _LIBRARIES:
            import_module(name)
    _make_store(Settings())


def server_app() -> Any:
    """Prefect's server application, for the process that serves it."""
    with _unswept():
        from prefect.server.api.server import create_app

        return create_app()


def _make_store(settings: Settings) -> None:
    """Make MLflow's file if there is none yet; what is wrong with it is told by the step that needs it."""
    from pipeline.models.store import store_of
    from pipeline.models.tracking import Tracking

    with suppress(LandedError):
        path = store_of(settings).database
        if path is not None and not path.exists():
            Tracking(settings)


@contextmanager
def _unswept() -> Iterator[None]:
    """What is made inside stays for good: the collector neither interrupts its making nor looks at it ever again.

    The libraries make a million objects. Sweeping them again and again while they load takes a fifth of their time,
    and every later full sweep would walk through all of them. Later sweeps are rarer too: reports and tracking make
    many objects that live for a moment, and what is large here lies in arrays, which need no sweep to be freed.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(_SELDOM, 10, 10)
        gc.enable()
