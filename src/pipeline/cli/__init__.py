"""The command ``landed``. Heavy imports stand inside the commands, so that ``landed --help`` answers at once."""

from pipeline.cli import (
    audit,
    backups,
    charters,
    controls,
    doctor,
    ingest,
    operations,
    outcomes,
    people,
    reviews,
    rollout,
    runs,
    site,
    starting,
    workers,
)
from pipeline.cli.app import app

__all__ = [
    "app",
    "audit",
    "backups",
    "charters",
    "controls",
    "doctor",
    "ingest",
    "main",
    "operations",
    "outcomes",
    "people",
    "reviews",
    "rollout",
    "runs",
    "site",
    "starting",
    "workers",
]


def main() -> None:
    """Run the command line."""
    app(prog_name="landed")
