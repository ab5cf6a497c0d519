"""The environment of a command that starts flows: folders made, libraries quiet, stores inside the data folder."""

import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.errors import Finding, LedgerError
from pipeline.settings import Settings
from pipeline.stack.environment import client_environment

#: What a worker or dispatcher says in its log and on Prefect's page, whoever starts it; the surroundings may say else.
_SPEAKING = {"PREFECT_LOGGING_LEVEL": "INFO", "PREFECT_LOGGING_TO_API_ENABLED": "true"}


def prepared(*, speaking: bool = False) -> Settings:
    """Settings, with everything in place that must stand before Prefect or MLflow is imported.

    Args:
        speaking: whether Prefect is to log what happens; a command at the terminal stays silent.

    Raises:
        LedgerError: a folder cannot be made or written.
    """
    settings = Settings()
    for folder in (settings.data, settings.data / "prefect", settings.reports):
        _require_writable(folder)
    quiet = {**settings.quiet_environment(), **(_SPEAKING if speaking else {})}
    os.environ.update({name: value for name, value in quiet.items() if "LOGGING" not in name or name not in os.environ})
    # Beside a running stack its Prefect server is used; one of the command's own takes seconds to start.
    beside = client_environment(settings)
    if beside and _answers(beside["PREFECT_API_URL"]):
        os.environ.update(beside)
    return settings


def _answers(url: str) -> bool:
    """Whether somebody listens there; a stack whose server is just being restarted is worked without."""
    address = urlsplit(url)
    try:
        socket.create_connection((str(address.hostname), address.port or 80), timeout=1.0).close()
    except OSError:
        return False
    return True


def _require_writable(folder: Path) -> None:
    probe = folder / ".writable"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink(missing_ok=True)
    except OSError as exc:
        finding = Finding(
            str(folder.absolute()),
            f"it cannot be written: {exc.strerror}",
            "give write access, or name other folders in LANDED_DATA and LANDED_REPORTS",
        )
        raise LedgerError("A folder of Landed's own cannot be used", [finding]) from exc
