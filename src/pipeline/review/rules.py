"""The rules of signing, pure: one function per rule, asked in order, and the first that objects is the answer."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.accounts import Delegation
from pipeline.charter import DECISIONS, Charter, DecisionName, Role
from pipeline.errors import CharterError, Finding
from pipeline.language import joined, say, term
from pipeline.problems.patching import apply_patch_for_problem
from pipeline.review.attesting import OpenControl, WaivedControl
from pipeline.review.items import FeedbackItem
from pipeline.review.quorum import SignOff
from pipeline.review.requests import ReviewRequest

#: The least number of digits of a report's hash that a person may type instead of all 64.
HASH_PREFIX = 12
_LONGEST_COMMENT = 4000
_LAYOUT = "\t\n\r"
#: The decisions' names as sentences hold them; :func:`pipeline.language.term` finds their translations by these.
NAMES = (say("advance"), say("iterate"), say("hold"), say("roll_back"), say("stop"))


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
        waived: controls that were waived since the report; kept with the sign-off, as the report does not show it.
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
    waived: tuple[WaivedControl, ...] = ()


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
        remedy = say("sign as one of: {known}; or for one of them who handed you their role", known=known)
        return Finding(attempt.on_behalf_of or attempt.person, say("not a person of this charter"), remedy)
    objection = _delegation(attempt, holder.role) or _person(attempt, holder.role) or _evidence(attempt)
    if objection is not None:
        return objection
    decision = next((name for name in DECISIONS if name == attempt.decision), None)
    if decision is None:
        remedy = say("choose one of: {offered}", offered=_listed(attempt.request.allowed))
        return Finding(say("decision"), say("there is no decision “{decision}”", decision=attempt.decision), remedy)
    return _decision(attempt, decision) or _comment(attempt) or _feedback(attempt) or Answer(holder.role, decision)


def _closed(attempt: Attempt) -> Finding | None:
    request = attempt.request
    if request.state == "open" and attempt.running:
        remedy = say("wait until it is done; if the report stays the same, this review goes on")
        return Finding(request.id, say("its iteration is being run again"), remedy)
    if request.state == "open":
        return None
    if request.state == "stale":
        remedy = say("read the newer report and sign its review; see `landed review list`")
        return Finding(request.id, say("a newer report took the place of the one it asks about"), remedy)
    decided = term(request.decision or "")
    found = say("it is closed: decided {decision} at {at}", decision=decided, at=_moment(request.decided_at))
    return Finding(request.id, found, say("nothing is left to sign; the next review is the place for a new answer"))


def _account(attempt: Attempt) -> Finding | None:
    if attempt.account == "deactivated":
        return Finding(attempt.person, say("the account is deactivated"), say("ask an administrator to reactivate it"))
    if attempt.recorded and attempt.account != "none":
        remedy = say("let them answer, or play the case in a ledger of its own (LANDED_DATA)")
        return Finding(
            attempt.person, say("has an account here, and recorded answers stand in for nobody who has"), remedy
        )
    return None


def _delegation(attempt: Attempt, role: Role) -> Finding | None:
    """A delegate needs a delegation of this very role that is in force."""
    giver, found = attempt.on_behalf_of, attempt.delegation
    if giver is None:
        return None
    if found is None:
        remedy = say("have {giver} hand the role over: `landed people delegate`; or sign in your own role", giver=giver)
        return Finding(
            attempt.person,
            say("{giver} has not handed their role to {person} for today", giver=giver, person=attempt.person),
            remedy,
        )
    if found.role != role:
        remedy = say("have {giver} hand over the role anew", giver=giver)
        before, now = _role(found.role), _role(role)
        changed = say("{giver} was {before} when handing it over and is {now} now", giver=giver, before=before, now=now)
        return Finding(attempt.person, changed, remedy)
    return None


def _person(attempt: Attempt, role: Role) -> Finding | None:
    """Four eyes, and one answer a person and a role."""
    if not any(role in needed for needed in attempt.request.signers.values()):
        remedy = say("have somebody sign whose role the charter asks for; see `landed review show`")
        return Finding(attempt.person, say("the role {role} is asked for no decision", role=_role(role)), remedy)
    if attempt.request.requested_by in {attempt.person, attempt.on_behalf_of}:
        remedy = say("somebody else has to: nobody signs for a run they started, and nobody does it in their place")
        started = say("started the run that {review} asks about", review=attempt.request.id)
        return Finding(attempt.request.requested_by, started, remedy)
    for earlier in attempt.earlier:
        if earlier.person == attempt.person:
            found = say("signed {decision} already, at {at}", decision=term(earlier.decision), at=_moment(earlier.at))
            return Finding(attempt.person, found, say("a person answers once; the first answer stands"))
        if earlier.role == role:
            found = say(
                "the role {role} is answered already, {decision} by {signer}",
                role=_role(role),
                decision=term(earlier.decision),
                signer=earlier.signer,
            )
            return Finding(
                attempt.person, found, say("a role answers once; talk to each other, the first answer stands")
            )
    return None


def _evidence(attempt: Attempt) -> Finding | None:
    """The answer must be to the very report under review."""
    typed, current = attempt.report_digest, attempt.request.report_digest
    if len(typed) < HASH_PREFIX:
        remedy = say("give the first {number} digits or more; they stand on the report", number=HASH_PREFIX)
        return Finding(say("report hash"), say("“{typed}” is too short to name a report", typed=typed), remedy)
    if not current.startswith(typed):
        found = say(
            "{typed} is not the report under review, which is {current}",
            typed=typed[:HASH_PREFIX],
            current=current[:HASH_PREFIX],
        )
        return Finding(say("report hash"), found, say("read the current report, then sign with its hash"))
    return None


def _decision(attempt: Attempt, decision: DecisionName) -> Finding | None:
    request = attempt.request
    offered = _listed([name for name in request.allowed if request.on_offer(name)])
    if decision not in request.allowed:
        return Finding(
            say("decision"),
            say("{decision} is not on offer in this review", decision=term(decision)),
            say("choose one of: {offered}", offered=offered),
        )
    if not request.on_offer(decision):
        failed = "; ".join(f"{verdict.gate}: {verdict.reason}" for verdict in request.blocking)
        remedy = say("choose one of: {offered}; the next iteration can pass what this one failed", offered=offered)
        return Finding(
            say("decision"), say("advance is barred while a blocking verdict fails ({failed})", failed=failed), remedy
        )
    if decision == "advance" and attempt.open_controls:
        found = "; ".join(f"{one.id}: {one.found}" for one in attempt.open_controls)
        first = attempt.open_controls[0]
        return Finding(
            say("decision"),
            say("advance is barred while a control is open ({found})", found=found),
            say(
                "have {role} attest to {control}: `landed controls attest CHARTER {control}`",
                role=_role(first.role), control=first.id,
            ),
        )  # fmt: skip
    return None


def _comment(attempt: Attempt) -> Finding | None:
    if not attempt.comment:
        return Finding(say("comment"), say("it is empty"), say("say in a sentence why; those who come after read it"))
    if len(attempt.comment) > _LONGEST_COMMENT:
        found = say("{count} characters", count=len(attempt.comment))
        return Finding(
            say("comment"),
            found,
            say("stay within {limit}; put changes into feedback items", limit=_LONGEST_COMMENT),
        )
    if not all(letter.isprintable() or letter in _LAYOUT for letter in attempt.comment):
        return Finding(say("comment"), say("it holds characters that cannot be shown"), say("write plain text"))
    return None


def _feedback(attempt: Attempt) -> Finding | None:
    times = Counter(item.id for item in attempt.feedback)
    for item in attempt.feedback:
        if times[item.id] > 1 or item.id in attempt.known_items:
            known = ", ".join(sorted(attempt.known_items)) or say("none")
            remedy = say("take another; used so far: {known}", known=known)
            return Finding(say("feedback item {item}", item=item.id), say("this id is taken in the project"), remedy)
        objection = _author(attempt, item) or _patch(attempt, item)
        if objection is not None:
            return objection
    return None


def _author(attempt: Attempt, item: FeedbackItem) -> Finding | None:
    author = attempt.charter.person(item.author)
    if author is None:
        known = ", ".join(sorted(person.id for person in attempt.charter.people))
        found = say("its author {author} is not a person of this charter", author=item.author)
        return Finding(say("feedback item {item}", item=item.id), found, say("name one of: {known}", known=known))
    if author.role != item.role:
        found = say(
            "{author} is {role} in this charter, not {given}",
            author=author.id, role=_role(author.role), given=_role(item.role),
        )  # fmt: skip
        return Finding(say("feedback item {item}", item=item.id), found, say("write role: {role}", role=author.role))
    return None


def _patch(attempt: Attempt, item: FeedbackItem) -> Finding | None:
    if not item.patch:
        return None
    try:
        apply_patch_for_problem(attempt.charter, item.patch)
    except CharterError as exc:
        found = "; ".join(f"{finding.place}: {finding.found}" for finding in exc.findings) or exc.headline
        remedy = "; ".join(dict.fromkeys(finding.remedy for finding in exc.findings)) or "correct the patch"
        return Finding(say("feedback item {item}", item=item.id), found, remedy)
    return None


def _role(name: str) -> str:
    """A role as people say it."""
    return term(name.replace("_", " "))


def _moment(at: str | None) -> str:
    """A moment of the ledger to the minute."""
    return f"{(at or '')[:16].replace('T', ' ')} UTC"


def _listed(names: Sequence[str]) -> str:
    """Decisions in a row."""
    return joined([term(name) for name in names], ", ") if names else say("none")
