"""Notices: what people are told and when, queued with the ledger's transaction and sent through Apprise.

Who announces something calls :func:`enqueue_notice` (or a function of ``announcements``) inside the transaction that
makes it true. A dispatcher calls :func:`queue_reminders`, :func:`due_notices` and :func:`deliver_notice` in its loop.
"""

from pipeline.notices.delivery import deliver_notice, due_notices
from pipeline.notices.queueing import enqueue_notice
from pipeline.notices.reminders import queue_reminders

__all__ = ["deliver_notice", "due_notices", "enqueue_notice", "queue_reminders"]
