"""What an iteration waits for in any case, fetched at the same time: Prefect's temporary server and the libraries."""

import gc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import (
    PREFECT_API_BLOCKS_REGISTER_ON_START,
    PREFECT_API_URL,
    PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED,
    temporary_settings,
)

#: What the steps load on their way; named here because each step imports its own only when it is reached.
_LIBRARIES = ("flows.steps", "pipeline.models.tracking", "pipeline.evaluation.drift")
#: What a server for one process has no use for: no block is kept in it, and no automation waits for its events.
_UNUSED = {PREFECT_API_BLOCKS_REGISTER_ON_START: False, PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED: False}


def warm_up() -> None:
    """Start Prefect's own server while the libraries of the steps are loaded; seconds saved, nothing else changed.

    With a standing server there is nothing to start. Prefect takes a server for ready as soon as it is being
    started, so no flow may run before this returns.
    """
    if PREFECT_API_URL.value():
        return
    with ThreadPoolExecutor(1, "prefect-server") as pool:
        started = pool.submit(start_server)
        with _unswept():
            for name in _LIBRARIES:
                import_module(name)
        started.result()


def start_server() -> str:
    """Start Prefect's server of this process, if it is not started yet; returns the address of its API."""
    server: Any = SubprocessASGIServer()
    with temporary_settings(_UNUSED):
        server.start()
    return str(server.api_url)


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
