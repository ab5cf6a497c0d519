import pytest
from argon2 import PasswordHasher

from pipeline.accounts import passwords
from pipeline.ledger import Ledger
from tests.accounts.sites import Clock
from tests.ledger.fixtures import file_ledger, url

__all__ = ["file_ledger", "url"]

#: The same algorithm at a price that tests can pay.
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture(autouse=True)
def cheap_hashing(monkeypatch):
    monkeypatch.setattr(passwords, "_HASHER", CHEAP)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def ledger(url, clock):
    """A ledger on each store, by a clock that the test moves."""
    with Ledger(url, now=clock) as opened:
        yield opened
