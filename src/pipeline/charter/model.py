"""The charter: what must improve, by how much, until when, for whom, and who decides.

A charter is one YAML file. Everything here is frozen and refuses unknown keys; the checks are those that need
nothing but the charter itself. What only the problem can know (which KPIs it offers, which features exist) is
asked of the problem by :meth:`pipeline.problems.base.Problem.check`.
"""

import hashlib
import json
from datetime import date, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from pipeline.charter.cadence import Retrain, Schedule
from pipeline.charter.compliance import Compliance
from pipeline.charter.words import (
    DECISIONS,
    ROLES,
    Currency,
    DecisionName,
    Direction,
    Part,
    PersonId,
    Role,
    Scalar,
    Sentence,
    Share,
    Slug,
    Text,
)
from pipeline.language import say

__all__ = [
    "DECISIONS",
    "PATCHABLE",
    "ROLES",
    "Candidate",
    "Charter",
    "DecisionName",
    "Direction",
    "Guardrail",
    "Part",
    "Person",
    "PersonId",
    "Role",
    "Sentence",
    "Slug",
    "Stage",
    "Table",
    "UnitShare",
]

#: The sections a feedback item's patch may touch; everything else is the sponsor's.
PATCHABLE: tuple[str, ...] = ("model", "policy", "scope")


class MeasuredBaseline(Part):
    """Today's way of deciding, named so that it can be measured; never a typed number."""

    policy: Slug = Field(description="the policy in use today, by the problem's name for it", examples=["incumbent"])
    measured_over: int = Field(ge=4, description="periods of history the baseline is measured over", examples=[26])


class Goal(Part):
    """The KPI that decides: from the measured baseline to a number by a date, owned by a person."""

    name: Slug = Field(description="the KPI, by the problem's name for it", examples=["stockout_rate"])
    unit: Text = Field(description="what the number counts; a share lies between 0 and 1", examples=["share"])
    direction: Direction = Field(description="which way is better", examples=["lower"])
    baseline: MeasuredBaseline = Field(description="the policy to be measured before anything is promised")
    target: float = Field(description="the number that means success, in the KPI's unit", examples=[0.042])
    deadline: date = Field(description="the day the target must be reached, YYYY-MM-DD", examples=["2027-12-31"])
    owner: PersonId = Field(description="the id of the person who answers for the KPI", examples=["ana.silva"])


class Guardrail(Part):
    """A KPI that must not get worse: an absolute limit, or a factor on the baseline of the same units."""

    name: Slug = Field(description="the KPI, by the problem's name for it", examples=["average_inventory"])
    unit: Text = Field(description="what the number counts", examples=["units per store-product"])
    direction: Direction = Field(description="which way is better", examples=["lower"])
    limit: float | None = Field(default=None, description="the absolute limit, in the KPI's unit", examples=[0.042])
    versus_baseline: float | None = Field(
        default=None, gt=0, description="the limit as a factor on the measured baseline", examples=[1.0]
    )


class Scope(Part):
    """What the project covers, in words, and what the program leaves out, by column and value."""

    included: tuple[Text, ...] = Field(
        alias="in",
        min_length=1,
        description=say("what the project covers, in words"),
        examples=[["weekly store orders"]],
    )
    excluded: tuple[Text, ...] = Field(
        alias="out", description=say("what it does not cover, in words; [] for nothing"), examples=[["fresh bakery"]]
    )
    leave_out: dict[Slug, tuple[Text, ...]] = Field(
        default={}, description=say("rows the program leaves out: column, then values"), examples=[{"product": ["p07"]}]
    )


