"""What a charter may set for the policies and algorithms of a service desk, and what the business must state."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipeline.charter import Candidate, Charter


class Parameters(BaseModel):
    """Base: frozen, refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Cmu(Parameters):
    """The largest cost of delay per hour of work first; costs do not grow with the wait."""

    urgency: Annotated[float, Field(ge=0, le=1, description="weight of predicted urgency beside an hour's wait")] = 0.2
    staffing: Annotated[Literal["fixed", "square_root"], Field(description="who plans the shifts")] = "fixed"
    skills: Annotated[bool, Field(description="prefer agents who know the category")] = False

    @property
    def ageing(self) -> float:
        """Growth of the cost of delay per hour waited."""
        return 0.0


class GeneralizedCmu(Cmu):
    """The same with costs of delay that grow with the wait, so that long tickets are not left behind."""

    patience: Annotated[
        float, Field(gt=0, le=1000, description="hours of wait after which another hour costs twice the first one")
    ]

    @property
    def ageing(self) -> float:
        """Growth of the cost of delay per hour waited."""
        return 1 / self.patience


class Business(Parameters):
    """Figures only the business knows."""

    response_limit: Annotated[float, Field(gt=0, description="opening hours after which a first response is late")]
    mismatch: Annotated[
        float,
        Field(ge=1, le=5, description="hours of an agent who does not know the category over those of one who does"),
    ] = 1.25


class LightGBM(Parameters):
    """What a charter may set for a LightGBM candidate; both models share it."""

    rounds: Annotated[int, Field(ge=10, le=3000, description="trees")] = 120
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.08
    leaves: Annotated[int, Field(ge=2, le=512)] = 15
    min_data_in_leaf: Annotated[int, Field(ge=1, le=10_000)] = 40
    lambda_l2: Annotated[float, Field(ge=0, le=1000)] = 1.0
    row_budget: Annotated[int, Field(ge=1000, le=5_000_000, description="training rows at most")] = 30_000


class Linear(Parameters):
    """What a charter may set for scikit-learn's linear candidate: ridge and Poisson regression."""

    penalty: Annotated[float, Field(gt=0, le=1e6, description="penalty on squared weights")] = 10.0
    row_budget: Annotated[int, Field(ge=1000, le=5_000_000, description="training rows at most")] = 30_000


#: Policies and algorithms by the name a charter uses.
POLICIES: dict[str, type[Cmu]] = {"cmu": Cmu, "generalized_cmu": GeneralizedCmu}
ALGORITHMS: dict[str, type[LightGBM] | type[Linear]] = {"lightgbm": LightGBM, "linear": Linear}


def policy_of(charter: Charter) -> Cmu:
    """The charter's policy; :func:`pipeline.service_desk.offers.check` has found it valid."""
    return POLICIES[charter.policy.name].model_validate(charter.policy.parameters)


def business_of(charter: Charter) -> Business:
    """The charter's business figures."""
    return Business.model_validate(charter.business)


def learner_of(spec: Candidate) -> LightGBM | Linear:
    """The candidate's parameters."""
    return ALGORITHMS[spec.algorithm].model_validate(spec.parameters)
