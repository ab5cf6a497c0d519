"""``monitoring``: looks at the newest data of a project, and asks for another iteration when the rule says so."""

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed
from pydantic import Field

from flows.steps import DRIFT_ROWS, step
from flows.triggering import Triggered, open_by_trigger
from flows.watching import MONITORING, Drift, Newest, Watch, failure_told, watch
from pipeline.charter.model import Slug
from pipeline.datasets import catalog
from pipeline.datasets.assessment import DRIFT
from pipeline.datasets.contracts import apply_contracts
from pipeline.datasets.dataset import Dataset
from pipeline.errors import DataError
from pipeline.ledger.chain import digest
from pipeline.monitoring.alarms import (
    Alarm,
    contract_alarms,
    guardrail_alarms,
    missing_alarms,
    raise_alarms,
    stale_alarms,
)
from pipeline.monitoring.comparing import worst_share
from pipeline.monitoring.followers import followers
from pipeline.monitoring.inbox import Taken, complete_results, take_in, take_results_in
from pipeline.monitoring.ingest import ingest
from pipeline.monitoring.observations import (
    Observation,
    benchmarks,
    corrected,
    fired_of,
    kpi_figures,
    observations_of,
    observe,
)
from pipeline.monitoring.rules import Decision, History, judge, metrics_of, parse
from pipeline.monitoring.trigger import Trigger
from pipeline.notices.announcements import announce_retraining
from pipeline.rollout.outcomes import Delivery, add_delivery, known_units, read_delivery

Project = Annotated[Slug, Field(description="the project's identifier, as its charter writes it")]
Place = Annotated[Path | None, Field(description="folder of the data; where the last iteration found it if left out")]


@flow(name="monitoring", flow_run_name="{project}", persist_result=False)
def monitoring(project: Project, location: Place = None) -> State:
    """Take deliveries and field results in, look at the newest data, note what was seen, trigger where the rule fires.

    Ends as ``Quiet``, ``Triggered``, ``Merged`` (into an iteration that is under way), ``NothingNew``, or
    ``DataRefused`` when the data breaks its contract as a whole, which people are told of.

    Raises:
        Refused: the ledger does not know the project, or not where its data lies.
    """
    with watch(project, location) as bench, failure_told(bench):
        if bench.stopped:
            return Completed(name="NothingNew", message=f"the project was {bench.stopped}")
        take_deliveries(bench)
        take_results(bench)
        newest = newest_data(bench)
        if newest.dataset is None:
            return Completed(name="DataRefused", message=str(newest.fault))
        if is_known(bench, newest.dataset):
            return Completed(name="NothingNew", message=f"data up to {newest.dataset.cutoff} was looked at before")
        drift = measure_drift(bench, newest.dataset)
        realised = realised_kpis(bench, newest.dataset)
        seen = put_together(bench, newest.dataset, drift, realised)
        decision = judge_rule(bench, seen)
        triggered = trigger_iteration(bench, decision) if decision.status == "fire" else None
        note(bench, newest.dataset, drift, seen, decision, triggered)
    if triggered is None:
        return Completed(name="Quiet", message=f"{decision.status}: {decision.reason}")
    return Completed(name="Merged" if triggered.merged else "Triggered", message=triggered.sentence)


@step
def take_deliveries(bench: Watch) -> tuple[Taken, ...]:
    """Ingest what lies complete in the watched folder; refused deliveries are put aside, and people are told."""
    taken = take_in(
        bench.settings.inbox_of(bench.project),
        time.time(),
        lambda folder: ingest(
            bench.ledger, bench.settings.datasets, bench.charter, bench.location, folder, actor=MONITORING
        ),
    )
    alarms = [
        Alarm("contract", f"delivery {one.name}", f"The delivery was refused: {one.error.headline}.", {})
        for one in taken
        if one.error is not None
    ]
    _raise(bench, alarms)
    return taken


