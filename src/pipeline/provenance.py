"""Which code this is, and what it runs on: a hash of the sources as they are, committed or not, and all packages."""

import hashlib
import platform
from functools import cache
from importlib.metadata import distributions
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


@cache
def environment() -> str:
    """Python, system and every installed package with its version, a line each, in the form of a requirements file."""
    found = {(one.metadata["Name"] or "").lower(): one.version for one in distributions()}
    packages = "".join(f"{name}=={version}\n" for name, version in sorted(found.items()) if name)
    return f"# Python {platform.python_version()}, {platform.system()} {platform.machine()}\n{packages}"
