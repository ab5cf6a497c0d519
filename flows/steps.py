"""The steps of an iteration: each hands one frozen value on, and finds what it finished before in the ledger."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from prefect import task
from prefect.cache_policies import NO_CACHE

from flows.controlled import SOFTWARE, controlled
from flows.field import measured_in_field, settle_arms, under_todays_rule
from flows.handed import Candidates, Field, Judgement, Played
from flows.kept import keep, kept
from flows.packs import assemble, earlier_points, result_of
from flows.readiness import proposed, readiness, usage_of
from flows.tracks import track_candidates, track_evidence
from flows.training import measured_candidate, trained_candidates
from flows.workbench import Workbench
from pipeline.datasets import catalog, undated
from pipeline.datasets.assessment import assess
from pipeline.datasets.contracts import apply_contracts
from pipeline.datasets.dataset import Assessment, Dataset
from pipeline.errors import DataError, Finding
from pipeline.evaluation import comparing, gates, kpis
from pipeline.evaluation.outcomes import Effect, Evaluation
from pipeline.evaluation.study import Studied
from pipeline.ledger import all_iterations, get_iteration, mark_done, open_key, recall, record_report, remember
from pipeline.notices.announcements import announce_refused_rows, announce_review
from pipeline.problems.base import Arm, Studying
from pipeline.problems.parts import Partible
from pipeline.provenance import environment
from pipeline.reporting.pack import WrittenReport, write
from pipeline.review.consequences import allowed_decisions
from pipeline.review.items import record_effect
from pipeline.review.requests import ReviewRequest, request_review
from pipeline.rollout.limits import offered
from pipeline.rollout.promotion import entering
from pipeline.rollout.switch import refuse_while_stopped

if TYPE_CHECKING:
    from pipeline.evaluation.drift import DriftReport

Step = TypeVar("Step", bound=Callable[..., Any])

#: Rows of each side that Evidently reads; scores that gates rest on are taken over all rows.
DRIFT_ROWS = 10_000
#: Reasons of refusal named in a notice.
REASONS_TOLD = 5


def step(function: Step) -> Step:
    """A Prefect task without a cache: the ledger knows what is finished, and values are handed on as they are."""
    return task(cache_policy=NO_CACHE, persist_result=False)(function)  # type: ignore[return-value]


def bare(function: Step) -> Step:
    """A step's function without its Prefect task, to be called outside of a flow."""
    return function.fn  # type: ignore[attr-defined, no-any-return]


@step
def load_data(bench: Workbench) -> Dataset:
    """Load the source, refuse what breaks the contract, and keep the rest under its content hash."""
    known = recall(bench.ledger, f"dataset:{bench.attempt}")
    if known is not None:
        bench.progress.say(f"  [dim]data {known['digest'][:12]} is loaded already[/]")
        return kept(bench.settings.datasets, known["digest"])
    with bench.step("load and check data"):
        raw = bench.problem.load(bench.charter, bench.location)
        clean, quarantine = apply_contracts(raw, bench.problem.contracts(bench.charter, raw))
        dataset = Dataset(clean, catalog.digest(clean), bench.problem.cutoff(clean), quarantine)
        catalog.store(dataset, bench.settings.datasets)
    _tell_owners(bench, dataset)
    bench.progress.say(f"  {_told(bench, dataset)}")
    return keep(bench.settings.datasets, dataset)


def _told(bench: Workbench, dataset: Dataset) -> str:
    """How far the data reaches and how much of it there is; a contract beside the tables is none."""
    kept, refused = dataset.quarantine.kept, dataset.quarantine.refused
    names = [table.name for table in bench.charter.data.tables]
    what = "data without dates" if undated.stands_in(dataset.cutoff) else f"data to {dataset.cutoff}"
    return f"{what}: {_rows(kept, names):,} rows kept, {_rows(refused, names):,} refused"


def _rows(counts: Mapping[str, int], tables: Iterable[str]) -> int:
    return sum(counts.get(name, 0) for name in tables)


def _tell_owners(bench: Workbench, dataset: Dataset) -> None:
    """Whoever answers for a table hears of its refused rows, whatever becomes of the iteration."""
    rows = dataset.quarantine.rows
    with bench.transaction() as tx:
        for table in bench.charter.data.tables:
            refused = dataset.quarantine.refused.get(table.name, 0)
            if refused:
                reasons = rows.loc[rows["table"] == table.name, "reason"].value_counts().head(REASONS_TOLD)
                told = {str(reason): int(count) for reason, count in reasons.items()}
                announce_refused_rows(tx, bench.charter.project, table, bench.charter.people, refused, told)


