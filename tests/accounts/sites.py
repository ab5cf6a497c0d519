"""Accounts, a clock and a project for the tests of accounts."""

from datetime import UTC, datetime, timedelta

from pipeline.accounts import delegate
from pipeline.accounts.passwords import hashed
from pipeline.accounts.signin import store_password
from pipeline.accounts.users import add_account
from pipeline.ledger import Ledger

GOOD = "four grey herons wade"
BETTER = "nine loud tractors hum"
HERE = "192.0.2.7"
THERE = "198.51.100.9"
START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


class Clock:
    """A ledger's clock that stands still until it is moved."""

    def __init__(self, moment: datetime = START) -> None:
        self.moment = moment

    def __call__(self) -> datetime:
        return self.moment

    def move(self, **amount: float) -> None:
        self.moment += timedelta(**amount)


def join(ledger: Ledger, *ids: str, typed: str = GOOD, admin: bool = False, auditor: bool = False) -> None:
    """Accounts with a password, all in one transaction."""
    kept = hashed(typed)
    with ledger.transaction() as tx:
        for who in ids:
            add_account(tx, who, who.title(), "", by="root", admin=admin, auditor=auditor, language="en")
            store_password(tx, who, kept, by=who)


def lend(ledger: Ledger, giver: str, to: str, days: int = 7, project: str = "shop"):
    """A delegation from today on."""
    today = ledger.now().date()
    return delegate(ledger, project, giver, to, today, today + timedelta(days=days - 1))


def bodies(ledger: Ledger, kind: str) -> list[dict]:
    """What the events of a kind say."""
    return [dict(event.body) for event in ledger.events(kind=kind)]
