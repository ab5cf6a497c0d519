"""The ledger: an append-only, hash-chained record of what happened, and the state that follows from it."""

from pipeline.ledger.iterations import (
    IterationRecord,
    Kind,
    State,
    all_iterations,
    current_iteration,
    find_iteration,
    get_iteration,
    newest_iterations,
    open_iteration,
    record_report,
    record_run,
    transition,
)
from pipeline.ledger.outbox import (
    Intent,
    apply_key,
    enqueue,
    find_intent,
    mark_done,
    notify_key,
    open_key,
    pending,
    requeue,
    track_key,
)
from pipeline.ledger.projects import end_project, project_end
from pipeline.ledger.store import Event, Head, Ledger, Reader, Transaction
from pipeline.ledger.verify import ChainStatus, verify
from pipeline.ledger.work import recall, remember

__all__ = [
    "ChainStatus",
    "Event",
    "Head",
    "Intent",
    "IterationRecord",
    "Kind",
    "Ledger",
    "Reader",
    "State",
    "Transaction",
    "all_iterations",
    "apply_key",
    "current_iteration",
    "end_project",
    "enqueue",
    "find_intent",
    "find_iteration",
    "get_iteration",
    "mark_done",
    "newest_iterations",
    "notify_key",
    "open_iteration",
    "open_key",
    "pending",
    "project_end",
    "recall",
    "record_report",
    "record_run",
    "remember",
    "requeue",
    "track_key",
    "transition",
    "verify",
]
