"""When somebody first looked at a report they may sign: a measure against approving unread. No part of the record.

What is recorded, with the signature, is the time between that look and the signature.
"""

from datetime import UTC, datetime

from sqlalchemy import Column, MetaData, PrimaryKeyConstraint, Table, Text, select
from sqlalchemy.schema import CreateTable

from pipeline.ledger import Ledger, Reader

_views = Table(
    "landed_views",
    MetaData(),
    Column("account", Text, nullable=False),
    Column("review", Text, nullable=False),
    Column("report", Text, nullable=False),
    Column("first_at", Text, nullable=False),
    PrimaryKeyConstraint("account", "review", "report"),
)


def prepare(ledger: Ledger) -> None:
    """Make the table where it is missing."""
    with ledger.transaction() as tx:
        tx.execute(CreateTable(_views, if_not_exists=True))


def note_view(ledger: Ledger, account: str, review: str, report: str) -> None:
    """Note the first look of a person at a report; later ones change nothing."""
    if _first(ledger, account, review, report) is not None:
        return
    with ledger.transaction() as tx:
        if _first(tx, account, review, report) is None:
            at = tx.now().astimezone(UTC).isoformat(timespec="microseconds")
            tx.execute(_views.insert().values(account=account, review=review, report=report, first_at=at))


def seconds_since_view(reader: Reader, account: str, review: str, report: str) -> int | None:
    """Whole seconds since the first look, or None where the site saw none."""
    first = _first(reader, account, review, report)
    return max(int((reader.now() - datetime.fromisoformat(first)).total_seconds()), 0) if first else None


def _first(reader: Reader, account: str, review: str, report: str) -> str | None:
    mine = (_views.c.account == account, _views.c.review == review, _views.c.report == report)
    rows = reader.rows(select(_views.c.first_at).where(*mine))
    return str(rows[0]["first_at"]) if rows else None
