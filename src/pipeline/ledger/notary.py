"""The notary of a ledger: signs what people sign, and notes heads down beside the database.

Its files lie in the folder of the ledger's SQLite file, or in the data folder where the ledger is on PostgreSQL:
``anchors.jsonl``, and ``keys/`` once ``landed audit keys`` made a key. From then on the chain itself says that
sign-offs are signed, so a sign-off without its signature is seen as one that somebody slipped in. Which key signs may
change: the chain names each, and each but the first is signed by the one before it too.
"""

import json
from collections.abc import Mapping
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
        signers = [before[-1].public] if before else []
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
        # The next one lies beside it from before the event that names it until a moment after.
        here = [key for key in (self.key, keys.read(self.keys, keys.NEXT)) if key is not None]
        for key in here:
            if key.public == public:
                return key
        found = f"it is another one, {here[0].public[:12]}" if here else "there is none"
        remedy = f"copy the key {public[:12]} there, mode 600, from the machine on which it was made"
        finding = Finding(str(self.keys / keys.PRIVATE), found, remedy)
        raise LedgerError("This ledger's sign-offs are signed with its key", [finding])

    def note(self, head: "Head", now: datetime) -> None:
        """Note a head down. What was committed stays so where the file cannot be written: verifying tells its age."""
        try:
            anchors.note(self.anchors, head.seq, head.hash, now.isoformat(timespec="microseconds"), self.key)
        except OSError:
            return


@dataclass(frozen=True)
class KeySpan:
    """A public key, and the event from which on it signs."""

    public: str
    since: int


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
        named, text = named_key(row["body"]), keys.of_event(row["hash"])
        if not found or keys.handed_over(found[-1].public, named, text, row["signature"] or ""):
            found.append(KeySpan(named, row["seq"]))
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
    old, pending = notary.holding(spans[-1].public), keys.read(notary.keys, keys.NEXT)
    if pending is not None and pending.public in {span.public for span in spans}:
        # Handed over, and cut off before the files followed.
        keys.settle(notary.keys)
        pending = None
    key = pending or keys.make(notary.keys, keys.NEXT)
    tx.append(KEY_MADE, "", KEY_SUBJECT, actor, "", {"public": key.public, "before": old.public})
    return key
