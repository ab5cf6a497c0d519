"""Reminders that follow from open reviews and the clock alone: at half-time, when due, and to the sponsor after."""

import json
from datetime import datetime, timedelta

from sqlalchemy import select

from pipeline.ledger import Ledger, Reader
from pipeline.ledger.tables import intents
from pipeline.notices.announcements import escalate, remind, remind_when_due
from pipeline.notices.asking import Asked, find_asked, open_asked

#: How long after the due date the sponsor is told.
PATIENCE = timedelta(days=1)


def queue_reminders(ledger: Ledger, now: datetime) -> int:
    """Queue what the hour asks for; each reminder of a review once, however often and wherever this is called.

    A dispatcher that was down over several moments sends the last of them only: nobody wants three mails at once.

    Args:
        ledger: the record.
        now: the present moment, from the ledger's clock.

    Returns:
        How many reminders were queued.
    """
    # Read first: the writer's lock is taken only when there is something to write.
    ripe = [asked.review for asked in open_asked(ledger) if _kind(ledger, asked, now)]
    queued = 0
    for review in ripe:
        with ledger.transaction() as tx:
            asked = find_asked(tx, review)
            kind = _kind(tx, asked, now) if asked.state == "open" else None
            if kind == "review_overdue":
                queued += escalate(tx, asked, ", ".join(asked.missing.values()))
            elif kind == "review_due":
                queued += remind_when_due(tx, asked)
            elif kind == "review_reminder":
                queued += remind(tx, asked)
    return queued


def _kind(reader: Reader, asked: Asked, now: datetime) -> str | None:
    """The reminder that is due and was not queued yet, or None."""
    if not asked.missing:
        return None
    if now >= asked.due_at + PATIENCE:
        kind = "review_overdue"
    elif now >= asked.due_at:
        kind = "review_due"
    elif now >= asked.opened_at + (asked.due_at - asked.opened_at) / 2:
        kind = "review_reminder"
    else:
        return None
    return None if kind in _queued(reader, asked) else kind


def _queued(reader: Reader, asked: Asked) -> set[str]:
    """The kinds of notices that this review has had."""
    query = select(intents.c.payload).where(
        intents.c.kind == "notify", intents.c.project == asked.project, intents.c.payload.contains(asked.review)
    )
    told = (json.loads(row["payload"]) for row in reader.rows(query))
    return {str(payload["kind"]) for payload in told if payload["subject"] == asked.review}
