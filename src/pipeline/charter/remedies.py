"""What to write instead: one remedy for every way a value can be wrong.

A goal without a number, a measured baseline, a date or an owner gets the reason why Landed refuses it: this is the
moment at which most projects that stall later could still have been saved.
"""

import math
import re
from collections.abc import Callable
from typing import Any

from pydantic_core import ErrorDetails

from pipeline.charter.advice import Advice, Path
from pipeline.charter.anatomy import example_line, field_at, known_keys, nearest

_NUMBER_IN_TEXT = re.compile(r"\s*([-+]?\d+(?:[.,]\d+)?)\s*(%?)\s*")
_QUOTED = re.compile(r"'([^']*)'")
_SCALAR_TYPES = frozenset({"bool_type", "int_type", "float_type", "int_from_float", "finite_number", "string_type"})

WHY: dict[Path, str] = {
    ("kpi",): "Landed refuses a project without a goal: a KPI with a measured baseline, a number, a date and an owner",
    ("kpi", "target"): "Landed refuses a goal without a number: nobody could say later whether the project has worked",
    ("kpi", "baseline"): (
        "Landed refuses a goal without a measured baseline: a baseline is a policy (today's way of deciding) that is "
        "played on the same units and periods as the model. A typed number comes from other units, other weeks or "
        "memory, and the gain over it cannot be believed"
    ),
    ("kpi", "baseline", "policy"): "The baseline is the policy used today, by name, so that it can be measured",
    ("kpi", "deadline"): "Landed refuses a goal without a date: without one a pilot never ends and is never judged",
    ("kpi", "owner"): "Landed refuses a goal without an owner: someone named must want the number and answer for it",
    ("strategy", "sponsor"): "Someone named must be able to pay for the project, and to stop it",
}


def advise(path: Path, error: ErrorDetails) -> Advice:
    """What was found at a path and what to write there.

    Args:
        path: where in the charter's data.
        error: what pydantic says about it.
    """
    if error["type"] == "missing":
        return Advice(path, "the key is missing", _with_reason(path, f"add {_example(path)}"))
    if error["type"] == "extra_forbidden":
        return _unknown_key(path, error["input"])
    if error["loc"][-1:] == ("[key]",):
        return Advice(path, f"the key `{path[-1]}`", _instead(path, error, "write the key as"))
    return Advice(path, shown(error["input"]), _with_reason(path, _instead(path, error, "write")))


def shown(value: Any) -> str:
    """A value as found, in words that keep text, numbers and yes/no apart."""
    if value is None:
        return "nothing (an empty value)"
    if isinstance(value, bool):
        return f"{str(value).lower()}, which is a yes or no"
    if isinstance(value, str):
        return f"the text '{value}'" if len(value) <= 60 else f"the text '{value[:57]}...' ({len(value)} characters)"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return f"a section with the keys {', '.join(map(str, value)) or '(none)'}"
    return f"the number {value}"


def _with_reason(path: Path, remedy: str) -> str:
    reason = WHY.get(path)
    return f"{remedy}. {reason}." if reason else remedy


def _example(path: Path) -> str:
    """``key: value`` of the field that holds the path, and what the field means."""
    found = field_at(path)
    if found is None:
        return "a section per topic, as in configs/replenishment/charter.yaml"
    key, field = found
    return f"`{example_line(key, field)}` ({field.description})"


def _unknown_key(path: Path, value: Any) -> Advice:
    known = known_keys(path[:-1])
    near = nearest(str(path[-1]), known)
    found = f"the unknown key `{path[-1]}`"
    if path[:2] == ("kpi", "baseline") and isinstance(value, int | float):
        return Advice(path, f"{found} with a typed number", f"remove it; {_with_reason(path[:2], _example(path[:2]))}")
    if near:
        return Advice(path, found, f"did you mean `{near}`? Known here: {', '.join(known)}")
    return Advice(path, found, f"remove it, or use one of: {', '.join(known)}")


def _instead(path: Path, error: ErrorDetails, verb: str) -> str:
    kind, value = error["type"], error["input"]
    if kind in _SCALAR_TYPES:
        return _plain_value(path, error)
    if kind == "literal_error":
        allowed = tuple(_QUOTED.findall(error["ctx"]["expected"]))
        near = nearest(str(value), allowed)
        return (f"did you mean `{near}`? " if near else "") + f"{verb} one of: {', '.join(allowed)}"
    if kind == "string_pattern_mismatch":
        return f"{verb} {_PATTERNS[_pattern_kind(error)]}, such as {_example(path)}"
    if kind.startswith("date"):
        return f"write a date as YYYY-MM-DD, such as {_example(path)}"
    limit = _LIMITS.get(kind)
    if limit is not None:
        return f"write {limit(error['ctx'])}, such as {_example(path)}"
    return f"write {_CONTAINERS.get(kind, 'a valid value')}, such as {_example(path)}"


def _plain_value(path: Path, error: ErrorDetails) -> str:
    """Remedies for a value of the wrong plain type."""
    value = error["input"]
    if error["type"] == "string_type":
        return f"write a text, in quotes if need be, such as {_example(path)}"
    if isinstance(value, str):
        number = _NUMBER_IN_TEXT.fullmatch(value)
        if number and path:
            figure = float(number[1].replace(",", ".")) / (100 if number[2] else 1)
            return f"write the plain number, without quotes, per cent sign or comma: `{path[-1]}: {figure:.10g}`"
    if isinstance(value, float) and not math.isfinite(value):
        return f"write a finite number, such as {_example(path)}"
    if error["type"] in ("int_type", "int_from_float"):
        return f"write a whole number, such as {_example(path)}"
    return f"write a number, such as {_example(path)}"


def _pattern_kind(error: ErrorDetails) -> str:
    pattern = error["ctx"]["pattern"]
    if "A-Z" in pattern:
        return "currency"
    return "person" if "." in pattern else "slug"


_PATTERNS = {
    "person": "2 to 63 lower-case letters, digits, dots, - or _, beginning with a letter",
    "currency": "three capital letters",
    "slug": "2 to 63 lower-case letters, digits, - or _, beginning with a letter",
}
_LIMITS: dict[str, Callable[[dict[str, Any]], str]] = {
    "greater_than": lambda ctx: f"a number above {ctx['gt']:g}",
    "greater_than_equal": lambda ctx: f"a number of at least {ctx['ge']:g}",
    "less_than_equal": lambda ctx: f"a number of at most {ctx['le']:g}",
    "too_short": lambda ctx: f"a list of at least {ctx['min_length']}",
    "string_too_short": lambda ctx: f"at least {ctx['min_length']} characters",
    "string_too_long": lambda ctx: f"at most {ctx['max_length']} characters",
}
_CONTAINERS = {
    "tuple_type": "a list",
    "dict_type": "a section of keys and values",
    "model_type": "a section of keys and values",
}
