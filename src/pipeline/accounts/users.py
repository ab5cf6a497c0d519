"""Accounts: who exists, with which rights over the site. A person's role in a project is the charter's to say.

An account's id is the id the charters use for the person. Names and e-mail addresses stay out of the chain of
events, which cannot forget; the id and what was done stay in it for good.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from pipeline.accounts.record import sound_events, stamp
from pipeline.errors import Finding, Refused
from pipeline.language import say
from pipeline.ledger import Ledger, Reader, Transaction
from pipeline.ledger.tables import accounts

_ID = re.compile(r"[a-z][a-z0-9_.-]{1,62}")
_EMAIL = re.compile(r"[^\s@<>\"',;:\\]{1,64}@[^\s@<>\"',;:\\]{1,190}")
_LANGUAGE = re.compile(r"[a-z]{2}(_[A-Za-z]{2,4})?")
_LONGEST_NAME = 200
#: What programs sign their events with; nobody may be mistaken for one.
_PROGRAMS = frozenset({"landed", "scheduler"})


@dataclass(frozen=True)
class User:
    """An account without its secrets.

    Attributes:
        id: the person's id in the charters.
        name: the name colleagues read.
        email: lower case, empty when there is none.
        admin: may manage accounts. A right over the site: an admin signs only where a charter names them.
        auditor: may read every project and nothing else.
        active: whether this person may come in at all.
        language: of pages and notices, such as ``en`` or ``zh_Hans``.
        created_at: UTC, ISO 8601.
        has_password: whether a password was set; false until the invitation is accepted.
    """

    id: str
    name: str
    email: str
    admin: bool
    auditor: bool
    active: bool
    language: str
    created_at: str
    has_password: bool


def any_account(reader: Reader) -> bool:
    """Whether this installation has accounts; as long as it has none, the operator of the machine is trusted."""
    return bool(reader.rows(select(accounts.c.id).limit(1)))


def users(reader: Reader) -> tuple[User, ...]:
    """All accounts by id, deactivated ones too."""
    return tuple(to_user(row) for row in reader.rows(select(accounts).order_by(accounts.c.id)))


def find_user(reader: Reader, user_id: str) -> User | None:
    """The account of this id, or None."""
    row = account_row(reader, user_id)
    return to_user(row) if row else None


def find_by_email(reader: Reader, email: str) -> User | None:
    """The account with this e-mail address, whatever the case of its letters, or None."""
    row = row_by_email(reader, email.strip().lower())
    return to_user(row) if row else None


def get_user(reader: Reader, user_id: str) -> User:
    """The account of this id.

    Raises:
        Refused: there is none.
    """
    found = find_user(reader, user_id)
    if found is None:
        finding = Finding(user_id, say("there is no such account"), say("see the accounts with `landed people list`"))
        raise Refused("No such account", [finding])
    return found


def create_user(
    ledger: Ledger, user_id: str, name: str, email: str = "", *, by: str, admin: bool = False, auditor: bool = False,
    language: str = "en", trusted: bool = False,
) -> User:  # fmt: skip
    """Make an account without a password; for people who come in by OpenID Connect or a proxy.

    Everybody else is invited: see :func:`pipeline.accounts.invitations.invite`.

    Args:
        ledger: the ledger.
        user_id: the person's id in the charters.
        name: the name colleagues read.
        email: their address; may be empty.
        by: who makes it; an admin, unless ``trusted``.
        admin: whether they may manage accounts.
        auditor: whether they may read every project.
        language: of their pages and notices.
        trusted: whether ``by`` is the trusted operator of the machine.

    Raises:
        Refused: ``by`` may not, a text may not be, or the id or address is taken.
    """
    with ledger.transaction() as tx:
        require_admin(tx, by, trusted=trusted)
        return add_account(tx, user_id, name, email, by=by, admin=admin, auditor=auditor, language=language)


def change_language(ledger: Ledger, user_id: str, language: str) -> User:
    """Note the language a person reads; no event, since it decides nothing.

    Raises:
        Refused: no such account, or not the name of a language.
    """
    with ledger.transaction() as tx:
        get_user(tx, user_id)
        _require(
            _LANGUAGE.fullmatch(language),
            say("language"),
            say("“{language}” names none", language=language),
            say("write such as en or zh_Hans"),
        )
        tx.execute(accounts.update().where(accounts.c.id == user_id).values(language=language))
        return get_user(tx, user_id)


def was_active(reader: Reader, user_id: str, before: int | None = None) -> bool:
    """Whether the chain's events leave this person in: no account at all counts, a deactivated one does not.

    Args:
        reader: the ledger or a transaction.
        user_id: the person.
        before: only events before this seq count; all when None.
    """
    told = sound_events(reader, [user_id], ["account.deactivated", "account.reactivated"])
    relevant = [event for event in told if before is None or event.seq < before]
    return not relevant or relevant[-1].kind == "account.reactivated"


def require_admin(tx: Transaction, by: str, *, trusted: bool) -> None:
    """Let an active admin pass, or the machine's operator: by an explicit setting, or while there is no account.

    Raises:
        Refused: anybody else.
    """
    if trusted or not any_account(tx):
        return
    actor = find_user(tx, by)
    if actor is None or not (actor.admin and actor.active):
        finding = Finding(
            by or "nobody", say("is not an administrator of this site"), say("ask an administrator to do it")
        )
        tx.note_refusal("account.refused", "", by, by, "", {"action": "administer"})
        raise Refused("Accounts are managed by administrators", [finding])


def add_account(
    tx: Transaction, user_id: str, name: str, email: str, *, by: str, admin: bool, auditor: bool, language: str
) -> User:
    """The row and the event of a new account, in the caller's transaction."""
    name, email = name.strip(), email.strip().lower()
    _check(user_id, name, email, language)
    if find_user(tx, user_id) is not None:
        raise _taken(
            user_id, say("this id has an account already"), say("invite the person by another id, or reset theirs")
        )
    if find_by_email(tx, email) is not None:
        raise _taken(email, say("another account has this e-mail address"), say("give everybody their own address"))
    tx.execute(
        accounts.insert().values(
            id=user_id, name=name, email=email or None, admin=admin, auditor=auditor, active=True, language=language,
            created_at=stamp(tx.now()),
        )
    )  # fmt: skip
    tx.append("account.created", "", user_id, by, "", {"admin": admin, "auditor": auditor})
    return get_user(tx, user_id)


