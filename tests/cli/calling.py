"""Calling the command line inside the test's process, and what every refusal of it must look like."""

import hashlib
from pathlib import Path

from click.testing import Result
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.ledger import Event, Ledger, verify
from pipeline.review.requests import ReviewRequest
from pipeline.settings import Settings
from tests.conftest import Home
from tests.flows.made import charter_values, write_yaml


def landed(*arguments: object) -> Result:
    """Run a command as a user types it."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def assert_refused(result: Result, code: int, *words: str) -> None:
    """The documented exit code, a message with place, finding and remedy that holds the words, and no traceback."""
    assert isinstance(result.exception, SystemExit), (result.exception, result.output)
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    # Before it stand at most the lines of steps that went well.
    progress, mark, message = result.stderr.partition("✗ ")
    assert mark, result.stderr
    assert "→" not in progress
    lines = message.splitlines()
    remedies = [place for place, line in enumerate(lines) if line.startswith("    → ")]
    assert remedies, result.stderr
    # Above each remedy stand what was found and, less indented, its place.
    assert all(lines[place - 1].startswith("    ") and lines[place].strip("→ ") for place in remedies), result.stderr
    for word in words:
        assert word in message, (word, result.stderr)


def contents(*folders: Path) -> dict[str, str]:
    """Every file below the folders, by the hash of its content."""
    files = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def mended(home: Home, change) -> Path:
    """The small charter with one change."""
    values = charter_values()
    change(values)
    return write_yaml(home.root / "charter.yaml", values)


def sign(review: ReviewRequest, person: str, decision: str = "hold", *, report: str | None = None, more=()) -> Result:
    """One signature, given on the command line."""
    return landed(
        "review", "sign", review.id, "--as", person, "--decision", decision, "--comment", "Seen.", "--report",
        report or review.report_digest[:12], *more,
    )  # fmt: skip


def refusals() -> list[Event]:
    """The refusals on record, in a chain that is intact."""
    with Ledger(Settings().ledger) as ledger:
        assert verify(ledger).intact
        return [event for event in ledger.events() if event.kind == "review.refused"]
