"""A review as one person sees it: the request, its evidence, who must sign what, and what each decision will do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from pipeline.charter import Charter, DecisionName, Role
from pipeline.errors import DataError, Refused
from pipeline.language import Language, Translator, say, term, translator
from pipeline.ledger import IterationRecord, Reader
from pipeline.review import ReviewRequest, reviews_of, show_review
from pipeline.review.consequences import consequence
from pipeline.review.listing import ReviewView
from pipeline.web.packs import Pack, find_pack
from pipeline.web.site import Site
from pipeline.web.visitors import NotFoundError, Visitor
from pipeline.web.waiting import Seat, delegations_of, seats
from pipeline.web.wording import DECISIONS, LAND


@dataclass(frozen=True)
class Signature:
    """A role that must sign a decision.

    Attributes:
        role: the role.
        names: who holds it and may sign.
        done: whether it signed this decision.
        against: what it signed instead, if it did.
    """

    role: Role
    names: tuple[str, ...]
    done: bool
    against: DecisionName | None


@dataclass(frozen=True)
class Option:
    """A decision on offer, in words.

    Attributes:
        name: the charter's name for it.
        title: in a few words.
        consequence: what will happen next.
        barred: why it cannot be taken; empty where it can.
        waived: what need not hold for it now, by whose word, and is not in the report.
        signatures: who must sign it.
    """

    name: DecisionName
    title: str
    consequence: str
    barred: tuple[str, ...]
    waived: tuple[str, ...]
    signatures: tuple[Signature, ...]

    @property
    def complete_with(self) -> int:
        """How many signatures are still missing."""
        return sum(not signature.done for signature in self.signatures)


@dataclass(frozen=True)
class ReviewShown:
    """All that the review's pages show.

    Attributes:
        view: from the ledger.
        pack: the evidence; None when its files are not what the ledger's hash stands for.
        options: the decisions on offer.
        seats: the roles this person may answer in.
        overdue: whether the date has passed.
        successor: the review of the newer report, when this one lapsed.
        language: of the reader.
    """

    view: ReviewView
    pack: Pack | None
    options: tuple[Option, ...]
    seats: tuple[Seat, ...]
    overdue: bool
    successor: ReviewRequest | None
    language: str = "en"

    @property
    def request(self) -> ReviewRequest:
        """The request."""
        return self.view.request

    @property
    def record(self) -> IterationRecord:
        """The iteration it asks about."""
        return self.view.record

    @property
    def charter(self) -> Charter:
        """The charter that runs under."""
        return self.view.charter

    @property
    def documents(self) -> tuple[tuple[str, str], ...]:
        """The pack's documents for people, in the reader's language: file and title."""
        if self.pack is None:
            return ()
        end = ".zh.html" if self.language == "zh_Hans" else ".html"
        names = [("model-card", say("Model card")), ("data-sheet", say("Data sheet"))]
        names += [(f"digest-{seat.role.replace('_', '-')}", say("Your page of the report")) for seat in self.seats[:1]]
        return tuple((name + end, title) for name, title in names if name + end in self.pack.files)

    @property
    def can_sign(self) -> bool:
        """Whether this person can answer now: in time, in a role of theirs, with the evidence at hand."""
        return bool(self.seats) and self.pack is not None and self.record.state == "awaiting_review"


def find_shown(visitor: Visitor, review_id: str) -> ReviewShown:
    """A review for the person who asks.

    Raises:
        NotFoundError: there is none, or it is not theirs to see.
    """
    site = visitor.site
    found = _found(site, review_id)
    visitor.require("view", found.view.request.project)
    request = found.view.request
    language = visitor.language
    options = site.known(("options", review_id, language), lambda: _options(found, language))
    return ReviewShown(
        view=found.view,
        pack=_pack(site, request),
        options=options,
        seats=seats(found.view, visitor.user.id, delegations_of(site, visitor.user)),
        overdue=request.state == "open" and datetime.fromisoformat(request.due_at) < site.ledger.now(),
        successor=found.newest if request.state == "stale" and found.newest.id != review_id else None,
        language=language,
    )


@dataclass(frozen=True)
class _Found:
    """What the ledger holds of a review, whoever asks; ``newest`` is the last request of its iteration."""

    view: ReviewView
    newest: ReviewRequest


def _found(site: Site, review_id: str) -> _Found:
    try:
        return site.known(("review", review_id), lambda: _look_up(site.reader, review_id))
    except Refused as exc:
        raise NotFoundError from exc


def _look_up(reader: Reader, review_id: str) -> _Found:
    view = show_review(reader, review_id)
    return _Found(view, reviews_of(reader, view.record)[-1])


def _pack(site: Site, request: ReviewRequest) -> Pack | None:
    try:
        return find_pack(site, request.report_digest)
    except (DataError, NotFoundError, OSError):
        return None


def _options(found: _Found, language: Language) -> tuple[Option, ...]:
    view, record, charter = found.view, found.view.record, found.view.charter
    result = record.result or {}
    word = str(result.get("unit_word", "units"))
    start = result.get("next_period")
    speaks = translator(language)
    starts = speaks.date(date.fromisoformat(start)) if start else None
    top = charter.stage_after(record.stage) is None
    return tuple(
        Option(
            name=name,
            title=LAND if name == "advance" and top else DECISIONS[name],
            consequence=consequence(charter, record, name, word, starts),
            barred=_barred(view, name),
            waived=_waived(view, speaks) if name == "advance" else (),
            signatures=_signatures(view, charter, name),
        )
        for name in view.request.allowed
    )


def _barred(view: ReviewView, name: DecisionName) -> tuple[str, ...]:
    failed = () if view.request.on_offer(name) else tuple(blocking.reason for blocking in view.request.blocking)
    if name != "advance":
        return failed
    missing = [
        say("{text}: the word of {role} is missing.", text=term(one.text), role=term(one.role.replace("_", " ")))
        for one in view.open_controls
    ]
    return (*failed, *missing)


def _waived(view: ReviewView, speaks: Translator) -> tuple[str, ...]:
    return tuple(
        say(
            "{text}: {person} waived it until {until}, after this report was made: {reason}",
            text=term(one.text), person=one.person, until=speaks.date(one.until), reason=one.reason,
        )
        for one in view.waived
    )  # fmt: skip


def _signatures(view: ReviewView, charter: Charter, decision: DecisionName) -> tuple[Signature, ...]:
    given = {answer.role: answer.decision for answer in view.signoffs}
    return tuple(
        Signature(
            role=role,
            names=_holders(charter, role, view.request.requested_by),
            done=given.get(role) == decision,
            against=given[role] if role in given and given[role] != decision else None,
        )
        for role in view.request.signers.get(decision, ())
    )


def _holders(charter: Charter, role: Role, started_by: str) -> tuple[str, ...]:
    return tuple(person.name for person in charter.people if person.role == role and person.id != started_by)


def seat_of(found: Sequence[Seat], key: str) -> Seat | None:
    """The seat a form names; the only one where there is but one."""
    if len(found) == 1:
        return found[0]
    return next((seat for seat in found if seat.key == key), None)
