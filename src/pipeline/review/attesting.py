"""Attestations and waivers in the ledger: who may give them, and which controls still bar *advance*.

What counts is the role a person holds in the charter the iteration runs under: somebody who writes themselves into a
charter file attests to nothing that is under review already.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from pipeline.accounts.record import sound_events
from pipeline.accounts.users import was_active
from pipeline.charter import Charter, Person
from pipeline.compliance.library import Control
from pipeline.compliance.standing import ControlState
from pipeline.compliance.vouching import Attestation, Vouched, Waiver
from pipeline.errors import Finding, Refused
from pipeline.ledger import Event, IterationRecord, Reader, Transaction

ATTESTED, WAIVED = "control.attested", "control.waived"
#: A waiver is an exception; what is to last longer is said anew.
LONGEST_WAIVER = timedelta(days=366)
_LONGEST_WORDS = 2000


@dataclass(frozen=True)
class OpenControl:
    """A control that bars *advance* now.

    Attributes:
        id: the control's.
        text: what must hold.
        role: whose word is missing.
        found: what is missing, in words.
    """

    id: str
    text: str
    role: str
    found: str


@dataclass(frozen=True)
class WaivedControl:
    """A control that was waived after the report, which therefore does not show it.

    Attributes:
        id: the control's.
        text: what must hold.
        person: who waived it, in the role the control names.
        reason: why.
        until: the waiver's last day.
    """

    id: str
    text: str
    person: str
    reason: str
    until: date


@dataclass(frozen=True)
class ControlsNow:
    """What became of a report's controls since it was made.

    Attributes:
        open: those that bar *advance* now: never attested to, or no longer, or a waiver that ended.
        waived: those that a waiver keeps from barring it, and that the report does not show as waived by it.
    """

    open: tuple[OpenControl, ...] = ()
    waived: tuple[WaivedControl, ...] = ()


def attest(
    tx: Transaction, charter: Charter, control: Control, note: str, *, actor: str, document: Path | None = None
) -> Event:
    """Record a person's word that a control holds.

    Args:
        tx: the transaction.
        charter: says which role the person holds.
        control: which one; not an automated one.
        note: what they looked at; kept.
        actor: who.
        document: the file a document control asks for; its name and hash are kept, not its content.

    Raises:
        Refused: the control is checked by the program, the person does not hold its role, the note is empty, or the
            document is missing.
    """
    if control.kind == "automated":
        remedy = "mend what it found, or have it waived: `landed controls waive`"
        finding = Finding(control.id, "it is checked by the program, nobody's word counts", remedy)
        raise _refused(tx, charter, control, actor, ATTESTED, finding)
    person = _holder(tx, charter, control, actor, ATTESTED)
    body: dict[str, Any] = {"note": _words(tx, charter, control, actor, note), "charter": charter.digest}
    if control.kind == "document":
        if document is None:
            finding = Finding(control.id, "it asks for a document", "name the file with --document")
            raise _refused(tx, charter, control, actor, ATTESTED, finding)
        body |= {"document": document.name, "sha256": _hash(document)}
    return tx.append(ATTESTED, charter.project, control.id, actor, person.role, body)


def waive(tx: Transaction, charter: Charter, control: Control, reason: str, until: date, *, actor: str) -> Event:
    """Record that a control need not hold until a day; every report from then on shows it.

    In a review that is open it takes the place of a missing attestation, and is shown beside the report. A check that
    failed is part of the report people sign: to waive that changes the next one.

    Raises:
        Refused: the person does not hold the control's role, the reason is empty, or the end is past or too far away.
    """
    person = _holder(tx, charter, control, actor, WAIVED)
    today = tx.now().date()
    if not today <= until <= today + LONGEST_WAIVER:
        remedy = f"write a day from {today} to {today + LONGEST_WAIVER}"
        finding = Finding("--until", f"{until} is {'past' if until < today else 'too far away'}", remedy)
        raise _refused(tx, charter, control, actor, WAIVED, finding)
    body = {
        "reason": _words(tx, charter, control, actor, reason),
        "until": until.isoformat(),
        "charter": charter.digest,
    }
    return tx.append(WAIVED, charter.project, control.id, actor, person.role, body)


def vouched(reader: Reader, charter: Charter, roles: Mapping[str, str], opened: datetime) -> Vouched:
    """What people said about a project's controls, as far as it counts.

    Args:
        reader: the ledger.
        charter: of the iteration; who does not hold the role there said nothing.
        roles: the role of each control, by id.
        opened: when the iteration was opened.
    """
    events = [
        event
        for event in sound_events(reader, roles, [ATTESTED, WAIVED])
        if event.project == charter.project and _counts(reader, charter, roles[event.subject], event)
    ]
    attestations = tuple(_attestation(event) for event in events if event.kind == ATTESTED)
    waivers = tuple(_waiver(event) for event in events if event.kind == WAIVED)
    return Vouched(attestations, waivers, opened)


def kept_controls(states: tuple[ControlState, ...]) -> list[dict[str, Any]]:
    """What the ledger keeps of an iteration's controls: enough to ask again when somebody signs."""
    return [
        {
            **one.control.model_dump(mode="json"),
            "state": one.state,
            "reason": str(one.reason),
            "by": one.by,
            "until": one.until.isoformat() if one.until else None,
        }
        for one in states
    ]


