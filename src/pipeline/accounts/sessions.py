"""Sessions of the site: a random token in a cookie, its hash in the ledger, two ways to expire.

Beginning and ending are events. Being seen is not: it is noted at most once a minute, only so that an idle session
ends.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import bindparam, delete, or_, select

from pipeline.accounts.record import stamp
from pipeline.accounts.secrets import new_secret, secret_digest
from pipeline.accounts.users import User, get_user, require_admin, to_user
from pipeline.errors import Finding, Refused
from pipeline.language import say
from pipeline.ledger import Ledger, Reader, Transaction
from pipeline.ledger.tables import accounts, sessions

Method = Literal["password", "link", "oidc", "proxy"]

LIFETIME = timedelta(hours=12)
IDLE = timedelta(minutes=60)
_SEEN_EVERY = timedelta(minutes=1)
#: How far ahead of this machine's clock a session may have begun, by that of another one or before it was set right.
_AHEAD = timedelta(minutes=5)
#: Asked on every request, so put together once.
_LIVING = (
    select(sessions.c.method, sessions.c.begun_at, sessions.c.seen_at, *accounts.c)
    .join(accounts, accounts.c.id == sessions.c.account)
    .where(
        sessions.c.digest == bindparam("digest"),
        sessions.c.begun_at > bindparam("begun_after"),
        # One begun while the clock stood years ahead would else live for years.
        sessions.c.begun_at <= bindparam("begun_before"),
        sessions.c.seen_at > bindparam("seen_after"),
        accounts.c.active,
    )
)


@dataclass(frozen=True)
class Session:
    """A person who is signed in.

    Attributes:
        user: who.
        method: how they came in.
        begun_at, seen_at, ends_at: UTC, ISO 8601; ``ends_at`` is the end whatever happens, idleness may end it before.
        csrf: belongs to this session alone; a form carries it, and whoever has only the cookie cannot know it.
    """

    user: User
    method: Method
    begun_at: str
    seen_at: str
    ends_at: str
    csrf: str = field(repr=False)


@dataclass(frozen=True)
class NewSession:
    """A session that has just begun, with the token for its cookie; the token is shown nowhere again."""

    token: str = field(repr=False)
    session: Session


def begin_session(ledger: Ledger, user_id: str, *, address: str, method: Method) -> NewSession:
    """Let a person in whose identity was proven; the token is always new, so none from before can be fixed on them.

    Args:
        ledger: the ledger.
        user_id: who.
        address: network address they came from.
        method: how their identity was proven.

    Raises:
        Refused: no such account, or a deactivated one.
    """
    with ledger.transaction() as tx:
        return open_session(tx, user_id, address=address, method=method)


def session_of(reader: Reader, token: str) -> Session | None:
    """The session of a cookie's token; None when unknown, ended, expired, or its person was deactivated."""
    if not token:
        return None
    now = reader.now()
    bounds = {
        "begun_after": stamp(now - LIFETIME),
        "begun_before": stamp(now + _AHEAD),
        "seen_after": stamp(now - IDLE),
    }
    rows = reader.rows(_LIVING, {"digest": secret_digest(token), **bounds})
    return _session(rows[0], token) if rows else None


def touch(ledger: Ledger, token: str) -> None:
    """Note that a session is in use, so that it is not idle; writes at most once a minute."""
    found = session_of(ledger, token)
    now = ledger.now()
    if found is None or found.seen_at > stamp(now - _SEEN_EVERY):
        return
    with ledger.transaction() as tx:
        still = sessions.c.seen_at > stamp(now - IDLE)
        mine = sessions.c.digest == secret_digest(token)
        tx.execute(sessions.update().where(mine, still).values(seen_at=stamp(now)))


def end_session(ledger: Ledger, token: str) -> None:
    """Sign out; does nothing when the session has ended already."""
    with ledger.transaction() as tx:
        found = session_of(tx, token)
        if tx.execute(delete(sessions).where(sessions.c.digest == secret_digest(token))) and found is not None:
            tx.append("account.logout", "", found.user.id, found.user.id, "", {"sessions": 1})


def end_sessions(ledger: Ledger, user_id: str, *, by: str, trusted: bool = False) -> int:
    """End all sessions of a person: they themselves, or an admin, everywhere at once.

    Raises:
        Refused: ``by`` is neither.
    """
    with ledger.transaction() as tx:
        if by != user_id:
            require_admin(tx, by, trusted=trusted)
        return drop_sessions(tx, user_id, by=by)


def open_session(tx: Transaction, user_id: str, *, address: str, method: Method) -> NewSession:
    """As :func:`begin_session`, in the caller's transaction."""
    user = get_user(tx, user_id)
    if not user.active:
        finding = Finding(user_id, say("the account is deactivated"), say("ask an administrator to reactivate it"))
        raise Refused("You are not signed in", [finding])
    now, token = tx.now(), new_secret()
    old = or_(sessions.c.begun_at <= stamp(now - LIFETIME), sessions.c.seen_at <= stamp(now - IDLE))
    tx.execute(delete(sessions).where(old))
    row = {"digest": secret_digest(token), "account": user_id, "method": method}
    tx.execute(sessions.insert().values(**row, begun_at=stamp(now), seen_at=stamp(now)))
    tx.append("account.login", "", user_id, user_id, "", {"method": method, "address": address})
    found = session_of(tx, token)
    assert found is not None  # noqa: S101 - it was written two lines above
    return NewSession(token, found)


def drop_sessions(tx: Transaction, user_id: str, *, by: str) -> int:
    """As :func:`end_sessions`, in the caller's transaction and without asking who."""
    ended = tx.execute(delete(sessions).where(sessions.c.account == user_id))
    if ended:
        tx.append("account.logout", "", user_id, by, "", {"sessions": ended})
    return ended


def _session(row: Mapping[str, Any], token: str) -> Session:
    ends = stamp(datetime.fromisoformat(row["begun_at"]) + LIFETIME)
    csrf = hashlib.sha256(f"csrf:{token}".encode()).hexdigest()
    return Session(to_user(row), row["method"], row["begun_at"], row["seen_at"], ends, csrf)
