"""`landed ingest` as a user types it."""

import pytest

from pipeline.ledger import Ledger
from pipeline.settings import Settings
from tests.cli.calling import assert_refused, contents, landed
from tests.flows.made import charter_values, write_yaml
from tests.monitoring.made import tables_until, week, write


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("export") / "exports"


def test_a_delivery_is_shown_taken_in_and_told_the_second_time(home, place):
    rules = write_yaml(home.root / "charter.yaml", charter_values())
    location = write(tables_until(place, 120), home.root / "chain")
    delivery = write(tables_until(place, 121), home.root / "d")
    result = landed("ingest", rules, delivery, "--data", location)
    assert result.exit_code == 0, result.output
    row = next(line for line in result.stdout.splitlines() if line.strip().startswith("sales"))
    assert f"{week(121)} to {week(121)}" in row
    assert f"holds data up to {week(121)}, which ended with {week(120)} before" in result.stdout
    assert "the former state is kept as dataset" in result.stdout
    before = contents(home.root)
    again = landed("ingest", rules, delivery, "--data", location)
    assert again.exit_code == 0
    assert "Nothing to do" in again.stdout
    assert contents(home.root) == before
    old = write(tables_until(place, 119), home.root / "old")
    refused = landed("ingest", rules, old, "--data", location)
    assert_refused(refused, 4, "lose history", "rows of past periods", "--replace 'the reason'")
    assert_refused(landed("ingest", rules, old, "--data", location, "--replace", " "), 4, "empty reason")
    assert landed("ingest", rules, old, "--data", location, "--replace", "tills restated").exit_code == 0
    with Ledger(Settings().ledger) as ledger:
        told = [event for event in ledger.events() if event.kind.startswith("data.")]
    assert [event.kind for event in told] == ["data.ingested", "data.refused", "data.ingested"]
    assert {event.actor for event in told} == {"robin"}


def test_a_folder_that_is_not_there_is_told(home):
    rules = write_yaml(home.root / "charter.yaml", charter_values())
    assert_refused(landed("ingest", rules, home.root / "none"), 3, str(home.root / "none"), "No such file")
