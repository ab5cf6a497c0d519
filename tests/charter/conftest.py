import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pipeline.charter import Charter, read_charter
from pipeline.errors import CharterError, Finding

REPLENISHMENT = Path(__file__).parents[2] / "configs" / "replenishment" / "charter.yaml"
TODAY = date(2026, 11, 23)
MARK = "@@"

Refuse = Callable[..., dict[str, Finding]]


@pytest.fixture(scope="session")
def charter() -> Charter:
    return read_charter(REPLENISHMENT, TODAY)


@pytest.fixture(scope="session")
def canonical(charter: Charter) -> dict[str, Any]:
    return charter.canonical()


@pytest.fixture
def fresh(canonical: dict[str, Any]) -> dict[str, Any]:
    """The canonical values, free to be changed."""
    values: dict[str, Any] = json.loads(json.dumps(canonical))
    return values


@pytest.fixture
def refuse(tmp_path: Path) -> Refuse:
    """Edits the shipped charter, reads it, and returns what was found in it, by the field it was found at.

    Each edit is (text that stands there once, text instead); the ``@@`` in an edit marks the line to be named, and the
    line is checked here: a finding must begin with ``file:line`` of every mark.
    """

    def run(*edits: tuple[str, str], today: date = TODAY) -> dict[str, Finding]:
        text = REPLENISHMENT.read_text(encoding="utf-8")
        for old, new in edits:
            assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the charter"
            text = text.replace(old, new)
        marked = [number for number, line in enumerate(text.splitlines(), start=1) if MARK in line]
        file = tmp_path / "charter.yaml"
        file.write_text(text.replace(MARK, ""), encoding="utf-8")
        with pytest.raises(CharterError) as caught:
            read_charter(file, today)
        findings = caught.value.findings
        places = [finding.place.split(" ")[0] for finding in findings]
        for line in marked:
            assert f"{file}:{line}" in places, f"no finding on line {line}: {places}"
        assert all(finding.found and finding.remedy for finding in findings)
        by_field = {finding.place.partition(" ")[2]: finding for finding in findings}
        assert len(by_field) == len(findings), "a field was told twice"
        return by_field

    return run
