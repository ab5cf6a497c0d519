"""An iteration again, from its recorded inputs, in a place of its own: does every figure come out as it was reported?

The ledger's copy in that place ends where the iteration began, so that nothing later is seen; the data comes from the
catalog by its hash, the charter from the ledger, a world that answers from its record of that moment. Candidates are
trained anew. Nothing of the installation is written.
"""

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import Table, select

from flows.holding import held
from flows.packs import assemble
from flows.steps import assess_data, bare, judge_outcomes, measure_field, play_arms
from flows.training import measured_candidate, trained_candidates
from flows.workbench import Workbench
from pipeline.charter.reading import charter_from_canonical
from pipeline.datasets import catalog
from pipeline.errors import DataError, Finding, LedgerError
from pipeline.ledger import Event, IterationRecord, Ledger, get_iteration, recall, tables, transition
from pipeline.ledger.copying import fill
from pipeline.ledger.store import to_event
from pipeline.problems.base import Answering
from pipeline.problems.registry import find
from pipeline.provenance import code_version
from pipeline.reporting.manifest import plain
from pipeline.reporting.pack import TWIN
from pipeline.review.requests import reviews_of
from pipeline.settings import Settings

#: Tables an iteration looks at; whatever else the ledger holds does not bear on its figures.
_LOOKED_AT = frozenset(
    {"events", "signatures", "iterations", "reviews", "signoffs", "feedback_items", "applied", "releases", "work"}
    | {"observations", "deliveries", "arms"}
)
#: Parts of the evidence that tell of the run rather than of its inputs: time and memory it took, where the ledger was.
_OF_THE_RUN = ("costs", "head", "code_version", "model.version")
#: Relative difference that the order of a sum may make, where threads or sets add up; far below any printed digit.
TOLERANCE = 1e-9
#: Verdicts on what the run took.
_RESOURCES = "resources."


@dataclass(frozen=True)
class Difference:
    """A part of the evidence that came out otherwise; None where it was not there at all."""

    part: str
    reported: Any
    replayed: Any


@dataclass(frozen=True)
class Replayed:
    """What a replay gave.

    Attributes:
        record: the iteration.
        compared: how many parts of the evidence were compared, and how many of them are numbers.
        numbers: of these, numbers.
        differences: where they differ.
        code: version that made the report, and the one that replayed it.
    """

    record: IterationRecord
    compared: int
    numbers: int
    differences: tuple[Difference, ...]
    code: tuple[str, str]


def replay(ledger: Ledger, settings: Settings, record: IterationRecord, *, tolerance: float = TOLERANCE) -> Replayed:
    """Run an iteration again and compare everything its evidence says.

    Args:
        ledger: the ledger; it is only read.
        settings: where datasets, models and packs lie; they are only read.
        record: the iteration; it has a report.
        tolerance: largest relative difference of two numbers that counts as none.

    Raises:
        LedgerError: the iteration has no report.
        DataError: its data, pack or source is not there any more, or was changed.
        ModelError: the released model that it measured was changed.
    """
    if record.report_digest is None or record.result is None:
        finding = Finding(f"iteration {record.subject}", "it has no report", "run it to its report first")
        raise LedgerError("There is nothing to replay yet", [finding])
    reported = _reported(settings, record)
    with tempfile.TemporaryDirectory(prefix="landed-replay-") as folder:
        apart = _apart(settings, Path(folder))
        begun = _begun(ledger, record)
        with Ledger(apart.ledger) as copy:
            fill(ledger, copy, lambda table, row: _before(table, row, record, begun))
            replayed = _replayed(copy, ledger, settings, apart, record, begun)
    found = tuple(_differences(reported, replayed, tolerance))
    shared = [value for part, value in _leaves(reported) if not _skipped(part)]
    numbers = sum(isinstance(value, int | float) and not isinstance(value, bool) for value in shared)
    return Replayed(record, len(shared), numbers, found, (str(reported["code_version"]), code_version()))


def _replayed(
    copy: Ledger, ledger: Ledger, settings: Settings, apart: Settings, record: IterationRecord, begun: Event
) -> dict[str, Any]:
    """The evidence of the replay as plain values."""
    charter = charter_from_canonical(json.loads(record.charter))
    problem, attempt = find(charter.problem), _attempt(ledger, record)
    own = tables.iterations.c.number == record.number, tables.iterations.c.stage == record.stage
    fresh = {"state": "opened", "mlflow_run": None, "report_digest": None, "result": None}
    with copy.transaction() as tx:
        tx.execute(tables.iterations.update().where(*own).values(**fresh))
        running = transition(tx, get_iteration(tx, *_key(record)), "running", actor=record.started_by)
    known = recall(ledger, f"dataset:{attempt}")
    source = Path(str(known["location"] if known else (record.result or {})["location"]))
    location = source
    if isinstance(problem, Answering):
        location = problem.rewound(charter, source, attempt.replace(":", "-"), apart.data / "source")
    with held(copy, record.project) as lease:
        today = date.fromisoformat(begun.at[:10])
        bench = Workbench(apart, copy, lease, problem, running, charter, location, attempt, today=today)
        dataset = catalog.load(settings.datasets, str((record.result or {})["dataset"]))
        assessment = bare(assess_data)(bench, dataset)
        candidates = measured_candidate(bench) if record.kind == "measure" else trained_candidates(bench, dataset)
        played = bare(play_arms)(bench, dataset, candidates)
        field = bare(measure_field)(bench, dataset, candidates, played)
        judgement = bare(judge_outcomes)(bench, dataset, assessment, candidates, played, field)
        evidence: dict[str, Any] = plain(assemble(bench, dataset, assessment, candidates, played, field, judgement))
    return evidence


