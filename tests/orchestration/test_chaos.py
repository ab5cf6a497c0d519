"""A short game of chaos on each store; `make chaos` plays the long one."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.orchestration.chaos import play
from tests.orchestration.parts import Stack

pytestmark = [pytest.mark.proof, pytest.mark.timeout(3600)]


@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
def test_whatever_is_killed_every_decision_is_applied_exactly_once(store, request, tmp_path):
    env = {}
    if store == "postgresql":
        env = {"LANDED_LEDGER_URL": request.getfixturevalue("server").new_url()}
    with ExitStack() as left:
        stack = Stack(Path(tmp_path), env)
        left.callback(stack.close)
        stack.start()
        seen = play(stack, seed=11, kills=10, projects=2)
    assert seen.kills.total() == 10
    assert seen.decided >= 2
    assert (seen.applied, seen.lost) == (seen.decided, 0)
    # Only a process killed between the end of a training and its note in the ledger trains again.
    assert seen.twice <= seen.kills["flows"] + seen.kills["worker and flows"]
    assert seen.intact
