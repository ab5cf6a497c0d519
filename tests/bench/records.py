"""How long ``landed audit verify`` takes on a long record, and whether its memory grows with the record."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

from children import Measured, landed, measure, stores
from figures import Figure, Result, unjudged

from pipeline.ledger import Ledger
from pipeline.ledger.chain import GENESIS, canonical, event_hash
from pipeline.settings import Settings

EVENTS, FEWER = 1_000_000, 100_000
LIMIT = 30.0
#: Peak memory of the long record over that of one with a tenth of the events; constant but for noise.
GROWTH = 1.1
_AT_ONCE = 10_000
_AT_MOST = 600.0


def records(work: Path, logs: Path, *, quick: bool) -> Result:
    """Two records of the loop's kind of events, verified one after the other."""
    sizes = (EVENTS // 20, FEWER // 20) if quick else (EVENTS, FEWER)
    long, short = (_verified(work / str(size), logs, size) for size in sizes)
    figures = (
        Figure(f"landed audit verify, {sizes[0]:,} events", long.wall, "s", LIMIT),
        Figure("its CPU seconds", long.cpu, "s"),
        Figure("its peak memory", long.peak / 2**30, "GiB"),
        Figure(f"peak memory to that of {sizes[1]:,} events", long.peak / short.peak, "×", GROWTH),
    )
    return Result("ledger", unjudged(figures) if quick else figures, (long, short), {"events": sizes})


def _verified(folder: Path, logs: Path, size: int) -> Measured:
    environment = stores(folder)
    path = Path(environment["LANDED_DATA"]) / "ledger.db"
    with Ledger(Settings(data=path.parent).ledger) as ledger:
        ledger.head()
    with closing(sqlite3.connect(path)) as raw, raw:
        events = _events(size)
        while rows := list(islice(events, _AT_ONCE)):
            raw.executemany("INSERT INTO landed_events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    raw.close()
    return measure(landed("audit", "verify", "--no-mlflow"), environment, logs / f"ledger-{size}.log", at_most=_AT_MOST)


def _events(size: int) -> Iterator[tuple[Any, ...]]:
    """Events as the loop writes them, chained as it chains them; past Landed, which would take minutes."""
    previous = GENESIS
    for seq in range(1, size + 1):
        body = {"kind": "training", "value": f"{seq:064x}", "comment": "Promotion weeks run empty – order more."}
        event = {
            "seq": seq, "at": f"2026-11-{1 + seq % 28:02d}T09:00:00.{seq % 1_000_000:06d}+00:00", "actor": "maria.lind",
            "role": "business_owner", "kind": "notice.sent", "project": f"project-{seq % 7}",
            "subject": f"project-{seq % 7}/{seq % 40}/pilot", "body": canonical(body),
        }  # fmt: skip
        digest = event_hash(previous, event)
        yield (*event.values(), previous, digest)
        previous = digest