class Strategy(Part):
    """Why the company does this: priority, the corporate KPI it serves, and when it is looked at again."""

    priority: int = Field(ge=1, le=5, description="from 1 (highest) to 5", examples=[1])
    corporate_kpi: Text = Field(description="the company's own figure this serves", examples=["like-for-like sales"])
    sponsor: PersonId = Field(description="the id of the person with the role sponsor", examples=["maria.costa"])
    review_every_weeks: int = Field(
        ge=1, le=104, description="weeks between two looks at whether the company still wants this", examples=[13]
    )
    last_reviewed: date = Field(description="the day of the last such look, YYYY-MM-DD", examples=["2026-11-02"])

    @property
    def next_review(self) -> date:
        """The day by which the strategy is to be looked at again."""
        return self.last_reviewed + timedelta(weeks=self.review_every_weeks)


class Person(Part):
    """Somebody who is asked, in one role."""

    id: PersonId = Field(description="the identity this person signs with", examples=["ana.silva"])
    name: Text = Field(description="the name colleagues read", examples=["Ana Silva"])
    role: Role = Field(description="the role this person signs in", examples=["business_owner"])
    channel: Text = Field(description="where to reach this person", examples=["mailto:ana.silva@example.com"])


class Table(Part):
    """A table the project needs, who answers for it, and how old it may be."""

    name: Slug = Field(description="the table, by the problem's name for it", examples=["sales"])
    owner: Text = Field(description="who answers for its content", examples=["Store systems"])
    freshness_days: int = Field(ge=1, description="how many days old its newest row may be", examples=[14])


class Data(Part):
    """Where the data comes from and what is the least that is enough."""

    source: Slug = Field(description="the source, by the problem's name for it", examples=["retailer"])
    period: Literal["week", "day"] = Field(description="the step of the data", examples=["week"])
    tables: tuple[Table, ...] = Field(min_length=1, description="the tables the project needs")
    minimum_history: int = Field(ge=8, description="periods of history below which nothing is run", examples=[104])
    max_quarantine_share: Share = Field(
        default=0.02, description="share of rows the contract may refuse before the run stops", examples=[0.01]
    )
    min_coverage: Share = Field(
        default=0.95, description="share of expected cells (series and period) that must be there", examples=[0.95]
    )


class Candidate(Part):
    """One model to be trained: an algorithm, its features and its parameters."""

    name: Slug = Field(description=say("what reports call this candidate"), examples=["poisson"])
    algorithm: Slug = Field(
        description=say("the algorithm, by the problem's name for it"), examples=["lightgbm_poisson"]
    )
    features: tuple[Slug, ...] = Field(
        min_length=1, description=say("feature groups, by the problem's names"), examples=[["recent_sales", "season"]]
    )
    parameters: dict[Slug, Scalar] = Field(
        default={}, description=say("the algorithm's parameters"), examples=[{"rounds": 200}]
    )


class Model(Part):
    """The candidates, and the history and rolling-origin backtest they are trained and chosen on."""

    candidates: tuple[Candidate, ...] = Field(min_length=1, description=say("the models to be trained and compared"))
    train_on: Literal["stage", "all"] = Field(
        description=say("learn from the stage's units only, or from all units"), examples=["stage"]
    )
    train_periods: int = Field(ge=8, description=say("newest periods a model learns from"), examples=[104])
    backtest_cutoffs: int = Field(ge=2, description=say("moments in the past the models are tried at"), examples=[4])
    backtest_every: int = Field(ge=1, description=say("periods between two cutoffs"), examples=[6])


class Policy(Part):
    """The decision policy: turns a forecast into the business decision."""

    name: Slug = Field(description=say("the policy, by the problem's name for it"), examples=["safety_stock"])
    parameters: dict[Slug, Scalar] = Field(
        default={}, description=say("the policy's parameters"), examples=[{"service_level": 0.92}]
    )


class Resources(Part):
    """What a stage needs."""

    people_days: float = Field(ge=0, description="working days of people", examples=[20])
    compute_hours: float = Field(ge=0, description="hours of one machine", examples=[10])
    money: float = Field(ge=0, description="money, in the budget's currency", examples=[15000])


class Capacity(Part):
    """What the machines of a stage can give; a figure that is left out is not limited."""

    memory_gb: float | None = Field(default=None, gt=0, description="memory of one run at most", examples=[16.0])
    storage_gb: float | None = Field(default=None, gt=0, description="disk space of one run at most", examples=[50.0])


