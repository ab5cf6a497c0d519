"""What accounts share with the chain: one shape of time, and events that can be relied on."""

from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy import select

from pipeline.ledger import Event, Reader
from pipeline.ledger.chain import event_hash
from pipeline.ledger.store import to_event
from pipeline.ledger.tables import events

#: Subjects asked for in one query; stores limit the number of values.
_AT_ONCE = 400


def stamp(moment: datetime) -> str:
    """A moment as the ledger writes it: UTC, ISO 8601 to the microsecond, so that texts compare as times do."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def sound_events(reader: Reader, subjects: Iterable[str], kinds: Iterable[str]) -> list[Event]:
    """The events of these kinds on these subjects whose own hash is sound, in order."""
    wanted, names = list(dict.fromkeys(subjects)), list(kinds)
    found: list[Event] = []
    for start in range(0, len(wanted), _AT_ONCE):
        query = select(events).where(events.c.subject.in_(wanted[start : start + _AT_ONCE]), events.c.kind.in_(names))
        found += [to_event(row) for row in reader.rows(query) if event_hash(row["previous"], row) == row["hash"]]
    return sorted(found, key=lambda event: event.seq)
