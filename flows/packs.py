"""From the frozen values of an iteration to the evidence people read, and to the figures later iterations chart."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from typing import Any

from flows.handed import Candidates, Field, Judgement, Played
from flows.options import decision_options
from flows.overridden import overridden
from flows.shown import field_shown
from flows.workbench import LENGTH, Workbench
from pipeline.charter import ROLES
from pipeline.charter.difference import difference
from pipeline.charter.reading import charter_from_canonical
from pipeline.compliance.standing import ControlState
from pipeline.datasets.dataset import Assessment, Dataset
from pipeline.evaluation.outcomes import Effect, Evaluation, Interval, KpiResult
from pipeline.language import from_plain, say, term
from pipeline.ledger import IterationRecord, all_iterations
from pipeline.provenance import code_version
from pipeline.reporting.digests import digest_name
from pipeline.reporting.evidence import (
    ArmKind,
    ArmShown,
    CandidateShown,
    ChangeShown,
    ControlShown,
    CostsShown,
    DriftColumn,
    DriftSummary,
    Evidence,
    FeedbackShown,
    HistoryPoint,
    LedgerHead,
    Link,
    ModelShown,
)
from pipeline.reporting.gather import arms_shown, candidates_shown, changes_shown, data_shown, weekly_points
from pipeline.reporting.manifest import plain
from pipeline.reporting.pack import WrittenReport
from pipeline.reporting.words import ROLE_WORDS
from pipeline.review.attesting import kept_controls
from pipeline.review.items import Filed, items_of
from pipeline.rollout.arms import plain_arms
from pipeline.rollout.promises import triple

FEW_UNITS = 20


def assemble(
    bench: Workbench,
    dataset: Dataset,
    assessment: Assessment,
    candidates: Candidates,
    played: Played,
    field: Field,
    judgement: Judgement,
) -> Evidence:
    """Everything the evidence pack shows."""
    charter, record, evaluation = bench.charter, bench.record, judgement.evaluation
    goal = bench.problem.kpis(charter)[charter.kpi.name]
    return Evidence(
        iteration=record.number,
        stage=bench.stage,
        kind=record.kind,
        why=from_plain(record.why.get("said") or record.why["sentence"]),
        charter=charter,
        data=data_shown(dataset, [one.column for one in charter.compliance.personal_data]),
        assessment=assessment,
        evaluation=evaluation,
        model=ModelShown(candidates.challenger, candidates.version, candidates.chosen.digest),
        code_version=code_version(),
        seed=charter.seed,
        started_by=record.started_by,
        costs=CostsShown(record.number, tuple(sorted(bench.seconds.items()))),
        changes=_changes(record, bench),
        feedback=_feedback(bench, judgement.effects),
        arms=_arms(bench, candidates, played, judgement),
        backtest=_backtest(candidates),
        studied=played.studied,
        history=(*earlier_points(bench), _point(record, evaluation.kpi(charter.kpi.name))),
        weekly=weekly_points(played.outcomes, goal, candidates.challenger, bench.baseline_arm, charter.data.period),
        drift=_drift(judgement),
        field=field_shown(bench, field, judgement.proposal),
        verdicts=judgement.verdicts,
        controls=tuple(_control(one) for one in judgement.controls),
        overrides=overridden(bench, dataset),
        decisions=decision_options(charter, record, judgement.verdicts, bench.problem.unit_word, judgement.offer),
        limits=_limits(judgement, field),
        links=(
            Link(say("the model's run in MLflow"), f"experiment {charter.project}, run iteration {record.number}"),
            Link(say("the model card"), "model-card.html"),
            Link(say("the data sheet"), "data-sheet.html"),
            *(Link(say("in short, for {role}", role=ROLE_WORDS[role]), f"{digest_name(role)}.html") for role in ROLES),
            Link(say("sign or ask for a change"), "landed review list"),
            Link(say("prove that the record is whole"), "landed audit verify"),
        ),
        head=_head(bench),
        units_word=bench.problem.unit_word,
        recorded_case=bool(record.why.get("recorded")),
    )


def _head(bench: Workbench) -> LedgerHead:
    head = bench.ledger.head()
    return LedgerHead(head.seq, head.hash)


def result_of(
    bench: Workbench,
    dataset: Dataset,
    candidates: Candidates,
    played: Played,
    field: Field,
    judgement: Judgement,
    report: WrittenReport,
) -> dict[str, Any]:
    """The figures that the ledger keeps of an iteration."""
    evaluation = judgement.evaluation
    return {
        "kpi": bench.charter.kpi.name,
        "order": [result.kpi.name for result in evaluation.kpis],
        "kpis": {result.kpi.name: _figures(result) for result in evaluation.kpis},
        "units": evaluation.kpis[0].units,
        "unit_word": bench.problem.unit_word,
        "periods": evaluation.periods,
        "blocking": [verdict.gate for verdict in judgement.verdicts if verdict.blocks],
        "challenger": candidates.challenger,
        "model_version": candidates.version,
        "model_digest": candidates.chosen.digest,
        "training": candidates.keys[candidates.challenger],
        "directory": candidates.chosen.directory.name,
        "dataset": dataset.digest,
        "cutoff": dataset.cutoff.isoformat(),
        "next_period": _next_period(bench, dataset, evaluation).isoformat(),
        "units_of": _units_of(bench, dataset),
        "location": str(bench.location),
        "report": str(report.html),
        "files": dict(report.files),
        "basis": evaluation.basis,
        "arms": _arm_figures(judgement),
        "studied": plain(played.studied),
        "effects": {effect.item: _effect(effect) for effect in judgement.effects},
        "usage": asdict(judgement.usage),
        "field_dataset": field.dataset,
        "baselines": dict(field.baselines),
        "promise": _promise(field),
        "next_arms": plain_arms(field.next_arms) if field.next_arms else None,
        "controls": kept_controls(judgement.controls),
    }


def _control(one: ControlState) -> ControlShown:
    asked = one.control
    return ControlShown(
        id=asked.id,
        text=term(asked.text),
        sources=asked.source,
        kind=asked.kind,
        when=asked.when,
        severity=asked.severity,
        role=asked.role,
        state=one.state,
        reason=one.reason,
        by=one.by,
        until=one.until.isoformat() if one.until else "",
    )


def _promise(field: Field) -> dict[str, Any] | None:
    """This iteration's promise, for the calibration of later ones."""
    newest = field.promises.promises[-1] if field.promises.promises else None
    if newest is None:
        return None
    given = newest.realised
    return {
        "number": newest.number,
        "expected": triple(newest.expected),
        "realised": triple(given) if given else None,
        "gap": newest.gap if given else None,
        "periods": newest.periods,
        "units": newest.units,
    }


