"""``landed worker``, ``landed dispatcher`` and ``landed deploy``: what carries iterations on without anybody typing."""

import signal
import threading
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.app import app
from pipeline.cli.charters import CharterFile

if TYPE_CHECKING:
    from pipeline.settings import Settings

#: Seconds between two looks into the outbox, between two signs of life, and between two looks for reminders.
_LOOK = 0.3
_BEAT = 5.0
_REMIND = 60.0


@app.command()
def worker(
    limit: Annotated[int, typer.Option(min=1, help="runs at a time; the longest due goes first")] = 2,
) -> None:
    """Serve every project's deployments to Prefect's server; `landed up` starts one."""
    import asyncio

    from pipeline.addresses import require_prefect
    from pipeline.cli.setting import prepared
    from pipeline.logs import begin

    settings = prepared(speaking=True)
    begin("worker", settings)
    require_prefect(settings)
    from flows.worker import serve_projects
    from pipeline.ledger import Ledger

    with Ledger(settings.ledger) as ledger:
        asyncio.run(serve_projects(ledger, limit, _beat(settings, "worker").touch))


@app.command()
def dispatcher() -> None:
    """Deliver decisions, iterations and notices from the ledger's outbox; `landed up` starts one."""
    import time

    from pipeline.cli.setting import prepared
    from pipeline.logs import begin

    settings = prepared(speaking=True)
    begin("dispatcher", settings)
    from flows.delivery import Dispatcher, close_abandoned
    from pipeline.ledger import Ledger
    from pipeline.notices import queue_reminders

    stopped = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopped.set())
    beat = _beat(settings, "dispatcher")
    with Ledger(settings.ledger) as ledger:
        delivery, beaten, reminded, tidied = Dispatcher(ledger, settings), 0.0, 0.0, False
        while not stopped.wait(_LOOK):
            delivery.turn()
            now = time.monotonic()
            if now - beaten > _BEAT:
                beat.touch()
                beaten = now
                tidied = tidied or close_abandoned()
            if now - reminded > _REMIND:
                queue_reminders(ledger, ledger.now())
                reminded = now
        delivery.close()


@app.command()
def deploy(
    charter: CharterFile,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="folder of the data source; data/SOURCE if not given", show_default=False),
    ] = None,
    pool: Annotated[
        str, typer.Option(help="Prefect work pool that runs it; the worker of `landed up` if not given")
    ] = "",
) -> None:
    """Let a charter's schedule run it: retraining and monitoring start by themselves from now on."""
    from pipeline.cli.setting import prepared
    from pipeline.problems.reading import read_charter_for_problem

    found = read_charter_for_problem(charter, date.today())
    settings = prepared()
    from pipeline.accounts import operator
    from pipeline.ledger import Ledger
    from pipeline.ledger.deployed import deploy as record
    from pipeline.ledger.deployed import find_deployed

    location = (data or settings.source(found.data.source)).resolve()
    with Ledger(settings.ledger) as ledger:
        actor = operator(ledger, settings).id
        with ledger.transaction() as tx:
            record(tx, found.project, found.canonical(), found.digest, str(location), pool, actor)
        deployed = find_deployed(ledger, found.project)
        if pool and deployed is not None:
            from flows.deployments import deployments_of

            for deployment in deployments_of(ledger, deployed):
                deployment.apply()
    schedule = found.schedule
    for what, cron in (("retraining", schedule.retrain), ("monitoring", schedule.monitor)):
        typer.echo(f"  {what:<11} {cron or 'never by the clock'}{f'  ({schedule.time_zone})' if cron else ''}")
    where = f"work pool {pool}" if pool else "the worker of `landed up`"
    typer.echo(f"{found.project} is deployed: {where} runs it on {location}.")


def _beat(settings: "Settings", part: str) -> Path:
    """The file by whose age `landed status` sees that a part lives."""
    from pipeline.stack.state import Folders

    file = Folders(settings.data).beat(part)
    file.parent.mkdir(parents=True, exist_ok=True)
    return file
