"""What a charter says of a table: its columns, what a decision is worth, what policies and algorithms may be set."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipeline.charter import Candidate, Charter
from pipeline.datasets.undated import MOST

Scalar = bool | int | float | str
Task = Literal["binary", "multiclass", "regression"]
#: How a decision looks: act on a case or leave it, put it into a class, or name a number.
Shape = Literal["act", "assign", "estimate"]

#: Between truth and decision in the name of a value, such as ``benign_as_malignant``.
AS = "_as_"


class Parameters(BaseModel):
    """Base: frozen, refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Business(Parameters):
    """The columns of the table and what decisions are worth; column names as :func:`slug` writes them."""

    task: Annotated[Task, Field(description="binary, multiclass or regression")]
    key: Annotated[str, Field(description="the column that names a case; no two rows share one")]
    target: Annotated[str, Field(description="the column that is foreseen; empty in a case still to be decided")]
    positive: Annotated[Scalar | None, Field(description="binary: the target's value that asks for action")] = None
    classes: Annotated[str, Field(description="multiclass: the target's values, with commas")] = ""
    time: Annotated[str, Field(description="the column of dates; without one, cases are dealt into seeded groups")] = ""
    groups: Annotated[int, Field(ge=8, le=MOST, description="without time: groups that stand in for periods")] = 12
    together: Annotated[str, Field(description="without time: column whose equal values stay in one group")] = ""
    unit: Annotated[str, Field(description="the column of the unit that is rolled out to, such as store")] = ""
    lots: Annotated[int, Field(ge=2, le=1000, description="without a unit: seeded lots that stand in for units")] = 20
    today: Annotated[str, Field(description="the column of what is decided today")] = ""
    rule_column: Annotated[str, Field(description="today's simple rule: the column it looks at")] = ""
    rule_at_least: Annotated[float | None, Field(description="today's simple rule: act from this value on")] = None
    rule_at_most: Annotated[float | None, Field(description="today's simple rule: act up to this value")] = None
    rule_is: Annotated[Scalar | None, Field(description="today's simple rule: act on this value")] = None
    ignore: Annotated[str, Field(description="columns that no model may see, with commas")] = ""
    slices: Annotated[str, Field(description="columns of few values that figures are shown by, with commas")] = ""
    counted_in: Annotated[str, Field(min_length=1, description="what values count: EUR, hours, cases …")]
    hit: Annotated[float, Field(description="binary: value of acting on a positive case")] = 0.0
    false_alarm: Annotated[float, Field(description="binary: value of acting on a negative case")] = 0.0
    miss: Annotated[float, Field(description="binary: value of leaving a positive case")] = 0.0
    correct_rejection: Annotated[float, Field(description="binary: value of leaving a negative case")] = 0.0
    right: Annotated[float, Field(description="multiclass: value of the right class")] = 0.0
    wrong: Annotated[float, Field(description="multiclass: value of a wrong class")] = 0.0
    per_unit: Annotated[float, Field(description="regression: value of acting, per unit of the target")] = 0.0
    acting: Annotated[float, Field(ge=0, description="regression: cost of acting on one case")] = 0.0
    over: Annotated[float, Field(ge=0, description="regression: cost of each unit estimated too high")] = 0.0
    under: Annotated[float, Field(ge=0, description="regression: cost of each unit estimated too low")] = 0.0
    target_unit: Annotated[str, Field(min_length=1, description="regression: what the target counts")] = "units"

    @property
    def names(self) -> tuple[str, ...]:
        """The classes in order; negative, then positive, for a binary target."""
        return listed(self.classes)

    @property
    def columns(self) -> dict[str, str]:
        """Every column the section names, by the key that names it."""
        single = {
            key: getattr(self, key) for key in ("key", "target", "time", "together", "unit", "today", "rule_column")
        }
        many = {f"{key}[{place}]": name for key in ("ignore", "slices") for place, name in enumerate(self.listed(key))}
        return {key: name for key, name in {**single, **many}.items() if name}

    @property
    def has_today(self) -> bool:
        """Whether what is done today is known for every case."""
        return bool(self.today or self.rule_column)

    def listed(self, key: str) -> tuple[str, ...]:
        """The columns of a key that names several."""
        return listed(getattr(self, key))


