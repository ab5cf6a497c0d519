"""The rules of signing, pure: one function per rule, asked in order, and the first that objects is the answer."""

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from pipeline.accounts import Delegation
from pipeline.charter import DECISIONS, Charter, DecisionName, Role
from pipeline.charter.patching import apply_patch
from pipeline.errors import CharterError, Finding
from pipeline.review.attesting import OpenControl
from pipeline.review.items import FeedbackItem
from pipeline.review.quorum import SignOff
from pipeline.review.requests import ReviewRequest

#: The least number of digits of a report's hash that a person may type instead of all 64.
HASH_PREFIX = 12
_LONGEST_COMMENT = 4000
_LAYOUT = "\t\n\r"


@dataclass(frozen=True)
class Attempt:
    """A sign-off before it is accepted.

    Attributes:
        request: the review as it stands.
        charter: the charter of its iteration.
        running: whether the iteration is being run again, so that the report may change.
        person, on_behalf_of, decision, comment, report_digest, feedback: what was typed.
        account: whether the person has one, and whether it is active.
        recorded: whether this is a recorded answer standing in for a person.
        delegation: what lets the person answer for the other one now, or None.
        earlier: the answers there are.
        known_items: ids of the project's feedback items so far.
        open_controls: controls that bar *advance* now, as far as people had to attest to them.
    """

    request: ReviewRequest
    charter: Charter
    running: bool
    person: str
    on_behalf_of: str | None
    account: Literal["none", "active", "deactivated"]
    recorded: bool
    delegation: Delegation | None
    decision: str
    comment: str
    report_digest: str
    feedback: tuple[FeedbackItem, ...]
    earlier: tuple[SignOff, ...]
    known_items: frozenset[str]
    open_controls: tuple[OpenControl, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What the rules let pass: in which role the person decides what."""

    role: Role
    decision: DecisionName


def check(attempt: Attempt) -> Answer | Finding:
    """The answer the attempt amounts to, or the first rule it breaks."""
    holder = attempt.charter.person(attempt.on_behalf_of or attempt.person)
    objection = _closed(attempt) or _account(attempt)
    if objection is not None:
        return objection
    if holder is None:
        known = ", ".join(sorted(other.id for other in attempt.charter.people))
        remedy = f"sign as one of: {known}; or for one of them who handed you their role"
        return Finding(attempt.on_behalf_of or attempt.person, "not a person of this charter", remedy)
    objection = _delegation(attempt, holder.role) or _person(attempt, holder.role) or _evidence(attempt)
    if objection is not None:
        return objection
    decision = next((name for name in DECISIONS if name == attempt.decision), None)
    if decision is None:
        remedy = f"choose one of: {', '.join(attempt.request.allowed)}"
        return Finding("decision", f"there is no decision {attempt.decision!r}", remedy)
    return _decision(attempt, decision) or _comment(attempt) or _feedback(attempt) or Answer(holder.role, decision)


def _closed(attempt: Attempt) -> Finding | None:
    request = attempt.request
    if request.state == "open" and attempt.running:
        remedy = "wait until it is done; if the report stays the same, this review goes on"
        return Finding(request.id, "its iteration is being run again", remedy)
    if request.state == "open":
        return None
    if request.state == "stale":
        remedy = "read the newer report and sign its review; see `landed review list`"
        return Finding(request.id, "a newer report took the place of the one it asks about", remedy)
    found = f"it is closed: decided {request.decision} at {request.decided_at}"
    return Finding(request.id, found, "nothing is left to sign; the next review is the place for a new answer")


def _account(attempt: Attempt) -> Finding | None:
    if attempt.account == "deactivated":
        return Finding(attempt.person, "the account is deactivated", "ask an administrator to reactivate it")
    if attempt.recorded and attempt.account != "none":
        remedy = "let them answer, or play the case in a ledger of its own (LANDED_DATA)"
        return Finding(attempt.person, "has an account here, and recorded answers stand in for nobody who has", remedy)
    return None


def _delegation(attempt: Attempt, role: Role) -> Finding | None:
    """A delegate needs a delegation of this very role that is in force."""
    giver, found = attempt.on_behalf_of, attempt.delegation
    if giver is None:
        return None
    if found is None:
        remedy = f"have {giver} hand the role over: `landed people delegate`; or sign in your own role"
        return Finding(attempt.person, f"{giver} has not handed their role to {attempt.person} for today", remedy)
    if found.role != role:
        remedy = f"have {giver} hand over the role anew"
        return Finding(attempt.person, f"{giver} was {found.role} when handing it over and is {role} now", remedy)
    return None


def _person(attempt: Attempt, role: Role) -> Finding | None:
    """Four eyes, and one answer a person and a role."""
    if not any(role in needed for needed in attempt.request.signers.values()):
        remedy = "have somebody sign whose role the charter asks for; see `landed review show`"
        return Finding(attempt.person, f"the role {role} is asked for no decision", remedy)
    if attempt.request.requested_by in {attempt.person, attempt.on_behalf_of}:
        remedy = "somebody else has to: nobody signs for a run they started, and nobody does it in their place"
        return Finding(attempt.request.requested_by, f"started the run that {attempt.request.id} asks about", remedy)
    for earlier in attempt.earlier:
        if earlier.person == attempt.person:
            found = f"signed {earlier.decision} already, at {earlier.at}"
            return Finding(attempt.person, found, "a person answers once; the first answer stands")
        if earlier.role == role:
            found = f"the role {role} is answered already, {earlier.decision} by {earlier.signer}"
            return Finding(attempt.person, found, "a role answers once; talk to each other, the first answer stands")
    return None


def _evidence(attempt: Attempt) -> Finding | None:
    """The answer must be to the very report under review."""
    typed, current = attempt.report_digest, attempt.request.report_digest
    if len(typed) < HASH_PREFIX:
        remedy = f"give the first {HASH_PREFIX} digits or more; they stand on the report"
        return Finding("report hash", f"{typed!r} is too short to name a report", remedy)
    if not current.startswith(typed):
        found = f"{typed[:HASH_PREFIX]} is not the report under review, which is {current[:HASH_PREFIX]}"
        return Finding("report hash", found, "read the current report, then sign with its hash")
    return None


def _decision(attempt: Attempt, decision: DecisionName) -> Finding | None:
    request = attempt.request
    offered = ", ".join(name for name in request.allowed if request.on_offer(name)) or "none"
    if decision not in request.allowed:
        return Finding("decision", f"{decision} is not on offer in this review", f"choose one of: {offered}")
    if not request.on_offer(decision):
        failed = "; ".join(f"{verdict.gate}: {verdict.reason}" for verdict in request.blocking)
        remedy = f"choose one of: {offered}; the next iteration can pass what this one failed"
        return Finding("decision", f"advance is barred while a blocking verdict fails ({failed})", remedy)
    if decision == "advance" and attempt.open_controls:
        found = "; ".join(f"{one.id}: {one.found}" for one in attempt.open_controls)
        first = attempt.open_controls[0]
        remedy = f"have {first.role} attest to {first.id}: `landed controls attest CHARTER {first.id}`"
        return Finding("decision", f"advance is barred while a control is open ({found})", remedy)
    return None


def _comment(attempt: Attempt) -> Finding | None:
    if not attempt.comment:
        return Finding("comment", "it is empty", "say in a sentence why; those who come after read it")
    if len(attempt.comment) > _LONGEST_COMMENT:
        found = f"{len(attempt.comment)} characters"
        return Finding("comment", found, f"stay within {_LONGEST_COMMENT}; put changes into feedback items")
    if not all(letter.isprintable() or letter in _LAYOUT for letter in attempt.comment):
        return Finding("comment", "it holds characters that cannot be shown", "write plain text")
    return None


def _feedback(attempt: Attempt) -> Finding | None:
    times = Counter(item.id for item in attempt.feedback)
    for item in attempt.feedback:
        if times[item.id] > 1 or item.id in attempt.known_items:
            remedy = f"take another; used so far: {', '.join(sorted(attempt.known_items)) or 'none'}"
            return Finding(f"feedback item {item.id}", "this id is taken in the project", remedy)
        objection = _author(attempt, item) or _patch(attempt, item)
        if objection is not None:
            return objection
    return None


def _author(attempt: Attempt, item: FeedbackItem) -> Finding | None:
    author = attempt.charter.person(item.author)
    if author is None:
        known = ", ".join(sorted(person.id for person in attempt.charter.people))
        found = f"its author {item.author} is not a person of this charter"
        return Finding(f"feedback item {item.id}", found, f"name one of: {known}")
    if author.role != item.role:
        found = f"{author.id} is {author.role} in this charter, not {item.role}"
        return Finding(f"feedback item {item.id}", found, f"write role: {author.role}")
    return None


def _patch(attempt: Attempt, item: FeedbackItem) -> Finding | None:
    if not item.patch:
        return None
    try:
        apply_patch(attempt.charter, item.patch)
    except CharterError as exc:
        found = "; ".join(f"{finding.place}: {finding.found}" for finding in exc.findings) or exc.headline
        remedy = "; ".join(dict.fromkeys(finding.remedy for finding in exc.findings)) or "correct the patch"
        return Finding(f"feedback item {item.id}", found, remedy)
    return None
