"""Finished work by its key: trainings, dataset snapshots, played fields. Whatever stands here is never done again."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from pipeline.ledger.chain import canonical, digest
from pipeline.ledger.store import Reader, Transaction
from pipeline.ledger.tables import work


def recall(reader: Reader, key: str) -> dict[str, Any] | None:
    """What the work under this key gave, or None when it was never finished."""
    rows = reader.rows(select(work.c.value).where(work.c.key == key))
    if not rows:
        return None
    value: dict[str, Any] = json.loads(rows[0]["value"])
    return value


def remember(
    tx: Transaction, key: str, kind: str, value: Mapping[str, Any], *, project: str = "", actor: str = "landed"
) -> dict[str, Any]:
    """Note finished work; the first writer wins.

    Args:
        tx: the transaction.
        key: hash over everything the result depends on.
        kind: ``training``, ``dataset``, ``field`` …
        value: where the result lies and what identifies it; JSON.
        project: the project it was done for.
        actor: who did it.

    Returns:
        What stands in the ledger now: ``value``, or what an earlier writer noted under the key.
    """
    earlier = recall(tx, key)
    if earlier is not None:
        return earlier
    text = canonical(value)
    now = tx.now().isoformat(timespec="microseconds")
    tx.execute(work.insert().values(key=key, kind=kind, value=text, at=now))
    tx.append("work.finished", project, key, actor, "", {"kind": kind, "value": digest(text)})
    stored: dict[str, Any] = json.loads(text)
    return stored
