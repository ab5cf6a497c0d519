"""Queueing a notice: one intent per recipient, with the ledger transaction that makes its news true.

A recipient is a person of the charter, whoever stands in for one today, or the team. Addresses with passwords live in
the settings only, so the team's intent is spread over the team's channels when it is first delivered; see
:mod:`pipeline.notices.delivery`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

from pipeline.accounts import in_force_today, people_of
from pipeline.charter.model import ROLES
from pipeline.language import Message, from_plain, to_plain
from pipeline.ledger import Intent, Reader, Transaction, enqueue, notify_key
from pipeline.ledger.chain import canonical, digest

NoticeKind = Literal[
    "review_requested",
    "review_reminder",
    "review_due",
    "review_overdue",
    "decision_taken",
    "iteration_failed",
    "retraining_triggered",
    "alarm",
    "rollback_proposed",
    "rows_refused",
]

#: A word for everybody: the channels in the settings whose name starts with it.
TEAM = "team"
_LONGEST = 2000


@dataclass(frozen=True)
class Recipient:
    """Whom one intent reaches.

    Attributes:
        name: ``person:ana.silva``, ``team``, or ``team:NAME`` for one of the team's channels.
        channel: the person's channel in the charter (``mailto:…`` or a name in the settings), or the team's by name;
            empty for the team as a whole, and for somebody whom no charter names: their account has an address.
        stands_in_for: the name of the person whose role was handed to this one; empty for one's own.
    """

    name: str
    channel: str
    stands_in_for: str = ""


@dataclass(frozen=True)
class Notice:
    """What one recipient is told.

    Attributes:
        id: the same for every recipient and every repetition.
        project: whose news it is.
        kind: what happened.
        subject: a few words for the subject line.
        sentence: what happened, in one or two sentences.
        figures: what the sentence stands on, by a few words each.
        link: path on the review site, from ``/``.
        recipient: whom.
    """

    id: str
    project: str
    kind: NoticeKind
    subject: str
    sentence: str
    figures: Mapping[str, Any]
    link: str
    recipient: Recipient


def enqueue_notice(
    tx: Transaction,
    *,
    project: str,
    kind: NoticeKind,
    subject: str,
    sentence: str,
    figures: Mapping[str, Any],
    audience: Iterable[str] | str,
    without: Collection[str] = (),
    link: str = "",
) -> bool:
    """Queue a notice; it is sent if, and only if, the transaction commits.

    The same notice (all of what is given but the audience) reaches each recipient once, however often it is queued.

    Args:
        tx: the transaction.
        project: whose news it is.
        kind: what happened.
        subject: a few words, such as the review's id; a :class:`pipeline.language.Message` is translated.
        sentence: what happened, in one or two sentences; likewise.
        figures: JSON values or messages by a few words each; no secrets, for the ledger keeps them for ever.
        audience: roles and ids of people of the project's charter, or ``team``; see :func:`recipients`.
        without: ids of people, or ``team``, who are not told, whoever they stand in for.
        link: path on the review site; the project's page if empty.

    Returns:
        Whether anybody was queued who was not before.

    Raises:
        LedgerError: a figure is not JSON.
    """
    wanted = (audience,) if isinstance(audience, str) else tuple(audience)
    content: dict[str, Any] = {
        "kind": kind,
        "subject": _told(subject),
        "sentence": _told(sentence),
        "figures": {name: _told(value) for name, value in figures.items()},
        "link": link or f"/projects/{project}",
    }
    notice = digest(canonical([project, content]))[:16]
    queued = [
        enqueue(
            tx, notify_key(notice, to.name), "notify", project, {"notice": notice, **content, "recipient": asdict(to)}
        )
        for to in recipients(tx, project, wanted, without)
    ]
    return any(queued)


def recipients(
    reader: Reader, project: str, audience: Sequence[str], without: Collection[str] = ()
) -> tuple[Recipient, ...]:
    """Who is meant by roles, ids and ``team``, each once: people in the charter's order, each with who stands in today.

    What nobody of the charter would hear goes to the team.

    Args:
        reader: the ledger, for its newest charter and the delegations in force.
        project: whose people.
        audience: roles, ids of people, or ``team``.
        without: ids of people, or ``team``, to leave out.
    """
    people = people_of(reader, project)
    meant = [person for person in people if person.id in audience or person.role in audience]
    channels = {person.id: person.channel for person in people}
    found = {one.id: Recipient(f"person:{one.id}", one.channel) for one in meant}
    givers = {one.id: one.name for one in meant}
    handed = in_force_today(reader) if meant else {}
    for delegation in (one for ours in handed.values() for one in ours if one.project == project):
        if delegation.giver in givers:
            to = delegation.delegate
            found.setdefault(to, Recipient(f"person:{to}", channels.get(to, ""), givers[delegation.giver]))
    told = tuple(one for name, one in found.items() if name not in without)
    known = {person.id for person in people} | set(ROLES)
    if TEAM not in without and (TEAM in audience or not meant or not set(audience) <= known):
        told = (*told, Recipient(TEAM, ""))
    return told


def notice_of(intent: Intent) -> Notice:
    """The notice an intent carries."""
    told = intent.payload
    return Notice(
        id=told["notice"],
        project=intent.project,
        kind=cast("NoticeKind", told["kind"]),
        subject=from_plain(told["subject"]),
        sentence=from_plain(told["sentence"]),
        figures={name: _heard(value) for name, value in told["figures"].items()},
        link=told["link"],
        recipient=Recipient(**told["recipient"]),
    )


def _told(value: Any) -> Any:
    if isinstance(value, Message):
        return to_plain(value)
    return value[:_LONGEST] if isinstance(value, str) else value


def _heard(value: Any) -> Any:
    return from_plain(value) if isinstance(value, dict) and "template" in value else value
