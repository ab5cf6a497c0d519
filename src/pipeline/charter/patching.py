"""A feedback item's patch, applied to the parts of the charter that feedback may change.

A patch is a mapping of paths to new values::

    policy.parameters.service_level: 0.95
    model.train_on: all
    model.candidates[poisson].features: [recent_sales, season, promotions]

List elements are addressed by name. Only the sections in :data:`~pipeline.charter.model.PATCHABLE` may be touched: the
goal, the people and the ladder are the sponsor's.
"""

import json
import re
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

from pipeline.charter.advice import Path, dotted, element_name, value_at
from pipeline.charter.anatomy import known_keys, nearest, type_at
from pipeline.charter.checks import check_consistency
from pipeline.charter.document import MAX_DEPTH
from pipeline.charter.model import PATCHABLE, Charter
from pipeline.charter.shape import shape
from pipeline.errors import CharterError, Finding
from pipeline.language import say

_STEP = re.compile(r"([^.\[\]]+)(?:\[([^\[\]]+)\])?")
_ALLOWED = say("a patch may only touch {sections} and {last}", sections=", ".join(PATCHABLE[:-1]), last=PATCHABLE[-1])


def apply_patch(charter: Charter, patch: Mapping[str, Any]) -> Charter:
    """The charter with a patch applied and validated anew; applying it twice changes nothing more.

    Args:
        charter: the charter as it is; stays as it is.
        patch: paths to new plain JSON values; a value replaces what stands there, lists and sections included.

    Raises:
        CharterError: for an empty patch, a forbidden section, an unknown path, two entries for one place, and for
            values the charter may not hold; all at once.
    """
    if not patch:
        raise refused(
            [Finding("patch", say("nothing in it"), say("write at least one `path: value`, or drop the patch"))]
        )
    values = charter.canonical()
    paths: dict[str, Path] = {}
    findings = []
    for text, value in patch.items():
        path, finding = _resolve(text, value, values)
        if finding is None:
            paths[text] = path
        else:
            findings.append(finding)
    findings += _overlaps(paths)
    if findings:
        raise refused(findings)
    for text, path in paths.items():
        value_at(values, path[:-1])[path[-1]] = patch[text]
    return _validated(values, paths)


def _resolve(text: str, value: Any, values: dict[str, Any]) -> tuple[Path, Finding | None]:
    """The place a path leads to in the charter's values, or why it leads nowhere it may."""
    place = f"patch {text}"
    known = tuple(_known_paths(values))
    path = _parse(text, values)
    section = text.split(".")[0].split("[")[0]
    if section in values and section not in PATCHABLE:
        remedy = say("{allowed}; the sponsor changes {section}", allowed=_ALLOWED, section=section)
        return path or (), Finding(place, say("the section {section}", section=section), remedy)
    if path is None or type_at(path) is None:
        near = nearest(text, known)
        known_ones = say("known paths begin with {sections}", sections=", ".join(PATCHABLE))
        hint = say("did you mean `{near}`?", near=near) if near else known_ones
        found = say("a path no charter has") if path is None else say("an unknown key")
        return (), Finding(place, found, say("{hint} ({allowed})", hint=hint, allowed=_ALLOWED))
    if len(path) > 1 and path[-1] == "name" and isinstance(path[-2], int) and value != value_at(values, path):
        whole = dotted(path[:-2], values)
        remedy = say("replace the whole list `{path}` to rename an element others refer to", path=whole)
        return path, Finding(place, say("a new name for a list element"), remedy)
    if not _is_json(value):
        found = say("a value of type {type} that a charter cannot hold", type=type(value).__name__)
        return path, Finding(place, found, say("write text, numbers, lists or sections"))
    return path, None


def _parse(text: str, values: dict[str, Any]) -> Path | None:
    """Keys and positions of a path, names in brackets looked up; None when a name or the grammar is unknown."""
    path: list[str | int] = []
    position = 0
    while match := _STEP.match(text, position):
        path.append(match[1])
        if match[2] is not None:
            names = [element_name(element) for element in _elements(values, tuple(path))]
            if match[2] not in names:
                return None
            path.append(names.index(match[2]))
        position = match.end()
        if position == len(text):
            return tuple(path)
        if text[position] != ".":
            return None
        position += 1
    return None


def _elements(values: dict[str, Any], path: Path) -> list[Any]:
    found = value_at(values, path)
    return found if isinstance(found, list) else []


def _known_paths(values: dict[str, Any]) -> Iterator[str]:
    """Every path a patch to this charter may name, by the charter's keys and the values that are there."""
    for section in PATCHABLE:
        yield section
        yield from (dotted(path, values) for path in _below((section,), values))


def _below(path: Path, values: dict[str, Any]) -> Iterator[Path]:
    here = value_at(values, path)
    steps: list[str | int] = []
    if isinstance(here, dict):
        steps = list(dict.fromkeys([*known_keys(path), *here]))
    elif isinstance(here, list) and any(element_name(element) for element in here):
        steps = list(range(len(here)))
    for step in steps:
        yield (*path, step)
        yield from _below((*path, step), values)


def _overlaps(paths: dict[str, Path]) -> Iterator[Finding]:
    """Two entries for one place would make the result hang on their order."""
    for (one, first), (other, second) in combinations(paths.items(), 2):
        shorter = min(len(first), len(second))
        if first[:shorter] == second[:shorter]:
            yield Finding(f"patch {other}", say("the same place as `{path}`", path=one), say("keep one of the two"))


def _is_json(value: Any) -> bool:
    """Whether a charter's file could hold a value: nested no deeper, texts that UTF-8 has, all of it JSON."""
    try:
        return _within(value, MAX_DEPTH) and bool(json.dumps(value, ensure_ascii=False).encode())
    except (TypeError, ValueError):
        return False


def _within(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return levels > 0 and all(_within(one, levels - 1) for one in inner)


def _validated(values: dict[str, Any], paths: dict[str, Path]) -> Charter:
    shaped = shape(values)
    advice = [*shaped.advice, *check_consistency(shaped.charter, shaped.broken)]
    findings = [
        Finding(f"patch {_entry(item.path, paths)}{dotted(item.path, values)}", item.found, item.remedy)
        for item in advice
        if item.path and item.path[0] in PATCHABLE
    ]
    if findings:
        raise refused(findings)
    return shaped.charter


def _entry(path: Path, paths: dict[str, Path]) -> str:
    """The entry of the patch a finding is about, when it is not the finding's own path."""
    for text, entry in paths.items():
        if path[: len(entry)] == entry and path != entry:
            return f"{text}, "
    return ""


def refused(findings: list[Finding]) -> CharterError:
    """What is wrong with a patch, as the error that refuses it."""
    return CharterError(say("The patch is refused; the charter stays as it is"), findings)
