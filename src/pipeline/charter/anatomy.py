"""Which keys stand where in a charter, read from its types so that they are written down only once."""

import re
from difflib import get_close_matches
from typing import Any, TypeGuard, get_args, get_origin

import yaml
from pydantic.fields import FieldInfo

from pipeline.charter.advice import Path
from pipeline.charter.model import Charter, Part

_QUOTED_DATE = re.compile(r"'(\d{4}-\d\d-\d\d)'")


def fields(part: type[Part]) -> dict[str, FieldInfo]:
    """The fields of a section by the key the YAML uses."""
    return {field.alias or name: field for name, field in part.model_fields.items()}


def is_part(here: Any) -> TypeGuard[type[Part]]:
    """Whether a type is a section of fixed keys."""
    return isinstance(here, type) and issubclass(here, Part)


def type_at(path: Path) -> Any:
    """The type that belongs at a path, or None when no charter has such a path."""
    here: Any = Charter
    for step in path:
        here = _step(here, step)
        if here is None:
            return None
    return here


def known_keys(path: Path) -> tuple[str, ...]:
    """The keys a section may have; empty when the path is no section of fixed keys."""
    here = type_at(path)
    return tuple(fields(here)) if is_part(here) else ()


def field_at(path: Path) -> tuple[str, FieldInfo] | None:
    """Key and field that hold the value at a path: its own, or the nearest one around it; None at the top."""
    for length in range(len(path), 0, -1):
        parent, key = type_at(path[: length - 1]), path[length - 1]
        if is_part(parent) and key in fields(parent):
            return str(key), fields(parent)[str(key)]
    return None


def example(field: FieldInfo) -> Any:
    """A valid value for a field: its own example, or one put together from the examples of its parts."""
    if field.examples:
        return field.examples[0]
    inner = field.annotation
    if get_origin(inner) is tuple:
        return [_section_example(get_args(inner)[0])]
    return _section_example(inner)


def example_line(key: str, field: FieldInfo) -> str:
    """The example as one line of YAML, ready to be copied: ``target: 0.042``."""
    text = yaml.safe_dump({key: example(field)}, default_flow_style=True, sort_keys=False, width=10_000).strip()
    return _QUOTED_DATE.sub(r"\1", text.removeprefix("{").removesuffix("}"))


def nearest(word: str, known: tuple[str, ...]) -> str | None:
    """The known word most like a misspelt one, or None when none is like it."""
    matches = get_close_matches(word, known, n=1, cutoff=0.6)
    return matches[0] if matches else None


def _section_example(part: Any) -> dict[str, Any]:
    return {key: example(field) for key, field in fields(part).items() if field.is_required()}


def _step(here: Any, step: str | int) -> Any:
    if is_part(here):
        field = fields(here).get(str(step))
        return field.annotation if field else None
    if get_origin(here) is tuple and isinstance(step, int):
        return get_args(here)[0]
    if get_origin(here) is dict:
        return get_args(here)[1]
    return None
