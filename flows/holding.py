"""Holding a project's lease while its iteration runs: taken, kept alive by a thread, given back.

A command that opens an iteration and runs it holds the lease around both: a dispatcher beside it would else start the
run the moment it is opened, and whoever came second would be refused.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

from pipeline.errors import Busy, LandedError
from pipeline.ledger import Ledger
from pipeline.ledger.leases import (
    BEAT,
    SILENCE,
    Lease,
    Watch,
    beat,
    break_silent,
    find_lease,
    give_back,
    project_lease,
    take,
)
from pipeline.progress import reporter

_LOOK = 1.0
#: What this thread holds, by ledger and project: the run inside a command works under the command's own lease.
_OURS: ContextVar[Mapping[tuple[str, str], Lease]] = ContextVar("leases", default=MappingProxyType({}))


@contextmanager
def held(ledger: Ledger, project: str) -> Iterator[Lease]:
    """The project's lease for a block; nobody else runs an iteration of it meanwhile.

    A lease that somebody holds is watched for as long as a dead holder's would stay silent.

    Raises:
        Busy: another process is at this project and alive.
    """
    mine, ours = (ledger.where, project), _OURS.get()
    if mine in ours:
        yield ours[mine]
        return
    lease = _taken(ledger, project)
    before = _OURS.set({**ours, mine: lease})
    ended = threading.Event()
    thread = threading.Thread(target=_keep_alive, args=(ledger, lease, ended), name=f"lease {project}", daemon=True)
    thread.start()
    try:
        yield lease
    finally:
        _OURS.reset(before)
        ended.set()
        thread.join(BEAT)
        with ledger.transaction() as tx:
            give_back(tx, lease)


def _taken(ledger: Ledger, project: str) -> Lease:
    key, holder = project_lease(project), f"{socket.gethostname()}:{os.getpid()}"
    watch, first = Watch(), find_lease(ledger, key)
    if first is not None:
        reporter().say(f"[dim]{first.holder} holds {project}; up to {SILENCE:.0f} s to see whether it is alive[/]")
    while True:
        try:
            with ledger.transaction() as tx:
                return take(tx, key, project, holder)
        except Busy:
            other = find_lease(ledger, key)
            if other is None:
                continue
            if first is None or (other.token, other.holder) != (first.token, first.holder):
                raise
            if other.beat != first.beat:
                raise
            if watch.silent(other):
                with ledger.transaction() as tx:
                    break_silent(tx, other)
            else:
                time.sleep(_LOOK)


def _keep_alive(ledger: Ledger, lease: Lease, ended: threading.Event) -> None:
    """Beat until the block ends or the lease is lost; a ledger out of reach for a moment is tried again."""
    while not ended.wait(BEAT):
        try:
            with ledger.transaction() as tx:
                beat(tx, lease)
        except Busy:
            return
        except LandedError:
            continue