def _next_period(bench: Workbench, dataset: Dataset, evaluation: Evaluation) -> date:
    """The first period after everything that was measured."""
    played = evaluation.periods if evaluation.kind == "field" else 0
    return dataset.cutoff + (played + 1) * LENGTH[bench.charter.data.period]


def _units_of(bench: Workbench, dataset: Dataset) -> dict[str, list[str]]:
    """The units of this rung and the next, noted before anybody decides."""
    rungs = [bench.stage, bench.charter.stage_after(bench.stage.name)]
    return {rung.name: list(bench.problem.units(bench.charter, dataset, rung)) for rung in rungs if rung is not None}


def earlier_points(bench: Workbench) -> tuple[HistoryPoint, ...]:
    """The charter's KPI in each iteration opened before this one, oldest first."""
    points = []
    for record in all_iterations(bench.ledger, bench.charter.project):
        if record.subject == bench.record.subject:
            break
        if record.result is not None:
            kpi = record.result["kpis"][record.result["kpi"]]
            value, baseline = Interval(*kpi["value"]), Interval(*kpi["baseline"])
            points.append(HistoryPoint(record.number, record.stage, value, baseline, record.result["units"]))
    return tuple(points)


def _point(record: IterationRecord, goal: KpiResult) -> HistoryPoint:
    return HistoryPoint(record.number, record.stage, goal.value, goal.baseline, goal.units)


def _figures(result: KpiResult) -> dict[str, Any]:
    kpi = result.kpi
    intervals = {"value": result.value, "baseline": result.baseline, "difference": result.difference}
    triples = {name: [interval.value, interval.low, interval.high] for name, interval in intervals.items()}
    return {"title": kpi.title, "unit": kpi.unit, "direction": kpi.direction, **triples}


def _effect(effect: Effect) -> dict[str, Any]:
    difference = effect.difference
    return {"kpi": effect.kpi, "difference": [difference.value, difference.low, difference.high]}


