"""What a project took so far: measured where the ledger holds a figure, and what its charter plans beside it."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from pipeline.charter import Charter
from pipeline.charter.model import Resources
from pipeline.ledger import IterationRecord, Reader
from pipeline.ledger.tables import reviews, signoffs


@dataclass(frozen=True)
class Spent:
    """What a project took.

    Attributes:
        measured: how many of its iterations left a measured computing time; an old or unfinished one has none.
        compute_hours: measured, of those iterations together.
        signatures: given on all its reviews; how many is on record, how long each took is not.
        people_hours: the signatures, each at the minutes the charter plans for one.
        planned: what the charter plans for the stages that were entered, each once; money is nowhere measured.
    """

    measured: int
    compute_hours: float
    signatures: int
    people_hours: float
    planned: Resources


def spent(reader: Reader, charter: Charter, records: Sequence[IterationRecord]) -> Spent:
    """What a project took.

    Args:
        reader: the ledger.
        charter: its newest.
        records: all its iterations.
    """
    used = [record.result["usage"]["seconds"] for record in records if record.result and "usage" in record.result]
    query = (
        select(func.count().label("given"))
        .select_from(signoffs.join(reviews, signoffs.c.review == reviews.c.id))
        .where(reviews.c.project == charter.project)
    )
    given = int(reader.rows(query)[0]["given"])
    return Spent(
        measured=len(used),
        compute_hours=sum(used) / 3600,
        signatures=given,
        people_hours=given * charter.budget.minutes_per_signoff / 60,
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
