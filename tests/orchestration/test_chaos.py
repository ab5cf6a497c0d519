"""A short game of chaos on each store; the long one is ``make chaos``."""

import pytest

from tests.orchestration.chaos import play
from tests.orchestration.parts import Stack


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
def test_whatever_is_killed_every_decision_is_applied_once(store, request, tmp_path):
    env = {}
    if store == "postgresql":
        env = {"LANDED_LEDGER_URL": request.getfixturevalue("server").new_url()}
    stack = Stack(tmp_path, env)
    try:
        stack.start()
        seen = play(stack, seed=20260, kills=6, projects=2)
    finally:
        stack.close()
    assert seen.kills.total() == 6
    assert (seen.applied, seen.lost, seen.intact) == (seen.decided, 0, True)
    # A training killed between its last line and the ledger's note of it is done again; nothing else is.
    assert seen.twice <= seen.kills.total()
