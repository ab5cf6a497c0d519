"""What waits for whom: open reviews, as the inbox and every page's counter need them."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.accounts import Delegation, User, in_force_today
from pipeline.charter import Role
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


def all_waiting(site: Site) -> tuple[ReviewView, ...]:
    """Every open review, the one due first at the top."""
    return site.known("waiting", lambda: open_reviews(site.reader))


def newest(site: Site) -> dict[str, IterationRecord]:
    """The newest iteration of every project, by its name in order."""
    return site.known("newest", lambda: {one.project: one for one in newest_iterations(site.reader)})


def waiting_for(site: Site, user: User) -> tuple[ReviewView, ...]:
    """The open reviews this person can answer now."""
    given = delegations_of(site, user)
    return tuple(one for one in all_waiting(site) if seats(one, user.id, given))


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
