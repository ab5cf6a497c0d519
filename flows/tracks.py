"""What an iteration leaves in MLflow: one parent run, a child run per candidate, figures, evidence, aliases, tags."""

import json
from dataclasses import replace

from flows.handed import Candidates, Judgement
from flows.workbench import Workbench
from pipeline.charter import Charter
from pipeline.charter.difference import difference
from pipeline.charter.reading import charter_from_canonical
from pipeline.datasets.dataset import Dataset
from pipeline.ledger import all_iterations, record_run
from pipeline.models.records import CandidateRecord, DatasetRecord, IterationRecord, anchor_tags
from pipeline.problems.base import TrainedCandidate
from pipeline.provenance import code_version
from pipeline.reporting.pack import WrittenReport

#: Characters of a tag; MLflow takes a few thousand, and people read fewer.
_LONGEST = 2000


def track_candidates(bench: Workbench, dataset: Dataset, candidates: Candidates) -> Candidates:
    """Open or resume the iteration's run, log what was trained, register the challenger."""
    run = bench.tracking.open(_parent(bench, dataset))
    with bench.transaction() as tx:
        record_run(tx, bench.record, run)
    if bench.record.kind == "measure":
        return candidates
    children = {
        name: bench.tracking.log_candidate(run, _child(bench.charter, candidates.keys[name], candidate))
        for name, candidate in candidates.trained.items()
    }
    tags = {
        "landed.charter": bench.charter.digest,
        "landed.data": dataset.digest,
        "landed.iteration": bench.record.subject,
    }
    version = bench.tracking.register(bench.charter.project, children[candidates.challenger], "challenger", tags)
    return replace(candidates, version=version)


def track_evidence(
    bench: Workbench, dataset: Dataset, candidates: Candidates, judgement: Judgement, report: WrittenReport
) -> None:
    """Log the figures in one batch, attach the evidence pack, tag what an auditor asks for, close the run."""
    run = bench.tracking.open(_parent(bench, dataset))
    metrics: dict[str, float] = {}
    for result in judgement.evaluation.kpis:
        metrics |= {
            result.kpi.name: result.value.value,
            f"{result.kpi.name}.low": result.value.low,
            f"{result.kpi.name}.high": result.value.high,
            f"{result.kpi.name}.baseline": result.baseline.value,
            f"{result.kpi.name}.difference": result.difference.value,
        }
    metrics |= {f"seconds.{name.replace(' ', '_')}": value for name, value in bench.seconds.items()}
    tags = {
        "landed.report": report.digest,
        "landed.challenger": candidates.challenger,
        "landed.model_version": candidates.version,
        "landed.model": candidates.chosen.digest,
        "landed.verdict": "fail" if any(verdict.blocks for verdict in judgement.verdicts) else "pass",
        "landed.decision": "awaiting",
        **_since_the_last(bench, dataset),
        **anchor_tags(bench.ledger.head()),
    }
    bench.tracking.record(run, metrics=metrics, parameters=_parameters(bench.charter), tags=tags)
    bench.tracking.attach(run, {"evidence": bench.report_folder})
    bench.tracking.finish(run)


def _since_the_last(bench: Workbench, dataset: Dataset) -> dict[str, str]:
    """Why the iteration was opened, the one before it, and what differs from that one."""
    record, why = bench.record, str(bench.record.why.get("sentence", ""))[:_LONGEST]
    earlier = [one for one in all_iterations(bench.ledger, record.project) if one.opened_at < record.opened_at]
    earlier = [one for one in earlier if one.result is not None]
    if not earlier:
        return {"landed.why": why, "landed.previous": "none", "landed.changes": "the first iteration"}
    last = earlier[-1]
    before = charter_from_canonical(json.loads(last.charter))
    changes = [f"charter {change.path}" for change in difference(before, bench.charter)]
    then, now = str((last.result or {})["dataset"]), dataset.digest
    changes += [f"data {then[:12]} to {now[:12]}"] if then != now else []
    changes += [f"feedback {item}" for item in record.why.get("patches", {})]
    said = "; ".join(changes) or "nothing"
    return {"landed.why": why, "landed.previous": last.subject, "landed.changes": said[:_LONGEST]}


def _parent(bench: Workbench, dataset: Dataset) -> IterationRecord:
    record = bench.record
    rows = {name: len(table) for name, table in dataset.tables.items()}
    described = DatasetRecord(bench.charter.data.source, dataset.digest, bench.location.name, rows)
    return IterationRecord(
        project=record.project,
        number=record.number,
        stage=record.stage,
        charter=record.charter_digest,
        code=code_version(),
        dataset=described,
        started_by=record.started_by,
    )


def _child(charter: Charter, key: str, candidate: TrainedCandidate) -> CandidateRecord:
    return CandidateRecord(
        name=candidate.spec.name,
        key=key,
        directory=candidate.directory,
        parameters=candidate.parameters,
        metrics={**candidate.metrics, "training_seconds": candidate.seconds},
        backtest=candidate.backtest.frame,
        tags={"landed.charter": charter.digest},
    )


def _parameters(charter: Charter) -> dict[str, str | int | float | bool]:
    policy = {f"policy.{name}": value for name, value in charter.policy.parameters.items()}
    return {
        "policy": charter.policy.name,
        **policy,
        "train_on": charter.model.train_on,
        "candidates": ", ".join(candidate.name for candidate in charter.model.candidates),
        "target": charter.kpi.target,
        "seed": charter.seed,
    }