def account_row(reader: Reader, user_id: str) -> dict[str, Any] | None:
    """The stored columns of an account, its password's hash among them; for this room only."""
    # Not every text a request brings can be sent to a store; none of those is an id.
    rows = reader.rows(select(accounts).where(accounts.c.id == user_id)) if _ID.fullmatch(user_id) else []
    return rows[0] if rows else None


def row_by_email(reader: Reader, email: str) -> dict[str, Any] | None:
    """As :func:`account_row`, by e-mail address in lower case."""
    rows = reader.rows(select(accounts).where(accounts.c.email == email)) if _is_email(email) else []
    return rows[0] if rows else None


def _is_email(text: str) -> bool:
    return text.isprintable() and _EMAIL.fullmatch(text) is not None


def to_user(row: Mapping[str, Any]) -> User:
    """An account from its columns."""
    same = ("id", "name", "admin", "auditor", "active", "language", "created_at")
    fields = {name: row[name] for name in same}
    return User(**fields, email=row["email"] or "", has_password=row["password"] is not None)


def _check(user_id: str, name: str, email: str, language: str) -> None:
    remedy = say("use 2 to 63 of a–z, 0–9, dot, dash and underscore, a letter first, as in the charter's people")
    _require(_ID.fullmatch(user_id), say("id"), say("“{id}” cannot be an id", id=user_id[:80]), remedy)
    _require(
        user_id not in _PROGRAMS,
        say("id"),
        say("{id} is the name a program signs with", id=user_id),
        say("choose another"),
    )
    sound = 0 < len(name) <= _LONGEST_NAME and name.isprintable()
    _require(sound, say("name"), say("it is empty, too long or cannot be shown"), say("write the name colleagues read"))
    _require(
        not email or _is_email(email),
        say("e-mail"),
        say("“{address}” is no address", address=email[:80]),
        say("write name@example.com"),
    )
    _require(
        _LANGUAGE.fullmatch(language),
        say("language"),
        say("“{language}” names none", language=language),
        say("write such as en or zh_Hans"),
    )


def _require(sound: object, place: str, found: str, remedy: str) -> None:
    if not sound:
        raise Refused("The account cannot be made so", [Finding(place, found, remedy)])


def _taken(place: str, found: str, remedy: str) -> Refused:
    return Refused("There is such an account already", [Finding(place, found, remedy)])
