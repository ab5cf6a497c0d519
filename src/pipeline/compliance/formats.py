"""Whether the files of a model hold data only, by what is in them and not by their names alone."""

import json
from collections.abc import Callable
from pathlib import Path

_PICKLES = tuple(bytes([0x80, protocol]) for protocol in range(2, 6))
_ARCHIVE = b"PK\x03\x04"
_PARQUET = b"PAR1"


def unsafe_files(directory: Path) -> dict[str, str]:
    """Files of a model directory that are not plain text, JSON or Parquet, each with the reason.

    Reading a pickle can run any code (Python documentation, module pickle), and joblib or zip archives may hold one.
    A directory without files is unsafe as a whole, under the name ``.``: there is nothing to vouch for.
    """
    files = sorted(path for path in directory.rglob("*") if path.is_file()) if directory.is_dir() else []
    if not files:
        return {".": "there are no model files"}
    reasons = {path.relative_to(directory).as_posix(): _reason(path) for path in files}
    return {name: reason for name, reason in reasons.items() if reason}


def _reason(path: Path) -> str | None:
    check = _CHECKS.get(path.suffix)
    if check is None:
        return f"the format {path.suffix or 'without suffix'} is not one of {', '.join(_CHECKS)}"
    content = path.read_bytes()
    if content.startswith(_PICKLES):
        return "it is a pickle, whatever its name says"
    if content.startswith(_ARCHIVE):
        return "it is an archive, whatever its name says"
    return None if check(content) else f"it is not what {path.suffix} promises"


def _is_text(content: bytes) -> bool:
    try:
        return "\0" not in content.decode()
    except UnicodeDecodeError:
        return False


def _is_json(content: bytes) -> bool:
    try:
        json.loads(content)
    except (ValueError, RecursionError):
        return False
    return True


def _is_parquet(content: bytes) -> bool:
    return content.startswith(_PARQUET) and content.endswith(_PARQUET)


_CHECKS: dict[str, Callable[[bytes], bool]] = {".txt": _is_text, ".json": _is_json, ".parquet": _is_parquet}
