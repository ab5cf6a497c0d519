"""The notary of a ledger: signs what people sign, and notes heads down beside the database.

Its files lie in the folder of the ledger's SQLite file, or in the data folder where the ledger is on PostgreSQL:
``anchors.jsonl``, and ``keys/`` once ``landed audit keys`` made a key. From then on the chain itself says that
sign-offs are signed, so a sign-off without its signature is seen as one that somebody slipped in. Which key signs may
change: the chain names each, and each but the first is signed by the one before it too. A key that was lost cannot
sign: the event that puts another in its place says so, and does not satisfy whoever knows only keys from before it.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from pipeline.errors import Finding, LedgerError
from pipeline.ledger import anchors, keys
from pipeline.ledger.keys import Key
from pipeline.ledger.tables import events, signatures

if TYPE_CHECKING:
    from pipeline.ledger.store import Head, Reader, Transaction

KEY_MADE, KEY_SUBJECT = "audit.key", "ledger-key"
#: Events that bear a signature from the key's own event on.
SIGNED = frozenset({"review.signed", KEY_MADE})
#: Events after which the head is noted down: what people decide, what they decide on, and who follows a model.
ANCHORED = frozenset(
    {
        KEY_MADE,
        "iteration.reported",
        "review.requested",
        "review.signed",
        "review.applied",
        "project.landed",
        "project.stopped",
        "rollout.released",
        "rollout.rolled_back",
        "rollout.withdrawn",
        "rollout.stopped",
        "rollout.resumed",
    }
)


class Notary:
    """Signs and notes down for the ledger beside which it stands.

    Args:
        folder: where its files lie; nothing is made before it is needed.
    """

    def __init__(self, folder: Path) -> None:
        self.anchors = folder / anchors.NAME
        self.keys = folder / "keys"

    @property
    def key(self) -> Key | None:
        """The key to sign with, or None; read anew each time, as one may be made or handed over while a server runs."""
        return keys.read(self.keys)

    def signature(self, reader: "Reader", event: Mapping[str, Any]) -> dict[str, Any] | None:
        """The signature an event is to be kept with; None for one that bears none.

        Raises:
            LedgerError: the chain says that sign-offs are signed, and its key is not here.
        """
        if event["kind"] not in SIGNED:
            return None
        names = event["kind"] == KEY_MADE
        before = key_spans(reader, before=event["seq"])
        signers = [before[-1].public] if before and not (names and lost_by(event["body"])) else []
        signers += [named_key(event["body"])] if names else []
        if not signers:
            return None
        text = keys.of_event(event["hash"])
        return {"event": event["seq"], "signature": "".join(self.holding(public).sign(text) for public in signers)}

    def holding(self, public: str) -> Key:
        """The pair of a public key.

        Raises:
            LedgerError: it is not here.
        """
        here = self._here()
        for key in here:
            if key.public == public:
                return key
        found = f"it is another one, {here[0].public[:12]}" if here else "there is none"
        remedy = f"copy the key {public[:12]} there, mode 600, from the machine on which it was made"
        finding = Finding(str(self.keys / keys.PRIVATE), found, remedy)
        raise LedgerError("This ledger's sign-offs are signed with its key", [finding])

    def holds(self, public: str) -> bool:
        """Whether the pair of a public key is here."""
        return public in {key.public for key in self._here()}

    def _here(self) -> list[Key]:
        """The key, and the next one: it lies beside it from before the event that names it until a moment after."""
        return [key for key in (self.key, keys.read(self.keys, keys.NEXT)) if key is not None]

    def note(self, reader: "Reader", head: "Head", now: datetime) -> None:
        """Note a head down. What was committed stays so where that cannot be done: verifying tells its age.

        Without the ledger's key nothing is noted: a head that is not signed would be taken for a forged one.
        """
        with suppress(OSError, LedgerError):
            public = public_key(reader)
            key = self.holding(public) if public else None
            anchors.note(self.anchors, head.seq, head.hash, now.isoformat(timespec="microseconds"), key)


@dataclass(frozen=True)
class KeySpan:
    """A public key, the event from which on it signs, and why the one before it was not asked, where it was lost."""

    public: str
    since: int
    lost: str = ""


def key_spans(reader: "Reader", before: int | None = None) -> tuple[KeySpan, ...]:
    """The keys that the chain names, oldest first; one that the key before it did not hand over to counts for nothing.

    Args:
        reader: the ledger.
        before: only keys named by earlier events.
    """
    query = (
        select(events.c.seq, events.c.body, events.c.hash, signatures.c.signature)
        .join(signatures, signatures.c.event == events.c.seq, isouter=True)
        .where(events.c.kind == KEY_MADE, events.c.subject == KEY_SUBJECT)
        .order_by(events.c.seq)
    )
    found: list[KeySpan] = []
    for row in reader.rows(query if before is None else query.where(events.c.seq < before)):
        named, lost = named_key(row["body"]), lost_by(row["body"])
        text, seal = keys.of_event(row["hash"]), row["signature"] or ""
        if not found or (
            keys.signed(named, text, seal) if lost else keys.handed_over(found[-1].public, named, text, seal)
        ):
            found.append(KeySpan(named, row["seq"], lost))
    return tuple(found)


def public_key(reader: "Reader") -> str | None:
    """The public half that signs now, or None before a key was made."""
    found = key_spans(reader)
    return found[-1].public if found else None


def named_key(body: str) -> str:
    """The key that an event's body names; empty for a body that was damaged, which no signature fits."""
    try:
        return str(json.loads(body)["public"])
    except (ValueError, KeyError, TypeError):
        return ""


