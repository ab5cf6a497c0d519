"""Verification of the chain: was anything changed, removed, moved or cut off after it was written?"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select

from pipeline.errors import ChainBroken, Finding
from pipeline.ledger import keys, tables
from pipeline.ledger.anchors import Anchor
from pipeline.ledger.chain import GENESIS, event_hash
from pipeline.ledger.notary import KEY_MADE, SIGNED, lost_by, named_key
from pipeline.ledger.store import PAGE, Head, Ledger

_REMEDY = "restore the ledger from a backup taken before the change; keep this one as evidence"
#: Before any number a store can hold as seq, so that an event slipped in before the first is seen.
_BEFORE_ALL = -(2**63)


@dataclass(frozen=True)
class LostKey:
    """A key that was declared lost: nothing but people's word says that the next one is rightly the ledger's.

    Attributes:
        seq, at, actor: the event that says so, when (UTC, ISO 8601), and who wrote it.
        public: the key that was lost.
        after: the key that took its place.
        reason: as it was told.
    """

    seq: int
    at: str
    actor: str
    public: str
    after: str
    reason: str


@dataclass(frozen=True)
class ChainStatus:
    """The result of a verification.

    Attributes:
        events: number of events found sound, from the first on.
        head: the last sound event; note it down elsewhere to detect a cut-off end later.
        fault: the first bad event and what is wrong with it, or None.
        fault_at: its seq, or None.
        lost: keys that were replaced without their own signature: the event, who wrote it, and why.
    """

    events: int
    head: Head
    fault: Finding | None = None
    fault_at: int | None = None
    lost: tuple[LostKey, ...] = ()

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


def verify(ledger: Ledger, anchors: Iterable[Anchor] = (), *, public: str | None = None) -> ChainStatus:
    """Recompute every hash and check every signature, in constant memory.

    A chain cannot know by itself that its newest events were cut off, or that all of it was written anew; anchors
    kept elsewhere (beside the ledger, in a report, in MLflow, in a mail) can.

    Args:
        ledger: the ledger.
        anchors: heads of this ledger noted down earlier.
        public: the ledger's public key as known from elsewhere, 64 hexadecimal digits; what the chain says if None.

    Raises:
        LedgerError: the store cannot be read at all.
    """
    noted: dict[int, list[Anchor]] = {}
    for anchor in anchors:
        noted.setdefault(anchor.seq, []).append(anchor)
    seals = _Seals(ledger, public)
    last = Head(0, GENESIS)
    for row in ledger.raw_events(after=_BEFORE_ALL):
        found = _fault(ledger, row, last) or seals.fault(row) or _rewritten(row, noted.get(row["seq"], ()))
        if found is not None:
            return ChainStatus(last.seq, last, Finding(_place(row), found, _REMEDY), last.seq + 1)
        last = Head(row["seq"], row["hash"])
    beyond = [anchor for seq, those in noted.items() if seq > last.seq for anchor in those]
    if beyond:
        anchor = max(beyond, key=lambda one: one.seq)
        found = (
            f"is missing: the ledger ends at event {last.seq}, but event {anchor.seq} was noted down as written "
            f"({anchor.where}): its end was cut off"
        )
        return ChainStatus(last.seq, last, Finding(f"event {last.seq + 1}", found, _REMEDY), last.seq + 1)
    return seals.judged(ChainStatus(last.seq, last), [anchor for those in noted.values() for anchor in those])


class _Seals:
    """The signatures of a ledger, read beside its events; from the first key's own event on they must be there."""

    def __init__(self, ledger: Ledger, public: str | None) -> None:
        self._rows = self._read(ledger)
        self._next = next(self._rows, None)
        self._expected = public
        self._keys: list[str] = []
        self._first: Mapping[str, Any] = {}
        self._lost: list[LostKey] = []

    @staticmethod
    def _read(ledger: Ledger) -> Iterator[dict[str, Any]]:
        query, after = select(tables.signatures).order_by(tables.signatures.c.event).limit(PAGE), 0
        while page := ledger.rows(query.where(tables.signatures.c.event > after)):
            yield from page
            after = page[-1]["event"]

    def fault(self, row: Mapping[str, Any]) -> str | None:
        """What is wrong with an event's signature."""
        if row["kind"] not in SIGNED:
            return None
        text, named = keys.of_event(row["hash"]), named_key(row["body"])
        if row["kind"] == KEY_MADE and not self._keys:
            self._keys, self._first = [named], row
        if not self._keys:
            return None
        given = self._of(row["seq"])
        if given is None:
            return "bears no signature, although the ledger has a key: the sign-off was not taken by Landed"
        lost = lost_by(row["body"]) if row["kind"] == KEY_MADE and row is not self._first else ""
        if lost:
            if not keys.signed(named, text, given):
                return f"names the key {named[:12]}… in the place of a lost one, but was not signed by it"
            self._lost.append(LostKey(row["seq"], row["at"], row["actor"], self._keys[-1], named, lost))
            self._keys.append(named)
        elif row["kind"] == KEY_MADE and row is not self._first:
            if not keys.handed_over(self._keys[-1], named, text, given):
                return f"names the key {named[:12]}…, but the ledger's key and that one did not both sign it"
            self._keys.append(named)
        elif not keys.signed(self._keys[-1], text, given):
            return "bears a signature that is not of the ledger's key"
        return None

    def judged(self, status: ChainStatus, anchors: Iterable[Anchor]) -> ChainStatus:
        """The status of a sound chain, once the key and the signatures of its anchors were looked at too."""
        if self._expected is not None and self._expected not in self._keys:
            found = f"no event names the key {self._expected[:12]}… that the ledger is known to have"
            if not self._keys:
                return replace(status, fault=Finding("the ledger", found, _REMEDY), fault_at=0)
            found = f"names the key {self._keys[0][:12]}…, but the ledger's is {self._expected[:12]}…"
            return replace(status, fault=Finding(_place(self._first), found, _REMEDY), fault_at=self._first["seq"])
        if self._lost and self._expected is not None:
            last = self._lost[-1]
            if self._expected not in self._keys[self._keys.index(last.after) :]:
                found = (
                    f"declares the key {last.public[:12]}… lost ({last.reason}): it did not sign this, and the key "
                    f"{self._expected[:12]}… that the ledger is known to have is from before"
                )
                remedy = (
                    "ask the people who answer for the ledger whether it is so, and for the key that took its place"
                )
                place = f"event {last.seq} ({KEY_MADE}, {last.at}, by {last.actor})"
                return replace(status, fault=Finding(place, found, remedy), fault_at=last.seq)
        status = replace(status, lost=tuple(self._lost))
        for anchor in anchors:
            # Only what the notary wrote bears a time and, with a key, a signature; packs and tags do not.
            if anchor.at and self._keys and anchor.seq >= self._first["seq"]:
                text = keys.of_head(anchor.seq, anchor.hash, anchor.at)
                if not any(keys.signed(public, text, anchor.signature) for public in self._keys):
                    found = "bears no signature of the ledger's key: it was not noted down by Landed"
                    return replace(status, fault=Finding(anchor.where, found, _REMEDY), fault_at=anchor.seq)
        return status

    def _of(self, seq: int) -> str | None:
        while self._next is not None and self._next["event"] < seq:
            self._next = next(self._rows, None)
        if self._next is None or self._next["event"] != seq:
            return None
        return str(self._next["signature"])


def _rewritten(row: Mapping[str, Any], anchors: Iterable[Anchor]) -> str | None:
    for anchor in anchors:
        if row["hash"] != anchor.hash:
            return (
                f"its hash is {row['hash'][:12]}…, but {anchor.hash[:12]}… was noted down ({anchor.where}): "
                "the chain was rewritten"
            )
    return None


def _place(row: Mapping[str, Any]) -> str:
    # Damaged text may not be printable; it is shown, not repaired.
    return f"event {row['seq']} ({row['kind']}, {row['at']})".encode(errors="replace").decode()


def _fault(ledger: Ledger, row: Mapping[str, Any], last: Head) -> str | None:
    """What is wrong with an event, given the sound one before it."""
    try:
        sound = event_hash(row["previous"], row) == row["hash"]
    except TypeError:
        return "was changed: a text became something else"
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
