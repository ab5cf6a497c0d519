"""What a charter may set for each policy and algorithm, and what the business must state; no unknown keys."""

from datetime import date
from statistics import NormalDist
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from pipeline.charter import Candidate, Charter

Objective = Literal["poisson", "tweedie"]


class Parameters(BaseModel):
    """Base: frozen, refuses unknown keys. Whole numbers are accepted where a share or weeks are asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class OrderUpTo(Parameters):
    """Order up to a number of weeks of forecast."""

    cover: Annotated[float, Field(gt=0, le=52, description="weeks of forecast the stock position is filled up to")]


class SafetyStock(Parameters):
    """Order up to the forecast until delivery plus a multiple of its standard deviation."""

    service_level: Annotated[
        float, Field(ge=0.5, lt=1, description="chance of no gap until delivery that the safety stock is for")
    ]

    @property
    def z(self) -> float:
        """Standard deviations of safety stock: the normal quantile of the service level."""
        return NormalDist().inv_cdf(self.service_level)


class Paths(Parameters):
    """Order the quantile of what sampled demand paths lack in the week of delivery."""

    service_level: Annotated[
        float | None, Field(gt=0, lt=1, description="share of paths served; the critical ratio when left out")
    ] = None
    paths: Annotated[int, Field(ge=20, le=5000, description="sampled demand paths per series")] = 200


def _day(written: Any) -> Any:
    """A charter's values are text and numbers."""
    return date.fromisoformat(written) if isinstance(written, str) else written


class Business(Parameters):
    """Figures only the business knows. Costs are per unit and week, in the charter's currency."""

    lead_time: Annotated[int, Field(ge=1, le=26, description="weeks from order to shelf")]
    holding_cost: Annotated[float, Field(gt=0, description="cost of a unit in stock at the end of a week")]
    shortage_cost: Annotated[float, Field(gt=0, description="cost of a unit of demand missed")]
    incumbent_cover: Annotated[float, Field(gt=0, le=52, description="weeks of sales today's rule orders up to")] = 4.0
    incumbent_weeks: Annotated[int, Field(ge=1, le=52, description="weeks of sales today's rule averages")] = 4
    last_order: Annotated[
        date | None,
        BeforeValidator(_day),
        Field(description="last week known at the last order; left out: ordering goes on"),
    ] = None

    @property
    def critical_ratio(self) -> float:
        """Share of demand distributions worth serving: shortage / (shortage + holding) (Silver, Pyke, Peterson)."""
        return self.shortage_cost / (self.shortage_cost + self.holding_cost)


#: Policies by the name a charter uses.
POLICIES: dict[str, type[OrderUpTo] | type[SafetyStock] | type[Paths]] = {
    "order_up_to": OrderUpTo,
    "safety_stock": SafetyStock,
    "paths": Paths,
}


class LightGBM(Parameters):
    """What a charter may set for a LightGBM candidate."""

    rounds: Annotated[int, Field(ge=10, le=3000, description="trees")] = 250
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.05
    leaves: Annotated[int, Field(ge=2, le=512)] = 31
    min_data_in_leaf: Annotated[int, Field(ge=1, le=10_000)] = 60
    feature_fraction: Annotated[float, Field(gt=0, le=1)] = 0.7
    lambda_l2: Annotated[float, Field(ge=0, le=1000)] = 1.0
    tweedie_power: Annotated[float, Field(gt=1, lt=2)] = 1.3
    half_life: Annotated[float, Field(gt=0, description="weeks after which a training row counts half")] = 104.0
    row_budget: Annotated[int, Field(ge=1000, le=5_000_000, description="training rows at most")] = 300_000
    average_share: Annotated[
        float, Field(ge=0, le=1, description="share of a plain seasonal average mixed into the forecast")
    ] = 0.0


#: Algorithms by the name a charter uses, with LightGBM's objective.
ALGORITHMS: dict[str, Objective] = {"lightgbm_poisson": "poisson", "lightgbm_tweedie": "tweedie"}


def policy_of(charter: Charter) -> Parameters:
    """The charter's policy; :func:`pipeline.replenishment.offers.check` has found it valid."""
    return POLICIES[charter.policy.name].model_validate(charter.policy.parameters)


def business_of(charter: Charter) -> Business:
    """The charter's business figures."""
    return Business.model_validate(charter.business)


def lightgbm_of(spec: Candidate) -> LightGBM:
    """The candidate's parameters."""
    return LightGBM.model_validate(spec.parameters)
