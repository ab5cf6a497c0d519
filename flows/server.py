"""Prefect's server: the standing one the settings name, or a small one of this process's own that ends with it.

Prefect would start such a server by itself, but loads all of its code into this process first, two seconds that only
name the command to start, and leaves the server running for ever when the process is killed. Nothing of Prefect is
loaded here before its server starts: one takes the other's time.
"""

import atexit
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from pipeline.errors import Finding, LedgerError
from pipeline.stack.health import PageCheck
from pipeline.stack.parts import page
from pipeline.stack.ports import LOOPBACK, choose
from pipeline.stack.processes import BELONGS

#: What a server for one process has no use for: pages, blocks, automations; and what says that it is one.
_SMALL = {
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT__SERVER_FINAL": "1",
    "PREFECT_UI_ENABLED": "0",
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",
}
#: Seconds in which the server must answer, and in which it may end by itself.
_PATIENCE, _GRACE = 120.0, 5.0


@contextmanager
def at_hand() -> Iterator[None]:
    """Flows that start inside report to a server that answers.

    They send no heartbeats: those are for a server that watches workers, and joining their thread takes a second a
    flow.

    Raises:
        LedgerError: a server of this process's own does not start.
    """
    from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    with temporary_settings({PREFECT_API_URL: address(), PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        yield


def address() -> str:
    """Where the API answers; a server of this process's own is waited for.

    Raises:
        LedgerError: a server of this process's own does not start.
    """
    return _standing() or _answering()


def begin() -> None:
    """Let a server of this process's own start, if one will be needed; it is not waited for."""
    if not _standing():
        _started()


def _standing() -> str:
    """The API of a server that others started; empty if none is named."""
    return str(_told().get("PREFECT_API_URL") or "")


def _told() -> dict[str, str]:
    """The environment, or rather what Prefect made of it when it was loaded, if it was."""
    loaded: Any = sys.modules.get("prefect.settings")
    known = loaded.get_current_settings().to_environment_variables(exclude_unset=True) if loaded else {}
    return {**os.environ, **known}


@cache
def _answering() -> str:
    keeper, url = _started()
    check, deadline = PageCheck(f"{url}/health"), time.monotonic() + _PATIENCE
    while not check.well():
        code = keeper.poll()
        if code is not None or time.monotonic() > deadline:
            found = f"no answer in {_PATIENCE:.0f} s" if code is None else f"it ended with code {code}"
            remedy = "look at what is said above; `landed doctor` tells what it needs, LANDED_PREFECT_URL names another"
            raise LedgerError("Prefect's server does not start", [Finding(url, found, remedy)])
        time.sleep(0.05)
    return url


@cache
def _started() -> tuple[subprocess.Popen[bytes], str]:
    """The server's keeper and the address of its API."""
    port = choose({"prefect": 0}, {})["prefect"]
    watched, lifeline = os.pipe()
    command = [
        sys.executable, "-m", "uvicorn", "--factory", "flows.warming:server_app", "--host", LOOPBACK,
        "--port", str(port), "--log-level", "error", "--lifespan", "on",
    ]  # fmt: skip
    environment = {**_told(), **_SMALL}
    environment.pop(BELONGS, None)  # what ends a part of a stack must not end it in the middle of the part's work
    keeper = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "pipeline.stack.keeper", str(watched), str(_GRACE), *command],
        stdin=subprocess.DEVNULL, pass_fds=[watched], env=environment,
        process_group=0,  # Ctrl-C is for this process, which still has to tell the server
    )  # fmt: skip
    os.close(watched)
    atexit.register(_end, keeper, lifeline)
    return keeper, f"{page(port)}/api"


def _end(keeper: subprocess.Popen[bytes], lifeline: int) -> None:
    os.close(lifeline)
    keeper.wait()
