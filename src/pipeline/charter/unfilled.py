"""Places of a charter that somebody has still to fill in: values beginning with ``TODO``, as ``landed init`` writes."""

import re
from collections.abc import Iterator
from typing import Any

from pipeline.charter.advice import OPEN, Advice, Path

_MARK = re.compile(rf"\s*{OPEN}\b[\s:]*(?:\((?P<asked>.*)\))?", re.DOTALL)


def unfilled(data: Any, path: Path = ()) -> Iterator[Advice]:
    """An advice for every place that is still marked, with what the mark asks for.

    Args:
        data: plain values of a charter's text.
        path: where they stand.
    """
    if isinstance(data, dict):
        for key, value in data.items():
            yield from unfilled(value, (*path, key))
    elif isinstance(data, list):
        for place, value in enumerate(data):
            yield from unfilled(value, (*path, place))
    elif isinstance(data, str) and (mark := _MARK.match(data)):
        asked = (mark["asked"] or "the value that belongs here").strip()
        yield Advice(path, "this is still to be filled in", f"write {asked}, without the mark {OPEN}")
