"""Verification of the chain: was anything changed, removed, moved or cut off after it was written?"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from pipeline.errors import ChainBroken, Finding
from pipeline.ledger import tables
from pipeline.ledger.chain import GENESIS, HASHED, event_hash
from pipeline.ledger.store import Head, Ledger

_REMEDY = "restore the ledger from a backup taken before the change; keep this one as evidence"
_TEXTS = (*(name for name in HASHED if name != "seq"), "previous", "hash")
#: Before any number a store can hold as seq, so that an event slipped in before the first is seen.
_BEFORE_ALL = -(2**63)


@dataclass(frozen=True)
class ChainStatus:
    """The result of a verification.

    Attributes:
        events: number of events found sound, from the first on.
        head: the last sound event; note it down elsewhere to detect a cut-off end later.
        fault: the first bad event and what is wrong with it, or None.
        fault_at: its seq, or None.
    """

    events: int
    head: Head
    fault: Finding | None = None
    fault_at: int | None = None

    @property
    def intact(self) -> bool:
        """Whether nothing was found."""
        return self.fault is None

    def require(self) -> None:
        """Go on only with an intact chain.

        Raises:
            ChainBroken: the first bad event.
        """
        if self.fault is not None:
            raise ChainBroken("The ledger was changed after it was written", [self.fault])


def verify(ledger: Ledger, anchor: Head | None = None) -> ChainStatus:
    """Recompute every hash, in constant memory.

    A chain cannot know by itself that its newest events were cut off, or that all of it was written anew; an
    anchor kept elsewhere (in a report, a mail, another system) can.

    Args:
        ledger: the ledger.
        anchor: a head of this ledger noted down earlier.

    Raises:
        LedgerError: the store cannot be read at all.
    """
    last = Head(0, GENESIS)
    for row in ledger.raw_events(after=_BEFORE_ALL):
        found = _fault(ledger, row, last)
        if found is None and anchor and row["seq"] == anchor.seq and row["hash"] != anchor.hash:
            found = f"its hash is {row['hash'][:12]}…, but {anchor.hash[:12]}… was noted down: the chain was rewritten"
        if found is not None:
            return ChainStatus(last.seq, last, Finding(_place(row), found, _REMEDY), last.seq + 1)
        last = Head(row["seq"], row["hash"])
    if anchor and last.seq < anchor.seq:
        found = f"is missing: the ledger ends at event {last.seq}, but event {anchor.seq} was noted down as written"
        return ChainStatus(last.seq, last, Finding(f"event {last.seq + 1}", found, _REMEDY), last.seq + 1)
    return ChainStatus(last.seq, last)


def _place(row: Mapping[str, Any]) -> str:
    # Damaged text may not be printable; it is shown, not repaired.
    return f"event {row['seq']} ({row['kind']}, {row['at']})".encode(errors="replace").decode()


def _fault(ledger: Ledger, row: Mapping[str, Any], last: Head) -> str | None:
    """What is wrong with an event, given the sound one before it."""
    if any(not isinstance(row[name], str) for name in _TEXTS):
        return "was changed: a text became something else"
    sound = event_hash(row["previous"], row) == row["hash"]
    if row["seq"] != last.seq + 1:
        return f"event {last.seq + 1} is missing before it"
    if sound and row["previous"] == last.hash:
        return None
    if sound:
        return "does not follow from the event before it: events were removed, inserted or replaced"
    home = _home(ledger, row)
    return f"was moved: it was written as event {home}" if home else "was changed: its hash does not fit its content"


def _home(ledger: Ledger, row: Mapping[str, Any]) -> int | None:
    """The position an event was written at, if its hash fits one right after the event it names as previous."""
    # A damaged hash cannot be looked up: it may hold bytes that are no text.
    known = row["previous"] if row["previous"].isascii() else ""
    before = ledger.rows(select(tables.events.c.seq).where(tables.events.c.hash == known).limit(1))
    for seq in (row["seq"] - 1, row["seq"] + 1, *(found["seq"] + 1 for found in before)):
        if seq != row["seq"] and event_hash(row["previous"], {**row, "seq": seq}) == row["hash"]:
            return int(seq)
    return None
