"""One-time links: the only way to a first password, and to a new one when the old is forgotten."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from sqlalchemy import Select, delete, select

from pipeline.accounts.record import stamp
from pipeline.accounts.secrets import new_secret, secret_digest
from pipeline.accounts.signin import checked_password, store_password
from pipeline.accounts.users import User, add_account, find_user, get_user, require_admin, to_user
from pipeline.errors import Finding, Refused
from pipeline.language import say
from pipeline.ledger import Ledger, Reader, Transaction
from pipeline.ledger.tables import accounts, invitations

Purpose = Literal["invite", "reset"]

VALID_FOR = timedelta(hours=72)
#: Where the site takes a link; the secret follows.
PATH = "/invitation/"


@dataclass(frozen=True)
class Invitation:
    """A one-time link, on its way to a person.

    Attributes:
        user: whose.
        purpose: ``invite`` to a first password, ``reset`` to a new one.
        expires_at: UTC, ISO 8601.
        secret: the link's secret part; shown once, kept only as a hash.
    """

    user: User
    purpose: Purpose
    expires_at: str
    secret: str = field(repr=False)


def invite(
    ledger: Ledger, user_id: str, name: str, email: str = "", *, by: str, admin: bool = False, auditor: bool = False,
    language: str = "en", trusted: bool = False,
) -> Invitation:  # fmt: skip
    """Make an account and its link; for an account without a password, a new link in the place of the old.

    Args:
        ledger: the ledger.
        user_id: the person's id in the charters.
        name: the name colleagues read.
        email: their address; may be empty.
        by: who invites; an admin, unless ``trusted``.
        admin: whether they may manage accounts.
        auditor: whether they may read every project.
        language: of their pages and notices. An account that is there already keeps all of these as they are.
        trusted: whether ``by`` is the trusted operator of the machine.

    Raises:
        Refused: ``by`` may not, a text may not be, or the account has a password already.
    """
    with ledger.transaction() as tx:
        require_admin(tx, by, trusted=trusted)
        user = find_user(tx, user_id) or add_account(
            tx, user_id, name, email, by=by, admin=admin, auditor=auditor, language=language
        )
        if user.has_password:
            finding = Finding(
                user_id, say("this account has a password already"), say("make a link to a new one: reset it")
            )
            raise Refused("There is such an account already", [finding])
        return _issue(tx, user, "invite", by)


def reset(ledger: Ledger, user_id: str, *, by: str, trusted: bool = False) -> Invitation:
    """Make a link to a new password; the old one holds until the link is used.

    Raises:
        Refused: ``by`` may not, there is no such account, or it is deactivated.
    """
    with ledger.transaction() as tx:
        require_admin(tx, by, trusted=trusted)
        return _issue(tx, get_user(tx, user_id), "reset", by)


def invited(reader: Reader, secret: str) -> User | None:
    """Whose link this is; None when it is unknown, used, expired or void."""
    rows = reader.rows(_valid(reader, secret))
    return to_user(rows[0]) if rows else None


def accept(ledger: Ledger, secret: str, password: str) -> User:
    """Use a link: set the password. Of many at the same moment, one wins.

    Raises:
        Refused: the link is not valid (any more), or the password may not be; then the link stays valid.
    """
    user = invited(ledger, secret)
    if user is None:
        raise _void()
    kept = checked_password(ledger, user, password)
    with ledger.transaction() as tx:
        if invited(tx, secret) is None:
            raise _void()
        used = invitations.update().where(
            invitations.c.digest == secret_digest(secret), invitations.c.used_at.is_(None)
        )
        if tx.execute(used.values(used_at=stamp(tx.now()))) != 1:
            raise _void()
        return store_password(tx, user.id, kept, by=user.id)


def void_links(tx: Transaction, user_id: str) -> None:
    """Make all unused links of a person worthless."""
    tx.execute(delete(invitations).where(invitations.c.account == user_id, invitations.c.used_at.is_(None)))


def _issue(tx: Transaction, user: User, purpose: Purpose, by: str) -> Invitation:
    if not user.active:
        finding = Finding(user.id, say("the account is deactivated"), say("reactivate it first"))
        raise Refused("No link for this account", [finding])
    secret, expires = new_secret(), stamp(tx.now() + VALID_FOR)
    void_links(tx, user.id)
    tx.execute(
        invitations.insert().values(
            digest=secret_digest(secret), account=user.id, purpose=purpose, made_by=by, expires_at=expires
        )
    )
    tx.append("account.link_made", "", user.id, by, "", {"purpose": purpose, "expires": expires})
    return Invitation(user, purpose, expires, secret)


def _valid(reader: Reader, secret: str) -> Select[Any]:
    return (
        select(*accounts.c)
        .join(invitations, invitations.c.account == accounts.c.id)
        .where(
            invitations.c.digest == secret_digest(secret),
            invitations.c.used_at.is_(None),
            invitations.c.expires_at > stamp(reader.now()),
            accounts.c.active,
        )
    )


def _void() -> Refused:
    finding = Finding(
        say("link"), say("it was used, has expired or was replaced"), say("ask an administrator for a new one")
    )
    return Refused("This link does not work (any more)", [finding])
