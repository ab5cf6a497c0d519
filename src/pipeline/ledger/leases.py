"""Leases: who is at a piece of work, so that no two processes do it at once and a dead one's work is taken up.

A holder shows that it lives by raising ``beat``. Nobody compares clocks of different machines: whoever wants the
lease watches the beat by their own clock, and breaks the lease when it stood still for :data:`SILENCE` seconds (the
way Kubernetes elects leaders: client-go, ``tools/leaderelection``). ``token`` grows with every holder; a process that
was only slow finds its token outdated at its next write and may not commit (fencing: Kleppmann, Designing
Data-Intensive Applications, 2017, ch. 8).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from sqlalchemy import ColumnElement, select

from pipeline.errors import Busy, Finding
from pipeline.ledger.store import Reader, Transaction
from pipeline.ledger.tables import leases

#: Seconds without a beat after which a holder counts as dead.
SILENCE = 20.0
#: Seconds between two beats of a living holder.
BEAT = 4.0


@dataclass(frozen=True)
class Lease:
    """A piece of work and who is at it.

    Attributes:
        key: the work, such as ``project:smart-replenishment``.
        project: the project it belongs to.
        holder: host and process at it; empty while nobody is.
        token: grows with every holder.
        beat: grows while the holder lives.
    """

    key: str
    project: str
    holder: str
    token: int
    beat: int


def project_lease(project: str) -> str:
    """The lease of everything that runs for a project: one iteration at a time."""
    return f"project:{project}"


def find_lease(reader: Reader, key: str) -> Lease | None:
    """The lease somebody holds, or None."""
    rows = reader.rows(select(leases).where(leases.c.key == key))
    found = Lease(**rows[0]) if rows else None
    return found if found is not None and found.holder else None


def take(tx: Transaction, key: str, project: str, holder: str) -> Lease:
    """Take a lease that nobody holds.

    Raises:
        Busy: somebody holds it.
    """
    rows = tx.rows(select(leases).where(leases.c.key == key))
    if not rows:
        first = Lease(key, project, holder, 1, 0)
        tx.execute(leases.insert().values(**vars(first)))
        return first
    found = Lease(**rows[0])
    if found.holder:
        finding = Finding(key, f"{found.holder} is at it", "wait until it is done, or stop it there")
        raise Busy("Another process is at this work", [finding])
    taken = replace(found, holder=holder, token=found.token + 1, beat=0)
    tx.execute(leases.update().where(leases.c.key == key).values(**vars(taken)))
    return taken


def beat(tx: Transaction, lease: Lease) -> None:
    """Show that the holder lives.

    Raises:
        Busy: the lease was broken.
    """
    if tx.execute(leases.update().where(*_same(lease)).values(beat=leases.c.beat + 1)) != 1:
        raise _lost(lease)


def fence(tx: Transaction, lease: Lease) -> None:
    """Let a transaction go on only while its lease holds; belongs into every write of the work.

    Raises:
        Busy: the lease was broken.
    """
    if not tx.rows(select(leases.c.key).where(*_same(lease))):
        raise _lost(lease)


def give_back(tx: Transaction, lease: Lease) -> None:
    """End the holder's claim; does nothing when it was broken before."""
    tx.execute(leases.update().where(*_same(lease)).values(holder=""))


def break_silent(tx: Transaction, silent: Lease) -> bool:
    """Free a lease whose holder was watched in silence, as one event.

    Args:
        tx: the transaction.
        silent: as it was when the watch began.

    Returns:
        False if the holder has shown life, or has gone, in the meantime.
    """
    still = (*_same(silent), leases.c.beat == silent.beat)
    if tx.execute(leases.update().where(*still).values(holder="")) != 1:
        return False
    tx.append("lease.broken", silent.project, silent.key, "landed", "", {"holder": silent.holder, "silent": SILENCE})
    return True


@dataclass
class Watch:
    """What one process has seen of others' beats, by its own clock."""

    clock: Callable[[], float] = time.monotonic
    _seen: dict[str, tuple[Lease, float]] = field(default_factory=dict)

    def silent(self, lease: Lease) -> bool:
        """Whether this lease has stood still for :data:`SILENCE` seconds of watching."""
        before, since = self._seen.get(lease.key, (None, 0.0))
        if before != lease:
            self._seen[lease.key] = (lease, self.clock())
            return False
        return self.clock() - since >= SILENCE


def _same(lease: Lease) -> tuple[ColumnElement[bool], ...]:
    return (leases.c.key == lease.key, leases.c.token == lease.token, leases.c.holder == lease.holder)


def _lost(lease: Lease) -> Busy:
    finding = Finding(
        lease.key, f"{lease.holder} was silent for {SILENCE:g} s and lost it", "nothing; whoever took it over goes on"
    )
    return Busy("Another process took this work over", [finding])
