"""``retraining``: what the calendar starts, and what a person may start in Prefect's pages."""

import json
from pathlib import Path

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.triggering import open_by_trigger
from pipeline.charter import Charter
from pipeline.charter.model import PersonId, Sentence, Slug
from pipeline.charter.reading import charter_from_canonical
from pipeline.errors import Finding, Refused
from pipeline.ledger import Ledger, Reader, current_iteration
from pipeline.ledger.deployed import Deployed, find_deployed
from pipeline.monitoring.trigger import Trigger
from pipeline.settings import Settings

#: Who asks when the charter's cron fires.
CALENDAR = "schedule"


@flow(name="retraining", flow_run_name="{project}", persist_result=False)
def retraining(
    project: Slug, reason: Sentence = "The charter's schedule asks for it.", asked_by: PersonId = CALENDAR
) -> State:
    """Open the next iteration; the dispatcher runs it. One that is under way takes the request up.

    Args:
        project: the project's identifier, as its charter writes it.
        reason: why now, in a sentence; it stands in the record and on the evidence.
        asked_by: your id in the charter; whoever starts an iteration does not sign its review.

    Raises:
        Refused: the project is unknown or stopped, or nobody of that id is in its charter.
    """
    with Ledger(Settings().ledger) as ledger:
        deployed = find_deployed(ledger, project)
        if deployed is None:
            finding = Finding(f"project {project}", "the ledger does not know it", "run `landed deploy CHARTER` first")
            raise Refused("No such project", [finding])
        charter = charter_of(ledger, deployed)
        if asked_by != CALENDAR and charter.person(asked_by) is None:
            known = ", ".join(person.id for person in charter.people)
            raise Refused("Nobody of that name", [Finding(asked_by, "not in the charter", f"one of: {known}")])
        trigger = Trigger("schedule" if asked_by == CALENDAR else "person", reason, {}, asked_by)
        outcome = open_by_trigger(ledger, charter, Path(deployed.location), trigger)
    return Completed(name="Merged" if outcome.merged else "Opened", message=outcome.sentence)


def charter_of(ledger: Reader, deployed: Deployed) -> Charter:
    """The charter file as it was deployed; for a project run by hand, that of its newest iteration."""
    if deployed.charter is not None:
        return charter_from_canonical(dict(deployed.charter))
    newest = current_iteration(ledger, deployed.project)
    if newest is None:
        finding = Finding(f"project {deployed.project}", "it has no iteration", "run `landed deploy CHARTER` first")
        raise Refused("No such project", [finding])
    return charter_from_canonical(json.loads(newest.charter))
