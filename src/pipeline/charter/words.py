"""What every section of the charter is written with: names, roles, decisions, texts and shares."""

from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Role = Literal["sponsor", "business_owner", "operations", "engineering", "compliance"]
DecisionName = Literal["advance", "iterate", "hold", "roll_back", "stop"]
Direction = Literal["lower", "higher"]
Scalar = bool | int | float | str

ROLES: tuple[Role, ...] = get_args(Role)
DECISIONS: tuple[DecisionName, ...] = get_args(DecisionName)

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{1,62}$")]
PersonId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.-]{1,62}$")]
Sentence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=20, max_length=2000)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Share = Annotated[float, Field(ge=0, le=1)]


class Part(BaseModel):
    """A section of the charter: frozen, strict, no unknown keys, no NaN or infinity.

    Every field has a description, and every plain value an example: they are the editor's help (JSON Schema) and the
    remedy of an error.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True, allow_inf_nan=False)
