"""Other libraries to compare with, each pinned in an environment of its own under ``.venv-bench``."""

import subprocess
import sys
from collections.abc import Mapping

from children import ROOT, environment

HOME = ROOT / ".venv-bench"
#: Peer → what pip installs; pandas as far as the peer itself allows it.
PINS: Mapping[str, tuple[str, ...]] = {
    "mlforecast": ("mlforecast==1.1.0", "pandas==2.3.3", "numpy==2.4.6", "pyarrow==25.0.1"),
    "great_expectations": ("great-expectations==1.24.1", "pandas==3.1.1", "numpy==2.4.6", "pyarrow==25.0.1"),
    "stockpyl": ("stockpyl==1.0.2", "numpy==2.4.6"),
}
_PATIENCE = 900.0


class NotMeasured(Exception):
    """A peer could not be installed, so nothing can be said against it."""


def python_of(peer: str) -> str:
    """The peer's own interpreter.

    Raises:
        NotMeasured: with the last line pip said.
    """
    folder = HOME / peer
    python, ready = folder / "bin" / "python", folder / ".ready"
    pins = "\n".join(PINS[peer])
    if ready.exists() and ready.read_text(encoding="utf-8") == pins:
        return str(python)
    commands = [
        [sys.executable, "-m", "venv", str(folder)],
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PINS[peer]],
    ]
    for command in commands:
        try:
            done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=_PATIENCE)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotMeasured(f"{peer} cannot be installed: {error}") from error
        if done.returncode:
            said = done.stderr.strip().splitlines() or ["no reason given"]
            raise NotMeasured(f"{peer} cannot be installed: {said[-1]}")
    ready.write_text(pins, encoding="utf-8")
    return str(python)