class ExpectedValue(Parameters):
    """Act where acting is expected to be worth more than leaving."""


class Threshold(Parameters):
    """Act from a probability (or an expected amount) on; chosen on rows kept for that where it is left out."""

    at: Annotated[float | None, Field(description="probability or amount from which to act")] = None


class TopK(Parameters):
    """Act on the best cases of every unit and period, whatever they are worth; their number chosen if left out."""

    most: Annotated[int | None, Field(ge=0, description="cases per unit and period")] = None


class Capacity(Parameters):
    """Act on the best cases that are worth it, as many as a unit can handle in a period."""

    limit: Annotated[int, Field(ge=1, description="cases a unit can handle in a period")]


class CostMatrix(Parameters):
    """Take the decision of the highest expected value by the table of values."""


class Estimate(Parameters):
    """Name the number; a margin is added, chosen on rows kept for that by what too high and too low cost."""

    margin: Annotated[float | None, Field(description="added to every estimate, in the target's unit")] = None


Policy = ExpectedValue | Threshold | TopK | Capacity | CostMatrix | Estimate


class LightGBM(Parameters):
    """What a charter may set for LightGBM."""

    rounds: Annotated[int, Field(ge=5, le=3000, description="trees")] = 120
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.06
    leaves: Annotated[int, Field(ge=2, le=512)] = 15
    min_data_in_leaf: Annotated[int, Field(ge=1, le=10_000)] = 20
    lambda_l2: Annotated[float, Field(ge=0, le=1000)] = 1.0
    calibration: Annotated[Literal["sigmoid", "isotonic", "none"], Field(description="of probabilities")] = "sigmoid"


class Linear(Parameters):
    """What a charter may set for logistic regression (classes) or ridge regression (amounts)."""

    penalty: Annotated[float, Field(gt=0, le=1e6, description="penalty on squared weights")] = 1.0
    calibration: Annotated[Literal["sigmoid", "isotonic", "none"], Field(description="of probabilities")] = "sigmoid"


#: Policies and algorithms by the name a charter uses.
POLICIES: dict[str, type[Policy]] = {
    "expected_value": ExpectedValue,
    "threshold": Threshold,
    "top_k": TopK,
    "capacity": Capacity,
    "cost_matrix": CostMatrix,
    "estimate": Estimate,
}
ALGORITHMS: dict[str, type[LightGBM] | type[Linear]] = {"lightgbm": LightGBM, "linear": Linear}


def business_of(charter: Charter) -> Business:
    """The charter's business section without the single values of the matrix."""
    return Business.model_validate({name: value for name, value in charter.business.items() if AS not in name})


def exceptions_of(charter: Charter) -> Mapping[str, Scalar]:
    """The single values of the matrix, such as ``benign_as_malignant: -500``."""
    return {name: value for name, value in charter.business.items() if AS in name}


def policy_of(charter: Charter) -> Policy:
    """The charter's policy; :func:`pipeline.tabular.offers.check` has found it valid."""
    return POLICIES[charter.policy.name].model_validate(charter.policy.parameters)


def learner_of(spec: Candidate) -> LightGBM | Linear:
    """The candidate's parameters."""
    return ALGORITHMS[spec.algorithm].model_validate(spec.parameters)


def shape_of(charter: Charter) -> Shape:
    """How a decision looks under this charter."""
    if charter.policy.name == "estimate":
        return "estimate"
    return "assign" if charter.business.get("task") == "multiclass" else "act"


def listed(text: str) -> tuple[str, ...]:
    """Names with commas between them."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def slug(name: object) -> str:
    """A column's name as a charter may write it: lower case, digits and underscores, beginning with a letter.

    >>> slug("Mean radius (mm)"), slug("2025"), slug("x")
    ('mean_radius_mm', 'c_2025', 'x_')
    """
    text = re.sub(r"[^a-z0-9]+", "_", str(name).lower()).strip("_")
    text = text if text[:1].isalpha() else f"c_{text}"
    return (text if len(text) > 1 else f"{text}_")[:63]


def label(value: object) -> str:
    """A class as text, however file or charter wrote it: ``True`` and ``true`` are one, and so are 1 and 1.0."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = str(value).strip()
    return text.lower() if text.lower() in {"true", "false"} else text
