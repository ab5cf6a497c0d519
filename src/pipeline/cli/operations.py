"""``landed up``: Prefect's and MLflow's pages on this machine, reachable from this machine only."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.app import app
from pipeline.errors import Finding, LandedError

_LOOPBACK = "127.0.0.1"


@app.command()
def up(
    prefect_port: Annotated[int, typer.Option(help="port of Prefect's page; 0 takes a free one")] = 4200,
    mlflow_port: Annotated[int, typer.Option(help="port of MLflow's page; 0 takes a free one")] = 5000,
) -> None:
    """Show Prefect's and MLflow's pages over this folder's stores until Ctrl-C."""
    from pipeline.cli.setting import prepared

    settings = prepared()
    settings.mlflow.mkdir(parents=True, exist_ok=True)
    logs = settings.data / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    ports = {"prefect": _port(prefect_port), "mlflow": _port(mlflow_port)}
    scripts = Path(sys.executable).parent
    store = f"sqlite:///{settings.mlflow.resolve() / 'mlflow.db'}"
    commands = {
        "prefect": [str(scripts / "prefect"), "server", "start", "--host", _LOOPBACK, "--port", str(ports["prefect"])],
        "mlflow": [
            str(scripts / "mlflow"), "server", "--host", _LOOPBACK, "--port", str(ports["mlflow"]), "--workers", "1",
            "--backend-store-uri", store, "--artifacts-destination", str((settings.mlflow / "artifacts").resolve()),
        ],
    }  # fmt: skip
    running: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, command in commands.items():
            with (logs / f"{name}.log").open("ab") as log:
                running[name] = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ)  # noqa: S603
        for name, port in ports.items():
            typer.echo(f"  {name:<8} http://{_LOOPBACK}:{port}   log {logs / f'{name}.log'}")
        typer.echo("Ctrl-C stops them.")
        _watch(running, logs)
    finally:
        _stop(running)


def _port(wanted: int) -> int:
    """The wanted port if it is free, else any free one."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((_LOOPBACK, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise LandedError("No free port", [Finding(_LOOPBACK, "no port can be bound", "close some programs and try again")])


def _watch(running: dict[str, subprocess.Popen[bytes]], logs: Path) -> None:
    while True:
        for name, process in running.items():
            code = process.poll()
            if code is not None:
                finding = Finding(
                    str(logs / f"{name}.log"), f"it ended with code {code}", "read its log, then start again"
                )
                raise LandedError(f"{name} stopped", [finding])
        time.sleep(0.5)


def _stop(running: dict[str, subprocess.Popen[bytes]]) -> None:
    for process in running.values():
        process.terminate()
    for process in running.values():
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
