"""The quorum: when do sign-offs make a decision. Pure.

A decision is taken when every role the charter requires for it has signed it. A person answers once and a role
answers once; what comes after the first answer does not count. When everybody who may still answer has answered
and nothing has its quorum, the outcome is ``hold``: the default is never approval. A delegate plays the role of the
person of the charter, never of anybody who started the run, and is one person: one answer, in one role.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipeline.charter import Charter, DecisionName, Role

#: The roles that must sign each decision on offer; a review keeps its own, as a stage or a limit may ask for others.
Signers = Mapping[DecisionName, tuple[Role, ...]]


@dataclass(frozen=True)
class SignOff:
    """One person's answer in one role, bound to the hash of the report it answers.

    Attributes:
        person: who answered.
        role: in which role.
        decision: what they want.
        comment: why.
        report_digest: the report they read.
        recorded: whether it is a recorded answer that stands in for a person.
        at: UTC, ISO 8601.
        event: seq of its event in the ledger; 0 before it is written.
        on_behalf_of: the person of the charter whose role a delegate played; None for one's own.
    """

    person: str
    role: Role
    decision: DecisionName
    comment: str
    report_digest: str
    recorded: bool
    at: str
    event: int
    on_behalf_of: str | None = None

    @property
    def holder(self) -> str:
        """The person of the charter whose role was played."""
        return self.on_behalf_of or self.person

    @property
    def signer(self) -> str:
        """Who signed, as it is shown: ``ben``, or ``ben for ana``."""
        return f"{self.person} for {self.on_behalf_of}" if self.on_behalf_of else self.person


def asked(charter: Charter, started_by: str, signers: Signers | None = None) -> frozenset[Role]:
    """The roles that may answer: required for some decision, and held by somebody who did not start the run.

    Args:
        charter: the people, and who signs what where nothing else is said.
        started_by: who started the run.
        signers: the review's own.
    """
    required = {role for roles in (charter.sign if signers is None else signers).values() for role in roles}
    held = {person.role for person in charter.people if person.id != started_by}
    return frozenset(required & held)


def out_of_reach(
    charter: Charter, started_by: str, signers: Signers | None = None
) -> dict[DecisionName, tuple[Role, ...]]:
    """Decisions nobody can take on this run, with the roles that no one but its starter (or no one at all) holds."""
    roles = asked(charter, started_by, signers)
    required = charter.sign if signers is None else signers
    missing = {decision: tuple(role for role in needed if role not in roles) for decision, needed in required.items()}
    return {decision: needed for decision, needed in missing.items() if needed}


def counted(
    charter: Charter, signoffs: Iterable[SignOff], started_by: str, signers: Signers | None = None
) -> tuple[SignOff, ...]:
    """The sign-offs that count, in order: by or for a person of the charter, in their role, once a person and role."""
    roles = asked(charter, started_by, signers)
    persons: set[str] = set()
    answered: set[Role] = set()
    kept: list[SignOff] = []
    for signoff in signoffs:
        holder = charter.person(signoff.holder)
        known = holder is not None and holder.role == signoff.role and started_by not in {holder.id, signoff.person}
        if known and signoff.role in roles and signoff.person not in persons and signoff.role not in answered:
            persons.add(signoff.person)
            answered.add(signoff.role)
            kept.append(signoff)
    return tuple(kept)


def outcome(
    charter: Charter, signoffs: Iterable[SignOff], started_by: str = "", signers: Signers | None = None
) -> DecisionName | None:
    """The decision the sign-offs make, or None while the review is open.

    A further sign-off never undoes a decision: the first quorum that was complete counts.

    Args:
        charter: says which roles must sign which decision.
        signoffs: in the order they were given.
        started_by: who started the run; this person's answer does not count.
        signers: the review's own, where it has them.
    """
    required = charter.sign if signers is None else signers
    signed: dict[DecisionName, set[Role]] = {}
    answered: set[Role] = set()
    for signoff in counted(charter, signoffs, started_by, signers):
        answered.add(signoff.role)
        signed.setdefault(signoff.decision, set()).add(signoff.role)
        needed = required.get(signoff.decision, ())
        if needed and signed[signoff.decision] >= set(needed):
            return signoff.decision
    return "hold" if answered and answered >= asked(charter, started_by, signers) else None
