"""How the controls of an iteration stand.

What their checks look at is gathered here, and of that only what a control of the charter needs.
"""

import json
import math
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date, datetime, timedelta
from pathlib import Path

import pandas as pd

from flows.handed import Candidates
from flows.workbench import LENGTH, Workbench
from pipeline.charter.difference import Change, difference
from pipeline.charter.reading import charter_from_canonical
from pipeline.compliance.account import Account
from pipeline.compliance.controls import due, judge_controls, known_controls
from pipeline.compliance.inputs import ControlInputs, Group, Kept, Repeated, Watched
from pipeline.compliance.personal import sampled
from pipeline.compliance.software import Software, software
from pipeline.compliance.standing import ControlState
from pipeline.datasets import catalog
from pipeline.datasets.dataset import Assessment, Dataset
from pipeline.errors import Finding, LandedError, LedgerError
from pipeline.evaluation.outcomes import Evaluation
from pipeline.ledger import IterationRecord, all_iterations, get_iteration, recall, remember
from pipeline.ledger.chain import digest as hash_of
from pipeline.ledger.deployed import find_deployed
from pipeline.models.files import digest
from pipeline.monitoring.observations import observations_of
from pipeline.problems.base import Accountable, Arm, TrainedCandidate
from pipeline.problems.registry import find
from pipeline.reporting import pack
from pipeline.review.attesting import vouched
from pipeline.rollout.ladder import current
from pipeline.verdicts import Verdict

SOFTWARE = "software.json"
#: Decisions that are taken apart to see whether they can be explained.
EXPLAINED = 200
#: Looks at newest data may lie so many periods apart.
_PERIODS_APART = 2


def controlled(
    bench: Workbench,
    dataset: Dataset,
    assessment: Assessment,
    candidates: Candidates,
    arms: pd.DataFrame,
    evaluation: Evaluation,
    readiness: tuple[Verdict, ...],
) -> tuple[ControlState, ...]:
    """Every control of the charter, checked, attested to, waived or still open."""
    charter, ledger = bench.charter, bench.ledger
    asked = known_controls().asked(charter)
    needed = {one.id for one in asked if one.kind == "automated" and due(one, charter, bench.stage.name)}
    goal = arms[arms["kpi"] == charter.kpi.name].set_index("arm")["value"]
    inputs = ControlInputs(
        charter=charter,
        model=float(goal[candidates.challenger]),
        baselines={str(arm): float(value) for arm, value in goal.items() if str(arm).startswith("baseline:")},
        assessment=assessment.verdicts,
        model_directory=candidates.chosen.directory,
        samples=sampled(dataset.tables, charter.seed),
        today=ledger.now().date(),
        groups=tuple(
            Group(one.slice, one.value, one.arm, one.baseline)
            for one in evaluation.slices
            if one.kpi == charter.kpi.name
        ),
        readiness=readiness,
        account=_account(bench, dataset, candidates) if needed & {"decision_limits", "explanation"} else None,
        repeated=_repeated(bench, dataset, candidates) if "reproducible" in needed else None,
        kept=_kept(bench) if "record_keeping" in needed else None,
        watched=_watched(bench) if "monitoring_live" in needed else None,
        released=_since_release(bench) if "substantial_modification" in needed else None,
        software=_software(bench) if "dependencies_recorded" in needed else None,
    )
    opened = datetime.fromisoformat(bench.record.opened_at)
    said = vouched(ledger, charter, {one.id: one.role for one in asked}, opened)
    return judge_controls(asked, inputs, said, bench.stage.name)


def _account(bench: Workbench, dataset: Dataset, candidates: Candidates) -> Account | None:
    """The challenger's decisions of the next period on this rung, some of them taken apart."""
    problem = bench.problem
    if not isinstance(problem, Accountable):
        return None
    arm = Arm(candidates.challenger, bench.charter, candidates.chosen)
    units = problem.units(bench.charter, dataset, bench.stage)
    return problem.account(bench.charter, bench.location, arm, units, dataset=dataset, explained=EXPLAINED)


def _repeated(bench: Workbench, dataset: Dataset, candidates: Candidates) -> Repeated | None:
    """A second training from what is on record alone, done once for each model."""
    training, first = candidates.keys[candidates.challenger], candidates.chosen
    key = f"repeated:{training}"
    known = recall(bench.ledger, key)
    if known is None and bench.record.kind == "train":
        try:
            second = _trained_again(bench, dataset.digest, first.spec.name)
        except LandedError as error:
            return Repeated(first.digest, "", math.inf, "", refused=str(error))
        apart = {name: _apart(value, second.metrics.get(name)) for name, value in first.metrics.items()}
        furthest = max(apart, key=lambda name: apart[name], default="")
        found = Repeated(first.digest, second.digest, apart.get(furthest, 0.0), furthest)
        with bench.transaction() as tx:
            known = remember(tx, key, "repeated", asdict(found), project=bench.charter.project)
    return Repeated(**known) if known is not None else None


