"""Slowing down whoever guesses passwords; kept in the ledger's database, so that all workers of a site share it.

Failures are counted by account and address together, by account, and by address. Beyond some free tries, each
failure doubles the wait up to a limit. Nobody can lock a person out for long: the count of an account alone waits
half a minute at most, and is not asked at an address from which this person has come in before; a link from an
administrator works whatever the counts say.

Failures are events one by one only while they are few. Beyond that every doubling of a count is one event, with the
counts in it, so that an attacker cannot fill the ledger.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any, Literal

from sqlalchemy import delete, select

from pipeline.accounts.record import stamp
from pipeline.accounts.secrets import secret_digest
from pipeline.errors import Finding, Refused
from pipeline.language import say
from pipeline.ledger import Reader, Transaction
from pipeline.ledger.tables import throttle

Scope = Literal["both", "account", "address", "site"]


class TryLater(Refused):
    """Too many failed attempts; ``after`` says in how many seconds the next one is looked at."""

    def __init__(self, after: int) -> None:
        self.after = after
        finding = Finding(
            say("sign-in"), say("too many attempts failed"), say("wait {after} s, then try again", after=after)
        )
        super().__init__("Not so fast", [finding])


@dataclass(frozen=True)
class Limit:
    """How many failures are free, and how many seconds the wait may grow to; 0 for none."""

    free: int
    longest: int


LIMITS: Mapping[Scope, Limit] = {
    "both": Limit(5, 900),
    "account": Limit(20, 30),
    "address": Limit(20, 900),
    "site": Limit(100, 0),
}
_LONGEST = timedelta(seconds=max(limit.longest for limit in LIMITS.values()))
#: A count nobody added to for so long begins again at zero.
FORGOTTEN_AFTER = timedelta(hours=1)
_KNOWN_FOR = timedelta(days=90)
_KNOWN = "known:"


@dataclass(frozen=True)
class Attempt:
    """One try to sign in: what was typed as the name, and the network address it came from.

    Names are kept as hashes: people type passwords into the wrong field.
    """

    name: str
    address: str

    def key(self, scope: Scope) -> str:
        """The row that counts for this attempt."""
        parts = {"both": f"{self.name}\n{self.address}", "account": self.name, "address": self.address, "site": ""}
        return f"{scope}:{secret_digest(parts[scope])}"

    @property
    def known(self) -> str:
        """The row that says: this person has come in from this address."""
        return _KNOWN + secret_digest(f"{self.name}\n{self.address}")


def require_patience(reader: Reader, attempt: Attempt) -> None:
    """Let an attempt pass to the comparison of passwords, or not.

    Raises:
        TryLater: too soon after too many failures.
    """
    scopes: tuple[Scope, ...] = ("both",) if _rows(reader, attempt.known) else ("both", "account", "address")
    now = reader.now()
    keys = [attempt.key(scope) for scope in scopes]
    # What would last longer than any wait was written before the clock was set back, and locks nobody out.
    latest = stamp(now + _LONGEST)
    until = max(
        (row["closed_until"] for row in _rows(reader, *keys).values() if row["closed_until"] <= latest), default=""
    )
    if until > stamp(now):
        raise TryLater(ceil((datetime.fromisoformat(until) - now).total_seconds()))


def count_attempt(tx: Transaction, attempt: Attempt) -> None:
    """Count a try as failed before it is looked at, so that many at the same moment cannot all be free."""
    for scope in ("both", "account"):
        _count(tx, attempt, scope)


def count_failure(tx: Transaction, attempt: Attempt) -> dict[str, int] | None:
    """Count what is known to have failed; returns the counts when they are worth an event, None otherwise."""
    _purge(tx, tx.now())
    counts: dict[Scope, int] = {scope: _count(tx, attempt, scope) for scope in ("address", "site")}
    kept = _rows(tx, attempt.key("both"), attempt.key("account"))
    counts |= {scope: kept.get(attempt.key(scope), {"failures": 1})["failures"] for scope in ("both", "account")}
    if all(_worth_telling(counts[scope], LIMITS[scope].free) for scope in counts):
        return {str(scope): count for scope, count in counts.items()}
    return None


def forget_failures(tx: Transaction, attempt: Attempt) -> None:
    """After the right password: this person's counts are gone, and the address is known as theirs."""
    clear(tx, attempt.name)
    tx.execute(delete(throttle).where(throttle.c.key.in_([attempt.key("both"), attempt.known])))
    now = stamp(tx.now())
    tx.execute(throttle.insert().values(key=attempt.known, failures=0, last_at=now, closed_until=""))


def clear(tx: Transaction, name: str) -> None:
    """Forget the failures of an account from everywhere, as when its password was set anew."""
    tx.execute(delete(throttle).where(throttle.c.key == Attempt(name, "").key("account")))


def _count(tx: Transaction, attempt: Attempt, scope: Scope) -> int:
    now, key, limit = tx.now(), attempt.key(scope), LIMITS[scope]
    row = _rows(tx, key).get(key)
    failures = row["failures"] + 1 if row and row["last_at"] > stamp(now - FORGOTTEN_AFTER) else 1
    # From 2^10 seconds on the limit holds anyway.
    wait = min(2 ** min(failures - limit.free, 10), limit.longest) if failures >= limit.free else 0
    values = {"failures": failures, "last_at": stamp(now), "closed_until": stamp(now + timedelta(seconds=wait))}
    tx.execute(
        throttle.update().where(throttle.c.key == key).values(**values)
        if row
        else throttle.insert().values(key=key, **values)
    )
    return failures


def _purge(tx: Transaction, now: datetime) -> None:
    known = throttle.c.key.startswith(_KNOWN)
    tx.execute(delete(throttle).where(~known, throttle.c.last_at <= stamp(now - FORGOTTEN_AFTER)))
    tx.execute(delete(throttle).where(known, throttle.c.last_at <= stamp(now - _KNOWN_FOR)))


def _worth_telling(count: int, free: int) -> bool:
    return count <= free or count.bit_count() == 1


def _rows(reader: Reader, *keys: str) -> dict[str, dict[str, Any]]:
    return {row["key"]: row for row in reader.rows(select(throttle).where(throttle.c.key.in_(keys)))}
