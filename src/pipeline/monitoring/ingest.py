"""Taking a delivery in: judged against the contract and what is in place before anything is changed.

A delivery is a folder of files in the source's format. Files it does not bring stay as they are. Together they are the
source's new state, which may add and correct, but neither lose history nor go back in time unless somebody says why.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pipeline.charter import Charter
from pipeline.datasets import catalog
from pipeline.datasets.contracts import Schemas, apply_contracts
from pipeline.datasets.dataset import Dataset
from pipeline.errors import DataError, Finding, Refused
from pipeline.ledger import Ledger
from pipeline.monitoring.comparing import TableChange, commonest, compare, totals, worst_share
from pipeline.monitoring.placing import alone, delivered, fingerprint, in_place, put_in_place, staged
from pipeline.problems.base import Problem
from pipeline.problems.registry import find


@dataclass(frozen=True)
class Ingested:
    """What became of a delivery.

    Attributes:
        same: everything in it was in place already, and nothing was done.
        changes: by table.
        before, until: the last period in place before and now; ``before`` is None for a first delivery.
        dataset: digest of the clean tables now in place.
        former: digest under which the catalog keeps the former state; None for a first delivery.
    """

    same: bool
    changes: tuple[TableChange, ...]
    before: date | None
    until: date
    dataset: str
    former: str | None


@dataclass(frozen=True)
class _State:
    """A folder of the source, read and passed through its contract."""

    dataset: Dataset
    raw: str
    schemas: Schemas


def ingest(
    ledger: Ledger,
    datasets: Path,
    charter: Charter,
    location: Path,
    delivery: Path,
    *,
    actor: str,
    replace: str | None = None,
) -> Ingested:
    """Check a delivery, then put it into place; the same one again does nothing.

    Args:
        ledger: gets the event ``data.ingested``, or ``data.refused`` where the rules refuse it.
        datasets: folder of the catalog, where the former state is kept.
        charter: the project's.
        location: folder of the source.
        delivery: folder with the delivered files.
        actor: who brings it.
        replace: why history may be lost this time; None lets none be lost.

    Raises:
        DataError: it cannot be read, or breaks its contract wholly or in more rows than the charter allows.
        Refused: it would lose history or go back in time.
    """
    location = location.resolve()
    problem, files = find(charter.problem), delivered(delivery)
    _require_a_table(charter, delivery, [*files, *in_place(location)])
    with alone(location):
        there = in_place(location)
        current = _read(problem, charter, location) if there else None
        with staged(location, files) as fresh:
            coming = _read(problem, charter, fresh)
            _require_files_only(fresh, delivery)
            same = current is not None and current.raw == coming.raw
            changes = _changes(coming, current)
            told = _told(coming, current, changes, same=same)
            if same:
                return told
            _require_kept_contract(charter, coming.dataset)
            body = {
                "dataset": told.dataset,
                "former": told.former,
                "until": told.until.isoformat(),
                "before": told.before.isoformat() if told.before else None,
                "files": {name: fingerprint(path) for name, path in files.items()},
                "rows": totals(changes),
                "location": str(location),
                "replace": replace,
            }
            if current is not None:
                catalog.store(current.dataset, datasets)
            with ledger.transaction() as tx:
                lost = _losses(told, changes)
                if lost and replace is None:
                    noted = {"reasons": [str(finding) for finding in lost], "files": body["files"]}
                    tx.note_refusal("data.refused", charter.project, delivery.name, actor, "", noted)
                    raise Refused("The delivery would lose history", lost)
                tx.append("data.ingested", charter.project, delivery.name, actor, "", body)
                # The last act before the commit: what fails here leaves neither the event nor the files.
                put_in_place(fresh, location)
    return told


def _read(problem: Problem, charter: Charter, folder: Path) -> _State:
    raw = problem.load(charter, folder)
    schemas = problem.contracts(charter, raw)
    clean, quarantine = apply_contracts(raw, schemas)
    dataset = Dataset(clean, catalog.digest(clean), problem.cutoff(clean), quarantine)
    return _State(dataset, catalog.digest(raw), schemas)


def _changes(coming: _State, current: _State | None) -> tuple[TableChange, ...]:
    before: Mapping[str, Any] = current.dataset.tables if current else {}
    until = current.dataset.cutoff if current else None
    return compare(coming.dataset.tables, before, coming.schemas, coming.dataset.quarantine, until)


def _told(coming: _State, current: _State | None, changes: tuple[TableChange, ...], *, same: bool) -> Ingested:
    return Ingested(
        same=same,
        changes=changes,
        before=current.dataset.cutoff if current else None,
        until=coming.dataset.cutoff,
        dataset=coming.dataset.digest,
        former=current.dataset.digest if current else None,
    )


def _losses(told: Ingested, changes: tuple[TableChange, ...]) -> list[Finding]:
    remedy = "deliver the whole history with the new periods, or say why with --replace 'the reason'"
    findings = [
        Finding(
            f"table {change.table}",
            f"{change.lost:,} rows of past periods are missing in it or break the contract",
            remedy,
        )
        for change in changes
        if change.lost
    ]
    if told.before is not None and told.until < told.before:
        found = f"it ends with {told.until}, while data up to {told.before} is in place"
        findings.append(Finding("last period", found, remedy))
    return findings


def _require_kept_contract(charter: Charter, dataset: Dataset) -> None:
    most = charter.data.max_quarantine_share
    share, worst = worst_share(dataset.quarantine)
    if share <= most:
        return
    findings = [
        Finding(f"table {worst}", f"{reason}: {count:,} rows", "correct the export, then deliver it again")
        for reason, count in commonest(dataset.quarantine, worst)
    ]
    raise DataError(f"{share:.2%} of table {worst} breaks the contract; the charter allows {most:.2%}", findings)


def _require_a_table(charter: Charter, delivery: Path, names: list[str]) -> None:
    """At least one file must be named like a table of the charter; else this is another folder than meant."""
    tables = [table.name for table in charter.data.tables]
    if not {Path(name).stem for name in names} & set(tables):
        found = f"none of its files is named after a table of the charter ({', '.join(tables)})"
        remedy = "name the folder with the source's files; a source that is founded by a run needs none"
        raise DataError("The data cannot be taken in", [Finding(str(delivery), found, remedy)])


def _require_files_only(fresh: Path, delivery: Path) -> None:
    """A source that finds no tables of its own may found itself in the folder it is shown."""
    if any(entry.is_dir() for entry in fresh.iterdir()):
        finding = Finding(str(delivery), "it lacks the source's main table", "deliver all tables of the source")
        raise DataError("The data cannot be taken in", [finding])
