"""What admins do to accounts: rights, deactivation, reactivation. Each change is an event and ends sessions."""

from sqlalchemy import select

from pipeline.accounts.delegations import end, given_or_received
from pipeline.accounts.invitations import void_links
from pipeline.accounts.sessions import drop_sessions
from pipeline.accounts.tokens import revoke, tokens_of
from pipeline.accounts.users import User, get_user, require_admin
from pipeline.errors import Finding, Refused
from pipeline.language import say
from pipeline.ledger import Ledger, Transaction
from pipeline.ledger.tables import accounts


def change_rights(
    ledger: Ledger, user_id: str, *, by: str, admin: bool, auditor: bool, trusted: bool = False
) -> User:  # fmt: skip
    """Give or take the rights over the site; the person signs in anew.

    Raises:
        Refused: ``by`` may not, there is no such account, or no admin would be left.
    """
    with ledger.transaction() as tx:
        require_admin(tx, by, trusted=trusted)
        before = get_user(tx, user_id)
        if (before.admin, before.auditor) == (admin, auditor):
            return before
        if before.admin and not admin:
            _keep_an_admin(tx, before)
        tx.execute(accounts.update().where(accounts.c.id == user_id).values(admin=admin, auditor=auditor))
        body = {"admin": admin, "auditor": auditor, "was_admin": before.admin, "was_auditor": before.auditor}
        tx.append("account.role_changed", "", user_id, by, "", body)
        drop_sessions(tx, user_id, by=by)
        return get_user(tx, user_id)


def deactivate(ledger: Ledger, user_id: str, *, by: str, trusted: bool = False) -> User:
    """Shut a person out: sessions, tokens, links and delegations end; what they did stays.

    Raises:
        Refused: ``by`` may not, there is no such account, or no admin would be left.
    """
    with ledger.transaction() as tx:
        require_admin(tx, by, trusted=trusted)
        before = get_user(tx, user_id)
        if not before.active:
            return before
        _keep_an_admin(tx, before)
        tx.execute(accounts.update().where(accounts.c.id == user_id).values(active=False))
        tx.append("account.deactivated", "", user_id, by, "", {})
        drop_sessions(tx, user_id, by=by)
        void_links(tx, user_id)
        for token in tokens_of(tx, user_id):
            if token.revoked_at is None:
                revoke(tx, token, by=by)
        for given in given_or_received(tx, user_id):
            end(tx, given, by=by)
        return get_user(tx, user_id)


def reactivate(ledger: Ledger, user_id: str, *, by: str, trusted: bool = False) -> User:
    """Let a person in again, with the password they had; tokens and delegations are made anew.

    Raises:
        Refused: ``by`` may not, or there is no such account.
    """
    with ledger.transaction() as tx:
        require_admin(tx, by, trusted=trusted)
        if not get_user(tx, user_id).active:
            tx.execute(accounts.update().where(accounts.c.id == user_id).values(active=True))
            tx.append("account.reactivated", "", user_id, by, "", {})
        return get_user(tx, user_id)


def _keep_an_admin(tx: Transaction, leaving: User) -> None:
    others = select(accounts.c.id).where(accounts.c.admin, accounts.c.active, accounts.c.id != leaving.id)
    if leaving.admin and not tx.rows(others):
        finding = Finding(
            leaving.id, say("is the only administrator"), say("make somebody else an administrator first")
        )
        raise Refused("A site needs an administrator", [finding])
