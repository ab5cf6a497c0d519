"""Project: the charter in plain words, the ladder with what was measured on each rung, people, budget, next looks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from pipeline.accounts import Delegation, delegations
from pipeline.charter import Charter, Stage
from pipeline.ledger import Event, IterationRecord, all_iterations, project_end
from pipeline.review import Filed, ReviewRequest, charter_of, goal_of, items_of, reviews_of
from pipeline.rollout import Release, current
from pipeline.rollout.spending import Spent, spent
from pipeline.web.site import Site, today
from pipeline.web.threads import on_few_threads
from pipeline.web.visitors import signed_in
from pipeline.web.wording import state, status

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class Rung:
    """A rung of the ladder with the newest figures measured on it."""

    stage: Stage
    record: IterationRecord | None
    reached: bool | None
    released: bool

    @property
    def kpi(self) -> dict[str, Any] | None:
        """The charter's KPI there, or None before it was measured."""
        return goal_of(self.record) if self.record else None


@dataclass(frozen=True)
class Pass:
    """An iteration with its last review."""

    record: IterationRecord
    review: ReviewRequest | None
    state: str

    @property
    def kpi(self) -> dict[str, Any] | None:
        """The charter's KPI, or None before it was measured."""
        return goal_of(self.record)


@dataclass(frozen=True)
class ProjectShown:
    """All that the page shows, from the newest iteration's charter and the ledger.

    ``titles`` are the words for the KPIs that were measured, by name.
    """

    charter: Charter
    rungs: tuple[Rung, ...]
    passes: tuple[Pass, ...]
    release: Release | None
    end: Event | None
    items: tuple[Filed, ...]
    delegations: tuple[Delegation, ...]
    unit_word: str
    spent: Spent
    titles: Mapping[str, str]


@router.get("/projects")
@on_few_threads
def projects(request: Request) -> Response:
    """All projects this person may view."""
    visitor = signed_in(request)
    shown = [find_project(visitor.site, name) for name in visitor.projects]
    return visitor.page("projects.html.j2", projects=shown)


@router.get("/projects/{project}")
@on_few_threads
def project_page(request: Request, project: str) -> Response:
    """One project."""
    visitor = signed_in(request)
    visitor.require("view", project)
    shown = find_project(visitor.site, project)
    day = date.fromisoformat(today(visitor.site))
    return visitor.page("project.html.j2", shown=shown, charter=shown.charter, today=day, status=status)


def find_project(site: Site, project: str) -> ProjectShown:
    """A project the ledger holds."""
    return site.known(("project", project), lambda: _find(site, project))


def _find(site: Site, project: str) -> ProjectShown:
    reader = site.reader
    records = all_iterations(reader, project)
    charter = charter_of(records[-1])
    released = current(reader, project)
    words = [str(record.result["unit_word"]) for record in records if record.result and "unit_word" in record.result]
    return ProjectShown(
        charter=charter,
        rungs=tuple(_rung(stage, records, released, charter) for stage in charter.stages),
        passes=tuple(Pass(one, (reviews_of(reader, one) or (None,))[-1], state(one.state)) for one in records),
        release=released,
        end=project_end(reader, project),
        items=items_of(reader, project),
        delegations=tuple(one for one in delegations(reader, project) if one.ended_at is None),
        unit_word=words[-1] if words else "units",
        spent=spent(reader, charter, records),
        titles={name: kpi["title"] for one in records if one.result for name, kpi in one.result["kpis"].items()},
    )


def _rung(stage: Stage, records: Sequence[IterationRecord], released: Release | None, charter: Charter) -> Rung:
    found = next((one for one in reversed(records) if one.stage == stage.name and one.result is not None), None)
    holds = released is not None and released.stage == stage.name
    goal = goal_of(found) if found else None
    if goal is None:
        return Rung(stage, found, None, holds)
    worse = goal["value"][2 if charter.kpi.direction == "lower" else 1]
    kept = worse <= stage.milestone if charter.kpi.direction == "lower" else worse >= stage.milestone
    return Rung(stage, found, kept, holds)
