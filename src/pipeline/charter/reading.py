"""A charter from its file: everything wrong with it at once, each with file, line, field and what to write."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from pipeline.charter.advice import Advice, dotted
from pipeline.charter.checks import check_charter
from pipeline.charter.document import MAX_BYTES, Document, UnreadableError, parse
from pipeline.charter.model import Charter
from pipeline.charter.shape import shape
from pipeline.charter.unfilled import unfilled
from pipeline.errors import CharterError, Finding

_EXAMPLE = "configs/replenishment/charter.yaml shows a whole one"

#: What a problem's own check reads; a fault anywhere else does not keep it from being asked in the same go.
_PROBLEMS_PART = frozenset(
    {"problem", "kpi", "guardrails", "scope", "data", "business", "model", "policy", "controls", "stages", "seed"}
)


def read_charter(path: Path, today: date, advise: Callable[[Charter], tuple[Advice, ...]] | None = None) -> Charter:
    """Read and check a charter.

    Args:
        path: the YAML file.
        today: the day the deadline is held against.
        advise: what only the problem can find wrong, such as :meth:`pipeline.problems.base.Problem.check`; asked
            unless a section that it reads has a wrong type, a missing key or an unknown one.

    Raises:
        CharterError: with a finding for everything that is wrong.
    """
    document = _document(path)
    located = list(document.advice)
    charter = None
    if isinstance(document.data, dict):
        marked = tuple(unfilled(document.data))
        located += [(document.line(item.path), item) for item in marked]
        shaped = shape(document.data)
        charter = shaped.charter
        further = [*shaped.advice, *check_charter(charter, today, shaped.broken)]
        if advise is not None and not any(path[:1] and path[0] in _PROBLEMS_PART for path in shaped.broken):
            further += advise(charter)
        # What is still to be filled in breaks the sections around it too; it is told once, where it stands.
        covered = {item.path for _, item in located}
        covered |= {item.path[:length] for item in marked for length in range(1, len(item.path))}
        located += [(document.line(item.path), item) for item in further if item.path not in covered]
    elif not located:
        raise _not_a_charter(path, document.data)
    if charter is None or located:
        raise _refusal(path, document, located)
    return charter


def charter_from_canonical(canonical: dict[str, Any]) -> Charter:
    """The charter whose canonical form was stored; its dates are not held against today.

    Args:
        canonical: what :meth:`pipeline.charter.model.Charter.canonical` gave.

    Raises:
        CharterError: when the stored values are no charter of this version.
    """
    shaped = shape(canonical)
    if shaped.advice:
        findings = [Finding(dotted(item.path, canonical), item.found, item.remedy) for item in shaped.advice]
        raise CharterError("The stored charter cannot be read by this version", findings)
    return shaped.charter


def _document(path: Path) -> Document:
    try:
        with path.open("rb") as file:
            return parse(file.read(MAX_BYTES + 1))
    except FileNotFoundError as exc:
        raise _file_error(path, "there is no such file", f"check the path; {_EXAMPLE}") from exc
    except IsADirectoryError as exc:
        raise _file_error(path, "a directory", "name the YAML file in it, such as charter.yaml") from exc
    except OSError as exc:
        found = f"the file cannot be read ({exc.strerror})"
        raise _file_error(path, found, "check the path and its permissions") from exc
    except UnreadableError as exc:
        place = f"{path}:{exc.line}" if exc.line else str(path)
        raise CharterError(f"{path} is not a readable charter", [Finding(place, exc.found, exc.remedy)]) from exc


def _file_error(path: Path, found: str, remedy: str) -> CharterError:
    return CharterError(f"{path} cannot be read", [Finding(str(path), found, remedy)])


def _not_a_charter(path: Path, data: Any) -> CharterError:
    if data is None:
        finding = Finding(str(path), "the file is empty", f"write a charter; {_EXAMPLE}")
    else:
        found = "a list" if isinstance(data, list) else "a single value"
        finding = Finding(f"{path}:1", f"{found} at the top", f"write `key: value` lines; {_EXAMPLE}")
    return CharterError(f"{path} holds no charter", [finding])


def _refusal(path: Path, document: Document, located: list[tuple[int, Advice]]) -> CharterError:
    ordered = sorted(located, key=lambda item: item[0])
    findings = [
        Finding(f"{path}:{line} {dotted(item.path, document.data)}".rstrip(), item.found, item.remedy)
        for line, item in ordered
    ]
    count = "one thing" if len(findings) == 1 else f"{len(findings)} things"
    return CharterError(f"{path} is refused: {count} to put right", findings)
