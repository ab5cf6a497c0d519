"""Signing in with a password, and changing it."""

from typing import Any

from sqlalchemy import select

from pipeline.accounts import throttle
from pipeline.accounts.passwords import hashed, matches, objection, outdated
from pipeline.accounts.sessions import NewSession, drop_sessions, open_session
from pipeline.accounts.users import User, account_row, get_user, require_admin, row_by_email
from pipeline.errors import Finding, Refused
from pipeline.language import say
from pipeline.ledger import Ledger, Reader, Transaction
from pipeline.ledger.tables import accounts, iterations


def sign_in(ledger: Ledger, name: str, password: str, address: str) -> NewSession:
    """Let a person in by their password.

    Whatever is wrong (name, password, a deactivated account, none set yet), the answer is the same and takes the
    same work. A password kept under older parameters is hashed anew.

    Args:
        ledger: the ledger.
        name: id or e-mail address.
        password: the password.
        address: network address of the attempt; see :func:`pipeline.accounts.external.client_address`.

    Raises:
        TryLater: too many attempts failed.
        Refused: it is not the password of that name.
    """
    row, attempt = _proven(ledger, name, password, address)
    fresh = hashed(password) if outdated(row["password"]) else None
    with ledger.transaction() as tx:
        throttle.forget_failures(tx, attempt)
        unchanged = (accounts.c.id == row["id"], accounts.c.password == row["password"])
        if not tx.rows(select(accounts.c.id).where(*unchanged)):
            raise _wrong()
        if fresh is not None:
            tx.execute(accounts.update().where(*unchanged).values(password=fresh))
        return open_session(tx, row["id"], address=address, method="password")


def prove(ledger: Ledger, name: str, password: str, address: str) -> User:
    """Who a password proves somebody to be, without beginning a session; counted and slowed down as a sign-in is.

    Raises:
        TryLater: too many attempts failed.
        Refused: it is not the password of that name.
    """
    row, attempt = _proven(ledger, name, password, address)
    with ledger.transaction() as tx:
        throttle.forget_failures(tx, attempt)
        return get_user(tx, row["id"])


def change_password(ledger: Ledger, user_id: str, old: str, new: str, address: str) -> User:
    """Change one's own password; ends all sessions, so the site begins a new one afterwards.

    Raises:
        TryLater: too many attempts failed.
        Refused: the old password is wrong, or the new one may not be.
    """
    row, attempt = _proven(ledger, user_id, old, address)
    kept = _kept(ledger, row["id"], new)
    with ledger.transaction() as tx:
        throttle.forget_failures(tx, attempt)
        return store_password(tx, row["id"], kept, by=row["id"])


def set_password(ledger: Ledger, user_id: str, password: str, *, by: str, trusted: bool = False) -> User:
    """Set a person's password without the old one; ends all their sessions.

    Args:
        ledger: the ledger.
        user_id: whose.
        password: the new one.
        by: an admin, unless ``trusted``.
        trusted: whether ``by`` is the trusted operator of the machine.

    Raises:
        Refused: ``by`` may not, there is no such account, or the password may not be.
    """
    get_user(ledger, user_id)
    kept = _kept(ledger, user_id, password)
    with ledger.transaction() as tx:
        require_admin(tx, by, trusted=trusted)
        return store_password(tx, user_id, kept, by=by)


def checked_password(reader: Reader, user: User, password: str) -> str:
    """The hash to be kept of a new password.

    Raises:
        Refused: it is too short or among the first that anybody would try.
    """
    projects = [row["project"] for row in reader.rows(select(iterations.c.project).distinct())]
    found = objection(password, user.id, user.name, user.email, *projects)
    if found is not None:
        raise Refused("This cannot be the password", [found])
    return hashed(password)


def store_password(tx: Transaction, user_id: str, kept: str, *, by: str) -> User:
    """Keep a password's hash and end all sessions that came in by the old one."""
    tx.execute(accounts.update().where(accounts.c.id == user_id).values(password=kept))
    tx.append("account.password_set", "", user_id, by, "", {})
    throttle.clear(tx, user_id)
    drop_sessions(tx, user_id, by=by)
    return get_user(tx, user_id)


def _kept(ledger: Ledger, user_id: str, password: str) -> str:
    return checked_password(ledger, get_user(ledger, user_id), password)


def _proven(ledger: Ledger, name: str, password: str, address: str) -> tuple[dict[str, Any], throttle.Attempt]:
    """The account whose password it is.

    Raises:
        TryLater: too many attempts failed.
        Refused: it is nobody's.
    """
    typed = name.strip().lower()
    row = account_row(ledger, typed) or row_by_email(ledger, typed)
    attempt = throttle.Attempt(row["id"] if row else typed, address)
    throttle.require_patience(ledger, attempt)
    with ledger.transaction() as tx:
        throttle.require_patience(tx, attempt)
        throttle.count_attempt(tx, attempt)
    # Hashing takes a while on purpose; nobody waits for the ledger's writer meanwhile.
    right = matches(row["password"] if row and row["active"] else None, password)
    if row is not None and right:
        return row, attempt
    with ledger.transaction() as tx:
        counts = throttle.count_failure(tx, attempt)
        if counts is not None:
            known = row["id"] if row else ""
            tx.append("account.login_failed", "", known, known, "", {"address": address, "failures": counts})
    raise _wrong()


def _wrong() -> Refused:
    finding = Finding(
        say("sign-in"), say("name and password do not fit"), say("try again, or ask an administrator for a new link")
    )
    return Refused("You are not signed in", [finding])
