"""Drafts of answers, kept on the server so that they survive a closed browser. No part of the record: nobody signed."""

import hashlib
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import Column, MetaData, PrimaryKeyConstraint, Table, Text, bindparam, delete, insert, select, update
from sqlalchemy.schema import CreateTable

from pipeline.ledger import Ledger, Reader, Transaction

_drafts = Table(
    "landed_drafts",
    MetaData(),
    Column("account", Text, nullable=False),
    Column("review", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("saved_at", Text, nullable=False),
    PrimaryKeyConstraint("account", "review"),
)
#: Asked whenever a review is shown, so put together once.
_MINE = select(_drafts.c.content, _drafts.c.saved_at).where(
    _drafts.c.account == bindparam("account"), _drafts.c.review == bindparam("review")
)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DraftChange(_Part):
    """A change of the charter as it was typed: a path, and the new value's text."""

    path: str = ""
    value: str = ""


class DraftItem(_Part):
    """A feedback item as it was typed; ``place`` is a slice's column and value, parted by a line break, or empty."""

    kind: str = ""
    place: str = ""
    seen: str = ""
    change: str = ""
    acceptance: str = ""
    changes: tuple[DraftChange, ...] = ()


class Draft(_Part):
    """An answer that is not signed yet.

    Attributes:
        report: hash of the report it was written about.
        seat: on whose behalf, empty for oneself.
        decision, comment: what was typed.
        items: feedback.
    """

    report: str = ""
    seat: str = ""
    decision: str = ""
    comment: str = ""
    items: tuple[DraftItem, ...] = ()

    @property
    def fingerprint(self) -> str:
        """A hash of all of it: what a confirm step showed is what is signed, or nothing is."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def but(self, **changes: object) -> Self:
        """The same draft with some fields changed."""
        return self.model_copy(update=changes)


def prepare(ledger: Ledger) -> None:
    """Make the table where it is missing."""
    with ledger.transaction() as tx:
        tx.execute(CreateTable(_drafts, if_not_exists=True))


def find_draft(reader: Reader, account: str, review: str) -> tuple[Draft, str] | None:
    """A person's draft of an answer and when it was saved, or None."""
    rows = reader.rows(_MINE, {"account": account, "review": review})
    if not rows:
        return None
    try:
        return Draft.model_validate_json(rows[0]["content"]), str(rows[0]["saved_at"])
    except ValidationError:
        return None  # another version of the site wrote it; a draft is worth nothing more than to be typed again


def save_draft(ledger: Ledger, account: str, review: str, draft: Draft) -> str:
    """Keep a draft; returns when it was saved."""
    with ledger.transaction() as tx:
        now = tx.now().isoformat(timespec="microseconds")
        content = {"content": draft.model_dump_json(), "saved_at": now}
        mine = (_drafts.c.account == account, _drafts.c.review == review)
        if not tx.execute(update(_drafts).where(*mine).values(**content)):
            tx.execute(insert(_drafts).values(account=account, review=review, **content))
    return now


def drop_draft(ledger: Ledger, account: str, review: str) -> None:
    """Forget a draft, after it was signed or thrown away."""
    with ledger.transaction() as tx:
        _drop(tx, account, review)


def _drop(tx: Transaction, account: str, review: str) -> None:
    tx.execute(delete(_drafts).where(_drafts.c.account == account, _drafts.c.review == review))
