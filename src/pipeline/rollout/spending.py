"""What a project took so far: measured where the ledger holds a figure, and what its charter plans beside it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from pipeline.charter import Charter
from pipeline.charter.model import Resources
from pipeline.ledger import IterationRecord, Reader
from pipeline.ledger.tables import events


@dataclass(frozen=True)
class Spent:
    """What a project took.

    Attributes:
        measured: how many of its iterations left a measured computing time; an old or unfinished one has none.
        compute_hours: measured, of those iterations together.
        signatures: given on all its reviews.
        people_hours: the signatures, each at the minutes the charter plans for one.
        watched, watched_hours: how many of them the site saw from the first look at the report to the signature, and
            how long that took together; pauses are in it, so people worked at most that long.
        planned: what the charter plans for the stages that were entered, each once; money is nowhere measured.
    """

    measured: int
    compute_hours: float
    signatures: int
    people_hours: float
    watched: int
    watched_hours: float
    planned: Resources


def spent(reader: Reader, charter: Charter, records: Sequence[IterationRecord]) -> Spent:
    """What a project took.

    Args:
        reader: the ledger.
        charter: its newest.
        records: all its iterations.
    """
    used = [record.result["usage"]["seconds"] for record in records if record.result and "usage" in record.result]
    query = select(events.c.body).where(events.c.project == charter.project, events.c.kind == "review.signed")
    given = [json.loads(row["body"]) for row in reader.rows(query)]
    seen = [body["seconds_on_evidence"] for body in given if "seconds_on_evidence" in body]
    return Spent(
        measured=len(used),
        compute_hours=sum(used) / 3600,
        signatures=len(given),
        people_hours=len(given) * charter.budget.minutes_per_signoff / 60,
        watched=len(seen),
        watched_hours=sum(seen) / 3600,
        planned=planned(charter, [record.stage for record in records]),
    )


def planned(charter: Charter, entered: Sequence[str]) -> Resources:
    """What the charter plans for the stages that were entered; one that was entered again is counted once.

    Args:
        charter: its plans.
        entered: the stage of every iteration so far.
    """
    plans = [stage.resources for stage in charter.stages if stage.name in entered]
    return Resources(
        people_days=sum(plan.people_days for plan in plans),
        compute_hours=sum(plan.compute_hours for plan in plans),
        money=sum(plan.money for plan in plans),
    )