def _trained_again(bench: Workbench, dataset: str, name: str) -> TrainedCandidate:
    """The challenger once more: charter and data come from the record, the problem is new, nothing else is at hand.

    Raises:
        LandedError: what is on record is gone, is not what the iteration ran on, or nothing can be learned from it.
    """
    record = get_iteration(bench.ledger, bench.record.project, bench.record.number, bench.record.stage)
    if hash_of(record.charter) != bench.charter.digest:
        finding = Finding(f"iteration {record.subject}", "its charter was changed", "restore the ledger from a backup")
        raise LedgerError("The charter on record is not the one this iteration runs under", [finding])
    charter = charter_from_canonical(json.loads(record.charter))
    stored, problem = catalog.load(bench.settings.datasets, dataset), find(charter.problem)
    spec = next(one for one in charter.model.candidates if one.name == name)

    def progress(what: str, done: int, total: int) -> None:
        bench.progress(f"{name}, once more: {what}", done, total)

    with tempfile.TemporaryDirectory(prefix="landed-repeated-") as folder:
        units = problem.units(charter, stored, bench.stage)
        return problem.train(charter, stored, spec, units, Path(folder) / "model", progress)


def _apart(one: float, other: float | None) -> float:
    """The relative distance of two figures."""
    if other is None:
        return float("inf")
    return 0.0 if one == other else abs(one - other) / max(abs(one), abs(other))


def _kept(bench: Workbench) -> Kept:
    """Reports, data and models of earlier iterations, as far back as the charter keeps them."""
    asked = bench.charter.compliance
    oldest = bench.ledger.now() - timedelta(days=asked.retention_days)
    earlier = [
        record
        for record in all_iterations(bench.ledger, bench.charter.project)
        if record.subject != bench.record.subject
        and record.result is not None
        and (asked.legal_hold or datetime.fromisoformat(record.opened_at) >= oldest)
    ]
    missing = tuple(what for record in earlier for what in _missing(bench, record))
    since = datetime.fromisoformat(earlier[0].opened_at if earlier else bench.record.opened_at).date()
    return Kept(len(earlier), since, missing)


def _missing(bench: Workbench, record: IterationRecord) -> Iterator[str]:
    result, name = record.result or {}, record.subject
    try:
        pack.verify(Path(result["report"]).parent, record.report_digest)
    except LandedError as error:
        yield f"report of {name}: {error.findings[0].place} {error.findings[0].found}"
    if not (bench.settings.datasets / result["dataset"]).is_dir():
        yield f"data of {name}: {result['dataset'][:12]}"
    model = bench.settings.models / result["directory"]
    if not model.is_dir() or digest(model) != result["model_digest"]:
        yield f"model of {name}: {result['model_digest'][:12]}"


def _watched(bench: Workbench) -> Watched:
    project, schedule = bench.charter.project, bench.charter.schedule
    deployed = find_deployed(bench.ledger, project)
    looks = [seen.at for seen in observations_of(bench.ledger, project).values()]
    newest = datetime.fromisoformat(max(looks)).date() if looks else None
    apart = LENGTH[bench.charter.data.period].days * _PERIODS_APART
    runs = deployed is not None and deployed.charter is not None
    return Watched(runs, schedule.monitor or "", newest, max(apart, _PERIODS_APART))


def _since_release(bench: Workbench) -> tuple[Change, ...] | None:
    """What changed in the charter since the release that holds."""
    release = current(bench.ledger, bench.charter.project)
    if release is None:
        return None
    for record in all_iterations(bench.ledger, bench.charter.project):
        if record.charter_digest == release.charter_digest:
            return difference(charter_from_canonical(json.loads(record.charter)), bench.charter)
    return None


def _software(bench: Workbench) -> Software:
    """The software in use, written beside the report too."""
    found = software(bench.settings.advisories)
    bench.report_folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(found), indent=1, sort_keys=True, default=date.isoformat, ensure_ascii=False)
    (bench.report_folder / SOFTWARE).write_text(text + "\n", encoding="utf-8")
    return found
