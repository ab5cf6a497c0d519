"""What waits for whom: open reviews, as the inbox and every page's counter need them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.accounts import Delegation, User, in_force_today
from pipeline.charter import Charter, Role
from pipeline.ledger import IterationRecord, newest_iterations
from pipeline.review import open_reviews
from pipeline.review.listing import ReviewView
from pipeline.web.site import Site


@dataclass(frozen=True)
class Seat:
    """A role in which somebody may answer a review, and for whom: None where it is their own."""

    role: Role
    on_behalf_of: str | None

    @property
    def key(self) -> str:
        """How a form names it."""
        return self.on_behalf_of or ""


@dataclass(frozen=True)
class Waiting:
    """An open review with what the inbox tells of it."""

    view: ReviewView

    @property
    def record(self) -> IterationRecord:
        """The iteration it asks about."""
        return self.view.record

    @property
    def charter(self) -> Charter:
        """The charter it runs under."""
        return self.view.charter

    @property
    def kpi(self) -> dict[str, Any] | None:
        """The charter's KPI as the ledger keeps it, or None before there are figures."""
        result = self.record.result
        found: dict[str, Any] | None = result["kpis"][result["kpi"]] if result else None
        return found


def all_waiting(site: Site) -> tuple[Waiting, ...]:
    """Every open review, the one due first at the top."""
    return site.known("waiting", lambda: tuple(map(Waiting, open_reviews(site.reader))))


def newest(site: Site) -> dict[str, IterationRecord]:
    """The newest iteration of every project, by its name in order."""
    return site.known("newest", lambda: {one.project: one for one in newest_iterations(site.reader)})


def waiting_for(site: Site, user: User) -> tuple[Waiting, ...]:
    """The open reviews this person can answer now."""
    given = delegations_of(site, user)
    return tuple(one for one in all_waiting(site) if seats(one.view, user.id, given))


def delegations_of(site: Site, user: User) -> tuple[Delegation, ...]:
    """What others handed to this person, as of today."""
    return site.known("delegations", lambda: in_force_today(site.reader)).get(user.id, ())


def seats(view: ReviewView, user_id: str, given: Sequence[Delegation]) -> tuple[Seat, ...]:
    """The roles in which this person may answer a review: their own first, then those handed to them."""
    if view.request.state != "open" or user_id == view.request.requested_by:
        return ()
    if any(answer.person == user_id for answer in view.signoffs):
        return ()
    missing = {person.id: person.role for person in view.missing}
    own = [Seat(missing[user_id], None)] if user_id in missing else []
    handed = [
        Seat(one.role, one.giver)
        for one in given
        if one.project == view.request.project and missing.get(one.giver) == one.role
    ]
    return (*own, *handed)
