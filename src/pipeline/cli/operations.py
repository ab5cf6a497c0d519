"""``landed up``, ``down``, ``status``: the team stack of this machine, reachable from this machine only."""

import os
import signal
from typing import Annotated, Any

import typer

from pipeline.cli.app import app
from pipeline.errors import Finding, LandedError


@app.command()
def up(
    prefect_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="port of Prefect's page; 4200 if it is free, else any")
    ] = None,
    mlflow_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="port of MLflow's page; 5000 if it is free, else any")
    ] = None,
    review_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="port of the review site; 8300 if it is free, else any")
    ] = None,
) -> None:
    """Start the stack of this data folder and keep it healthy until Ctrl-C or `landed down`."""
    from pipeline.cli.setting import prepared
    from pipeline.cli.stack_screens import Screen
    from pipeline.logs import begin
    from pipeline.stack.parts import WANTED, local_parts
    from pipeline.stack.ports import choose
    from pipeline.stack.secrets import read_or_make
    from pipeline.stack.state import Folders, locked
    from pipeline.stack.stopping import clear
    from pipeline.stack.supervisor import Supervisor

    settings = prepared()
    folders = Folders(settings.data)
    with locked(folders):
        if not clear(folders):
            finding = Finding(str(folders.state), "some of its processes do not end", "end them by hand, then start")
            raise LandedError("A stack that was killed left processes behind", [finding])
        secrets = read_or_make(folders.secrets)
        settings.mlflow.mkdir(parents=True, exist_ok=True)
        ports = choose(WANTED, {"prefect": prefect_port, "mlflow": mlflow_port, "review": review_port})
        parts = local_parts(settings, ports, secrets, dict(os.environ), _own_parts())
        asked = _asked_to_stop()
        # Only now: what refuses a start is told to whoever typed it, and the parts begin logs of their own.
        begin("up", settings)
        with Screen(folders) as screen:
            try:
                Supervisor(parts, folders, tell=screen.show).run(lambda: bool(asked))
            except KeyboardInterrupt:
                screen.say("[yellow]Not waited for: the parts end by themselves within seconds.[/]")
                raise


@app.command()
def down() -> None:
    """Stop the stack of this data folder, all parts in reverse order."""
    from pipeline.cli.stack_screens import console
    from pipeline.settings import Settings
    from pipeline.stack.state import Folders, is_locked
    from pipeline.stack.stopping import clear, stop

    folders = Folders(Settings().data)
    if not is_locked(folders):
        clear(folders)
        console().print(f"Nothing runs on {folders.data}.")
        return
    with console().status("Stopping …"):
        stop(folders)
    if is_locked(folders):
        finding = Finding(str(folders.lock), "its supervisor does not end", "end the process that holds this file")
        raise LandedError("The stack could not be stopped", [finding])
    console().print("[green]✓[/] All parts are stopped.")


@app.command()
def status(
    secrets: Annotated[  # noqa: FBT002 - a flag of the command line
        bool, typer.Option("--secrets", help="say how to sign in, and which files hold the passwords")
    ] = False,
    show: Annotated[  # noqa: FBT002 - a flag of the command line
        bool, typer.Option("--show", help="with --secrets: print the passwords themselves")
    ] = False,
    as_json: Annotated[  # noqa: FBT002 - a flag of the command line
        bool, typer.Option("--json", help="for programs; never holds a password")
    ] = False,
) -> None:
    """Show how the stack and the ledger are. Ends with 0 only when all parts run and are healthy."""
    from pipeline.cli.stack_screens import show_sign_in, show_standing
    from pipeline.cli.standing import as_values, standing
    from pipeline.settings import Settings

    if show and not secrets:
        raise typer.BadParameter("say --secrets too: it prints passwords")
    found = standing(Settings())
    if as_json:
        import json

        typer.echo(json.dumps(as_values(found), indent=2))
    else:
        show_standing(found)
        if secrets:
            show_sign_in(found, passwords=show)
    if not found.healthy:
        raise typer.Exit(1)


def _own_parts() -> frozenset[str]:
    """Landed's own parts that this version has a command for."""
    top: dict[str, Any] = getattr(typer.main.get_command(app), "commands", {})
    found = {name for name in ("worker", "dispatcher") if name in top}
    return frozenset(found | ({"review"} if "serve" in getattr(top.get("review"), "commands", {}) else set()))


def _asked_to_stop() -> list[int]:
    """A list that the first signal to stop fills; the second one interrupts."""
    asked: list[int] = []

    def note(number: int, _: object) -> None:
        if asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked.append(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, note)
    return asked
