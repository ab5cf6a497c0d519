"""Open reviews as notices see them: who is asked, who has not answered, and what the figures are."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from sqlalchemy import select

from pipeline.errors import Finding, LedgerError
from pipeline.evaluation.figures import show, show_interval
from pipeline.evaluation.outcomes import Interval
from pipeline.ledger import Reader
from pipeline.ledger.tables import iterations, reviews, signoffs


@dataclass(frozen=True)
class Asked:
    """A review with what its notices need.

    Attributes:
        review, project, iteration, stage: which one.
        title: the project's title in the charter.
        state: as the review has it.
        decision: once decided.
        opened_at, due_at: in UTC.
        everybody: ids of all people of the charter.
        roles: roles that may answer.
        missing: people who may answer and whose role has not, names by id.
        barred: ids of people who cannot answer any more, whoever they stand in for: who started the run, who signed.
        sponsor: role or id to turn to when nobody answers.
        result: the figures the ledger keeps of the iteration.
        target: the charter's KPI target.
    """

    review: str
    project: str
    iteration: int
    stage: str
    title: str
    state: Literal["open", "decided", "applied", "stale"]
    decision: str | None
    opened_at: datetime
    due_at: datetime
    everybody: tuple[str, ...]
    roles: tuple[str, ...]
    missing: Mapping[str, str]
    barred: frozenset[str]
    sponsor: str
    result: Mapping[str, Any]
    target: float

    @property
    def link(self) -> str:
        """Its page on the review site."""
        return f"/reviews/{self.review}"

    @property
    def due(self) -> date:
        """The day by which answers are asked for."""
        return self.due_at.date()

    def figures(self) -> dict[str, str]:
        """The charter's KPI with its interval, the baseline's, and the target; nothing where none is kept."""
        kpi = self.result.get("kpi")
        kept = self.result.get("kpis", {}).get(kpi)
        if not kept:
            return {}
        unit = kept["unit"]
        return {
            kept["title"]: show_interval(_interval(kept["value"]), unit),
            "Baseline on the same units": show_interval(_interval(kept["baseline"]), unit),
            "Target": show(self.target, unit),
        }


def find_asked(reader: Reader, review: str) -> Asked:
    """One review.

    Raises:
        LedgerError: the ledger holds no such review.
    """
    found = _asked(reader, reviews.c.id == review)
    if not found:
        finding = Finding(f"review {review}", "the ledger holds no such review", "request it first")
        raise LedgerError("There is nothing to announce", [finding])
    return found[0]


def open_asked(reader: Reader) -> tuple[Asked, ...]:
    """Every open review, the one due first at the top."""
    return _asked(reader, reviews.c.state == "open")


def _asked(reader: Reader, condition: Any) -> tuple[Asked, ...]:
    query = (
        select(reviews, iterations.c.charter, iterations.c.result)
        .join(
            iterations,
            (iterations.c.project == reviews.c.project)
            & (iterations.c.number == reviews.c.number)
            & (iterations.c.stage == reviews.c.stage),
        )
        .where(condition)
        .order_by(reviews.c.due_at, reviews.c.id)
    )
    return tuple(_of(reader, row) for row in reader.rows(query))


def _of(reader: Reader, row: Mapping[str, Any]) -> Asked:
    charter = json.loads(row["charter"])
    signed = reader.rows(select(signoffs.c.role, signoffs.c.person).where(signoffs.c.review == row["id"]))
    answered = {one["role"] for one in signed}
    required = {role for roles in json.loads(row["signers"]).values() for role in roles}
    able = [one for one in charter["people"] if one["role"] in required and one["id"] != row["requested_by"]]
    return Asked(
        review=row["id"],
        project=row["project"],
        iteration=row["number"],
        stage=row["stage"],
        title=charter["title"],
        state=row["state"],
        decision=row["decision"],
        opened_at=datetime.fromisoformat(row["opened_at"]),
        due_at=datetime.fromisoformat(row["due_at"]),
        everybody=tuple(one["id"] for one in charter["people"]),
        roles=tuple(dict.fromkeys(one["role"] for one in able)),
        missing={one["id"]: one["name"] for one in able if one["role"] not in answered},
        barred=frozenset({row["requested_by"], *(one["person"] for one in signed)}),
        sponsor=charter["strategy"]["sponsor"],
        result=json.loads(row["result"]) if row["result"] else {},
        target=charter["kpi"]["target"],
    )


def _interval(triple: list[float]) -> Interval:
    value, low, high = (float("nan") if number is None else float(number) for number in triple)
    return Interval(value, low, high)
