"""Delivering the outbox while the stack is up: decisions here, iterations as runs of their deployments.

An intent is pending until its effect stands in the ledger; so whatever dies (this dispatcher, the worker, a flow,
Prefect's server) the intent is found again and delivered again. What keeps that from doing things twice: a decision
is applied once in SQL, an iteration's run is created under the intent's key, and its process must hold the project's
lease.
"""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.states import Crashed, Scheduled

from flows.breaking import fail, is_passing
from flows.dispatch import deliver
from flows.feedback import feedback_approval
from pipeline.errors import LandedError
from pipeline.ledger import Intent, IterationRecord, Ledger, find_intent, find_iteration, open_key, pending
from pipeline.ledger.breaks import last_reason, note_put_back, take_ups
from pipeline.ledger.leases import Watch, break_silent, find_lease, project_lease
from pipeline.notices import deliver_notice, due_notices
from pipeline.settings import Settings

#: Seconds a run may take from its creation until it holds the lease, before it counts as lost.
STARTING = 30.0
#: Take-ups of one iteration after which it is failed: something kills it every time.
MOST_TAKE_UPS = 12
#: Longest wait in seconds between two tries at one intent.
LONGEST_PAUSE = 60.0

#: Deliveries at a time, so that telling MLflow of one decision does not hold up what follows from it.
AT_A_TIME = 4

#: States of an iteration whose pending intent asks for a run; a failed one is pending when it is to be taken up again.
_TO_RUN = frozenset({"opened", "running", "failed", "refused"})

_log = logging.getLogger("landed.dispatcher")
#: Runs that started before this process did are not its own.
_BEGAN = datetime.now(UTC)


