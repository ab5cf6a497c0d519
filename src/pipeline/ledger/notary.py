"""The notary of a ledger: signs what people sign, and notes heads down beside the database.

Its files lie in the folder of the ledger's SQLite file, or in the data folder where the ledger is on PostgreSQL:
``anchors.jsonl``, and ``keys/`` once ``landed audit keys`` made a key. From then on the chain itself says that
sign-offs are signed, so a sign-off without its signature is seen as one that somebody slipped in.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from pipeline.errors import Finding, LedgerError
from pipeline.ledger import anchors, keys
from pipeline.ledger.keys import Key
from pipeline.ledger.tables import events

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
        self._key: Key | None = None

    @property
    def key(self) -> Key | None:
        """The key to sign with, or None; looked for until it is there, as it may be made while a server runs."""
        self._key = self._key or keys.read(self.keys)
        return self._key

    def signature(self, reader: "Reader", event: Mapping[str, Any]) -> dict[str, Any] | None:
        """The signature an event is to be kept with; None for one that bears none.

        Raises:
            LedgerError: the chain says that sign-offs are signed, and its key is not here.
        """
        if event["kind"] not in SIGNED:
            return None
        public = public_key(reader)
        if public is None:
            return None
        if self.key is None or self.key.public != public:
            found = "there is none" if self.key is None else f"it is another one, {self.key.public[:12]}"
            remedy = f"copy the key {public[:12]} there, mode 600, from the machine on which it was made"
            raise LedgerError(
                "This ledger's sign-offs are signed with its key",
                [Finding(str(self.keys / keys.PRIVATE), found, remedy)],
            )
        return {"event": event["seq"], "signature": self.key.sign(keys.of_event(event["hash"]))}

    def note(self, head: "Head", now: datetime) -> None:
        """Note a head down. What was committed stays so where the file cannot be written: verifying tells its age."""
        try:
            anchors.note(self.anchors, head.seq, head.hash, now.isoformat(timespec="microseconds"), self.key)
        except OSError:
            return


def public_key(reader: "Reader") -> str | None:
    """The public half that the chain names, or None before a key was made; the first one counts."""
    query = select(events.c.body).where(events.c.kind == KEY_MADE, events.c.subject == KEY_SUBJECT)
    rows = reader.rows(query.order_by(events.c.seq).limit(1))
    return named_key(rows[0]["body"]) if rows else None


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
        finding = Finding("the ledger", f"it has the key {public[:12]}", "keep using it; a ledger has one")
        raise LedgerError("The ledger has a key already", [finding])
    # A pair whose event was never committed, after a crash in between, is taken up.
    key = notary.key or keys.make(notary.keys)
    tx.append(KEY_MADE, "", KEY_SUBJECT, actor, "", {"public": key.public})
    return key
