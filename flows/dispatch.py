"""Delivering what the ledger's outbox holds, in this process: a decision to apply, an iteration to run.

An intent stays pending until its effect stands in the ledger, so a delivery that was killed is simply made again.
"""

from pathlib import Path

from flows.feedback import feedback_approval
from flows.iteration import iteration
from flows.server import at_hand
from flows.warming import warm_up
from pipeline.ledger import Intent, Ledger, pending


def drain(ledger: Ledger, project: str, *, run_iterations: bool = True) -> int:
    """Deliver a project's decisions and iterations, and those they lead to, until none is left; notices stay queued.

    Args:
        ledger: the record.
        project: whose intents.
        run_iterations: False delivers decisions only and leaves opened iterations to whoever runs next.

    Returns:
        How many were delivered.
    """
    kinds = {"apply", "track", "open"} if run_iterations else {"apply", "track"}
    delivered = 0
    while due := [intent for intent in pending(ledger, project) if intent.kind in kinds]:
        deliver(due[0])
        delivered += 1
    return delivered


def deliver(intent: Intent) -> None:
    """Run the flow an intent asks for."""
    if intent.kind == "open":
        payload = intent.payload
        run_iteration(intent.project, int(payload["number"]), str(payload["stage"]), Path(str(payload["location"])))
    else:
        with at_hand():
            feedback_approval(review=str(intent.payload["review"]))


def run_iteration(project: str, number: int, stage: str, location: Path) -> None:
    """Run an opened iteration in this process; see :func:`flows.iteration.iteration`."""
    warm_up()
    with at_hand():
        iteration(project, number, stage, location)