@step
def assess_data(bench: Workbench, dataset: Dataset) -> Assessment:
    """Judge whether the data is good and enough, and measure the baseline the charter names.

    Raises:
        DataError: a blocking verdict failed; nothing is trained on such data.
        CharterError: the target lies on the wrong side of the measured baseline.
    """
    with bench.step("assess data"):
        previous = previous_dataset(bench)
        facts = bench.problem.facts(bench.charter, dataset, previous)
        assessment = assess(facts, bench.charter, dataset.quarantine)
        if not assessment.sufficient:
            findings = [
                Finding(verdict.gate, verdict.reason, "deliver better data, or change the charter's data section")
                for verdict in assessment.verdicts
                if verdict.blocks
            ]
            raise DataError("The data is not good enough to train on", findings)
        today = under_todays_rule(bench, dataset)
        if today:
            gates.check_target(bench.charter, bench.problem.measured_baseline(bench.charter, dataset, today))
    with bench.transaction() as tx:
        value = {"digest": dataset.digest, "location": str(bench.location)}
        remember(tx, f"dataset:{bench.attempt}", "dataset", value, project=bench.charter.project)
    return assessment


def previous_dataset(bench: Workbench) -> Dataset | None:
    """The dataset of the iteration opened before this one, to see drift against."""
    records = all_iterations(bench.ledger, bench.charter.project)
    place = [record.subject for record in records].index(bench.record.subject)
    digest = records[place - 1].result and records[place - 1].result.get("dataset") if place else None  # type: ignore[union-attr]
    return kept(bench.settings.datasets, digest) if digest else None


@step
def make_candidates(bench: Workbench, dataset: Dataset) -> Candidates:
    """Train and choose, or take the released model where a stage is measured."""
    with bench.step("train and backtest"):
        measured = bench.record.kind == "measure"
        candidates = measured_candidate(bench) if measured else _trained(bench, dataset)
    with bench.step("track in MLflow"):
        return track_candidates(bench, dataset, candidates)


def _trained(bench: Workbench, dataset: Dataset) -> Candidates:
    """All candidates; on a cluster, its workers make the rows that are drawn of a large chain."""
    problem = bench.problem
    if bench.settings.engine == "local" or not isinstance(problem, Partible):
        return trained_candidates(bench, dataset)
    from flows.clusters import on_dask  # Dask is an extra

    return on_dask(
        bench.settings, lambda parts: trained_candidates(replace(bench, problem=problem.in_parts(parts)), dataset)
    )


@step
def play_arms(bench: Workbench, dataset: Dataset, candidates: Candidates) -> Played:
    """Play the challenger, every baseline and every "without this feedback item" on the same units and periods."""
    units = bench.problem.units(bench.charter, dataset, bench.stage)
    challenger = Arm(candidates.challenger, bench.charter, candidates.chosen)
    others = [
        Arm(name, bench.charter, model) for name, model in candidates.trained.items() if name != candidates.challenger
    ]
    baselines = [
        Arm(f"baseline:{name}", bench.charter, baseline=name) for name in bench.problem.baselines(bench.charter)
    ]
    arms = (challenger, *others, *baselines, *candidates.variants.values())
    with bench.step("pick controls"):
        # Whoever stays behind for comparison stands in the record before anybody follows the model.
        settle_arms(bench, dataset, units)
    with bench.transaction() as tx:
        # Whoever follows the model in a trial stands in the record before anything is played; nobody does after a stop.
        refuse_while_stopped(tx, bench.charter.project)
        body = {"treated": challenger.name, "model": candidates.chosen.digest, "units": list(units)}
        tx.append("trial.begun", bench.charter.project, bench.record.subject, bench.record.started_by, "", body)
    with bench.step("play the decisions"):
        outcomes = bench.problem.play(
            bench.charter,
            dataset,
            bench.location,
            arms,
            treated=challenger.name,
            units=units,
            periods=bench.stage.periods,
            key=bench.attempt.replace(":", "-"),
            progress=bench.progress,
        )
    return Played(bench.charter, units, outcomes, tuple(arm.name for arm in arms), _studied(bench, dataset, candidates))


def _studied(bench: Workbench, dataset: Dataset, candidates: Candidates) -> Studied | None:
    """The challenger under other policies, parameters and seeds; none for a released model that is only measured."""
    problem, charter = bench.problem, bench.charter
    if candidates.choice is None or not isinstance(problem, Studying):
        return None
    units = problem.units(charter, dataset, bench.stage)
    with bench.step("compare ways to decide"):
        study = problem.study(charter, dataset, candidates.trained, candidates.challenger, units, bench.progress)
        if study is None:
            return None
        definitions = problem.kpis(charter)
        return comparing.studied(study, definitions, definitions[charter.kpi.name], bench.baseline_arm, charter.seed)


@step
def measure_field(bench: Workbench, dataset: Dataset, candidates: Candidates, played: Played) -> Field:
    """What the model changed against the controls, and who will be compared on the rung above."""
    with bench.step("measure against controls"):
        return measured_in_field(bench, dataset, candidates, played)


