"""What an evidence pack rests on, and the one hash that binds a decision to it."""

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from datetime import date
from typing import Any

from pipeline.charter import Charter
from pipeline.reporting.evidence import Evidence

#: Version of the layout of ``evidence.json`` and ``manifest.json``.
FORMAT = "landed-evidence/1"


def canonical(value: object) -> str:
    """JSON text that depends on the content only: sorted keys, no blanks, shortest exact decimals.

    The settings are those of :attr:`pipeline.charter.Charter.digest`, so that the charter inside a pack hashes to
    the charter's own digest. Floats are written by ``repr``, which reads back to the same bits.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def sha256(text: str) -> str:
    """Hexadecimal SHA-256 of the text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def plain(value: Any) -> Any:
    """The value as plain JSON values.

    JSON has no word for a float that is no number; ``nan`` and infinities become the texts ``NaN``, ``Infinity``
    and ``-Infinity``, which :func:`pipeline.reporting.pack.read` reads back.

    Raises:
        TypeError: a type the evidence has no business holding.
    """
    if isinstance(value, Charter):
        return value.canonical()
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", by_alias=True)
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return _scalar(value)


def _scalar(value: Any) -> Any:
    # numpy's scalars arrive here through colleagues' figures; .item() is their way back to Python.
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float):
        return _number(value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"evidence holds a {type(value).__name__}, which has no place in JSON")


def _number(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def manifest(evidence: Evidence) -> dict[str, Any]:
    """The five parts a decision rests on, each with its hash."""
    return manifest_of(plain(evidence))


def manifest_of(twin: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest of an evidence in plain JSON values.

    Works on what was written rather than on what was meant, so that checking a pack never depends on how its
    numbers are read.
    """
    return {
        "format": FORMAT,
        "project": twin["charter"]["project"],
        "iteration": twin["iteration"],
        "parts": {
            "charter": sha256(canonical(twin["charter"])),
            "data": twin["data"]["digest"],
            "code": twin["code_version"],
            "model": twin["model"]["digest"],
            "figures": sha256(canonical(twin)),
        },
    }


def report_digest(manifest: Mapping[str, Any]) -> str:
    """SHA-256 over the manifest; the hash every sign-off is bound to."""
    return sha256(canonical(manifest))
