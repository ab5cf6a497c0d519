"""Feedback items: what a person saw, what should change, and how one will know that it helped."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints
from sqlalchemy import bindparam, select

from pipeline.charter import Role
from pipeline.language import recalled
from pipeline.ledger import Reader, Transaction
from pipeline.ledger.chain import canonical
from pipeline.ledger.tables import events, feedback_items, reviews

ItemKind = Literal["missing_signal", "wrong_slice", "policy_change", "scope_change", "data_issue", "other"]
ItemStatus = Literal["open", "applied", "deferred", "declined"]

#: Printable text of people: no control characters but tab and line break, no halves of surrogate pairs.
Words = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=2000, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$"),
]
ItemId = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9_-]{0,30}$")]
Path = Annotated[str, StringConstraints(min_length=1, max_length=200)]

#: Asked whenever a review or a project is looked at, so put together once.
_OF_PROJECT = (
    select(feedback_items)
    .where(feedback_items.c.project == bindparam("project"))
    .order_by(feedback_items.c.event, feedback_items.c.place)
)
_OF_REVIEW = _OF_PROJECT.where(feedback_items.c.review == bindparam("review"))
_OF_OPEN = (
    select(feedback_items)
    .join(reviews, reviews.c.id == feedback_items.c.review)
    .where(reviews.c.state == "open")
    .order_by(feedback_items.c.event, feedback_items.c.place)
)


class FeedbackItem(BaseModel):
    """One thing a reviewer wants changed.

    Attributes:
        id: short name, unique in the project, such as ``F1``.
        author: the person of the charter whose observation it is.
        role: that person's role.
        kind: what kind of remark.
        slice: where it was seen, as column and value; empty for everywhere.
        seen: what they saw.
        change: what should change, in words.
        patch: the change as dotted charter paths and their new values; empty when no charter entry expresses it.
        acceptance: what must hold afterwards.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    id: ItemId
    author: Words
    role: Role
    kind: ItemKind
    slice: dict[Words, Words] = Field(default_factory=dict)
    seen: Words
    change: Words
    patch: dict[Path, JsonValue] = Field(default_factory=dict)
    acceptance: Words


@dataclass(frozen=True)
class Filed:
    """A feedback item in the ledger.

    Attributes:
        item: the item.
        project: its project.
        review: the review it came with.
        signed_by: whose sign-off brought it; the author may be somebody else of the charter.
        status, reason: what became of it and why; ``open`` until the review's decision is applied.
        effect: what it changed, measured, once the next iteration has a report.
        event: seq of the sign-off's event.
    """

    item: FeedbackItem
    project: str
    review: str
    signed_by: str
    status: ItemStatus
    reason: str
    effect: Mapping[str, Any] | None
    event: int


def file_item(
    tx: Transaction, item: FeedbackItem, *, project: str, review: str, signed_by: str, event: int, place: int
) -> None:
    """Keep an item that came with a sign-off, whose event holds its content."""
    tx.execute(
        feedback_items.insert().values(
            project=project, id=item.id, review=review, event=event, place=place, signed_by=signed_by,
            content=canonical(item.model_dump(mode="json")), status="open", reason="",
        )
    )  # fmt: skip


def items_of(reader: Reader, project: str, review: str | None = None) -> tuple[Filed, ...]:
    """The items of a project, or of one review, in the order they were signed."""
    if review is None:
        rows = reader.rows(_OF_PROJECT, {"project": project})
    else:
        rows = reader.rows(_OF_REVIEW, {"project": project, "review": review})
    told = _legend(reader, project, review) if any(row["reason"] for row in rows) else {}
    return tuple(_filed(row, told) for row in rows)


def items_of_open(reader: Reader) -> dict[str, tuple[Filed, ...]]:
    """The items that came with the answers to every open review, by its id; nothing has become of them yet."""
    found: dict[str, list[Filed]] = {}
    for row in reader.rows(_OF_OPEN):
        found.setdefault(row["review"], []).append(_filed(row, {}))
    return {review: tuple(items) for review, items in found.items()}


def _legend(reader: Reader, project: str, review: str | None) -> dict[str, Any]:
    """How to say the reasons of items in another language: the events that applied their reviews know."""
    query = select(events.c.body).where(events.c.project == project, events.c.kind == "review.applied")
    found = reader.rows(query if review is None else query.where(events.c.subject == review))
    told: dict[str, Any] = {}
    for row in found:
        told |= json.loads(row["body"]).get("legend", {})
    return told


def settle(tx: Transaction, project: str, item: str, status: ItemStatus, reason: str) -> None:
    """Set what became of an item; the caller's event says so too."""
    tx.execute(
        feedback_items.update()
        .where(feedback_items.c.project == project, feedback_items.c.id == item)
        .values(status=status, reason=reason)
    )


def record_effect(
    tx: Transaction, project: str, item: str, effect: Mapping[str, Any], *, iteration: str, actor: str
) -> None:
    """Record the measured effect of an applied item.

    Args:
        tx: the transaction.
        project: the project.
        item: id of the item.
        effect: JSON figures, such as the paired difference and its interval.
        iteration: subject of the iteration that measured it.
        actor: who measured, usually the identity that started the run.
    """
    tx.execute(
        feedback_items.update()
        .where(feedback_items.c.project == project, feedback_items.c.id == item)
        .values(effect=canonical(effect))
    )
    tx.append("feedback.measured", project, item, actor, "", {"effect": dict(effect), "iteration": iteration})


def _filed(row: Mapping[str, Any], told: Mapping[str, Any]) -> Filed:
    return Filed(
        item=FeedbackItem.model_validate_json(row["content"]),
        project=row["project"],
        review=row["review"],
        signed_by=row["signed_by"],
        status=row["status"],
        reason=recalled(row["reason"], told),
        effect=json.loads(row["effect"]) if row["effect"] is not None else None,
        event=row["event"],
    )
