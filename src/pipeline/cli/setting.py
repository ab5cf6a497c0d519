"""The environment of a command that starts flows: folders made, libraries quiet, stores inside the data folder."""

import os
from pathlib import Path

from pipeline.errors import Finding, LedgerError
from pipeline.settings import Settings


def prepared() -> Settings:
    """Settings, with everything in place that must stand before Prefect or MLflow is imported.

    Raises:
        LedgerError: a folder cannot be made or written.
    """
    settings = Settings()
    for folder in (settings.data, settings.data / "prefect", settings.reports):
        _require_writable(folder)
    os.environ.update(settings.quiet_environment())
    return settings


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
