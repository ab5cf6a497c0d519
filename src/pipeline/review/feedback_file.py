"""Feedback items a person brings with ``landed review sign --feedback FILE``: a YAML list of typed items."""

import json
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from pipeline.charter.document import MAX_BYTES, UnreadableError, parse
from pipeline.errors import CharterError, Finding
from pipeline.review.items import FeedbackItem

_EXAMPLE = "write a list of items as under `feedback:` in configs/replenishment/decisions.yaml"


def read_feedback(path: Path) -> tuple[FeedbackItem, ...]:
    """Read feedback items.

    Raises:
        CharterError: the file is missing, is no YAML, or an item lacks something; all findings with their lines.
    """
    try:
        with path.open("rb") as file:
            document = parse(file.read(MAX_BYTES + 1))
    except OSError as exc:
        finding = Finding(str(path), f"cannot be read: {exc.strerror}", "check the path and its permissions")
        raise CharterError("The feedback cannot be read", [finding]) from exc
    except UnreadableError as exc:
        place = f"{path}:{exc.line}" if exc.line else str(path)
        raise CharterError("The feedback cannot be read", [Finding(place, exc.found, exc.remedy)]) from exc
    findings = [Finding(f"{path}:{line}", advice.found, advice.remedy) for line, advice in document.advice]
    if findings:
        raise CharterError(f"{path} cannot be used as feedback", findings)
    try:
        return TypeAdapter(tuple[FeedbackItem, ...]).validate_json(json.dumps(document.data))
    except ValidationError as exc:
        findings = [
            Finding(
                f"{path}:{document.line(tuple(error['loc']))} {'.'.join(str(step) for step in error['loc'])}".rstrip(),
                error["msg"],
                _EXAMPLE,
            )
            for error in exc.errors(include_url=False)
        ]
        raise CharterError(f"{path} cannot be used as feedback", findings) from exc
