"""What feedback may change: every entry of the shipped charters, offered as it is and read back as it was."""

from datetime import date
from pathlib import Path

import pytest

from pipeline.charter.patching import apply_patch
from pipeline.charter.reading import read_charter
from pipeline.errors import Finding
from pipeline.web.changes import as_text, as_value, entries

CHARTERS = sorted((Path(__file__).parents[2] / "configs").glob("*/charter.yaml"))


@pytest.mark.parametrize("path", CHARTERS, ids=lambda path: path.parent.name)
def test_every_entry_is_a_place_a_patch_may_name_with_the_value_it_has(path):
    charter = read_charter(path, date(2026, 11, 2))
    found = entries(charter)
    assert {entry.section for entry in found} == {"model", "policy", "scope"}
    for entry in found:
        assert as_value(entry.text, entry.now) == entry.now, entry
        assert apply_patch(charter, {entry.path: entry.now}).digest == charter.digest
        assert entry.meaning, entry.path


@pytest.mark.parametrize(
    ("text", "now", "value"),
    [("0.97", 0.95, 0.97), ("3", 2, 3), ("yes", False, True), ("no", True, False), ("a, b ,", ["x"], ["a", "b"]),
     ("all", "stage", "all"), ('{"product": ["p7"]}', {}, {"product": ["p7"]})],
)  # fmt: skip
def test_what_is_typed_is_read_as_the_kind_it_replaces(text, now, value):
    assert as_value(text, now) == value
    assert as_value(as_text(value), value) == value


@pytest.mark.parametrize(
    ("text", "now"), [("a lot", 1), ("NaN", 0.5), ("Infinity", 0.5), ("true", 1), ("maybe", True), ("[1]", {}), ("", 2)]
)
def test_what_is_no_such_value_is_a_finding(text, now):
    assert isinstance(as_value(text, now), Finding)
