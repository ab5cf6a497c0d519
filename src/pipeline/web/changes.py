"""What a feedback item may change: every entry of the charter that is open to feedback, with the value it has now."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.charter import PATCHABLE, Charter
from pipeline.charter.anatomy import field_at
from pipeline.errors import Finding
from pipeline.language import say


@dataclass(frozen=True)
class Entry:
    """One entry of the charter.

    Attributes:
        path: how a patch names it.
        now: its value today, plain JSON.
        meaning: the charter's own words for it.
    """

    path: str
    now: Any
    meaning: str

    @property
    def section(self) -> str:
        """The section it stands in."""
        return self.path.split(".")[0]

    @property
    def text(self) -> str:
        """Its value today as a person would type it."""
        return as_text(self.now)


def entries(charter: Charter) -> tuple[Entry, ...]:
    """Every entry feedback may change, in the charter's order."""
    values = charter.canonical()
    return tuple(entry for section in PATCHABLE for entry in _below(section, (section,), values[section]))


def as_text(value: Any) -> str:
    """A value as a person would type it: lists with commas, yes and no; JSON for sections and texts with commas."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if _is_words(value) and not any("," in item or item.startswith("[") for item in value):
        return ", ".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def as_value(text: str, now: Any) -> Any:
    """What a person typed, as the kind of value the entry holds today.

    Returns:
        The value, or a :class:`Finding` where the text is none of that kind.
    """
    if isinstance(now, bool):
        known = {"yes": True, "true": True, "no": False, "false": False}
        return known.get(text.lower(), Finding(say("value"), text, say("write yes or no")))
    if isinstance(now, str):
        return text
    if _is_words(now) and not text.startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    try:
        value = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        value = None
    if isinstance(now, int | float):
        numeric = isinstance(value, int | float) and not isinstance(value, bool)
        return value if numeric else Finding(say("value"), text, say("write a number, with a point: 0.95"))
    return (
        value
        if type(value) is type(now)
        else Finding(say("value"), text, say("write it like {example}", example='{"product": ["p07"]}'))
    )


def _is_words(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _no_number(text: str) -> None:
    """NaN and infinity: JSON as Python reads it knows them, a charter does not."""
    raise ValueError(text)


def _below(path: str, steps: tuple[str | int, ...], value: Any) -> Iterator[Entry]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _below(f"{path}.{key}", (*steps, key), inner)
    elif isinstance(value, list) and value and all(isinstance(one, Mapping) and "name" in one for one in value):
        for place, one in enumerate(value):
            parts = {key: inner for key, inner in one.items() if key != "name"}
            yield from _below(f"{path}[{one['name']}]", (*steps, place), parts)
    elif not path.endswith(".name") or steps[0] == "policy":
        found = field_at(steps)
        yield Entry(path, value, (found[1].description or "") if found else "")
