"""The clock of a machine is set while server, worker, dispatcher and flows of a stack run: their own, not a double."""

import shutil
import struct
import subprocess
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from flows.opening import open_by_hand
from pipeline.ledger import Ledger, pending, verify
from pipeline.ledger.store import utc_now
from tests.orchestration.parts import Stack

pytestmark = [pytest.mark.proof, pytest.mark.timeout(3600)]


class Clock:
    """The wall clock of all processes that preload it; started anew or running, they see a change at once."""

    def __init__(self, folder: Path) -> None:
        self.file, self.library = folder / "moved", folder / "moved_clock.so"
        self.moved = timedelta()
        self.move(timedelta())
        compiler = shutil.which("cc")
        if compiler is None:
            pytest.skip("no C compiler on this machine: clocks of other processes cannot be set")
        source = Path(__file__).with_name("moved_clock.c")
        subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", self.library, source], check=True)

    @property
    def environment(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(self.library), "MOVED_CLOCK": str(self.file)}

    def move(self, by: timedelta) -> None:
        self.moved += by
        # In place: the processes have mapped this very file.
        with self.file.open("r+b" if self.file.exists() else "wb") as file:
            file.write(struct.pack("@q", int(self.moved.total_seconds())))


@pytest.fixture
def clock(tmp_path):
    return Clock(tmp_path)


@pytest.fixture
def stack(tmp_path, clock):
    place = Stack(tmp_path / "stack", clock.environment)
    place.ledger.close()
    place.ledger = Ledger(place.settings.ledger, now=lambda: utc_now() + clock.moved)
    try:
        place.start()
        yield place
    finally:
        place.close()


@pytest.mark.parametrize("way", [1, -1], ids=["forward first", "back first"])
def test_whenever_the_clock_is_set_the_loop_goes_on_and_does_nothing_twice(stack, clock, way):
    project = "clock-set"
    charter = stack.deploy(stack.charter(project, seconds=3))

    def trained(times: int) -> bool:
        return sum(times for what, times in stack.noted().items() if what.startswith(f"train-begin {project}")) >= times

    open_by_hand(stack.ledger, charter, stack.root / "source", "robin")
    stack.until(lambda: trained(1), "the first training begins")
    clock.move(way * timedelta(days=400))  # in the middle of a training
    review = stack.wait_for_review(1, project)
    clock.move(-way * timedelta(days=400, hours=1))  # while people think
    stack.kill("worker")
    stack.decide(review, factor=0.2)
    stack.until(lambda: len(stack.iterations(project)) == 2, "the next iteration is opened")
    stack.until(lambda: scheduled(stack, project), "its run is with Prefect, and nobody runs it")
    clock.move(timedelta(days=-2))  # as after a start with an empty battery
    stack.start("worker")
    stack.until(lambda: trained(3), "the training of the next iteration")
    clock.move(way * timedelta(days=365))
    stack.wait_for_review(2, project)
    clock.move(-way * timedelta(days=30))

    assert stack.states(project) == [(1, "pilot", "closed"), (2, "pilot", "awaiting_review")]
    ended = {what: times for what, times in stack.noted().items() if what.startswith(f"train-end {project}")}
    assert sorted(ended.values()) == [1, 2]  # `second` once; `first` once under each parameter
    kinds = Counter(event.kind for event in stack.ledger.events(project))
    assert (kinds["iteration.opened"], kinds["iteration.running"]) == (2, 2)
    assert (kinds["review.requested"], kinds["review.applied"], kinds["lease.broken"]) == (2, 1, 0)
    assert pending(stack.ledger, project) == ()
    assert verify(stack.ledger).intact


def scheduled(stack: Stack, project: str) -> bool:
    """Whether a run of the project waits for a worker."""
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: stack.api}), get_client(sync_client=True) as client:
        runs = [run for run in client.read_flow_runs() if run.parameters.get("project") == project]
    return any(run.state is not None and run.state.is_scheduled() for run in runs)
