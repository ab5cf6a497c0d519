"""A shipped case from start to end, with recorded decisions in the place of people's."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from flows.dispatch import drain
from flows.holding import held
from flows.opening import open_by_hand
from pipeline.charter import Charter
from pipeline.errors import CharterError, Finding
from pipeline.ledger import IterationRecord, Ledger, all_iterations, current_iteration, project_end
from pipeline.progress import reporter
from pipeline.review.listing import open_reviews
from pipeline.review.recorded import RecordedAnswers, answer_recorded, passed_over
from pipeline.review.requests import ReviewRequest, reviews_of
from pipeline.review.signing import signoffs_of
from pipeline.rollout.ladder import current
from pipeline.rollout.rehearsal import rehearse, rehearsed
from pipeline.rollout.serving import serves_today
from pipeline.settings import Settings


@dataclass(frozen=True)
class CaseRow:
    """One iteration of a case, with the decision on it, and whether recorded answers stood in for people."""

    record: IterationRecord
    review: ReviewRequest | None
    recorded: bool


def play_case(
    ledger: Ledger, charter: Charter, location: Path, answers: RecordedAnswers, started_by: str
) -> tuple[CaseRow, ...]:
    """Run iterations and give the recorded answers until none is left or the project ends.

    A case that was stopped half-way carries on; one that is finished shows what it did.

    Raises:
        CharterError: the recorded answers are for another project.
    """
    if answers.project != charter.project:
        finding = Finding(
            "project", f"{answers.project}, the charter's is {charter.project}", "use this project's file"
        )
        raise CharterError("The recorded decisions are for another project", [finding])
    if project_end(ledger, charter.project) is None:
        with held(ledger, charter.project):
            open_by_hand(ledger, charter, location, started_by)
            drain(ledger, charter.project)
            while _answer(ledger, charter.project, answers):
                drain(ledger, charter.project, run_iterations=False)
                _rehearse(ledger, charter, location, started_by)
                drain(ledger, charter.project)
    return case_rows(ledger, charter.project)


def _rehearse(ledger: Ledger, charter: Charter, location: Path, actor: str) -> None:
    """Throw the kill switch on a copy wherever the next review asks that it was: a team does so once it is released."""
    record, held = current_iteration(ledger, charter.project), current(ledger, charter.project)
    if record is None or held is None or record.state == "closed" or held.stage != record.stage:
        return
    if rehearsed(ledger, charter, record.stage).outcome == "fail":
        with TemporaryDirectory(prefix="landed-rehearsal-") as folder:
            check = serves_today(Settings(), charter.project, location, Path(folder))
            rehearse(ledger, charter.project, Path(folder), actor=actor, serves_today=check)


def case_rows(ledger: Ledger, project: str) -> tuple[CaseRow, ...]:
    """Every iteration that has figures, in order, with its newest review."""
    rows = []
    for record in all_iterations(ledger, project):
        reviews = reviews_of(ledger, record)
        review = reviews[-1] if reviews else None
        if record.result is not None:
            recorded = review is not None and any(one.recorded for one in signoffs_of(ledger, review.id))
            rows.append(CaseRow(record, review, recorded))
    return tuple(rows)


def _answer(ledger: Ledger, project: str, answers: RecordedAnswers) -> bool:
    """Give the recorded answers to the open review; False when there is none, or none is recorded for it."""
    for view in open_reviews(ledger, project):
        for person in passed_over(ledger, view.request, answers):
            reporter().say(f"  {view.request.id} does not ask {person.name}: the recorded answer is passed over")
        if any(outcome.decision is not None for outcome in answer_recorded(ledger, view.request, answers)):
            return True
    return False