class UnitShare(Part):
    """A share of all units."""

    share: float = Field(gt=0, le=1, description="share of all units", examples=[0.2])


class Stage(Part):
    """A rung of the rollout: how many units follow the model, for how long, and what must hold to go on."""

    name: Slug = Field(description="the rung's name", examples=["pilot"])
    units: (
        Annotated[int, Field(ge=1)]
        | Annotated[tuple[Text, ...], Field(min_length=1)]
        | UnitShare
        | Annotated[dict[Slug, Text], Field(min_length=1, max_length=1)]
    ) = Field(
        description="units (stores, teams) that follow the model on this rung: so many, `[S001, S002]`, "
        "`{region: north}` or `{share: 0.2}`; a rung holds the units of the rungs below",
        examples=[5],
    )
    controls: int = Field(
        default=0,
        ge=0,
        description="units kept on today's rule to measure the effect against; 0 for none",
        examples=[10],
    )
    periods: int = Field(ge=1, description="periods measured before the next decision", examples=[13])
    milestone: float = Field(description="the KPI that must be reached here to go up", examples=[0.05])
    worst_unit_limit: float = Field(description="the KPI no single unit may be worse than", examples=[0.09])
    resources: Resources = Field(description="what the rung needs")
    capacity: Capacity = Field(default=Capacity(), description="what one run on this rung may take, if that is limited")
    enter: tuple[Text, ...] = Field(
        default=(), description="gates that must pass to go up to this rung, warnings too", examples=[["drift.*"]]
    )
    stay: tuple[Text, ...] = Field(
        default=("guardrail.*", "field.guardrail.*"),
        description="gates whose failure on this rung proposes to roll back",
        examples=[["guardrail.*", "field.guardrail.*"]],
    )
    sign: tuple[Role, ...] | None = Field(
        default=None,
        description="roles that must sign to go up from this rung, in place of sign.advance",
        examples=[["sponsor", "business_owner"]],
    )

    @property
    def size(self) -> int | None:
        """How many units, where the charter alone tells."""
        if isinstance(self.units, int):
            return self.units
        return len(self.units) if isinstance(self.units, tuple) else None

    @property
    def amount(self) -> str:
        """How many units, to stand before the word for them: ``5``, ``20 % of the`` or ``all north`` (stores)."""
        if isinstance(self.units, UnitShare):
            return f"{self.units.share * 100:g} % of the"
        if isinstance(self.units, dict):
            return f"all {' '.join(self.units.values())}"
        return str(self.size)


class Budget(Part):
    """How many iterations and how much money may be spent, and when to ask whether to stop."""

    iterations: int = Field(ge=1, description="iterations before the sponsor is asked anew", examples=[6])
    money: float = Field(gt=0, description="money for the whole project", examples=[250000])
    currency: Currency = Field(description="ISO 4217 code of the currency", examples=["EUR"])
    stop_after_no_gain: int = Field(
        default=2, ge=1, description="iterations without gain that force a stop-or-continue decision", examples=[2]
    )
    minutes_per_signoff: float = Field(
        default=60.0, ge=0, description="people's minutes one sign-off takes, with reading", examples=[60]
    )


