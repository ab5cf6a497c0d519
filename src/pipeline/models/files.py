"""Model files: which formats may be kept, and one hash over a directory of them."""

import hashlib
from pathlib import Path

from pipeline.errors import Finding, ModelError

#: Formats that hold data only: reading one cannot run code, as unpickling can.
SAFE_SUFFIXES = (".txt", ".json", ".parquet")


def checked(directory: Path) -> tuple[Path, ...]:
    """The files of a model directory, sorted.

    Raises:
        ModelError: the directory is missing or empty, or holds a format that is not safe.
    """
    files = tuple(sorted(path for path in directory.rglob("*") if path.is_file())) if directory.is_dir() else ()
    if not files:
        remedy = "train the candidate first"
        raise ModelError("There are no model files", [Finding(str(directory), "missing or empty", remedy)])
    unsafe = [path for path in files if path.suffix not in SAFE_SUFFIXES]
    if unsafe:
        remedy = f"write the model as one of: {', '.join(SAFE_SUFFIXES)}"
        raise ModelError(
            "A model file is in an unsafe format", [Finding(str(path), "refused", remedy) for path in unsafe]
        )
    return files


def digest(directory: Path) -> str:
    """SHA-256 over relative names and contents of a model directory's files.

    Raises:
        ModelError: as :func:`checked`.
    """
    whole = hashlib.sha256()
    for path in checked(directory):
        whole.update(path.relative_to(directory).as_posix().encode() + b"\0")
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()
