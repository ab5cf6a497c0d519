"""What an iteration waits for in any case, fetched at the same time: Prefect's temporary server and the libraries."""

from concurrent.futures import ThreadPoolExecutor
from importlib import import_module

from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import PREFECT_API_URL

#: What the steps load on their way; named here because each step imports its own only when it is reached.
_LIBRARIES = ("flows.steps", "pipeline.models.tracking", "pipeline.evaluation.drift")


def warm_up() -> None:
    """Start Prefect's own server while the libraries of the steps are loaded; seconds saved, nothing else changed.

    With a standing server there is nothing to start. Prefect takes a server for ready as soon as it is being
    started, so no flow may run before this returns.
    """
    if PREFECT_API_URL.value():
        return
    with ThreadPoolExecutor(1, "prefect-server") as pool:
        started = pool.submit(SubprocessASGIServer().start)
        for name in _LIBRARIES:
            import_module(name)
        started.result()
