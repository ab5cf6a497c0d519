"""Who may do what: one table, and one function that asks it.

What a person is to a project comes from the charter (named), from a delegation (delegate) or from a right over the
site (admin, auditor). Being an admin is no role: an admin signs only where a charter names them.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from pipeline.accounts.delegations import Delegation, in_force
from pipeline.accounts.naming import people_of_all, person_of
from pipeline.accounts.users import User, find_user
from pipeline.charter import Person, Role
from pipeline.errors import Finding, Refused
from pipeline.language import say, term
from pipeline.ledger import Ledger, Reader

Action = Literal["view", "sign", "delegate", "export", "administer"]
Standing = Literal["named", "delegate", "auditor", "admin"]

#: The standings of which one is enough.
PERMISSIONS: Mapping[Action, frozenset[Standing]] = {
    "view": frozenset({"named", "delegate", "auditor", "admin"}),
    "sign": frozenset({"named", "delegate"}),
    "delegate": frozenset({"named"}),
    "export": frozenset({"named", "auditor", "admin"}),
    "administer": frozenset({"admin"}),
}
#: What a token that may only look can do at most.
LOOKING: frozenset[Action] = frozenset({"view", "export"})


def allowed(standings: frozenset[Standing], action: Action, *, read_only: bool = False) -> bool:
    """Whether these standings are enough for an action. Pure."""
    return bool(standings & PERMISSIONS[action]) and (action in LOOKING or not read_only)


def standings_of(reader: Reader, user: User, project: str = "") -> frozenset[Standing]:
    """What a person is to a project, or to the site when no project is named; nothing once deactivated.

    The account is read anew: what was handed in may be older than a change of rights.
    """
    now = find_user(reader, user.id)
    if now is None or not now.active:
        return frozenset()
    held: dict[Standing, bool] = {
        "admin": now.admin,
        "auditor": now.auditor,
        "named": bool(project) and person_of(reader, project, now.id) is not None,
        "delegate": bool(project) and bool(in_force(reader, now.id, project)),
    }
    return frozenset(standing for standing, holds in held.items() if holds)


def may(reader: Reader, user: User, action: Action, project: str = "", *, read_only: bool = False) -> bool:
    """Whether a person may do this.

    Args:
        reader: the ledger or a transaction.
        user: who.
        action: what.
        project: where; empty for what belongs to the whole site.
        read_only: whether they come by a token that may only look.
    """
    return allowed(standings_of(reader, user, project), action, read_only=read_only)


def require(ledger: Ledger, user: User, action: Action, project: str = "", *, read_only: bool = False) -> None:
    """Go on only if a person may do this.

    Raises:
        Refused: they may not; recorded as ``account.refused``. The words are the same whether or not there is such a
            project.
    """
    with_right = may(ledger, user, action, project, read_only=read_only)
    if with_right:
        return
    with ledger.transaction() as tx:
        body = {"action": action, "read_only": read_only}
        tx.append("account.refused", "", user.id, user.id, "", {**body, "project": project})
    remedy = say("the people of a project are named in its charter; ask its sponsor, or an administrator of this site")
    where = project or "this site"
    raise Refused(
        f"{user.id} may not {action} here",
        [Finding(where, say("{person} may not do this here: {action}", person=user.id, action=term(action)), remedy)],
    )


def role_of(reader: Reader, user: User, project: str) -> Role | None:
    """The role a project's newest charter gives a person, or None; a delegated one is not theirs."""
    person = person_of(reader, project, user.id)
    return person.role if person else None


def projects_of(reader: Reader, user: User) -> tuple[str, ...]:
    """The projects a person may view, by name."""
    now = find_user(reader, user.id)
    if now is None or not now.active:
        return ()
    return visible_to(now, in_force(reader, now.id), people_of_all(reader))


def visible_to(user: User, received: Iterable[Delegation], named: Mapping[str, Sequence[Person]]) -> tuple[str, ...]:
    """The projects an active account may view, by name. Pure.

    Args:
        user: the account as it is now.
        received: the delegations to it that are in force.
        named: the people of every project's newest charter.
    """
    handed = {one.project for one in received}
    return tuple(
        project
        for project, people in named.items()
        if user.admin or user.auditor or project in handed or any(person.id == user.id for person in people)
    )


def note_export(ledger: Ledger, user: User, project: str, what: str) -> None:
    """Record that somebody took data out of the site; the caller has asked :func:`require` before."""
    with ledger.transaction() as tx:
        tx.append("export.made", project, user.id, user.id, role_of(tx, user, project) or "", {"what": what})
