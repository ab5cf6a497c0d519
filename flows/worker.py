"""The worker: registers every project's deployments with Prefect and runs what is due, a process per run."""

import asyncio
import logging
from collections.abc import Callable

from prefect.runner import Runner

from flows.deployments import deployments_of
from pipeline.ledger import Event, Ledger, project_end
from pipeline.ledger.deployed import Deployed, deployed_projects

#: What is registered of each project: its deployment, and its end.
Served = dict[str, tuple[Deployed, Event | None]]

#: Seconds between two looks for runs that are due, and for projects that are new or changed.
POLL = 1.0
FOLLOW = 2.0


async def serve_projects(ledger: Ledger, limit: int, alive: Callable[[], None]) -> None:
    """Serve every project of the ledger, and those that come to it, until the process is stopped.

    Args:
        ledger: the record.
        limit: runs at a time; the longest due goes first.
        alive: called every few seconds.
    """
    # Said every second while runs wait for a place; it would bury what happened.
    logging.getLogger("prefect.runner").addFilter(lambda record: "at capacity" not in record.getMessage())
    runner = Runner(name="landed", query_seconds=POLL, limit=limit, pause_on_shutdown=False)
    served: Served = {}
    await _register(runner, ledger, served)
    following = asyncio.create_task(_follow(runner, ledger, served, alive))
    running = asyncio.create_task(runner.start())
    # Whichever ends first ends the worker: a runner nobody feeds, or a feeder without a runner, must be started anew.
    done, _ = await asyncio.wait({following, running}, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


async def _follow(runner: Runner, ledger: Ledger, served: Served, alive: Callable[[], None]) -> None:
    while True:
        alive()
        await asyncio.sleep(FOLLOW)
        await _register(runner, ledger, served)


async def _register(runner: Runner, ledger: Ledger, served: Served) -> None:
    """Register what is new or changed since the last look."""
    for deployed in await asyncio.to_thread(deployed_projects, ledger):
        stopped = await asyncio.to_thread(project_end, ledger, deployed.project)
        if deployed.pool or served.get(deployed.project) == (deployed, stopped):
            continue
        for deployment in await asyncio.to_thread(deployments_of, ledger, deployed):
            await runner.aadd_deployment(deployment)
        served[deployed.project] = (deployed, stopped)
