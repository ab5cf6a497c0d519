"""What monitoring works with, and what its steps hand on."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from flows.breaking import is_passing, reason_of
from pipeline.charter import Charter
from pipeline.charter.reading import charter_from_canonical
from pipeline.datasets.dataset import Dataset
from pipeline.errors import DataError, Finding, Refused
from pipeline.language import say
from pipeline.ledger import Ledger, all_iterations, project_end
from pipeline.ledger.deployed import find_deployed
from pipeline.monitoring.alarms import Alarm, raise_alarms
from pipeline.problems.base import Problem
from pipeline.problems.registry import find
from pipeline.settings import Settings

#: Who acts when monitoring does.
MONITORING = "monitoring"
_STEPS = {"week": timedelta(weeks=1), "day": timedelta(days=1)}


@dataclass(frozen=True)
class Watch:
    """Everything one monitoring run needs that is not handed from step to step.

    Attributes:
        settings: of this installation.
        ledger: the record.
        problem: the charter's domain.
        charter: of the project's newest iteration; before the first one, as it was deployed.
        location: where the source's data lies.
        trained: figures of the last iteration that trained; None before the first.
        measured: figures of the last iteration that has some; empty before the first.
        stopped: why the project is not watched any more, or None.
    """

    settings: Settings
    ledger: Ledger
    problem: Problem
    charter: Charter
    location: Path
    trained: Mapping[str, Any] | None
    measured: Mapping[str, Any]
    stopped: str | None

    @property
    def project(self) -> str:
        """The project's identifier."""
        return self.charter.project

    @property
    def step(self) -> timedelta:
        """Length of a period."""
        return _STEPS[self.charter.data.period]

    @property
    def trained_until(self) -> date | None:
        """The last period of the data trained on last."""
        return date.fromisoformat(self.trained["cutoff"]) if self.trained else None

    @property
    def reference(self) -> str | None:
        """Digest of the data trained on last."""
        return str(self.trained["dataset"]) if self.trained else None


@dataclass(frozen=True)
class Newest:
    """The newest data, or why it cannot be used as a whole."""

    dataset: Dataset | None
    fault: DataError | None


@dataclass(frozen=True)
class Drift:
    """How far the data moved since the last training.

    Attributes:
        share: of the columns whose stability index, over all rows, is above the alarm; None without a training.
        figures: per column, the report's own share and where it lies; JSON-ready.
        ages_days: per table, days behind the newest data.
    """

    share: float | None
    figures: Mapping[str, Any]
    ages_days: Mapping[str, int]


@contextmanager
def watch(project: str, location: Path | None) -> Iterator[Watch]:
    """Open the stores and find out what the project is.

    Raises:
        Refused: the ledger does not know the project, or nobody said where its data lies.
    """
    settings = Settings()
    with Ledger(settings.ledger) as ledger:
        records, deployed = all_iterations(ledger, project), find_deployed(ledger, project)
        reported = [record for record in records if record.result]
        charter = json.loads(records[-1].charter) if records else deployed.charter if deployed else None
        if charter is None:
            finding = Finding(f"project {project}", "the ledger does not know it", "run `landed deploy CHARTER` first")
            raise Refused("No such project", [finding])
        known = reported[-1].result or {} if reported else {}
        place = location or known.get("location") or (deployed.location if deployed else "")
        if not place:
            finding = Finding(f"project {project}", "nobody said where its data lies", "give `location`")
            raise Refused("No data to look at", [finding])
        found = charter_from_canonical(dict(charter))
        trained = [record.result for record in reported if record.kind == "train"]
        end = project_end(ledger, project)
        stopped = f"stopped by {end.actor} on {end.at[:10]}" if end and end.kind == "project.stopped" else None
        yield Watch(
            settings, ledger, find(found.problem), found, Path(place), trained[-1] if trained else None, known, stopped
        )


@contextmanager
def failure_told(bench: Watch) -> Iterator[None]:
    """Have people told, once a day, that nobody looks at their data; the error goes on.

    A store out of reach is not told: the next run, or the next try, gets through.
    """
    try:
        yield
    except Exception as error:
        if not is_passing(error):
            with bench.ledger.transaction() as tx:
                sentence = say("Monitoring could not look at the data: {reason}.", reason=reason_of(error))
                alarm = Alarm("failure", f"monitoring failed, {tx.now().date()}", sentence, {})
                raise_alarms(tx, bench.project, [alarm], actor=MONITORING)
        raise
