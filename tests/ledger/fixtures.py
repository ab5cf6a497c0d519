"""Fixtures that the ledger, review and rollout tests share."""

import pytest

from pipeline.ledger import Ledger
from tests.ledger.bodies import assert_as_known


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """An empty ledger's URL, on each store."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    return request.getfixturevalue("server").new_url()


@pytest.fixture
def ledger(url):
    """A ledger on each store; afterwards its events hold what their kinds are known to hold."""
    with Ledger(url) as opened:
        yield opened
        assert_as_known(opened)


@pytest.fixture
def file_ledger(tmp_path):
    """A ledger in a SQLite file."""
    with Ledger(f"sqlite:///{tmp_path / 'file.db'}", patience=0.3) as opened:
        yield opened
