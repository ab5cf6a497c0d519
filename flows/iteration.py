"""One iteration: from the charter to the request for a review. It ends there; nothing waits in a process."""

from pathlib import Path

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed
from pydantic import PositiveInt

from flows.workbench import heading, workbench
from pipeline.charter.model import Slug


@flow(name="iteration", flow_run_name="{project} {number} {stage}", persist_result=False)
def iteration(project: Slug, number: PositiveInt, stage: Slug, location: Path) -> State:
    """Run an opened iteration up to its review; a killed one is taken up where the ledger says it stood.

    Args:
        project: with ``number`` and ``stage`` the iteration, opened in the ledger before.
        number: its number, from 1.
        stage: its rung.
        location: where the data source lies.
    """
    with workbench(project, number, stage, location) as bench, bench.progress.section(heading(bench)):
        # Only now: people see the iteration running seconds before the libraries of its steps are loaded.
        from flows.steps import (
            assess_data,
            judge_outcomes,
            load_data,
            make_candidates,
            measure_field,
            play_arms,
            request_signatures,
            write_evidence,
        )

        dataset = load_data(bench)
        assessment = assess_data(bench, dataset)
        candidates = make_candidates(bench, dataset)
        played = play_arms(bench, dataset, candidates)
        field = measure_field(bench, dataset, candidates, played)
        judgement = judge_outcomes(bench, dataset, assessment, candidates, played, field)
        write_evidence(bench, dataset, assessment, candidates, played, field, judgement)
        review = request_signatures(bench, judgement)
    return Completed(name="AwaitingReview", message=f"review {review.id} waits for people")
