"""Ports of this machine, for this machine only."""

import socket
from collections.abc import Mapping

from pipeline.errors import Finding, LandedError

#: The only address a part listens on. There is no option to change it: a team puts its own proxy in front.
LOOPBACK = "127.0.0.1"


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    return _bound(port) is not None


def choose(wanted: Mapping[str, int], asked: Mapping[str, int | None]) -> dict[str, int]:
    """A port for each name.

    Args:
        wanted: name → the port to take if it is free, else any free one.
        asked: name → the port a person asked for, which is taken or refused; 0 takes any free one.

    Raises:
        LandedError: a port that was asked for is taken, or asked for twice; or no port is free.
    """
    chosen: dict[str, int] = {}
    findings = []
    for name in [*(one for one in wanted if asked.get(one)), *(one for one in wanted if not asked.get(one))]:
        request = asked.get(name)
        if request:
            if request in chosen.values() or not is_free(request):
                remedy = f"close the program that uses it, or give another port with --{name}-port"
                findings.append(Finding(f"{LOOPBACK}:{request}", f"the port asked for {name} is taken", remedy))
            chosen[name] = request
        else:
            chosen[name] = _any_free(wanted[name] if request is None else 0, set(chosen.values()))
    if findings:
        raise LandedError("A port is taken", findings)
    return {name: chosen[name] for name in wanted}


def _any_free(first: int, taken: set[int]) -> int:
    for port in (first, *[0] * 20):
        got = None if port in taken else _bound(port)
        if got is not None and got not in taken:
            return got
    raise LandedError("No free port", [Finding(LOOPBACK, "no port can be bound", "close some programs and try again")])


def _bound(port: int) -> int | None:
    with socket.socket() as probe:
        # A server that ended a moment ago leaves its port in a state that only this option may take over.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except (OSError, OverflowError):
            return None
        return int(probe.getsockname()[1])