def controls_now(
    reader: Reader, record: IterationRecord, charter: Charter, shown: datetime, now: datetime
) -> ControlsNow:
    """How the controls of a report stand at this moment, by what people said of them since.

    Args:
        reader: the ledger.
        record: the iteration under review; its result holds how its controls stood in the report.
        charter: the iteration's.
        shown: when the review of its report was asked for.
        now: the moment.
    """
    kept = [
        (Control.model_validate({key: one[key] for key in Control.model_fields}, strict=False), one)
        for one in (record.result or {}).get("controls", ())
    ]
    roles = {control.id: control.role for control, _ in kept}
    said, today = vouched(reader, charter, roles, datetime.fromisoformat(record.opened_at)), now.date()
    barring, waived = [], []
    for control, one in kept:
        missing = _missing(control, one, said, today) if control.severity == "block" else ""
        if missing:
            barring.append(OpenControl(control.id, control.text, control.role, missing))
        held = control.kind != "automated" and said.attestation(control, today) is not None
        waiver = said.waiver(control, today)
        if waiver is not None and waiver.at > shown and not held and one["state"] in ("overdue", "holds", "waived"):
            waived.append(WaivedControl(control.id, control.text, waiver.person, waiver.reason, waiver.until))
    return ControlsNow(tuple(barring), tuple(waived))


def _missing(control: Control, one: Mapping[str, Any], said: Vouched, today: date) -> str:
    """What is missing of one control, in words; empty when it bars nothing."""
    if one["state"] in ("not_due", "fails"):  # a failed check bars by its verdict, which is part of the request
        return ""
    if control.kind != "automated" and said.attestation(control, today) is not None:
        return ""
    if one["state"] == "waived" or control.kind != "automated":
        if said.waiver(control, today) is not None:
            return ""
        return f"its waiver ended on {one['until']}" if one["state"] == "waived" else "nobody's word on it counts now"
    return ""


def _counts(reader: Reader, charter: Charter, role: str, event: Event) -> bool:
    person = charter.person(event.actor)
    return person is not None and person.role == role == event.role and was_active(reader, person.id, before=event.seq)


def _attestation(event: Event) -> Attestation:
    body = event.body
    at = datetime.fromisoformat(event.at)
    return Attestation(
        event.subject, event.actor, at, body["note"], body.get("document", ""), body.get("sha256", "")
    )  # fmt: skip


def _waiver(event: Event) -> Waiver:
    until = date.fromisoformat(event.body["until"])
    return Waiver(event.subject, event.actor, datetime.fromisoformat(event.at), event.body["reason"], until)


def _holder(tx: Transaction, charter: Charter, control: Control, actor: str, kind: str) -> Person:
    person = charter.person(actor)
    if person is None or person.role != control.role:
        holders = ", ".join(one.id for one in charter.people if one.role == control.role) or "nobody"
        found = f"{control.id} is for the role {control.role}"
        raise _refused(tx, charter, control, actor, kind, Finding(actor, found, f"ask {holders}"))
    return person


def _words(tx: Transaction, charter: Charter, control: Control, actor: str, words: str) -> str:
    words = words.strip()
    if not words or len(words) > _LONGEST_WORDS:
        found = "it is empty" if not words else f"{len(words)} characters"
        finding = Finding("the reason", found, f"say in a sentence or two why, in at most {_LONGEST_WORDS} characters")
        raise _refused(tx, charter, control, actor, "control", finding)
    return words


def _hash(document: Path) -> str:
    try:
        with document.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as exc:
        finding = Finding(str(document), f"it cannot be read: {exc.strerror or exc}", "name a file you may read")
        raise Refused("The document cannot be attested to", [finding]) from exc


def _refused(tx: Transaction, charter: Charter, control: Control, actor: str, kind: str, finding: Finding) -> Refused:
    person = charter.person(actor)
    body = {"attempt": kind, "found": finding.found}
    tx.note_refusal(
        "control.refused", charter.project, control.id, actor, person.role if person else "", body
    )  # fmt: skip
    return Refused(f"{actor} cannot vouch for {control.id}", [finding])
