"""What tests of this room share: Prefect's server, for flows that are called without the command around them."""

import pytest

from flows.server import at_hand


@pytest.fixture
def server():
    """Flows called in the test report to this process's own server."""
    with at_hand():
        yield
