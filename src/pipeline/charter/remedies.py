"""What to write instead: one remedy for every way a value can be wrong.

A goal without a number, a measured baseline, a date or an owner gets the reason why Landed refuses it: this is the
moment at which most projects that stall later could still have been saved. Reviewers meet these sentences on pages,
too: they can be said in every language.
"""

import math
import re
from collections.abc import Callable
from typing import Any

from pydantic_core import ErrorDetails

from pipeline.charter.advice import Advice, Path
from pipeline.charter.anatomy import example_line, field_at, known_keys, nearest
from pipeline.language import Message, say, term

_NUMBER_IN_TEXT = re.compile(r"\s*([-+]?\d+(?:[.,]\d+)?)\s*(%?)\s*")
_QUOTED = re.compile(r"'([^']*)'")
_SCALAR_TYPES = frozenset({"bool_type", "int_type", "float_type", "int_from_float", "finite_number", "string_type"})

WHY: dict[Path, Message] = {
    ("kpi",): say(
        "Landed refuses a project without a goal: a KPI with a measured baseline, a number, a date and an owner"
    ),
    ("kpi", "target"): say(
        "Landed refuses a goal without a number: nobody could say later whether the project has worked"
    ),
    ("kpi", "baseline"): say(
        "Landed refuses a goal without a measured baseline: a baseline is a policy (today's way of deciding) that is "
        "played on the same units and periods as the model. A typed number comes from other units, other weeks or "
        "memory, and the gain over it cannot be believed"
    ),
    ("kpi", "baseline", "policy"): say("The baseline is the policy used today, by name, so that it can be measured"),
    ("kpi", "deadline"): say(
        "Landed refuses a goal without a date: without one a pilot never ends and is never judged"
    ),
    ("kpi", "owner"): say(
        "Landed refuses a goal without an owner: someone named must want the number and answer for it"
    ),
    ("strategy", "sponsor"): say("Someone named must be able to pay for the project, and to stop it"),
}


def advise(path: Path, error: ErrorDetails) -> Advice:
    """What was found at a path and what to write there.

    Args:
        path: where in the charter's data.
        error: what pydantic says about it.
    """
    if error["type"] == "missing":
        return Advice(path, say("the key is missing"), _with_reason(path, say("add {example}", example=_example(path))))
    if error["type"] == "extra_forbidden":
        return _unknown_key(path, error["input"])
    if error["loc"][-1:] == ("[key]",):
        found = say("the key `{key}`", key=str(path[-1]))
        return Advice(path, found, _instead(path, error, say("write the key as")))
    return Advice(path, shown(error["input"]), _with_reason(path, _instead(path, error, say("write"))))


def shown(value: Any) -> Message:
    """A value as found, in words that keep text, numbers and yes/no apart."""
    if value is None:
        return say("nothing (an empty value)")
    if isinstance(value, bool):
        return say("{value}, which is a yes or no", value=str(value).lower())
    if isinstance(value, str):
        if len(value) <= 60:
            return say("the text '{text}'", text=value)
        return say("the text '{text}...' ({count} characters)", text=value[:57], count=len(value))
    if isinstance(value, list):
        return say("a list of {count}", count=len(value))
    if isinstance(value, dict):
        return say("a section with the keys {keys}", keys=", ".join(map(str, value)) or say("(none)"))
    return say("the number {number}", number=str(value))


def _with_reason(path: Path, remedy: Message) -> Message:
    reason = WHY.get(path)
    return say("{remedy}. {reason}.", remedy=remedy, reason=reason) if reason else remedy


def _example(path: Path) -> Message:
    """``key: value`` of the field that holds the path, and what the field means."""
    found = field_at(path)
    if found is None:
        return say("a section per topic, as in configs/replenishment/charter.yaml")
    key, field = found
    return say("`{line}` ({meaning})", line=example_line(key, field), meaning=term(field.description or ""))


