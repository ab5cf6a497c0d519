"""How long people wait between the last signature and the next iteration, with the whole stack up."""

import statistics
import tempfile
from datetime import datetime
from pathlib import Path

from figures import Figure, Result

from flows.opening import open_by_hand
from tests.orchestration.parts import Stack

ROUNDS = 5
LIMIT = 5.0
PROJECT = "waiting"


def decisions() -> Result:
    """Server, worker and dispatcher as ``landed up`` starts them, on a domain whose training costs nothing."""
    stack = Stack(Path(tempfile.mkdtemp(prefix="landed-bench-")))
    try:
        stack.start()
        charter = stack.deploy(stack.charter(PROJECT))
        open_by_hand(stack.ledger, charter, stack.root / "source", "robin")
        for number in range(1, ROUNDS + 1):
            stack.decide(stack.wait_for_review(number, PROJECT))
        stack.wait_for_review(ROUNDS + 1, PROJECT)
        opened, running = _waits(stack, "iteration.opened"), _waits(stack, "iteration.running")
    finally:
        stack.close()
    return Result(
        "decisions",
        (
            Figure(f"last signature to the next iteration opened, median of {ROUNDS}", statistics.median(opened), "s"),
            Figure(
                f"last signature to its process at work, median of {ROUNDS}", statistics.median(running), "s", LIMIT
            ),
            Figure("the longest of them", max(running), "s"),
        ),
        (),
        {"opened": opened, "running": running},
    )


def _waits(stack: Stack, kind: str) -> list[float]:
    events = list(stack.ledger.events(PROJECT))
    decided = [datetime.fromisoformat(event.at) for event in events if event.kind == "review.decided"]
    began = [datetime.fromisoformat(event.at) for event in events if event.kind == kind][1:]
    return [(later - earlier).total_seconds() for earlier, later in zip(decided, began, strict=True)]
