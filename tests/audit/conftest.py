import pytest

from tests.audit.made import Installation, install


@pytest.fixture(scope="session")
def kept(tmp_path_factory) -> Installation:
    """A whole installation with a key; tests that change something work on a copy."""
    return install(tmp_path_factory.mktemp("kept"), signed=True)


@pytest.fixture
def made(kept, tmp_path) -> Installation:
    """A copy to be changed."""
    return kept.copied(tmp_path / "made")