@step
def judge_outcomes(
    bench: Workbench, dataset: Dataset, assessment: Assessment, candidates: Candidates, played: Played, field: Field
) -> Judgement:
    """KPIs with intervals, the effect of each feedback item, drift, every verdict, and what may be decided on them."""
    charter, definitions = bench.charter, bench.problem.kpis(bench.charter)
    with bench.step("evaluate"):
        evaluation = kpis.evaluate(
            charter, definitions, played.outcomes, candidates.challenger, bench.baseline_arm, charter.seed
        )
        arms = kpis.summary(played.outcomes, definitions, charter.seed)
        goal = definitions[charter.kpi.name]
        effects = tuple(
            kpis.effect(item, goal, played.outcomes, candidates.challenger, arm.name, charter.seed)
            for item, arm in candidates.variants.items()
        )
        verdicts = (
            *assessment.verdicts,
            *gates.judge(
                charter,
                bench.stage,
                evaluation,
                iteration=bench.record.number,
                today=bench.today,
                previous=tuple(point.value for point in earlier_points(bench) if point.stage == bench.stage.name),
            ),
            *field.verdicts,
        )
    _keep_effects(bench, effects)
    with bench.step("drift report"):
        shown = _drift(bench, dataset, evaluation)
    usage = usage_of(bench, dataset, candidates, played)
    ready = readiness(bench, dataset, usage)
    with bench.step("check controls"):
        controls = controlled(bench, dataset, assessment, candidates, arms, evaluation, ready)
    verdicts = (*verdicts, *ready, *(one.verdict for one in controls))
    up = charter.stage_after(bench.stage.name)
    verdicts = entering(verdicts, up) if up is not None else verdicts
    allowed = allowed_decisions(charter, bench.record)
    offer = offered(charter, bench.stage.name, allowed, verdicts, bench.record.number)
    return Judgement(evaluation, arms, effects, verdicts, shown, offer, usage, proposed(bench, verdicts), controls)


def _drift(bench: Workbench, dataset: Dataset, evaluation: Evaluation) -> "DriftReport | None":
    frames = bench.problem.drift_frames(bench.charter, dataset, previous_dataset(bench), DRIFT_ROWS)
    if frames is None:
        return None
    from pipeline.evaluation import drift  # takes seconds, which a flow that starts need not wait for

    current, reference = frames
    return drift.report(current, reference, evaluation, bench.charter, bench.report_folder)


def _keep_effects(bench: Workbench, effects: tuple[Effect, ...]) -> None:
    with bench.transaction() as tx:
        for one in effects:
            triples = {"with": one.with_item, "without": one.without_item, "difference": one.difference}
            figures = {name: [at.value, at.low, at.high] for name, at in triples.items()}
            record_effect(
                tx, bench.charter.project, one.item, {"kpi": one.kpi, **figures},
                iteration=bench.record.subject, actor=bench.record.started_by,
            )  # fmt: skip


@step
def write_evidence(
    bench: Workbench,
    dataset: Dataset,
    assessment: Assessment,
    candidates: Candidates,
    played: Played,
    field: Field,
    judgement: Judgement,
) -> WrittenReport:
    """Write the evidence pack, note its hash in the ledger and in MLflow."""
    with bench.step("write report"):
        evidence = assemble(bench, dataset, assessment, candidates, played, field, judgement)
        software = bench.report_folder / SOFTWARE
        attached = [
            _environment(bench),
            *(judgement.drift.files if judgement.drift else ()),
            *([software] if software.is_file() else []),
        ]
        report = write(evidence, bench.report_folder, attached)
    with bench.transaction() as tx:
        result = result_of(bench, dataset, candidates, played, field, judgement, report)
        record_report(tx, bench.record, report.digest, result)
    with bench.step("track in MLflow"):
        track_evidence(bench, dataset, candidates, judgement, report)
    bench.progress.say(f"  evidence {report.digest[:12]} in {report.html}")
    return report


def _environment(bench: Workbench) -> Path:
    """What this iteration ran on, to lie beside its pack."""
    bench.report_folder.mkdir(parents=True, exist_ok=True)
    path = bench.report_folder / "environment.txt"
    path.write_text(environment(), encoding="utf-8")
    return path


@step
def request_signatures(bench: Workbench, judgement: Judgement) -> ReviewRequest:
    """Ask people; from here on the ledger waits, not this process."""
    with bench.transaction() as tx:
        record = get_iteration(tx, bench.record.project, bench.record.number, bench.record.stage)
        review = request_review(
            tx, record, verdicts=judgement.verdicts, allowed=judgement.offer.decisions, signers=judgement.offer.signers
        )
        announce_review(tx, review.id)
        mark_done(tx, open_key(record.project, record.number, record.stage))
    return review