class Charter(Part):
    """The whole charter of one project."""

    project: Slug = Field(description="the project's identifier, never changed later", examples=["smart-replenishment"])
    title: Text = Field(description="what people call the project", examples=["Smart replenishment"])
    problem: Slug = Field(description="the domain that plays the loop", examples=["replenishment"])
    pain_point: Sentence = Field(
        description="what hurts today, whom and how much, in a sentence or two",
        examples=["Shelves are empty in 8 % of store-product-weeks and customers leave."],
    )
    decision: Sentence = Field(
        description="the decision to be improved: who decides what, how often",
        examples=["How many units of each product every store orders each week."],
    )
    kpi: Goal = Field(description="the KPI that decides, with baseline, target, deadline and owner")
    guardrails: tuple[Guardrail, ...] = Field(
        default=(), description="KPIs that must not get worse while the goal is chased"
    )
    scope: Scope = Field(description="what the project covers and what not")
    strategy: Strategy = Field(description="why the company does this, and who sponsors it")
    people: tuple[Person, ...] = Field(
        min_length=2,
        description="everybody who is asked, each in one role",
        examples=[
            [
                {"id": person, "name": name, "role": role, "channel": f"mailto:{person}@example.com"}
                for person, name, role in (
                    ("maria.costa", "Maria Costa", "sponsor"),
                    ("ana.silva", "Ana Silva", "business_owner"),
                )
            ]
        ],
    )
    sign: dict[DecisionName, tuple[Role, ...]] = Field(
        description="which roles must sign which decision",
        examples=[
            {
                "advance": ["sponsor", "business_owner"],
                "iterate": ["business_owner"],
                "hold": ["business_owner"],
                "roll_back": ["operations"],
                "stop": ["sponsor"],
            }
        ],
    )
    data: Data = Field(description="where the data comes from and how much is enough")
    business: dict[Slug, Scalar] = Field(
        default={}, description="facts of the business the problem asks for", examples=[{"lead_time": 2}]
    )
    model: Model = Field(description="the candidates and how they are tried")
    policy: Policy = Field(description="how a forecast becomes a decision")
    controls: tuple[Slug, ...] = Field(
        default=(), description="single compliance controls, beside those of the sets", examples=[["leakage"]]
    )
    compliance: Compliance = Field(
        default=Compliance(),
        description="risk class, sets of controls and what the controls need to know",
        examples=[{"risk_class": "limited", "sets": ["baseline"]}],
    )
    stages: tuple[Stage, ...] = Field(min_length=1, description="the rollout ladder, smallest rung first")
    budget: Budget = Field(description="how much may be spent, and when to ask whether to stop")
    schedule: Schedule = Field(
        default=Schedule(),
        description="when the program starts by itself; left out: only when somebody starts it",
        examples=[{"time_zone": "Europe/Lisbon", "retrain": "0 6 * * 1", "monitor": "0 5 * * *"}],
    )
    retrain: Retrain = Field(
        default=Retrain(),
        description="when monitoring asks for another iteration",
        examples=[{"when": "drift_share > 0.3 for 2 periods", "clear_after": 2, "cool_down": 4}],
    )
    seed: int = Field(default=20260, ge=0, description="fixes every random draw of the project", examples=[20260])

    def canonical(self) -> dict[str, Any]:
        """The charter as plain JSON values, defaults filled in, in the YAML's own key names."""
        return self.model_dump(mode="json", by_alias=True)

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON: independent of key order, comments and layout of the file."""
        text = json.dumps(self.canonical(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def person(self, identity: str) -> Person | None:
        """The person with this id, or None."""
        return next((person for person in self.people if person.id == identity), None)

    def name_of(self, identity: str) -> str:
        """The name of the person with this id, or the id itself: a delegate need not stand in the charter."""
        found = self.person(identity)
        return found.name if found else identity

    def stage(self, name: str) -> Stage:
        """The stage of this name; KeyError when the ladder has no such rung."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise KeyError(name)

    def signers(self, decision: DecisionName, stage: str) -> tuple[Role, ...]:
        """The roles that must sign a decision on a stage; KeyError when the ladder has no such rung."""
        own = self.stage(stage).sign if decision == "advance" else None
        return own if own is not None else self.sign.get(decision, ())

    def stage_after(self, name: str) -> Stage | None:
        """The next rung up, or None at the top."""
        position = [stage.name for stage in self.stages].index(name)
        return self.stages[position + 1] if position + 1 < len(self.stages) else None

    def stage_before(self, name: str) -> Stage | None:
        """The next rung down, or None at the bottom."""
        position = [stage.name for stage in self.stages].index(name)
        return self.stages[position - 1] if position > 0 else None
