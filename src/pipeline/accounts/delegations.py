"""Delegation: a person hands their role in a project to another, from day to day, and never for good.

A delegation is what its chained events say; the table only finds them. A row without its event counts for nothing,
and one whose end was erased has ended all the same.
"""

from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Select, select

from pipeline.accounts.naming import people_of, person_of
from pipeline.accounts.record import sound_events, stamp
from pipeline.accounts.secrets import new_secret, secret_digest
from pipeline.accounts.users import find_user, was_active
from pipeline.charter import Role
from pipeline.errors import Finding, Refused
from pipeline.language import legend, say
from pipeline.ledger import Event, Ledger, Reader, Transaction, tables

LONGEST_DAYS = 60
_ID_DIGITS = 12
_MADE, _ENDED = "delegation.made", "delegation.ended"


@dataclass(frozen=True)
class Delegation:
    """One person playing another's role for a while.

    Attributes:
        id: what lists and events call it.
        project: where.
        giver: whose role it is, a person of the charter.
        delegate: who plays it.
        role: the role, as the charter gave it to the giver when the delegation was made.
        starts, ends: the first and the last day, in UTC.
        made_at: UTC, ISO 8601.
        ended_at: when it was ended before its time; None otherwise.
    """

    id: str
    project: str
    giver: str
    delegate: str
    role: Role
    starts: date
    ends: date
    made_at: str
    ended_at: str | None

    def holds_at(self, moment: datetime) -> bool:
        """Whether it is in force at a moment; an early end is up to whoever reads events in order."""
        return self.starts <= moment.astimezone(UTC).date() <= self.ends


def delegate(ledger: Ledger, project: str, giver: str, to: str, starts: date, ends: date) -> Delegation:
    """Hand one's role to another.

    Args:
        ledger: the ledger.
        project: the project.
        giver: the person who hands on their own role, proven by the caller.
        to: the id of the other person's account.
        starts: the first day, in UTC.
        ends: the last day, in UTC; at most 60 days from the first.

    Raises:
        Refused: the rules do not allow it; recorded as ``delegation.refused``.
    """
    with ledger.transaction() as tx:
        finding = _objection(tx, project, giver, to) or _days(tx, project, giver, starts, ends)
        person = person_of(tx, project, giver)
        if finding is not None or person is None:
            found = finding or _unnamed(tx, project, giver)
            body = {
                "delegate": to,
                "starts": str(starts),
                "ends": str(ends),
                "finding": asdict(found),
                "legend": legend(found),
            }
            tx.note_refusal("delegation.refused", project, giver, giver, person.role if person else "", body)
            raise Refused(f"{giver} cannot hand their role to {to}", [found])
        name = secret_digest(new_secret())[:_ID_DIGITS]
        made = Delegation(name, project, giver, to, person.role, starts, ends, stamp(tx.now()), None)
        _store(tx, made)
        return made


def end_delegation(ledger: Ledger, delegation_id: str, *, by: str, trusted: bool = False) -> Delegation:
    """End a delegation before its time: the giver, the delegate, or an admin.

    Raises:
        Refused: there is no such delegation, or ``by`` is none of them.
    """
    with ledger.transaction() as tx:
        found = _find(tx, delegation_id)
        actor = find_user(tx, by)
        admin = trusted or (actor is not None and actor.admin and actor.active)
        if found is None or not (admin or by in {found.giver, found.delegate}):
            finding = Finding(delegation_id, say("there is no such delegation"), say("see the list of delegations"))
            raise Refused("No such delegation", [finding])
        return found if found.ended_at else end(tx, found, by=by)


def delegations(reader: Reader, project: str | None = None) -> tuple[Delegation, ...]:
    """All delegations, or one project's, the newest first; past and ended ones too."""
    query = select(tables.delegations)
    if project is not None:
        query = query.where(tables.delegations.c.project == project)
    return _read(reader, query)


def in_force(reader: Reader, user_id: str, project: str | None = None) -> tuple[Delegation, ...]:
    """The delegations to a person that are valid now, under the newest charters."""
    query = select(tables.delegations).where(tables.delegations.c.delegate == user_id)
    if project is not None:
        query = query.where(tables.delegations.c.project == project)
    now = reader.now()
    # What the rows found is asked again of what the events tell: a row may have been changed.
    mine = (one for one in _read(reader, query) if one.delegate == user_id and project in {None, one.project})
    return tuple(one for one in mine if not one.ended_at and one.holds_at(now) and _still_theirs(reader, one))


def in_force_today(reader: Reader) -> dict[str, tuple[Delegation, ...]]:
    """As :func:`in_force`, everybody's at once, by who received them."""
    now = reader.now()
    today = now.astimezone(UTC).date().isoformat()
    lasting = _read(reader, select(tables.delegations).where(tables.delegations.c.ends >= today))
    valid = [one for one in lasting if not one.ended_at and one.holds_at(now) and _still_theirs(reader, one)]
    return {name: tuple(one for one in valid if one.delegate == name) for name in {one.delegate for one in valid}}


def from_to(reader: Reader, project: str, giver: str, to: str) -> Delegation | None:
    """The delegation that lets one person play another's role now, or None."""
    return next((one for one in in_force(reader, to, project) if one.giver == giver), None)


def bore(reader: Reader, delegation_id: str, at: Event) -> Delegation | None:
    """The delegation, if the chain says that it was in force when an event was written; None otherwise."""
    events = [event for event in sound_events(reader, [delegation_id], [_MADE, _ENDED]) if event.seq < at.seq]
    found = _from_events(events)
    holds = found is not None and not found.ended_at and found.holds_at(datetime.fromisoformat(at.at))
    return found if holds else None


