"""What a flow works with: stores, problem, charter and the record of one iteration, opened and closed in one place."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape

from flows.breaking import errors_noted
from flows.holding import held
from pipeline.charter import Charter, Stage
from pipeline.charter.reading import charter_from_canonical
from pipeline.ledger import IterationRecord, Ledger, Transaction, get_iteration, transition
from pipeline.ledger.leases import Lease, fence
from pipeline.progress import Reporter, reporter
from pipeline.review.requests import reviews_of
from pipeline.settings import Settings

if TYPE_CHECKING:
    from pipeline.models.tracking import Tracking
    from pipeline.problems.base import Problem


#: How long a period of the charter is.
LENGTH = {"week": timedelta(weeks=1), "day": timedelta(days=1)}


@dataclass(frozen=True)
class Workbench:
    """Everything one iteration needs that is not handed from step to step.

    Attributes:
        settings: of this installation.
        ledger: the record.
        problem: the charter's domain.
        record: the iteration as the ledger holds it.
        charter: the charter it runs under.
        location: where the source's data lies.
        lease: this process's claim on the project.
        attempt: key of this attempt; a person may have an iteration done again, which lapses its report.
        seconds: wall time per step, filled in as the steps finish.
        today: the day that deadlines are held against; a replay has the day of its iteration.
    """

    settings: Settings
    ledger: Ledger
    lease: Lease
    problem: "Problem"
    record: IterationRecord
    charter: Charter
    location: Path
    attempt: str
    seconds: dict[str, float] = field(default_factory=dict)
    today: date = field(default_factory=date.today)

    @cached_property
    def tracking(self) -> "Tracking":
        """MLflow, imported when it is first asked for: a flow starts seconds sooner without."""
        from pipeline.models.tracking import Tracking

        return Tracking(self.settings)

    @property
    def stage(self) -> Stage:
        """The rung this iteration stands on."""
        return self.charter.stage(self.record.stage)

    @property
    def report_folder(self) -> Path:
        """Where this iteration's evidence pack goes."""
        record = self.record
        return self.settings.report_folder(record.project, record.number, record.stage, record.kind)

    @property
    def baseline_arm(self) -> str:
        """Name of the arm that plays the charter's baseline."""
        return f"baseline:{self.charter.kpi.baseline.policy}"

    @property
    def progress(self) -> Reporter:
        """Where long steps show how far they are."""
        return reporter()

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """A transaction of the ledger that commits only while this process holds the project's lease.

        Raises:
            Busy: this process was silent for too long, and another one took the iteration over.
        """
        with self.ledger.transaction() as tx:
            fence(tx, self.lease)
            yield tx

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure a step."""
        started = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started


@contextmanager
def workbench(project: str, number: int, stage: str, location: Path) -> Iterator[Workbench]:
    """Take up an iteration: it is ``running`` inside; for what becomes of it in an error see :mod:`flows.breaking`.

    An interruption leaves it ``running``: whoever takes it up again finds the finished steps in the ledger.

    Raises:
        Busy: another process is at this project, or took it over from this one.
    """
    settings = Settings()
    with Ledger(settings.ledger) as ledger, held(ledger, project) as lease:
        with ledger.transaction() as tx:
            record = get_iteration(tx, project, number, stage)
            record = transition(tx, record, "running", actor=record.started_by)
        with errors_noted(ledger, lease, record):
            # Only now: pandas, which every domain needs, takes longer to load than all before it.
            from pipeline.problems.registry import find

            charter = charter_from_canonical(json.loads(record.charter))
            problem, attempt = find(charter.problem), _attempt(ledger, record)
            yield Workbench(settings, ledger, lease, problem, record, charter, location, attempt)


def heading(bench: Workbench) -> str:
    """What is run and why, in one line."""
    record = bench.record
    # The sentence may be a person's own: square brackets in it are no markup.
    return f"[bold]Iteration {record.number}, {record.stage}[/]  {escape(record.why['sentence'])}"


def _attempt(ledger: Ledger, record: IterationRecord) -> str:
    """The same for every take-up of a killed run, another one once a review was requested and it is done again."""
    return f"{record.project}:{record.number}:{record.stage}:{len(reviews_of(ledger, record)) + 1}"
