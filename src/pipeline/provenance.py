"""Which code this is: the version, and a hash of the sources as they are, committed or not."""

import hashlib
from functools import cache
from pathlib import Path

from pipeline import __version__


@cache
def code_version() -> str:
    """``0.1.0+<first 12 digits of the SHA-256 over all our Python files and templates>``."""
    package = Path(__file__).parent
    state = hashlib.sha256()
    for path in sorted(file for pattern in ("*.py", "*.j2", "*.css") for file in package.rglob(pattern)):
        state.update(path.relative_to(package).as_posix().encode())
        state.update(path.read_bytes())
    return f"{__version__}+{state.hexdigest()[:12]}"
