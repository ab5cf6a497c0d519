"""Parts of a large piece of work on a Dask cluster, as tasks of a Prefect flow; the only place that knows Dask.

A worker that dies takes nothing along: a part is a pure function of files that all workers see, and is worked on again
elsewhere. What comes out is the same as on one machine.
"""

import os
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.context import FlowRunContext
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.server import address
from pipeline.errors import Finding, LedgerError
from pipeline.problems.parts import Parts, Place
from pipeline.settings import Settings

Result = TypeVar("Result")

#: Seconds a cluster may take to answer.
PATIENCE = 20
#: Seconds between two looks at whether all workers of a gang are there.
HEARTBEAT = 0.1
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def on_dask(settings: Settings, body: Callable[[Parts], Result]) -> Result:
    """What the body comes to when its parts are worked on by a cluster: the one at the address, or one of our own.

    Raises:
        LedgerError: Dask is not installed, or the cluster does not answer, cannot reach Prefect's server, runs other
            versions or does not see the data folder.
    """
    os.environ.setdefault("DASK_LOGGING__DISTRIBUTED", "error")
    try:
        from distributed.client import FutureCancelledError
        from distributed.comm import CommClosedError
        from distributed.scheduler import KilledWorker
        from prefect_dask import DaskTaskRunner
    except ImportError as error:
        remedy = "pip install 'landed[dask]', or set LANDED_ENGINE=local"
        raise _refused("LANDED_ENGINE", f"it is dask, and Dask is not installed: {error}", remedy) from error
    scratch = (settings.data / "parts").resolve()
    if settings.dask_address:
        _require_cluster(settings, scratch)
        runner = DaskTaskRunner(address=settings.dask_address)
    else:
        runner = DaskTaskRunner(cluster_kwargs=_own(settings))

    kept = _Kept(partial(body, Parts(settings.partition, scratch, _mapped, settings.dask_rows, _in_flow)))

    @flow(name="parts", task_runner=runner, validate_parameters=False, persist_result=False)
    def parts() -> Result:
        return kept.work()  # type: ignore[no-any-return]

    try:
        with temporary_settings({PREFECT_API_URL: address()}):
            return parts()
    except (CommClosedError, FutureCancelledError) as error:
        remedy = "start the scheduler again and repeat the command"
        raise _refused("LANDED_DASK_ADDRESS", f"the scheduler went away in the middle: {error}", remedy) from None
    except KilledWorker as error:
        remedy = "give the workers more memory, or make parts smaller with LANDED_PARTITION"
        raise _refused("LANDED_ENGINE", f"a part was given up, its workers died each time: {error}", remedy) from None


class _Kept:
    """Work that stays in this process: Prefect sends a flow along with its tasks, and the ledger must not go too."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.work = work

    def __reduce__(self) -> tuple[type["_Kept"], tuple[object]]:
        return _Kept, (_elsewhere,)


def _elsewhere() -> None:
    raise RuntimeError("the work on parts is put together in the process that began it")


@task(name="part", cache_policy=NO_CACHE, persist_result=False)
def part(work: Callable[[], Result]) -> Result:
    """Work on one part."""
    return work()


def _mapped(function: Callable[[Any], Any], values: Sequence[Any]) -> Iterable[Any]:
    # Bound together, so that Prefect does not look through every array for futures of its own.
    futures = [part.submit(partial(function, value)) for value in values]
    return [future.result() for future in futures]


def _in_flow(function: Callable[[Place, Sequence[Any]], Any], values: Sequence[Any]) -> list[Any]:
    """The gang of the cluster that the flow's tasks run on."""
    context = FlowRunContext.get()
    return gang(context.task_runner.client, function, values)  # type: ignore[union-attr]


def gang(client: Any, function: Callable[[Place, Sequence[Any]], Any], values: Sequence[Any]) -> list[Any]:
    """A function called on every worker at once; a share goes by its rank, whichever worker that falls to.

    Raises:
        Exception: what the first one to fail ran into; the others are given up.
    """
    found = client.scheduler_info(n_workers=-1)["workers"]
    workers = sorted(found, key=lambda address: str(found[address]["name"]))[: len(values)]
    ports = client.run(_free_port, workers=workers)
    machines = tuple(f"{urlsplit(worker).hostname}:{ports[worker]}" for worker in workers)
    futures = [
        client.submit(
            function,
            Place(rank, machines),
            list(values[rank :: len(workers)]),
            workers=[worker],
            allow_other_workers=False,
            pure=False,
            retries=0,
        )
        for rank, worker in enumerate(workers)
    ]
    try:
        while any(not future.done() for future in futures):
            # Those who live wait for one who died, which nobody but the scheduler would tell.
            gone = set(workers) - set(client.scheduler_info(n_workers=-1)["workers"])
            if gone:
                raise RuntimeError(f"worker {', '.join(sorted(gone))} went away")
            failed = [future for future in futures if future.status == "error"]
            if failed:
                failed[0].result()
            time.sleep(HEARTBEAT)
        return [future.result() for future in futures]
    finally:
        client.cancel(futures)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def _own(settings: Settings) -> dict[str, Any]:
    """A cluster of processes on this machine, which nobody else can reach."""
    workers = settings.dask_workers or os.cpu_count() or 1
    return {"n_workers": workers, "threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": None}


def _require_cluster(settings: Settings, scratch: Path) -> None:
    """Go on only with a cluster that answers, and whose workers can do the work."""
    from distributed import Client

    address, name = settings.dask_address, "LANDED_DASK_ADDRESS"
    try:
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        remedy = "start the scheduler, or correct the address: tcp://HOST:8786, or tls://HOST:8786"
        raise _refused(name, f"no Dask scheduler answers at {address}: {error}", remedy) from error
    with client:
        if not client.scheduler_info()["workers"]:
            raise _refused(name, f"the cluster at {address} has no workers", "start some: dask worker ADDRESS")
        _require_reachable(address, os.environ.get("PREFECT_API_URL", ""))
        _require_same_versions(client, address)
        _require_shared(client, scratch)


def _require_reachable(address: str, server: str) -> None:
    """Workers on other machines reach Prefect's server."""
    if urlsplit(address).hostname not in _LOOPBACK and urlsplit(server).hostname in {*_LOOPBACK, None}:
        remedy = "name a standing server that they reach in LANDED_PREFECT_URL"
        raise _refused("LANDED_DASK_ADDRESS", "its workers cannot reach a Prefect server on this machine alone", remedy)


def _require_same_versions(client: Any, address: str) -> None:
    try:
        client.get_versions(check=True)
    except ValueError as error:
        remedy = "install the same pinned packages on every machine of the cluster"
        raise _refused("LANDED_DASK_ADDRESS", f"{address} runs other versions: {error}", remedy) from error


def _require_shared(client: Any, scratch: Path) -> None:
    """Every worker sees the folder the parts lie in."""
    scratch.mkdir(parents=True, exist_ok=True)
    probe = scratch / f".seen-{os.getpid()}"
    probe.touch()
    try:
        blind = [worker for worker, sees in client.run(os.path.exists, str(probe)).items() if not sees]
    finally:
        with suppress(OSError):
            probe.unlink()
    if blind:
        remedy = "mount it under the same path on every machine of the cluster"
        raise _refused("LANDED_DATA", f"workers {', '.join(blind)} do not see {scratch}", remedy)


def _refused(place: str, found: str, remedy: str) -> LedgerError:
    return LedgerError("The cluster cannot be used", [Finding(place, found, remedy)])
