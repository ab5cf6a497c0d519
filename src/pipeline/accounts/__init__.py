"""Accounts: who people are, how they prove it, and what they may do. The same rules for command line and site.

Writers take a :class:`pipeline.ledger.Ledger` and commit by themselves; readers take anything that answers queries.
What is not allowed raises :class:`pipeline.errors.Refused`.
"""

from pipeline.accounts.administration import change_rights, deactivate, reactivate
from pipeline.accounts.delegations import Delegation, delegate, delegations, end_delegation, in_force, in_force_today
from pipeline.accounts.external import client_address, user_from_claims, user_from_proxy
from pipeline.accounts.invitations import Invitation, accept, invite, invited, reset
from pipeline.accounts.local import Operator, operator
from pipeline.accounts.naming import people_in, people_of, people_of_all
from pipeline.accounts.rights import Action, may, note_export, projects_of, require, role_of, visible_to
from pipeline.accounts.sessions import (
    NewSession,
    Session,
    begin_session,
    end_session,
    end_sessions,
    session_of,
    touch,
)
from pipeline.accounts.signin import change_password, prove, set_password, sign_in
from pipeline.accounts.throttle import TryLater
from pipeline.accounts.tokens import Bearer, NewToken, Token, bearer_of, make_token, note_use, revoke_token, tokens_of
from pipeline.accounts.users import (
    User,
    any_account,
    change_language,
    create_user,
    find_by_email,
    find_user,
    users,
)

__all__ = [
    "Action",
    "Bearer",
    "Delegation",
    "Invitation",
    "NewSession",
    "NewToken",
    "Operator",
    "Session",
    "Token",
    "TryLater",
    "User",
    "accept",
    "any_account",
    "bearer_of",
    "begin_session",
    "change_language",
    "change_password",
    "change_rights",
    "client_address",
    "create_user",
    "deactivate",
    "delegate",
    "delegations",
    "end_delegation",
    "end_session",
    "end_sessions",
    "find_by_email",
    "find_user",
    "in_force",
    "in_force_today",
    "invite",
    "invited",
    "make_token",
    "may",
    "note_export",
    "note_use",
    "operator",
    "people_in",
    "people_of",
    "people_of_all",
    "projects_of",
    "prove",
    "reactivate",
    "require",
    "reset",
    "revoke_token",
    "role_of",
    "session_of",
    "set_password",
    "sign_in",
    "tokens_of",
    "touch",
    "user_from_claims",
    "user_from_proxy",
    "users",
    "visible_to",
]
