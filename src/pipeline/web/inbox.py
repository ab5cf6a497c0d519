"""Inbox: what waits for me, what waits for others, what is under way, and what was decided lately."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Request
from markupsafe import Markup
from sqlalchemy import select
from starlette.responses import Response

from pipeline.accounts import User
from pipeline.ledger import IterationRecord, current_iteration
from pipeline.ledger.tables import iterations, reviews
from pipeline.review import ReviewView, charter_of, show_review
from pipeline.web.fragments import card_facts, rendered
from pipeline.web.site import Site
from pipeline.web.threads import on_few_threads
from pipeline.web.visitors import Visitor, signed_in, today
from pipeline.web.waiting import Seat, Waiting, all_waiting, delegations_of, seats
from pipeline.web.wording import state

router = APIRouter(include_in_schema=False)

_LATELY = 8
_DECIDED = select(reviews.c.id).where(reviews.c.decision.is_not(None)).order_by(reviews.c.decided_at.desc()).limit(50)


@dataclass(frozen=True)
class Card:
    """An open review as one person sees it.

    Attributes:
        waiting: the review.
        seats: the roles this person can answer in; empty when it waits for others.
        overdue: whether its date has passed.
        own_run: whether this person started the run, so that somebody else has to sign.
        answered: whether this person signed already.
    """

    waiting: Waiting
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


@router.get("/")
@on_few_threads
def inbox(request: Request) -> Response:
    """The first page."""
    visitor = signed_in(request)
    return visitor.page("inbox.html.j2", content=_content(visitor))


def _content(visitor: Visitor) -> Markup:
    """What the page holds: the same until something happens, a day begins or a date passes."""
    site, now = visitor.site, visitor.site.ledger.now()
    overdue = frozenset(one.view.request.id for one in all_waiting(site) if _due(one) < now)
    key = ("inbox", visitor.user, visitor.language, today(site), overdue)
    return site.known(key, lambda: _rendered(visitor, overdue))


def _rendered(visitor: Visitor, overdue: frozenset[str]) -> Markup:
    site, user, mine = visitor.site, visitor.user, visitor.projects
    cards = [card for card in _cards(site, user, overdue) if card.waiting.view.request.project in mine]
    return rendered(
        visitor.language,
        "waiting.html.j2",
        facts={card.waiting.view.request.id: card_facts(site, card.waiting, visitor.language) for card in cards},
        mine=[card for card in cards if card.seats],
        others=[card for card in cards if not card.seats],
        under_way=[one for one in _under_way(site) if one.record.project in mine],
        lately=[view for view in _lately(site) if view.request.project in mine][:_LATELY],
        projects=mine,
    )


def _due(one: Waiting) -> datetime:
    return datetime.fromisoformat(one.view.request.due_at)


def _cards(site: Site, user: User, overdue: frozenset[str]) -> list[Card]:
    """Overdue and oldest first: reviews come ordered by the date they are due."""
    given = delegations_of(site, user)
    return [
        Card(
            waiting=one,
            seats=seats(one.view, user.id, given),
            overdue=one.view.request.id in overdue,
            own_run=one.view.request.requested_by == user.id,
            answered=any(answer.person == user.id for answer in one.view.signoffs),
        )
        for one in all_waiting(site)
    ]


def _under_way(site: Site) -> tuple[UnderWay, ...]:
    return site.known("under way", lambda: tuple(_find_under_way(site)))


def _find_under_way(site: Site) -> Sequence[UnderWay]:
    names = site.ledger.rows(select(iterations.c.project).distinct().order_by(iterations.c.project))
    found = []
    for name in names:
        record = current_iteration(site.ledger, name["project"])
        if record is not None and record.state not in {"awaiting_review", "closed"}:
            found.append(UnderWay(charter_of(record).title, record, state(record.state)))
    return found


def _lately(site: Site) -> tuple[ReviewView, ...]:
    """The reviews decided last, newest first."""
    ledger = site.ledger
    return site.known("lately", lambda: tuple(show_review(ledger, row["id"]) for row in ledger.rows(_DECIDED)))