@dataclass
class Dispatcher:
    """One pass after another over the outbox.

    Attributes:
        ledger: the record.
        settings: of this installation.
        clock: seconds, never going back.
    """

    ledger: Ledger
    settings: Settings
    clock: Callable[[], float] = time.monotonic
    _watch: Watch = field(default_factory=Watch)
    _tries: dict[str, int] = field(default_factory=dict)
    _not_before: dict[str, float] = field(default_factory=dict)
    _starting: dict[str, tuple[Any, float]] = field(default_factory=dict)
    _queued: set[str] = field(default_factory=set)
    _under_way: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(AT_A_TIME, "delivery"))

    def turn(self) -> int:
        """Begin to deliver what is due and not under way; returns how many intents that were."""
        waiting = [*(one for one in pending(self.ledger) if one.kind != "notify"), *due_notices(self.ledger)]
        with self._lock:
            self._forget({intent.key for intent in waiting})
            due = [
                intent
                for intent in waiting
                if intent.key not in self._under_way and self.clock() >= self._not_before.get(intent.key, 0.0)
            ]
            self._under_way |= {intent.key for intent in due}
        for intent in due:
            self._pool.submit(self._try, intent)
        return len(due)

    def close(self) -> None:
        """Wait for deliveries under way."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _try(self, intent: Intent) -> None:
        try:
            self._deliver(intent)
        except ObjectNotFound:
            self._pause(intent)
            extra = _of(intent)
            _log.warning("%s: its deployment is not registered yet; the worker does that", intent.key, extra=extra)
        except Exception as error:  # noqa: BLE001 - whatever a server out of reach raises: tried again, and logged
            self._pause(intent)
            expected = isinstance(error, LandedError) or is_passing(error)
            kind = "" if isinstance(error, LandedError) else f"{type(error).__name__}: "
            _log.warning("%s: %s%s", intent.key, kind, error, exc_info=None if expected else error, extra=_of(intent))
        finally:
            with self._lock:
                self._under_way.discard(intent.key)

    def _deliver(self, intent: Intent) -> None:
        if intent.kind == "notify":
            became = deliver_notice(self.ledger, self.settings, intent)
            if became != "nothing":
                level = logging.WARNING if became == "failed" else logging.INFO
                _log.log(level, "%s: %s", intent.key, became, extra=_of(intent))
            return
        if intent.kind != "open":
            deliver(intent)
            _log.info("%s: carried out", intent.key, extra=_of(intent))
            return
        payload = intent.payload
        record = find_iteration(self.ledger, intent.project, int(payload["number"]), str(payload["stage"]))
        if record is None or record.state not in _TO_RUN or self._somebody_works(record):
            return
        # Read after the record: an iteration that failed meanwhile is asked for only if its intent is pending still.
        now = find_intent(self.ledger, intent.key)
        if now is None or now.done_at is not None:
            return
        if take_ups(self.ledger, record) >= MOST_TAKE_UPS:
            self._give_up(record)
            return
        run = queue_iteration(intent)
        if intent.key not in self._queued:
            self._queued.add(intent.key)
            _log.info("%s: its run is with Prefect", intent.key, extra=_of(intent))
        self._see_to(intent, record, run)

    def _somebody_works(self, record: IterationRecord) -> bool:
        """Whether a living process holds the project; a dead one's lease is broken on the way."""
        lease = find_lease(self.ledger, project_lease(record.project))
        if lease is None:
            return False
        if not self._watch.silent(lease):
            return True
        with self.ledger.transaction() as tx:
            broken = break_silent(tx, lease)
        # What held the lease was the run: it need not be given time to start.
        self._starting[open_key(record.project, record.number, record.stage)] = (None, float("-inf"))
        return not broken

    def _see_to(self, intent: Intent, record: IterationRecord, run: FlowRun) -> None:
        """Put a run back in line when it ended without effect, or is long in starting without holding the lease.

        A run in line that is due later, which none of ours is, was put there before this machine's clock was set back:
        no worker would take it until the clock is there again.
        """
        state = run.state
        if state is None:
            return
        if state.is_scheduled():
            due = state.state_details.scheduled_time
            if due is not None and due > datetime.now(UTC) + timedelta(seconds=STARTING):
                self._put_back(run)
            return
        since = self._starting.get(intent.key, (state.id, self.clock()))
        if since[0] is not None and since[0] != state.id:
            since = (state.id, self.clock())
        self._starting[intent.key] = since
        if not state.is_final() and self.clock() - since[1] < STARTING:
            return
        self._put_back(run)
        self._starting.pop(intent.key, None)
        with self.ledger.transaction() as tx:
            note_put_back(tx, record, str(state.name), ended=state.is_final())
        told = f": {state.message}" if state.message else ""
        said = "%s: its run was %s without effect and is put back in line%s"
        _log.warning(said, intent.key, state.name, told, extra=_of(intent))
        self._pause(intent)

    def _put_back(self, run: FlowRun) -> None:
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(run.id, Scheduled(name="Recovering"))

    def _give_up(self, record: IterationRecord) -> None:
        with self.ledger.transaction() as tx:
            last = last_reason(tx, record)
            told = f"its process ended {MOST_TAKE_UPS} times before it was finished{f'; last: {last}' if last else ''}"
            fail(tx, record, f"{told}; see data/logs/worker.log", told, "landed")

    def _pause(self, intent: Intent) -> None:
        tries = self._tries[intent.key] = self._tries.get(intent.key, 0) + 1
        self._not_before[intent.key] = self.clock() + min(LONGEST_PAUSE, 0.5 * 2**tries)

    def _forget(self, keys: set[str]) -> None:
        keys = keys | self._under_way
        self._queued &= keys
        for kept in (self._tries, self._not_before, self._starting):
            for key in set(kept) - keys:
                del kept[key]


def _of(intent: Intent) -> dict[str, str]:
    """What a line of the log is about."""
    return {"intent": intent.key, "project": intent.project}


def queue_iteration(intent: Intent) -> FlowRun:
    """The run that delivers an intent; asking again, from wherever, gives the same run."""
    run = run_deployment(
        f"iteration/{intent.project}",
        parameters={"project": intent.project, **intent.payload},
        timeout=0,
        as_subflow=False,
        idempotency_key=intent.key,
    )
    return cast("FlowRun", run)


def close_abandoned() -> bool:
    """Mark as crashed what an earlier dispatcher of this stack left running in Prefect; the ledger lost nothing.

    Returns:
        False when Prefect could not be reached, and it is to be tried again.
    """
    mine = FlowFilter(name=FlowFilterName(any_=[feedback_approval.name]))
    running = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.RUNNING, StateType.PENDING])),
        deployment_id=FlowRunFilterDeploymentId(is_null_=True),
        start_time=FlowRunFilterStartTime(before_=_BEGAN),
    )
    try:
        with get_client(sync_client=True) as client:
            for run in client.read_flow_runs(flow_filter=mine, flow_run_filter=running):
                client.set_flow_run_state(run.id, Crashed(name="Abandoned"), force=True)
    except Exception as error:  # noqa: BLE001 - whatever a server out of reach raises
        _log.warning("Prefect cannot be reached: %s", type(error).__name__)
        return False
    return True