def _changes(record: IterationRecord, bench: Workbench) -> tuple[ChangeShown, ...]:
    before: dict[str, Any] | None = record.why.get("charter_before")
    if before is None:
        return ()
    patches: Mapping[str, Mapping[str, Any]] = record.why.get("patches", {})
    return changes_shown(difference(charter_from_canonical(before), bench.charter), lambda path: _source(path, patches))


def _source(path: str, patches: Mapping[str, Mapping[str, Any]]) -> str:
    items = [
        item
        for item, patch in patches.items()
        if any(path.startswith(place) or place.startswith(path) for place in patch)
    ]
    return say("feedback {items}", items=", ".join(items)) if items else ""


def _feedback(bench: Workbench, effects: tuple[Effect, ...]) -> tuple[FeedbackShown, ...]:
    """Every item of the project so far, with its effect as measured in the iteration that first carried it."""
    by_item = {effect.item: effect for effect in effects}
    filed = items_of(bench.ledger, bench.charter.project)
    return tuple(_shown(one, by_item.get(one.item.id) or _recorded_effect(one)) for one in filed)


def _recorded_effect(filed: Filed) -> Effect | None:
    if filed.effect is None:
        return None
    figures = {name: Interval(*filed.effect[name]) for name in ("with", "without", "difference")}
    return Effect(filed.item.id, filed.effect["kpi"], figures["with"], figures["without"], figures["difference"])


def _shown(filed: Filed, effect: Effect | None) -> FeedbackShown:
    item = filed.item
    return FeedbackShown(
        item.id, item.author, item.role, item.seen, item.change, filed.status, filed.reason or "not decided yet", effect
    )


def _arms(bench: Workbench, candidates: Candidates, played: Played, judgement: Judgement) -> tuple[ArmShown, ...]:
    kind: ArmKind = "champion" if bench.record.kind == "measure" else "challenger"
    labels = {name: _label(name) for name in played.arms}
    return arms_shown(judgement.arms, judged=candidates.challenger, kind=kind, labels=labels)


def _arm_figures(judgement: Judgement) -> dict[str, dict[str, list[float]]]:
    """Every arm's KPIs as point, lower and upper end."""
    figures: dict[str, dict[str, list[float]]] = {}
    for row in judgement.arms.to_dict("records"):
        figures.setdefault(str(row["arm"]), {})[str(row["kpi"])] = [row["value"], row["low"], row["high"]]
    return figures


def _label(name: str) -> str:
    if name.startswith("baseline:"):
        return say("{name} (no ML)", name=term(name.removeprefix("baseline:").replace("_", " ")))
    if name.startswith("without "):
        return say("model without {item}", item=name.removeprefix("without "))
    return say("model {name}", name=name)


def _backtest(candidates: Candidates) -> tuple[CandidateShown, ...]:
    if candidates.choice is None:
        return ()
    return candidates_shown(candidates.choice, {name: one.metrics for name, one in candidates.trained.items()})


def _drift(judgement: Judgement) -> DriftSummary | None:
    found = judgement.drift
    if found is None:
        return None
    columns = tuple(DriftColumn(item.name, item.score, item.threshold, item.drifted) for item in found.columns)
    return DriftSummary(
        columns, found.share_drifted, min(found.rows_current, found.rows_reference), found.files[0].name
    )


def _limits(judgement: Judgement, field: Field) -> tuple[str, ...]:
    """What this evidence cannot tell, in sentences."""
    evaluation, limits = judgement.evaluation, []
    if judgement.offer.forced is not None:
        limits.append(judgement.offer.forced)
    units = evaluation.kpis[0].units
    if units < FEW_UNITS:
        limits.append(
            say(
                "Only {units} units were measured: the intervals are widened for so few, and other units may differ.",
                units=units,
            )
        )
    if evaluation.kind == "replay":
        limits.append(say("The decisions were replayed on recorded history; nobody followed them yet."))
    elif field.effect is None:
        limits.append(
            say(
                "The baseline on the same weeks comes from the synthetic world, played twice; a real chain compares "
                "with control stores instead."
            )
        )
    else:
        limits.append(
            say(
                "The baseline on the same weeks comes from the synthetic world, played twice; what a real chain would "
                "see is the effect against controls."
            )
        )
    return tuple(limits)
