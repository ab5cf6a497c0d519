"""An installation for the site's tests: accounts, and a review whose evidence pack lies on disk."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pipeline.accounts import accept, invite
from pipeline.charter import Charter
from pipeline.ledger import (
    IterationRecord,
    Ledger,
    find_iteration,
    mark_done,
    open_iteration,
    open_key,
    record_report,
    record_run,
    transition,
)
from pipeline.reporting.evidence import Evidence
from pipeline.reporting.pack import write
from pipeline.review import ReviewRequest, request_review
from pipeline.review.consequences import allowed_decisions
from tests.reporting.conftest import build

PASSWORD = "cheddar stairs bicycle"  # noqa: S105 - opens nothing but these tests
PROJECT = "smart-replenishment"
#: Whoever signs in the tests; li.wei started the run, olga is an administrator whom no charter names.
PEOPLE = {"ana.ruiz": "Ana Ruiz", "maria.lind": "Maria Lind", "tom.okoye": "Tom Okoye", "li.wei": "Li Wei"}
UNITS = {"pilot": [f"S{n:03d}" for n in range(5)], "full": [f"S{n:03d}" for n in range(300)]}


class Clock:
    """The ledger's clock in tests; stands still until it is moved."""

    def __init__(self, at: datetime = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)) -> None:
        self.at = at

    def __call__(self) -> datetime:
        self.at += timedelta(milliseconds=1)
        return self.at

    def pass_by(self, **span: int) -> None:
        self.at += timedelta(**span)


@dataclass(frozen=True)
class Pack:
    """An evidence pack on disk. Writing one is slow, so that tests share a few; each has a ledger of its own."""

    evidence: Evidence
    page: Path
    digest: str


def evidence_of(number: int = 3, **changes: Any) -> Evidence:
    """The rich evidence of the report's own tests."""
    found = replace(build(), iteration=number, recorded_case=False, **changes)
    return replace(found, history=tuple(point for point in found.history if point.iteration <= number))


def write_pack(folder: Path, evidence: Evidence) -> Pack:
    """A pack with a drift report beside it."""
    drift = folder.with_name(f"{folder.name}-drift") / "drift.html"
    drift.parent.mkdir(parents=True)
    drift.write_text("<!doctype html><title>Drift</title><p>units moved by 0.11</p>", encoding="utf-8")
    written = write(evidence, folder, [drift])
    return Pack(evidence, written.html, written.digest)


def put_review(ledger: Ledger, pack: Pack, *, started_by: str = "li.wei", run: str | None = "0f" * 16) -> ReviewRequest:
    """An iteration that ran to its review, as the flow leaves it; one that is there already is run again."""
    shown, charter = pack.evidence, pack.evidence.charter
    with ledger.transaction() as tx:
        record = find_iteration(tx, charter.project, shown.iteration, shown.stage.name)
        record = transition(tx, record or _opened(tx, charter, shown, started_by), "running", actor=started_by)
        record = record_run(tx, record, run) if run else record
        record = record_report(tx, record, pack.digest, result_of(shown, pack.page))
        mark_done(tx, open_key(charter.project, shown.iteration, shown.stage.name))
        allowed = allowed_decisions(charter, record)
        return request_review(tx, record, verdicts=shown.verdicts, allowed=allowed)


def _opened(tx: Any, charter: Charter, shown: Evidence, started_by: str) -> IterationRecord:
    return open_iteration(
        tx, project=charter.project, number=shown.iteration, stage=shown.stage.name, kind="train",
        charter=charter.canonical(), charter_digest=charter.digest,
        why={"sentence": shown.why, "file": charter.digest}, started_by=started_by,
    )  # fmt: skip


def result_of(shown: Evidence, page: Path, version: str = "3") -> dict[str, Any]:
    """The figures the ledger keeps, in the flow's own shape."""
    kpis = {}
    for one in shown.evaluation.kpis:
        sides = {"value": one.value, "baseline": one.baseline, "difference": one.difference}
        triples = {name: [at.value, at.low, at.high] for name, at in sides.items()}
        kpis[one.kpi.name] = {"title": one.kpi.title, "unit": one.kpi.unit, "direction": one.kpi.direction, **triples}
    names = [stage.name for stage in shown.charter.stages]
    rungs = names[names.index(shown.stage.name) :][:2]
    return {
        "kpi": shown.charter.kpi.name,
        "order": list(kpis),
        "kpis": kpis,
        "units": shown.evaluation.kpis[0].units,
        "unit_word": shown.units_word,
        "units_of": {stage: UNITS[stage] for stage in rungs},
        "blocking": [],
        "model_version": version,
        "model_digest": "a" * 64,
        "training": f"key-{version}",
        "next_period": "2026-11-09",
        "usage": {
            "stage": shown.stage.name, "units": shown.evaluation.kpis[0].units, "seconds": 1500.0, "memory_gb": 1.5,
            "storage_gb": 0.2, "people_minutes": 180.0,
        },
        "location": "nowhere",
        "report": str(page),
    }  # fmt: skip


def let_in(ledger: Ledger, names: Sequence[str] = tuple(PEOPLE), *, passwords: bool = False) -> None:
    """Accounts for these people and for an administrator; with passwords where a test types one (hashing is slow)."""
    for name in (*names, "olga.admin"):
        email, admin = f"{name}@example.com", name == "olga.admin"
        words = PEOPLE.get(name, name.replace(".", " ").title())
        link = invite(ledger, name, words, email, by="tests", admin=admin, trusted=True)
        if passwords:
            accept(ledger, link.secret, PASSWORD)
