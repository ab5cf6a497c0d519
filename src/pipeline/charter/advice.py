"""What is wrong in a charter, addressed by the path of keys; files and lines are added by whoever knows them."""

from dataclasses import dataclass
from typing import Any

Path = tuple[str | int, ...]
#: How a value begins that somebody has still to fill in.
OPEN = "TODO"


@dataclass(frozen=True)
class Advice:
    """One thing wrong in a charter: the path of keys, what was found, what to write.

    Attributes:
        path: keys of sections and positions in lists, such as ``("stages", 0, "units")``; ``()`` is the charter.
        found: what stands there now.
        remedy: what to write instead.
    """

    path: Path
    found: str
    remedy: str


def dotted(path: Path, data: Any) -> str:
    """The path as people write it: ``stages[pilot].units``; a list element without name or id as ``[#2]``.

    Args:
        path: keys and positions.
        data: the plain values of the whole charter, from which list elements take their names.
    """
    text, here = "", data
    for step in path:
        here = value_at(here, (step,))
        if isinstance(step, int):
            text += f"[{element_name(here) or f'#{step + 1}'}]"
        else:
            text += f".{step}" if text else step
    return text


def element_name(element: Any) -> str | None:
    """What a list element is addressed by: its id or its name; None where there is none yet."""
    if not isinstance(element, dict):
        return None
    name = element.get("id", element.get("name"))
    return name if isinstance(name, str) and name and not name.startswith(OPEN) else None


def value_at(data: Any, path: Path) -> Any:
    """The value at a path, or None where the data has no such path."""
    here = data
    for step in path:
        try:
            here = here[step]
        except (KeyError, IndexError, TypeError):
            return None
    return here
