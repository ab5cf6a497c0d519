from pathlib import Path

import pytest

from tests.orchestration.parts import Stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory):
    """Server, worker and dispatcher of one installation, for a module of tests; each test has projects of its own."""
    place = Stack(Path(tmp_path_factory.mktemp("stack")))
    try:
        place.start()
        yield place
    finally:
        place.close()
