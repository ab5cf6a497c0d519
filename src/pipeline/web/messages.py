"""What the API says and takes: typed models, and how they are made from the rooms' own values."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from pipeline.charter import Charter, DecisionName, Role
from pipeline.ledger import Event, IterationRecord
from pipeline.review import FeedbackItem, SignOff, charter_of
from pipeline.review.consequences import consequence
from pipeline.review.listing import ReviewView

_Typed = Annotated[str, StringConstraints(max_length=4000)]


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True)


class Shown(_Said):
    """One thing that is wrong."""

    place: str
    found: str
    remedy: str


class Problem(_Said):
    """What every error says."""

    title: str
    findings: list[Shown]
    request_id: str = Field(description="name it when you ask for help; the log has the details under it")


class Me(_Said):
    """The owner of a token."""

    id: str
    name: str
    admin: bool
    auditor: bool
    token: str
    read_only: bool
    expires_at: str


class Kpi(_Said):
    """A KPI with its interval, the model beside the baseline on the same units; value, lower end, upper end."""

    name: str
    title: str
    unit: str
    direction: str
    value: list[float]
    baseline: list[float]


class Iteration(_Said):
    """One pass from charter to decision."""

    number: int
    stage: str
    kind: str
    state: str
    started_by: str
    report: str | None
    opened_at: str
    kpis: list[Kpi]


class Project(_Said):
    """A project in short."""

    id: str
    title: str
    kpi: str
    target: float
    deadline: str
    iterations: int
    stage: str
    state: str


class ProjectInFull(Project):
    """A project with its charter and its iterations."""

    charter: dict[str, JsonValue]
    passes: list[Iteration]


class Signoff(_Said):
    """One person's answer."""

    person: str
    role: Role
    decision: DecisionName
    comment: str
    report: str
    recorded: bool
    on_behalf_of: str | None
    at: str


class Missing(_Said):
    """Somebody whose answer is awaited."""

    person: str
    name: str
    role: Role


class Review(_Said):
    """A request for a decision."""

    id: str
    project: str
    title: str
    iteration: int
    stage: str
    state: str
    report: str = Field(description="hash of the report under review; a signature names it")
    requested_by: str
    opened_at: str
    due_at: str
    allowed: list[DecisionName]
    decision: DecisionName | None
    signoffs: list[Signoff]
    missing: list[Missing]


class Blocked(_Said):
    """A verdict that bars *advance*."""

    gate: str
    title: str
    reason: str


class Choice(_Said):
    """A decision on offer."""

    decision: DecisionName
    consequence: str
    available: bool
    needs: list[Role] = Field(description="roles that must sign it and have not")


class Item(_Said):
    """A feedback item that came with an answer."""

    id: str
    author: str
    change: str
    status: str


class Open(_Said):
    """A control that bars *advance* until somebody in its role gives their word."""

    id: str
    text: str
    role: str


class Waived(_Said):
    """A control that was waived after the report."""

    id: str
    text: str
    person: str
    reason: str
    until: date


class ReviewInFull(Review):
    """A review with its figures and choices."""

    kpis: list[Kpi]
    blocking: list[Blocked]
    open_controls: list[Open]
    waived: list[Waived]
    choices: list[Choice]
    items: list[Item]


class Answer(_Said):
    """A signature."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    decision: DecisionName
    comment: _Typed = Field(description="why; kept with the signature")
    report: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12,64}$")] = Field(
        description="hash of the report you read, 12 digits or more"
    )
    feedback: list[FeedbackItem] = Field(default=[], max_length=50)
    on_behalf_of: Annotated[str, StringConstraints(max_length=100)] | None = None


class Signed(_Said):
    """What a signature did."""

    review: str
    decision: DecisionName | None = Field(description="the decision it completed, or null while the review stays open")
    waiting: list[Role]
    signoff: Signoff


class EventShown(_Said):
    """One event of the record."""

    seq: int
    at: str
    actor: str
    role: str
    kind: str
    project: str
    subject: str
    body: dict[str, JsonValue]
    previous: str
    hash: str


def signoff(answer: SignOff) -> Signoff:
    """An answer."""
    values = asdict(answer)
    return Signoff(
        **{name: values[name] for name in Signoff.model_fields if name != "report"}, report=answer.report_digest
    )


def event(one: Event) -> EventShown:
    """An event."""
    return EventShown(**{**asdict(one), "body": dict(one.body)})


def kpis(record: IterationRecord) -> list[Kpi]:
    """The figures of an iteration; none before it has a report."""
    result: dict[str, Any] = dict(record.result or {})
    return [
        Kpi(name=name, **{key: result["kpis"][name][key] for key in Kpi.model_fields if key != "name"})
        for name in result.get("order", ())
    ]


def iteration(record: IterationRecord) -> Iteration:
    """An iteration."""
    return Iteration(
        number=record.number, stage=record.stage, kind=record.kind, state=record.state, started_by=record.started_by,
        report=record.report_digest, opened_at=record.opened_at, kpis=kpis(record),
    )  # fmt: skip


def project(records: Sequence[IterationRecord]) -> Project:
    """A project from its iterations; there is one at least."""
    return Project(**_project(records, charter_of(records[-1])))


def project_in_full(records: Sequence[IterationRecord]) -> ProjectInFull:
    """A project with all that belongs to it."""
    charter = charter_of(records[-1])
    passes = [iteration(record) for record in records]
    return ProjectInFull(**_project(records, charter), charter=charter.canonical(), passes=passes)


def _project(records: Sequence[IterationRecord], charter: Charter) -> dict[str, Any]:
    last, goal = records[-1], charter.kpi
    return {
        "id": charter.project, "title": charter.title, "kpi": goal.name, "target": goal.target,
        "deadline": goal.deadline.isoformat(), "iterations": last.number, "stage": last.stage, "state": last.state,
    }  # fmt: skip


def review(view: ReviewView) -> Review:
    """A review."""
    return Review(**_review(view))


def review_in_full(view: ReviewView, record: IterationRecord, charter: Charter) -> ReviewInFull:
    """A review with its figures and what each decision will do."""
    request, word = view.request, str((record.result or {}).get("unit_word", "units"))
    choices = [
        Choice(
            decision=name, consequence=str(consequence(charter, record, name, word)),
            available=request.on_offer(name), needs=list(view.needed.get(name, ())),
        )
        for name in request.allowed
    ]  # fmt: skip
    return ReviewInFull(
        **_review(view),
        kpis=kpis(record),
        blocking=[Blocked(gate=one.gate, title=one.title, reason=one.reason) for one in request.blocking],
        open_controls=[Open(id=one.id, text=one.text, role=one.role) for one in view.open_controls],
        waived=[Waived(**asdict(one)) for one in view.waived],
        choices=choices,
        items=[Item(id=f.item.id, author=f.item.author, change=f.item.change, status=f.status) for f in view.items],
    )


def _review(view: ReviewView) -> dict[str, Any]:
    request = view.request
    return {
        "id": request.id, "project": request.project, "title": view.title, "iteration": request.iteration,
        "stage": request.stage, "state": request.state, "report": request.report_digest,
        "requested_by": request.requested_by, "opened_at": request.opened_at, "due_at": request.due_at,
        "allowed": list(request.allowed), "decision": request.decision,
        "signoffs": [signoff(answer) for answer in view.signoffs],
        "missing": [Missing(person=one.id, name=one.name, role=one.role) for one in view.missing],
    }  # fmt: skip
