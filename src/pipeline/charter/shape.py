"""Plain values to a charter: types, ranges and known keys, with all that is wrong at once."""

import json
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from pipeline.charter.advice import Advice, Path
from pipeline.charter.anatomy import fields, is_part
from pipeline.charter.model import Charter, Part
from pipeline.charter.remedies import advise


@dataclass(frozen=True)
class Shape:
    """What became of the values.

    Attributes:
        charter: the charter; when there is advice, nothing may be read of it but what no advice is about.
        advice: what is wrong, one per path.
    """

    charter: Charter
    advice: tuple[Advice, ...]

    @property
    def broken(self) -> frozenset[Path]:
        """The paths that cannot be read."""
        return frozenset(item.path for item in self.advice)


def shape(data: dict[str, Any]) -> Shape:
    """Validate plain JSON values, as strictly as JSON allows: no text for numbers, no unknown key.

    Args:
        data: the whole charter in the key names of the YAML.
    """
    try:
        charter = Charter.model_validate_json(json.dumps(data), by_alias=True, by_name=False)
    except ValidationError as error:
        advice = _advice(data, error.errors(include_url=False))
        return Shape(_sound_part(Charter, data, frozenset(item.path for item in advice), ()), advice)
    return Shape(charter, ())


def _advice(data: dict[str, Any], errors: list[ErrorDetails]) -> tuple[Advice, ...]:
    """One advice per path: a union reports every branch, of which one answer is enough."""
    by_path: dict[Path, Advice] = {}
    for error in errors:
        path = _data_path(data, error)
        by_path.setdefault(path, advise(path, error))
    return tuple(by_path.values())


def _data_path(data: Any, error: ErrorDetails) -> Path:
    """The error's location as far as it is one in the data: pydantic adds union branches and ``[key]``."""
    here, path = data, error["loc"]
    for length, step in enumerate(path):
        if isinstance(here, dict) and step in here:
            here = here[str(step)]
        elif isinstance(here, list) and isinstance(step, int):
            here = here[step]
        else:
            return path[: length + 1] if error["type"] == "missing" else path[:length]
    return path


def _sound_part(part: type[Part], data: dict[str, Any], broken: frozenset[Path], path: Path) -> Any:
    """A section with its sound fields only, so that checks across fields can still be made in the same go."""
    values: dict[str, Any] = {}
    for key in fields(part).keys() & data.keys():
        field, here = fields(part)[key], (*path, key)
        if not any(item[: len(here)] == here for item in broken):
            adapter = TypeAdapter(field.rebuild_annotation())
            values[key] = adapter.validate_json(json.dumps(data[key]), strict=True, by_alias=True, by_name=False)
        elif here not in broken and is_part(field.annotation):
            values[key] = _sound_part(field.annotation, data[key], broken, here)
    return part.model_construct(**values)
