"""API tokens: for programs that act as a person, with at most that person's rights.

Everybody makes tokens for themselves only. An admin who could make one in another's name could sign in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from pipeline.accounts.record import stamp
from pipeline.accounts.secrets import new_secret, secret_digest
from pipeline.accounts.users import User, get_user
from pipeline.errors import Finding, Refused
from pipeline.language import say
from pipeline.ledger import Ledger, Reader, Transaction
from pipeline.ledger.tables import accounts, api_tokens

PREFIX = "landed_"
LONGEST_DAYS = 365
_LONGEST_NAME = 80
_ID_DIGITS = 12
_USED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class Token:
    """A token without its secret.

    Attributes:
        id: what lists and events call it; says nothing about the secret.
        user: whose rights it has.
        name: what its owner calls it, such as ``laptop``.
        read_only: whether it may only look.
        made_at, expires_at: UTC, ISO 8601.
        last_used_at: to the minute; None when never.
        revoked_at: None while it stands.
    """

    id: str
    user: str
    name: str
    read_only: bool
    made_at: str
    expires_at: str
    last_used_at: str | None
    revoked_at: str | None


@dataclass(frozen=True)
class NewToken:
    """A token that was just made; the secret is shown once and kept only as a hash."""

    token: Token
    secret: str = field(repr=False)


@dataclass(frozen=True)
class Bearer:
    """Who a token speaks for."""

    user: User
    token: Token


def make_token(ledger: Ledger, user_id: str, name: str, *, days: int = 90, read_only: bool = False) -> NewToken:
    """Make a token for oneself.

    Args:
        ledger: the ledger.
        user_id: the person who asks, proven by the caller.
        name: what to call it.
        days: from 1 to 365; there is none without an end.
        read_only: whether it may only look.

    Raises:
        Refused: no such active account, or a name or number of days that may not be.
    """
    name = name.strip()
    _require(
        name and len(name) <= _LONGEST_NAME and name.isprintable(), say("name"), f"{name[:_LONGEST_NAME]!r}",
        say("write a short name that says where it is used"),
    )  # fmt: skip
    _require(
        1 <= days <= LONGEST_DAYS,
        say("days"),
        str(days),
        say("choose from 1 to {limit}", limit=LONGEST_DAYS),
    )
    secret = new_secret(PREFIX)
    digest = secret_digest(secret)
    with ledger.transaction() as tx:
        user = get_user(tx, user_id)
        _require(user.active, user_id, say("the account is deactivated"), say("ask an administrator to reactivate it"))
        token_id = secret_digest(digest)[:_ID_DIGITS]
        row = {
            "id": token_id, "account": user_id, "name": name, "read_only": read_only, "made_at": stamp(tx.now()),
            "expires_at": stamp(tx.now() + timedelta(days=days)),
        }  # fmt: skip
        tx.execute(api_tokens.insert().values(**row, digest=digest))
        body = {"token": token_id, "read_only": read_only, "expires": row["expires_at"]}
        tx.append("token.created", "", user_id, user_id, "", body)
        return NewToken(get_token(tx, token_id), secret)


def tokens_of(reader: Reader, user_id: str) -> tuple[Token, ...]:
    """All tokens of a person, the newest first; revoked and expired ones too."""
    query = select(api_tokens).where(api_tokens.c.account == user_id)
    return tuple(_token(row) for row in reader.rows(query.order_by(api_tokens.c.made_at.desc(), api_tokens.c.id)))


def get_token(reader: Reader, token_id: str) -> Token:
    """The token of this id.

    Raises:
        Refused: there is none.
    """
    rows = reader.rows(select(api_tokens).where(api_tokens.c.id == token_id)) if token_id.isprintable() else []
    if not rows:
        raise Refused(
            "No such token", [Finding(token_id, say("there is no such token"), say("see the list of your tokens"))]
        )
    return _token(rows[0])


def bearer_of(reader: Reader, secret: str) -> Bearer | None:
    """Who a token's secret speaks for; None when unknown, revoked, expired, or its owner deactivated."""
    if not secret.startswith(PREFIX):
        return None
    query = (
        select(api_tokens)
        .join(accounts, accounts.c.id == api_tokens.c.account)
        .where(
            api_tokens.c.digest == secret_digest(secret),
            api_tokens.c.revoked_at.is_(None),
            api_tokens.c.expires_at > stamp(reader.now()),
            accounts.c.active,
        )
    )
    rows = reader.rows(query)
    return Bearer(get_user(reader, rows[0]["account"]), _token(rows[0])) if rows else None


def note_use(ledger: Ledger, token: Token) -> None:
    """Note that a token is in use, at most once a minute; no event, since it decides nothing."""
    now = ledger.now()
    if token.last_used_at is not None and token.last_used_at > stamp(now - _USED_EVERY):
        return
    with ledger.transaction() as tx:
        tx.execute(api_tokens.update().where(api_tokens.c.id == token.id).values(last_used_at=stamp(now)))


def revoke_token(ledger: Ledger, token_id: str, *, by: str, trusted: bool = False) -> Token:
    """End a token for good: its owner, or an admin.

    Raises:
        Refused: there is no such token, or ``by`` is neither.
    """
    with ledger.transaction() as tx:
        token = get_token(tx, token_id)
        # Whoever may not revoke it is told what they would be told of a token that is not there.
        actor = get_user(tx, by) if not trusted else None
        if actor is not None and not (actor.active and (actor.admin or actor.id == token.user)):
            raise Refused(
                "No such token", [Finding(token_id, say("there is no such token"), say("see the list of your tokens"))]
            )
        if token.revoked_at is None:
            revoke(tx, token, by=by)
        return get_token(tx, token_id)


def revoke(tx: Transaction, token: Token, *, by: str) -> None:
    """As :func:`revoke_token`, in the caller's transaction and without asking who."""
    tx.execute(api_tokens.update().where(api_tokens.c.id == token.id).values(revoked_at=stamp(tx.now())))
    tx.append("token.revoked", "", token.user, by, "", {"token": token.id})


def _require(sound: object, place: str, found: str, remedy: str) -> None:
    if not sound:
        raise Refused("The token cannot be made so", [Finding(place, found, remedy)])


def _token(row: Mapping[str, Any]) -> Token:
    fields = {name: row[name] for name in Token.__dataclass_fields__ if name != "user"}
    return Token(user=row["account"], **fields)