@step
def take_results(bench: Watch) -> tuple[Taken, ...]:
    """Add the field results that lie complete in the watched folder; refused files are put aside, and people are told.

    Before the first iteration nobody knows the project's units, and files wait.
    """
    inbox, now = bench.settings.inbox_of(bench.project), time.time()
    if not bench.measured or not complete_results(inbox, now):
        return ()
    today, folder = date.today(), bench.settings.data / "outcomes"
    units = known_units(bench.ledger, bench.settings.datasets, bench.problem, bench.charter)

    def add(file: Path) -> Delivery:
        frame = read_delivery(file, bench.problem.kpis(bench.charter), units, today)
        return add_delivery(bench.ledger, folder, bench.project, frame, file.name, actor=MONITORING)

    taken = take_results_in(inbox, now, add)
    refused = [(one.name, one.error) for one in taken if one.error is not None]
    alarms = [
        Alarm("contract", f"field results {name}", f"Field results were refused: {error.headline}.", {})
        for name, error in refused
    ]
    _raise(bench, alarms)
    return taken


@step
def newest_data(bench: Watch) -> Newest:
    """Load the source and pass it through its contract; a wholly broken one is told, not thrown."""
    try:
        raw = bench.problem.load(bench.charter, bench.location)
        clean, quarantine = apply_contracts(raw, bench.problem.contracts(bench.charter, raw))
    except DataError as fault:
        # One alarm per way of being broken, however often it is looked at.
        subject = f"data cannot be used ({digest(str(fault))[:8]})"
        found = {finding.place: finding.found for finding in fault.findings}
        _raise(bench, [Alarm("contract", subject, f"The data cannot be used: {fault.headline}.", found)])
        return Newest(None, fault)
    dataset = Dataset(clean, catalog.digest(clean), bench.problem.cutoff(clean), quarantine)
    return Newest(dataset, None)


@step
def is_known(bench: Watch, dataset: Dataset) -> bool:
    """Whether exactly this data was looked at last; data that does not come is told then."""
    known = observations_of(bench.ledger, bench.project)
    latest = known.get(dataset.cutoff)
    if latest is None or latest.dataset != dataset.digest:
        return False
    with bench.ledger.transaction() as tx:
        late = missing_alarms(bench.charter, latest.period, latest.at, tx.now(), bench.step)
        raise_alarms(tx, bench.project, late, actor=MONITORING)
    return True


@step
def measure_drift(bench: Watch, dataset: Dataset) -> Drift:
    """Compare with the data of the last training: scores on all rows for the rule, a report on a sample for people."""
    reference = catalog.load(bench.settings.datasets, bench.reference) if bench.reference else None
    facts = bench.problem.facts(bench.charter, dataset, reference)
    if reference is None or not facts.drift:
        return Drift(None, {}, facts.ages_days)
    moved = [name for name, index in facts.drift.items() if index > DRIFT]
    figures = {
        "columns": facts.drift,
        "limit": DRIFT,
        "moved": moved,
        "reference": reference.digest,
        "report": _report(bench, dataset, reference),
    }
    return Drift(len(moved) / len(facts.drift), figures, facts.ages_days)


@step
def realised_kpis(bench: Watch, dataset: Dataset) -> pd.DataFrame:
    """What really happened, on the units that follow the model and on all."""
    return bench.problem.realised(bench.charter, dataset, followers(bench.ledger.events(bench.project)))


@step
def put_together(bench: Watch, dataset: Dataset, drift: Drift, realised: pd.DataFrame) -> tuple[Observation, ...]:
    """The newest period's observation, last, and those of earlier periods that the data tells anew."""
    held = benchmarks(bench.charter, bench.measured)
    share, table = worst_share(dataset.quarantine)
    figures: dict[str, Any] = {
        "drift_share": drift.share,
        "drift": drift.figures,
        "quarantine_share": share,
        "quarantine": {"table": table, "refused": dataset.quarantine.refused},
        "kpis": kpi_figures(realised, dataset.cutoff, "model"),
        "all": kpi_figures(realised, dataset.cutoff, "all"),
        "benchmarks": held,
        "verdict": None,
    }
    known = observations_of(bench.ledger, bench.project)
    first = bench.trained_until or min(known, default=dataset.cutoff)
    earlier = corrected(known, realised, dataset.digest, dataset.cutoff, first, held)
    order = max((one.order for one in known.values()), default=0)
    return tuple(
        replace(one, order=order + place)
        for place, one in enumerate([*earlier, Observation(dataset.cutoff, dataset.digest, figures)], start=1)
    )


