import pytest

from pipeline.ledger import Ledger
from tests.accounts.sites import Clock
from tests.ledger.fixtures import file_ledger, url

__all__ = ["file_ledger", "url"]


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def ledger(url, clock):
    """A ledger on each store, by a clock that the test moves."""
    with Ledger(url, now=clock) as opened:
        yield opened
