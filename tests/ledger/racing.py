"""What a separate process does in the tests of racing writers."""

import os
import signal

from pipeline.ledger import Ledger, enqueue


def append_some(url: str, events: int) -> None:
    """Append events one by one; exits non-zero if one fails."""
    with Ledger(url) as ledger:
        for number in range(events):
            with ledger.transaction() as tx:
                tx.append("test.happened", "p", "s", "ana", "", {"number": number})


def die_in_the_middle(url: str) -> None:
    """Commit one event, then be killed inside the next transaction."""
    append_some(url, 1)
    with Ledger(url) as ledger, ledger.transaction() as tx:
        tx.append("test.lost", "p", "s", "ana", "", {})
        enqueue(tx, "apply:lost", "apply", "p", {})
        os.kill(os.getpid(), signal.SIGKILL)
