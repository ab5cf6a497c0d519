"""What the tests of the command line share."""

import pytest

from pipeline.ledger import Ledger
from pipeline.settings import Settings
from tests.flows.awaiting import a_charter, under_review


@pytest.fixture
def review(home):
    with Ledger(Settings().ledger) as ledger:
        return under_review(ledger, a_charter(home))