@step
def judge_rule(bench: Watch, seen: tuple[Observation, ...]) -> Decision:
    """What the charter's rule says, with what was observed before."""
    retrain = bench.charter.retrain
    known = observations_of(bench.ledger, bench.project)
    history = History(
        step=bench.step,
        fired=fired_of(bench.ledger, bench.project),
        trained=bench.trained_until,
        clear_after=retrain.clear_after,
        cool_down=retrain.cool_down,
    )
    rule = parse(retrain.when, metrics_of(bench.charter))
    return judge(rule, [one.observed for one in (*known.values(), *seen)], history)


@step
def trigger_iteration(bench: Watch, decision: Decision) -> Triggered:
    """Ask for another iteration, with the figures as its "why".

    Before the observation is noted: who dies in between asks again, and is merged into the iteration then under way.
    """
    figures = {"period": str(decision.period), "rule": bench.charter.retrain.when, "clauses": dict(decision.figures)}
    sentence = f"Monitoring of {decision.period}: {decision.reason}"
    trigger = Trigger("monitoring", sentence, figures, MONITORING)
    return open_by_trigger(bench.ledger, bench.charter, bench.location, trigger)


@step
def note(
    bench: Watch,
    dataset: Dataset,
    drift: Drift,
    seen: tuple[Observation, ...],
    decision: Decision,
    triggered: Triggered | None,
) -> None:
    """Keep the data, note what was seen with the verdict, and tell people of every breach, in one transaction."""
    catalog.store(dataset, bench.settings.datasets)
    last = seen[-1]
    verdict = {
        "status": decision.status,
        "period": str(decision.period),
        "reason": decision.reason,
        "rule": bench.charter.retrain.when,
        "clauses": dict(decision.figures),
        "iteration": triggered.record.subject if triggered else None,
    }
    noted = (*seen[:-1], replace(last, figures={**last.figures, "verdict": verdict}))
    alarms = [
        *contract_alarms(bench.charter, dataset.quarantine, last.period),
        *guardrail_alarms(bench.charter, last.figures, last.period),
        *stale_alarms(bench.charter, drift.ages_days, last.period),
    ]
    with bench.ledger.transaction() as tx:
        for one in noted:
            observe(tx, bench.project, one, actor=MONITORING)
        raise_alarms(tx, bench.project, alarms, actor=MONITORING)
        if triggered is not None:
            record = triggered.record
            announce_retraining(
                tx, bench.project, record.number, record.stage, decision.reason, _figures_for_people(decision)
            )


def _report(bench: Watch, dataset: Dataset, reference: Dataset) -> dict[str, Any] | None:
    """Evidently's report on a sample: where it lies, and the share it finds; nothing is decided on it."""
    frames = bench.problem.drift_frames(bench.charter, dataset, reference, DRIFT_ROWS)
    if frames is None:
        return None
    from pipeline.evaluation import drift  # takes seconds, which a run without anything new need not wait for

    folder = bench.settings.reports / bench.project / "monitoring" / dataset.cutoff.isoformat()
    shown = drift.report(*frames, None, bench.charter, folder)
    return {"share": shown.share_drifted, "rows": shown.rows_current, "page": str(shown.files[0])}


def _figures_for_people(decision: Decision) -> Mapping[str, Any]:
    """Each clause's newest figure by its words."""
    return {
        text: next(iter(reversed(list(clause["values"].values()))), None)
        for text, clause in decision.figures.items()
        if clause["periods"]
    }


def _raise(bench: Watch, alarms: list[Alarm]) -> None:
    if alarms:
        with bench.ledger.transaction() as tx:
            raise_alarms(tx, bench.project, alarms, actor=MONITORING)
