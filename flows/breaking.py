"""What becomes of an iteration that an error ends: it failed, or it is taken up again."""

import logging
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from pipeline.addresses import shown
from pipeline.errors import Busy, LandedError, LedgerError
from pipeline.ledger import IterationRecord, Ledger, Transaction, mark_done, open_key, transition
from pipeline.ledger.breaks import note_break
from pipeline.ledger.leases import Lease, fence

#: Times an unexpected error may end an iteration at the same line before it counts as certain to come back.
CERTAIN = 3
#: Longest reason in characters.
_LONGEST = 400
#: What is out of reach now may be there at the next try.
_PASSING = (LedgerError, ConnectionError, TimeoutError, httpx.HTTPError)
#: Errors whose message is made of names in the code. Any other may quote data, which the ledger must not keep.
_OF_CODE = (AttributeError, NameError, ImportError, NotImplementedError, RecursionError)
#: A quoted text, an address with an @, a long number.
_DATA = re.compile(r"""'[^']*'|"[^"]*"|[^\s'"@]+@[^\s'"@]+|\d(?:[ -]?\d){4,}""")

_log = logging.getLogger("landed.iteration")


@contextmanager
def errors_noted(ledger: Ledger, lease: Lease, record: IterationRecord) -> Iterator[None]:
    """Have the ledger say what ended a run.

    One of our own errors fails the iteration at once. What was only out of reach leaves it to be taken up again; so
    does an error nobody foresaw, until it has come back :data:`CERTAIN` times at the same line. An interruption, and
    the loss of the lease to another process, leave no trace here.
    """
    try:
        yield
    except Busy:
        raise
    except Exception as error:
        # The ledger itself may be what is out of reach; then the error goes on alone.
        with suppress(LedgerError), ledger.transaction() as tx:
            fence(tx, lease)
            _note(tx, record, error)
        raise


def fail(tx: Transaction, record: IterationRecord, reason: str, told: str, actor: str) -> None:
    """Let an iteration fail, with its reason, and tell people; what was finished is kept for whoever takes it up.

    Args:
        tx: the transaction.
        record: the iteration.
        reason: for the record.
        told: for people, in a sentence.
        actor: who found it.
    """
    # Only where something failed: it brings pandas, which a run that starts need not wait for.
    from pipeline.notices.announcements import announce_failure

    transition(tx, record, "failed", actor=actor, details={"reason": reason})
    mark_done(tx, open_key(record.project, record.number, record.stage))
    announce_failure(tx, record.project, record.number, record.stage, told)


def is_passing(error: Exception) -> bool:
    """Whether the same may well succeed at the next try."""
    return isinstance(error, _PASSING)


def reason_of(error: Exception) -> str:
    """What happened and where, in one line that repeats neither data nor a password."""
    line = shown(" ".join(str(error).split()))
    if not isinstance(error, (*_OF_CODE, LandedError)):
        line = _DATA.sub("…", line)
    said = f": {line[:_LONGEST]}" if line else ""
    return f"{type(error).__name__}{said} ({_place(error)})"


def _note(tx: Transaction, record: IterationRecord, error: Exception) -> None:
    if isinstance(error, LandedError) and not is_passing(error):
        fail(tx, record, str(error), error.headline, record.started_by)
        return
    reason = reason_of(error)
    times = note_break(tx, record, f"{type(error).__name__} {_place(error)}", reason)
    certain = times >= CERTAIN and not is_passing(error)
    if certain:
        fail(tx, record, f"{reason}; it came back {times} times", reason, record.started_by)
    then = "failed" if certain else "is to be taken up again"
    if not isinstance(error, LandedError):  # which whoever called the flow shows as it is
        extra = {"project": record.project}
        _log.error("iteration %s broke off (time %d) and %s: %s", record.subject, times, then, reason, extra=extra)


def _place(error: Exception) -> str:
    """The line that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno} in {frames[-1].name}" if frames else "nowhere"