def _unknown_key(path: Path, value: Any) -> Advice:
    known = known_keys(path[:-1])
    near, keys = nearest(str(path[-1]), known), ", ".join(known)
    key = str(path[-1])
    if path[:2] == ("kpi", "baseline") and isinstance(value, int | float):
        remedy = say("remove it; {remedy}", remedy=_with_reason(path[:2], _example(path[:2])))
        return Advice(path, say("the unknown key `{key}` with a typed number", key=key), remedy)
    found = say("the unknown key `{key}`", key=key)
    if near:
        return Advice(path, found, say("did you mean `{near}`? Known here: {keys}", near=near, keys=keys))
    return Advice(path, found, say("remove it, or use one of: {keys}", keys=keys))


def _instead(path: Path, error: ErrorDetails, verb: Message) -> Message:
    kind, value = error["type"], error["input"]
    if kind in _SCALAR_TYPES:
        return _plain_value(path, error)
    if kind == "literal_error":
        allowed = tuple(_QUOTED.findall(error["ctx"]["expected"]))
        near = nearest(str(value), allowed)
        choice = say("{verb} one of: {allowed}", verb=verb, allowed=", ".join(allowed))
        return say("did you mean `{near}`? {remedy}", near=near, remedy=choice) if near else choice
    if kind == "string_pattern_mismatch":
        pattern = _PATTERNS[_pattern_kind(error)]
        return say("{verb} {pattern}, such as {example}", verb=verb, pattern=pattern, example=_example(path))
    if kind.startswith("date"):
        return say("write a date as YYYY-MM-DD, such as {example}", example=_example(path))
    limit = _LIMITS.get(kind)
    what = limit(error["ctx"]) if limit is not None else _CONTAINERS.get(kind, say("a valid value"))
    return say("write {what}, such as {example}", what=what, example=_example(path))


def _plain_value(path: Path, error: ErrorDetails) -> Message:
    """Remedies for a value of the wrong plain type."""
    value = error["input"]
    if error["type"] == "string_type":
        return say("write a text, in quotes if need be, such as {example}", example=_example(path))
    if isinstance(value, str):
        number = _NUMBER_IN_TEXT.fullmatch(value)
        if number and path:
            figure = float(number[1].replace(",", ".")) / (100 if number[2] else 1)
            line = f"{path[-1]}: {figure:.10g}"
            return say("write the plain number, without quotes, per cent sign or comma: `{line}`", line=line)
    if isinstance(value, float) and not math.isfinite(value):
        return say("write a finite number, such as {example}", example=_example(path))
    if error["type"] in ("int_type", "int_from_float"):
        return say("write a whole number, such as {example}", example=_example(path))
    return say("write a number, such as {example}", example=_example(path))


def _pattern_kind(error: ErrorDetails) -> str:
    pattern = error["ctx"]["pattern"]
    if "A-Z" in pattern:
        return "currency"
    return "person" if "." in pattern else "slug"


_PATTERNS = {
    "person": say("2 to 63 lower-case letters, digits, dots, - or _, beginning with a letter"),
    "currency": say("three capital letters"),
    "slug": say("2 to 63 lower-case letters, digits, - or _, beginning with a letter"),
}
_LIMITS: dict[str, Callable[[dict[str, Any]], Message]] = {
    "greater_than": lambda ctx: say("a number above {limit}", limit=f"{ctx['gt']:g}"),
    "greater_than_equal": lambda ctx: say("a number of at least {limit}", limit=f"{ctx['ge']:g}"),
    "less_than_equal": lambda ctx: say("a number of at most {limit}", limit=f"{ctx['le']:g}"),
    "too_short": lambda ctx: say("a list of at least {count}", count=ctx["min_length"]),
    "string_too_short": lambda ctx: say("at least {count} characters", count=ctx["min_length"]),
    "string_too_long": lambda ctx: say("at most {count} characters", count=ctx["max_length"]),
}
_CONTAINERS = {
    "tuple_type": say("a list"),
    "dict_type": say("a section of keys and values"),
    "model_type": say("a section of keys and values"),
}
