"""Single decisions that people change: read from a file, put into the batch, kept in the ledger, and counted.

A batch is one period's decisions as ``landed decide`` wrote them. The newest batch of a period is the one that counts.
"""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.compliance.account import Account
from pipeline.errors import DataError, Finding
from pipeline.ledger import Event, Ledger, Transaction

SERVED = "decisions.served"
_SAID = ("person", "reason")
_LONGEST = 500
_Key = tuple[str, ...]


@dataclass(frozen=True)
class Override:
    """One decision a person changed.

    Attributes:
        series: what it is about, by the decisions' key columns.
        model: what would have been served; words by the number that stands for them.
        quantity: what is served.
        person, reason: who changed it, and why.
        standing: what the decision started from, for hindsight.
    """

    series: Mapping[str, str]
    model: float
    quantity: float
    person: str
    reason: str
    standing: float


@dataclass(frozen=True)
class Batch:
    """One period's decisions as they were served.

    Attributes:
        cutoff: the last period they knew; None where the problem cannot tell.
        decisions: how many.
        by_model: how many of them the model made.
        limited: how many the charter's limits changed.
        overrides: those that people changed.
        at: when, in UTC.
    """

    cutoff: date | None
    decisions: int
    by_model: int
    limited: int
    overrides: tuple[Override, ...]
    at: str


def read_overrides(path: Path, account: Account, served: NDArray[np.float64]) -> tuple[Override, ...]:
    """The overrides of a CSV file: the key columns of the decisions, ``quantity``, ``person``, ``reason``.

    Where a decision is a word, its column is called ``decision``.

    Args:
        path: the file.
        account: the decisions they change.
        served: (N,) what would be served without them.

    Raises:
        DataError: with a finding for every line that cannot be followed.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            header, lines = list(reader.fieldnames or ()), list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise DataError("The overrides cannot be read", [Finding(str(path), str(exc), "name a CSV file")]) from exc
    column = "decision" if account.words else "quantity"
    wanted = [*account.keys, column, *_SAID]
    missing = [name for name in wanted if name not in header]
    if missing:
        finding = Finding(f"{path}:1", f"no column {', '.join(missing)}", f"write the columns {', '.join(wanted)}")
        raise DataError("The overrides cannot be read", [finding])
    known = _places(account)
    findings, found, seen = [], [], set[_Key]()
    for number, line in enumerate(lines, start=2):
        key = tuple((line[name] or "").strip() for name in account.keys)
        place = known.get(key)
        value = _value(account, place, (line[column] or "").strip())
        faults = [*_key_faults(key, known, seen), *_value_faults(account, place, column, line[column], value)]
        faults += _word_faults(line)
        findings += [Finding(f"{path}:{number}", what, remedy) for what, remedy in faults]
        seen.add(key)
        if place is not None and not faults:
            found.append(
                Override(
                    dict(zip(account.keys, key, strict=True)), float(served[place]), value,
                    (line["person"] or "").strip(), (line["reason"] or "").strip(), float(account.standing[place]),
                )
            )  # fmt: skip
    if findings:
        count = "one thing" if len(findings) == 1 else f"{len(findings)} things"
        raise DataError(f"The overrides are refused: {count} to put right", findings)
    return tuple(found)


def put(account: Account, served: NDArray[np.float64], overrides: Sequence[Override]) -> NDArray[np.float64]:
    """(N,) the decisions with the changed ones in their place.

    Whatever is moved within a queue takes the place it was given, and the others move up or down around it.
    """
    known, changed = _places(account), served.copy()
    moved = np.zeros(len(served), np.bool_)
    for one in overrides:
        place = known[tuple(one.series[name] for name in account.keys)]
        changed[place], moved[place] = one.quantity, True
    if account.ranked is not None:
        for queue in set(account.ranked[moved]) - {""}:
            members = np.flatnonzero(account.ranked == queue)
            changed[members] = _seated(served[members], changed[members], moved[members])
    return changed


def _seated(before: NDArray[np.float64], asked: NDArray[np.float64], moved: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(n,) places from 1 to n: those who were moved sit where they were put, all others as before on what is free."""
    size = len(before)
    seats: list[int | None] = [None] * size
    for one in sorted(np.flatnonzero(moved).tolist(), key=lambda one: (asked[one], before[one])):
        free = [seat for seat in range(size) if seats[seat] is None]
        wanted = int(min(asked[one], size)) - 1
        seats[min(free, key=lambda seat: (abs(seat - wanted), seat))] = one
    rest = iter(sorted(np.flatnonzero(~moved).tolist(), key=lambda one: before[one]))
    found = np.empty(size)
    for seat, sitter in enumerate(seats):
        found[next(rest) if sitter is None else sitter] = seat + 1
    return found


