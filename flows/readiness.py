"""What must hold before the rollout goes up, beside the figures: money, machines, the sponsor, a switch that works."""

from flows.handed import Candidates, Played
from flows.workbench import Workbench
from pipeline.datasets.dataset import Dataset
from pipeline.language import joined, say
from pipeline.ledger import all_iterations
from pipeline.notices.announcements import announce_rollback
from pipeline.rollout.breach import Proposal, open_proposal, propose_rollback
from pipeline.rollout.ladder import current
from pipeline.rollout.limits import money
from pipeline.rollout.reaffirming import sponsor_agrees, strategy_current
from pipeline.rollout.rehearsal import rehearsed
from pipeline.rollout.resources import Usage, affordable, peak_memory_gb, people_minutes, storage_gb
from pipeline.rollout.spending import planned
from pipeline.verdicts import Verdict


def usage_of(bench: Workbench, dataset: Dataset, candidates: Candidates, played: Played) -> Usage:
    """What this iteration took up to now; the writing of its report is seconds more."""
    folders = [bench.settings.datasets / dataset.digest, bench.report_folder]
    folders += [candidate.directory for candidate in candidates.trained.values()]
    return Usage(
        stage=bench.stage.name,
        units=len(played.units),
        seconds=sum(bench.seconds.values()),
        memory_gb=peak_memory_gb(),
        storage_gb=storage_gb(folders),
        people_minutes=people_minutes(bench.ledger, bench.charter, bench.record.number, bench.stage.name),
    )


def readiness(bench: Workbench, dataset: Dataset, usage: Usage) -> tuple[Verdict, ...]:
    """Verdicts on everything a next stage needs that no figure of the model tells."""
    charter, stage = bench.charter, bench.stage
    up = charter.stage_after(stage.name)
    sizes = [len(bench.problem.units(charter, dataset, rung)) for rung in (up or stage, charter.stages[-1])]
    entered = [record.stage for record in all_iterations(bench.ledger, charter.project)]
    return (
        *affordable(charter, [*_earlier(bench), usage], *sizes),
        money(charter, planned(charter, entered).money),
        rehearsed(bench.ledger, charter, stage.name),
        sponsor_agrees(bench.ledger, charter),
        strategy_current(bench.ledger, charter, bench.today),
    )


def proposed(bench: Workbench, verdicts: tuple[Verdict, ...]) -> Proposal | None:
    """The standing proposal to roll back, made and announced now where the released rung broke what it must keep."""
    project, stage = bench.charter.project, bench.stage
    before, release = open_proposal(bench.ledger, project), current(bench.ledger, project)
    if bench.record.kind != "measure" or release is None or release.stage != stage.name:
        return before
    with bench.transaction() as tx:
        found = propose_rollback(tx, project, stage, verdicts)
        if found is not None and (before is None or before.event != found.event):
            sentence = say(
                "Stage {stage} broke what it must keep, so a rollback to {to} is proposed: {reasons}",
                stage=stage.name, to=found.to or say("today's rule"),
                reasons=joined([reason for _, reason in found.gates]),
            )  # fmt: skip
            announce_rollback(tx, project, stage.name, sentence, dict(found.gates))
    return found or before


def _earlier(bench: Workbench) -> list[Usage]:
    records = all_iterations(bench.ledger, bench.charter.project)
    return [
        Usage(**record.result["usage"])
        for record in records
        if record.subject != bench.record.subject and record.result and "usage" in record.result
    ]
