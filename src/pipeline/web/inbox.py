"""Inbox: what waits for me, what waits for others, what is under way, and what was decided lately."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy import select
from starlette.responses import Response

from pipeline.accounts import User
from pipeline.ledger import IterationRecord
from pipeline.ledger.tables import reviews
from pipeline.review import ReviewRequest, charter_of
from pipeline.review.listing import ReviewView
from pipeline.review.requests import to_request
from pipeline.web.fragments import card_facts
from pipeline.web.site import Site
from pipeline.web.threads import on_few_threads
from pipeline.web.visitors import Visitor, signed_in
from pipeline.web.waiting import Seat, all_waiting, delegations_of, newest, seats
from pipeline.web.wording import state

router = APIRouter(include_in_schema=False)

_LATELY = 8
_DECIDED = select(reviews).where(reviews.c.decision.is_not(None)).order_by(reviews.c.decided_at.desc()).limit(_LATELY)


@dataclass(frozen=True)
class Card:
    """An open review as one person sees it.

    Attributes:
        view: the review.
        seats: the roles this person can answer in; empty when it waits for others.
        overdue: whether its date has passed.
        own_run: whether this person started the run, so that somebody else has to sign.
        answered: whether this person signed already.
    """

    view: ReviewView
    seats: tuple[Seat, ...]
    overdue: bool
    own_run: bool
    answered: bool


@dataclass(frozen=True)
class UnderWay:
    """The newest iteration of a project that no review waits for."""

    title: str
    record: IterationRecord
    state: str


@dataclass(frozen=True)
class Decided:
    """A review that is over."""

    title: str
    request: ReviewRequest


@router.get("/")
@on_few_threads
def inbox(request: Request) -> Response:
    """The first page."""
    visitor = signed_in(request)
    site, now = visitor.site, visitor.site.ledger.now()
    overdue = frozenset(one.request.id for one in all_waiting(site) if _due(one) < now)
    return visitor.kept_page("inbox.html.j2", overdue, lambda: _content(visitor, overdue))


def _content(visitor: Visitor, overdue: frozenset[str]) -> dict[str, Any]:
    site, user, mine = visitor.site, visitor.user, visitor.projects
    cards = [card for card in _cards(site, user, overdue) if card.view.request.project in mine]
    return {
        "facts": {card.view.request.id: card_facts(site, card.view, visitor.language) for card in cards},
        "mine": [card for card in cards if card.seats],
        "others": [card for card in cards if not card.seats],
        "under_way": [one for one in _under_way(site) if one.record.project in mine],
        "lately": _lately(site, mine),
        "projects": mine,
    }


def _due(view: ReviewView) -> datetime:
    return datetime.fromisoformat(view.request.due_at)


def _cards(site: Site, user: User, overdue: frozenset[str]) -> list[Card]:
    """Overdue and oldest first: reviews come ordered by the date they are due."""
    given = delegations_of(site, user)
    return [
        Card(
            view=one,
            seats=seats(one, user.id, given),
            overdue=one.request.id in overdue,
            own_run=one.request.requested_by == user.id,
            answered=any(answer.person == user.id for answer in one.signoffs),
        )
        for one in all_waiting(site)
    ]


def _under_way(site: Site) -> list[UnderWay]:
    return [
        UnderWay(charter_of(record).title, record, state(record.state))
        for record in newest(site).values()
        if record.state not in {"awaiting_review", "closed"}
    ]


def _lately(site: Site, mine: tuple[str, ...]) -> tuple[Decided, ...]:
    """The reviews of these projects that were decided last, newest first."""
    query = _DECIDED.where(reviews.c.project.in_(mine))
    found = site.known(("decided", mine), lambda: tuple(to_request(row) for row in site.reader.rows(query)))
    return tuple(Decided(charter_of(newest(site)[one.project]).title, one) for one in found)