def record_served(
    tx: Transaction,
    project: str,
    *,
    actor: str,
    cutoff: date | None,
    decisions: int,
    by_model: int,
    limited: int,
    model: Mapping[str, str],
    sha256: str,
    overrides: Sequence[Override] = (),
) -> Event:
    """Note a batch that was written: what decided, how much of it was limited, and every decision people changed.

    Args:
        tx: the transaction.
        project: whose decisions.
        actor: who had them written.
        cutoff: the last period they knew.
        decisions: how many.
        by_model: how many of them the model made.
        limited: how many the charter's limits changed.
        model: what decided: ``alias`` and ``version``.
        sha256: of the file as it was written.
        overrides: what people changed.
    """
    day = cutoff.isoformat() if cutoff else ""
    body = {
        "cutoff": day, "decisions": decisions, "by_model": by_model, "limited": limited, **model, "sha256": sha256,
        "overrides": [asdict(one) for one in overrides],
    }  # fmt: skip
    return tx.append(SERVED, project, f"{project}/{day}", actor, "", body)


def batches(ledger: Ledger, project: str) -> tuple[Batch, ...]:
    """The batches of a project, the newest of each period, oldest period first."""
    newest: dict[str, Event] = {event.subject: event for event in ledger.events(project, SERVED)}
    return tuple(_batch(event) for _, event in sorted(newest.items()))


def as_frame(found: Sequence[Batch]) -> pd.DataFrame:
    """Every override as a row: the key columns, ``cutoff``, ``model``, ``quantity`` and ``standing``."""
    return pd.DataFrame(
        [
            {**one.series, "cutoff": batch.cutoff, "model": one.model, "quantity": one.quantity,
             "standing": one.standing}
            for batch in found
            if batch.cutoff is not None
            for one in batch.overrides
        ]
    )  # fmt: skip


def _batch(event: Event) -> Batch:
    body: Mapping[str, Any] = event.body
    cutoff = date.fromisoformat(body["cutoff"]) if body["cutoff"] else None
    overrides = tuple(Override(**one) for one in body["overrides"])
    return Batch(cutoff, body["decisions"], body["by_model"], body["limited"], overrides, event.at)


def _places(account: Account) -> dict[_Key, int]:
    keys = account.decisions[account.keys].astype(str).itertuples(index=False, name=None)
    return {key: place for place, key in enumerate(keys)}


def _value(account: Account, place: int | None, text: str) -> float:
    """The number of a decision as it was written; NaN for what is none."""
    if account.words:
        return float(account.words.index(text)) if text in account.words else math.nan
    try:
        number = float(text)
    except ValueError:
        return math.nan
    least = 1 if place is not None and not account.measured[place] else 0
    if account.whole and not (number >= least and number == math.floor(number)):
        return math.nan
    return number if math.isfinite(number) else math.nan


def _key_faults(key: _Key, known: Mapping[_Key, int], seen: set[_Key]) -> Iterator[tuple[str, str]]:
    """What is wrong with what a line is about, and what to write."""
    named = " ".join(key) or "nothing"
    if key not in known:
        yield f"{named}, of which there is no decision", "write the series as the decisions name it"
    elif key in seen:
        yield f"{named} a second time", "write each series once"


def _value_faults(
    account: Account, place: int | None, column: str, text: str | None, value: float
) -> Iterator[tuple[str, str]]:
    """What is wrong with the decision of a line, and what to write."""
    if not math.isnan(value):
        return
    remedy = "write a number"
    if account.words:
        remedy = f"write one of: {', '.join(account.words)}"
    elif account.whole:
        ranked = place is not None and not account.measured[place]
        remedy = "write a place in the queue, from 1" if ranked else "write a whole number of 0 or more"
    yield f"the {column} {(text or '').strip()!r}", remedy


def _word_faults(line: Mapping[str, str | None]) -> Iterator[tuple[str, str]]:
    """What is wrong with who changed it, and why, and what to write."""
    for name in _SAID:
        words = (line[name] or "").strip()
        if not words or len(words) > _LONGEST:
            yield f"no {name}" if not words else f"a {name} of {len(words)} characters", f"say the {name} in short"
