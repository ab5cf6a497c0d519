"""The charter's section on compliance: the risk class, the sets of controls, and what the controls need to know."""

from typing import Literal

from pydantic import Field

from pipeline.charter.words import Part, Share, Slug, Text

RiskClass = Literal["minimal", "limited", "high"]
#: EU AI Act, Art. 19 (1) and 26 (6): logs are kept for at least six months.
LEAST_RETENTION = 183


class DeclaredPersonal(Part):
    """A column that holds personal data, and what for."""

    column: Text = Field(description="table and column", examples=["stores.manager_phone"])
    purpose: Text = Field(description="what it is needed for", examples=["stores are called when an order is late"])


class DecisionLimits(Part):
    """How far a decision of the model may go; a figure that is left out is not limited."""

    max_change: float | None = Field(
        default=None, gt=0, description="change against today's rule, as a factor of its decision", examples=[1.5]
    )
    free_units: float = Field(
        default=0.0, ge=0, description="a change of so much is always allowed, for small decisions", examples=[5]
    )
    cap: float | None = Field(default=None, gt=0, description="the largest single decision", examples=[500])
    outside_training: Literal["allow", "refuse"] = Field(
        default="allow",
        description="`refuse`: where a feature lies outside the training range, today's rule decides",
        examples=["refuse"],
    )
    most_limited: Share = Field(
        default=0.05, description="share of decisions the limits may change before the control fails", examples=[0.05]
    )

    @property
    def any(self) -> bool:
        """Whether anything is limited."""
        return self.max_change is not None or self.cap is not None or self.outside_training == "refuse"


class Fairness(Part):
    """The floor under every group."""

    slices: tuple[Slug, ...] = Field(
        default=(), description="columns whose groups are looked at; all slices if empty", examples=[["region"]]
    )
    versus_baseline: float | None = Field(
        default=None,
        gt=0,
        description="how bad the KPI of any group may be, as a factor on the baseline of the same group",
        examples=[1.1],
    )


class Compliance(Part):
    """Which controls are asked for, and what they need to know."""

    risk_class: RiskClass = Field(
        default="minimal", description="how the project classes itself; Landed does not judge it", examples=["limited"]
    )
    sets: tuple[Slug, ...] = Field(
        default=(), description="sets of controls, by name: see configs/controls", examples=[["baseline"]]
    )
    personal_data: tuple[DeclaredPersonal, ...] = Field(
        default=(), description="columns with personal data and a purpose; any other such column fails the control"
    )
    limits: DecisionLimits = Field(default=DecisionLimits(), description="how far a decision may go")
    fairness: Fairness = Field(default=Fairness(), description="the floor under every group")
    metric_tolerance: float = Field(
        default=0.0,
        ge=0,
        description="how far figures of a repeated training may lie apart, relative; 0: the same model to the byte",
        examples=[0.001],
    )
    retention_days: int = Field(
        default=LEAST_RETENTION, ge=1, description="days that records, data and models are kept", examples=[365]
    )
    legal_hold: bool = Field(default=False, description="whether nothing may ever be deleted", examples=[True])
