"""The command ``landed``. Heavy imports stand inside the commands, so that ``landed --help`` answers at once."""

from pipeline.cli import audit, charters, operations, reviews, runs
from pipeline.cli.app import app

__all__ = ["app", "audit", "charters", "main", "operations", "reviews", "runs"]


def main() -> None:
    """Run the command line."""
    app(prog_name="landed")