def _reported(settings: Settings, record: IterationRecord) -> dict[str, Any]:
    path = settings.report_folder(*_key(record), record.kind) / TWIN
    try:
        evidence: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["evidence"]
    except (OSError, ValueError, KeyError, TypeError) as exc:
        finding = Finding(str(path), f"it cannot be read: {exc}", "restore the pack from a backup")
        raise DataError("The evidence to compare with is not there", [finding]) from exc
    return evidence


def _apart(settings: Settings, folder: Path) -> Settings:
    """Settings whose every folder is its own; what was kept is shown in, as controls ask whether it is there."""
    apart = Settings(data=folder / "data", reports=folder / "reports", ledger_url="", mlflow_url="")
    apart.datasets.mkdir(parents=True)
    for path in settings.datasets.iterdir() if settings.datasets.is_dir() else ():
        (apart.datasets / path.name).symlink_to(path.resolve())
    # A copy: without its row in the ledger a training is done anew, and clears away what lies in its place.
    if settings.models.is_dir():
        shutil.copytree(settings.models, apart.models)
    outcomes = settings.data / "outcomes"
    if outcomes.is_dir():
        (apart.data / "outcomes").symlink_to(outcomes.resolve())
    return apart


def _begun(ledger: Ledger, record: IterationRecord) -> Event:
    """The event with which the run that was reported began."""
    at = tables.events.c
    mine = at.subject == record.subject
    reported = ledger.rows(select(tables.events).where(mine, at.kind == "iteration.reported").order_by(at.seq.desc()))
    before = mine, at.kind == "iteration.running", at.seq < reported[0]["seq"]
    return to_event(ledger.rows(select(tables.events).where(*before).order_by(at.seq.desc()).limit(1))[0])


def _before(table: Table, row: Mapping[str, Any], record: IterationRecord, begun: Event) -> bool:
    """Whether a row stood in the ledger when the iteration began; its own row is put back to where it was opened."""
    name = table.name.removeprefix("landed_")
    if name not in _LOOKED_AT:
        return False
    if name == "events":
        return bool(row["seq"] < begun.seq)
    if name == "iterations":
        return bool(row["project"] == record.project and row["opened_at"] <= record.opened_at)
    if name == "work" and record.kind != "measure":
        return False
    if row.get("project", record.project) != record.project:
        return False
    if "event" in row:
        return bool(row["event"] < begun.seq)
    moment = row.get("opened_at", row.get("at"))
    return moment is None or str(moment) <= begun.at


def _attempt(ledger: Ledger, record: IterationRecord) -> str:
    """The key under which the reported run played: see :func:`flows.workbench.workbench`."""
    asked = [review.revision for review in reviews_of(ledger, record) if review.report_digest == record.report_digest]
    revision = asked[0] if asked else len(reviews_of(ledger, record)) + 1
    return f"{record.project}:{record.number}:{record.stage}:{revision}"


def _key(record: IterationRecord) -> tuple[str, int, str]:
    return record.project, record.number, record.stage


def _differences(reported: Mapping[str, Any], replayed: Mapping[str, Any], tolerance: float) -> Iterator[Difference]:
    before, after = dict(_leaves(reported)), dict(_leaves(replayed))
    for part in dict.fromkeys([*before, *after]):
        if not _skipped(part) and not _same(before.get(part), after.get(part), tolerance):
            yield Difference(part, before.get(part), after.get(part))


def _same(one: Any, other: Any, tolerance: float) -> bool:
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (one, other))
    if numbers and tolerance:
        return bool(abs(one - other) <= tolerance * max(abs(one), abs(other)))
    return bool(one == other)


def _leaves(value: Any, part: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of nested plain values by its dotted place; items that bear a name are placed by it."""
    if isinstance(value, Mapping) and value:
        for name, item in value.items():
            yield from _leaves(item, f"{part}.{name}" if part else str(name))
    elif isinstance(value, list) and value:
        for place, item in enumerate(value):
            name = item.get("gate", item.get("name", place)) if isinstance(item, Mapping) else place
            yield from _leaves(item, f"{part}[{name}]")
    else:
        yield part, value


def _skipped(part: str) -> bool:
    return part.startswith((*_OF_THE_RUN, f"verdicts[{_RESOURCES}"))