def lost_by(body: str) -> str:
    """How the key before was lost, as the event that puts another in its place says; empty for a hand-over."""
    try:
        return str(json.loads(body).get("lost", ""))
    except (ValueError, AttributeError):
        return ""


def make_key(tx: "Transaction", notary: Notary, actor: str) -> Key:
    """Make the ledger's key and say so in the chain: from this event on sign-offs are signed.

    Raises:
        LedgerError: the ledger has a key already, or the file cannot be written.
    """
    public = public_key(tx)
    if public is not None:
        remedy = "keep using it, or hand over to another: `landed audit rotate-key`"
        finding = Finding("the ledger", f"it has the key {public[:12]}", remedy)
        raise LedgerError("The ledger has a key already", [finding])
    # A pair whose event was never committed, after a crash in between, is taken up.
    key = notary.key or keys.make(notary.keys)
    tx.append(KEY_MADE, "", KEY_SUBJECT, actor, "", {"public": key.public})
    return key


def rotate_key(tx: "Transaction", notary: Notary, actor: str) -> Key:
    """Hand over to a new key, by one event that both sign; once it is committed, :func:`pipeline.ledger.keys.settle`.

    Raises:
        LedgerError: the ledger has no key, its key is not here, or a file cannot be written.
    """
    spans = key_spans(tx)
    if not spans:
        finding = Finding("the ledger", "it has no key", "make one: `landed audit keys`")
        raise LedgerError("There is no key to hand over", [finding])
    old = notary.holding(spans[-1].public)
    key = _next(notary, spans)
    tx.append(KEY_MADE, "", KEY_SUBJECT, actor, "", {"public": key.public, "before": old.public})
    return key


def replace_lost_key(tx: "Transaction", notary: Notary, actor: str, reason: str) -> Key:
    """Put a new key in the place of one that is lost, by an event that the new one alone signs and that says so.

    Once it is committed, :func:`pipeline.ledger.keys.settle`.

    Raises:
        LedgerError: the ledger has no key, its key is here and can be handed over, or a file cannot be written.
    """
    spans = key_spans(tx)
    if not spans:
        finding = Finding("the ledger", "it has no key", "make one: `landed audit keys`")
        raise LedgerError("There is no key to replace", [finding])
    if notary.holds(spans[-1].public):
        finding = Finding(str(notary.keys), "the ledger's key lies there", "hand it over: `landed audit rotate-key`")
        raise LedgerError("The key is not lost", [finding])
    key = _next(notary, spans)
    tx.append(KEY_MADE, "", KEY_SUBJECT, actor, "", {"public": key.public, "before": spans[-1].public, "lost": reason})
    return key


def _next(notary: Notary, spans: tuple[KeySpan, ...]) -> Key:
    """The pair that follows; one whose event was never committed, after a crash in between, is taken up."""
    pending = keys.read(notary.keys, keys.NEXT)
    if pending is not None and pending.public in {span.public for span in spans}:
        # Named by the chain, and cut off before the files followed.
        keys.settle(notary.keys)
        pending = None
    return pending or keys.make(notary.keys, keys.NEXT)
