"""The outbox: what a decision sets going, committed in the same SQL transaction as the decision.

Whoever delivers intents may die and come back at any point: an intent stays pending until its effect is in the
ledger, and a key exists once, so delivering twice is harmless (the transactional outbox pattern; Richardson,
Microservices Patterns, 2018, ch. 3).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import select

from pipeline.ledger.chain import canonical
from pipeline.ledger.store import Reader, Transaction
from pipeline.ledger.tables import intents

IntentKind = Literal["apply", "track", "open", "notify"]


@dataclass(frozen=True)
class Intent:
    """Something to be done once.

    Attributes:
        key: identity, also the idempotency key of the flow run that delivers it.
        kind: ``apply`` a review's decision, ``track`` an applied one in MLflow, ``open`` (and run) an iteration, or
            ``notify`` somebody.
        project: the project.
        payload: what the deliverer needs.
        created_at, done_at: UTC, ISO 8601; ``done_at`` is None while pending.
    """

    key: str
    kind: IntentKind
    project: str
    payload: Mapping[str, Any]
    created_at: str
    done_at: str | None


def apply_key(review: str) -> str:
    """The key of the intent to apply a review's decision."""
    return f"apply:{review}"


def track_key(review: str) -> str:
    """The key of the intent to carry an applied decision over to MLflow."""
    return f"track:{review}"


def notify_key(notice: str, recipient: str) -> str:
    """The key of the intent to bring one notice to one recipient by one channel."""
    return f"notify:{notice}:{recipient}"


def open_key(project: str, number: int, stage: str) -> str:
    """The key of the intent to run an opened iteration."""
    return f"open:{project}:{number}:{stage}"


def enqueue(tx: Transaction, key: str, kind: IntentKind, project: str, payload: Mapping[str, Any]) -> bool:
    """Queue an intent with the transaction; returns False when the key was queued before (done or not)."""
    if find_intent(tx, key) is not None:
        return False
    event = tx.append("intent.queued", project, key, "landed", "", {"kind": kind, "payload": dict(payload)})
    tx.execute(
        intents.insert().values(
            key=key, kind=kind, project=project, payload=canonical(payload), event=event.seq, created_at=event.at
        )
    )
    return True


def requeue(tx: Transaction, key: str, actor: str) -> None:
    """Make a delivered intent pending again, because what it led to failed and is to be taken up."""
    intent = find_intent(tx, key)
    if intent is not None and intent.done_at is not None:
        tx.append("intent.requeued", intent.project, key, actor, "", {"kind": intent.kind})
        tx.execute(intents.update().where(intents.c.key == key).values(done_at=None))


def pending(reader: Reader, project: str | None = None) -> tuple[Intent, ...]:
    """Intents whose effect is not in the ledger yet, oldest first.

    Notices are not among them: they wait for their own next try, and nothing waits for them; see
    :func:`pipeline.notices.due_notices`.
    """
    query = select(intents).where(intents.c.done_at.is_(None), intents.c.kind != "notify").order_by(intents.c.event)
    if project is not None:
        query = query.where(intents.c.project == project)
    return tuple(to_intent(row) for row in reader.rows(query))


def find_intent(reader: Reader, key: str) -> Intent | None:
    """The intent of this key, or None."""
    rows = reader.rows(select(intents).where(intents.c.key == key))
    return to_intent(rows[0]) if rows else None


def mark_done(tx: Transaction, key: str) -> bool:
    """Note, with the effect itself, that an intent is delivered; returns False when it was before or is unknown."""
    now = tx.now().isoformat(timespec="microseconds")
    done = tx.execute(intents.update().where(intents.c.key == key, intents.c.done_at.is_(None)).values(done_at=now))
    if done != 1:
        return False
    intent = find_intent(tx, key)
    tx.append("intent.done", intent.project if intent else "", key, "landed", "", {})
    return True


def to_intent(row: Mapping[str, Any]) -> Intent:
    """An intent from its stored columns."""
    return Intent(
        row["key"], row["kind"], row["project"], json.loads(row["payload"]), row["created_at"], row["done_at"]
    )