def given_or_received(tx: Transaction, user_id: str) -> tuple[Delegation, ...]:
    """The delegations from or to a person that have not ended."""
    mine = (tables.delegations.c.giver == user_id) | (tables.delegations.c.delegate == user_id)
    today = tx.now().astimezone(UTC).date()
    found = (one for one in _read(tx, select(tables.delegations).where(mine)) if user_id in {one.giver, one.delegate})
    return tuple(one for one in found if not one.ended_at and one.ends >= today)


def end(tx: Transaction, found: Delegation, *, by: str) -> Delegation:
    """As :func:`end_delegation`, in the caller's transaction and without asking who."""
    event = tx.append(_ENDED, found.project, found.id, by, "", {"giver": found.giver, "delegate": found.delegate})
    tx.execute(tables.delegations.update().where(tables.delegations.c.id == found.id).values(ended_at=event.at))
    return replace(found, ended_at=event.at)


def _find(reader: Reader, delegation_id: str) -> Delegation | None:
    if not delegation_id.isprintable():
        return None
    return next(iter(_read(reader, select(tables.delegations).where(tables.delegations.c.id == delegation_id))), None)


def _objection(tx: Transaction, project: str, giver: str, to: str) -> Finding | None:
    person = person_of(tx, project, giver)
    if person is None and in_force(tx, giver, project):
        found = say("plays a role in {project} only for somebody else", project=project)
        return Finding(giver, found, say("have the person of the charter hand it on; what was handed over stays there"))
    if person is None:
        return _unnamed(tx, project, giver)
    if giver == to:
        return Finding(to, say("is the same person"), say("name somebody else"))
    if not was_active(tx, giver):
        return Finding(giver, say("the account is deactivated"), say("ask an administrator to reactivate it"))
    account = find_user(tx, to)
    if account is None or not account.active or not was_active(tx, to):
        found = say("the account is deactivated") if account else say("has no account")
        return Finding(to, found, say("see `landed people list`, or have an administrator invite them"))
    return None


def _unnamed(tx: Transaction, project: str, giver: str) -> Finding:
    known = ", ".join(sorted(person.id for person in people_of(tx, project)))
    remedy = say("its people are: {known}", known=known) if known else say("no such project has run; check its name")
    return Finding(giver, say("has no role in {project}", project=project), remedy)


def _days(tx: Transaction, project: str, giver: str, starts: date, ends: date) -> Finding | None:
    span = say("{starts} to {ends}", starts=starts, ends=ends)
    if ends < starts:
        return Finding(
            say("days"),
            say("{span}: it would end before it starts", span=span),
            say("give the first day, then the last"),
        )
    if (ends - starts).days + 1 > LONGEST_DAYS:
        found = say("{span} is {days} days", span=span, days=(ends - starts).days + 1)
        return Finding(
            say("days"),
            found,
            say("stay within {limit}; for longer, change the people of the charter", limit=LONGEST_DAYS),
        )
    today = tx.now().astimezone(UTC).date()
    if ends < today:
        return Finding(say("days"), say("{span} is over", span=span), say("today is {today}", today=today))
    if starts > today + timedelta(days=366):
        return Finding(
            say("days"),
            say("{span} is more than a year away", span=span),
            say("hand the role over when the time has come nearer"),
        )
    for other in delegations(tx, project):
        if other.giver == giver and not other.ended_at and other.starts <= ends and starts <= other.ends:
            found = say(
                "the role is handed to {delegate} from {starts} to {ends} already",
                delegate=other.delegate,
                starts=other.starts,
                ends=other.ends,
            )
            return Finding(say("days"), found, say("end that delegation first, so that it is clear who signs"))
    return None


def _still_theirs(reader: Reader, one: Delegation) -> bool:
    person = person_of(reader, one.project, one.giver)
    return person is not None and person.role == one.role and was_active(reader, one.giver)


def _store(tx: Transaction, made: Delegation) -> None:
    fields = ("giver", "delegate", "role", "starts", "ends")
    body = {name: str(getattr(made, name)) for name in fields}
    event = tx.append(_MADE, made.project, made.id, made.giver, made.role, body)
    tx.execute(
        tables.delegations.insert().values(**body, id=made.id, project=made.project, made_at=event.at, event=event.seq)
    )


def _read(reader: Reader, query: Select[tuple[object, ...]]) -> tuple[Delegation, ...]:
    """The delegations the rows point to, as their events tell them."""
    events: dict[str, list[Event]] = {row["id"]: [] for row in reader.rows(query)}
    for event in sound_events(reader, events, [_MADE, _ENDED]):
        events[event.subject].append(event)
    told = (_from_events(mine) for mine in events.values())
    return tuple(sorted((one for one in told if one), key=lambda one: one.made_at, reverse=True))


def _from_events(events: list[Event]) -> Delegation | None:
    made = next((event for event in events if event.kind == _MADE), None)
    if made is None or made.actor != made.body["giver"]:
        return None
    ended = next((event.at for event in events if event.kind == _ENDED), None)
    days = {name: date.fromisoformat(made.body[name]) for name in ("starts", "ends")}
    people = {name: made.body[name] for name in ("giver", "delegate", "role")}
    return Delegation(
        id=made.subject, project=made.project, starts=days["starts"], ends=days["ends"], made_at=made.at,
        ended_at=ended, **people,
    )  # fmt: skip
