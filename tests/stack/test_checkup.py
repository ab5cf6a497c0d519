"""`landed doctor`: each fault is found, said with its remedy, and nothing is changed by looking."""

import json
import socket
import sqlite3
import webbrowser
from contextlib import closing

import pytest
from packaging.requirements import Requirement
from pydantic import SecretStr

from pipeline.ledger import Ledger
from pipeline.settings import Settings
from pipeline.stack.checkup import browser, checkup, disk, folders, installed, packages, ports, python, required
from tests.cli.calling import contents, landed


def by_name(settings):
    return {one.name: one for one in checkup(settings)}


def test_a_sound_installation_is_told_so_and_nothing_is_made(home):
    before = contents(home.root)
    found = by_name(Settings())
    assert {name: one.outcome for name, one in found.items() if one.outcome == "fail"} == {}
    for name in ("Python", "packages", "LANDED_DATA", "LANDED_REPORTS", "disk", "ledger", "MLflow's store", "Prefect"):
        assert name in found
    assert "made at the first run" in found["ledger"].found
    assert contents(home.root) == before
    assert not home.data.exists()


def test_a_ledger_that_was_changed_fails(home):
    home.data.mkdir()
    with Ledger(Settings().ledger) as ledger:
        with ledger.transaction() as tx:
            tx.append("x", "p", "s", "robin", "", {"value": 1})
        assert by_name(Settings())["ledger"].outcome == "ok"
        path = ledger.path
    with closing(sqlite3.connect(path)) as connection, connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f'DROP TRIGGER "{name}"')
        connection.execute("""UPDATE landed_events SET body = '{"value":2}'""")
    found = by_name(Settings())["ledger"]
    assert found.outcome == "fail"
    assert found.remedy
    assert landed("doctor").exit_code == 1


@pytest.mark.parametrize(
    ("setting", "value", "name"),
    [
        ("ledger_url", SecretStr("mysql://here/db"), "ledger"),
        ("mlflow_url", SecretStr("mysql://here/db"), "MLflow's store"),
        ("prefect_url", "ftp://here", "Prefect"),
    ],
)
def test_a_store_that_cannot_be_used_is_named_with_a_remedy_and_the_others_are_still_looked_at(
    home, setting, value, name
):
    found = by_name(Settings(**{setting: value}))
    assert found[name].outcome == "fail"
    assert found[name].remedy
    assert sum(one.outcome == "fail" for one in found.values()) == 1


def test_a_tracking_store_that_is_no_database_fails(home):
    (home.data / "mlflow").mkdir(parents=True)
    (home.data / "mlflow" / "mlflow.db").write_text("no database at all, whatever its name says")
    found = by_name(Settings())["MLflow's store"]
    assert (found.outcome, "restore it from a backup" in found.remedy) == ("fail", True)


def test_packages_are_held_against_what_was_tested_together():
    asked = (Requirement("alpha>=1,<2"), Requirement("beta>=3"), Requirement("gamma"))
    found = list(packages({"alpha": "2.0", "gamma": "0.1"}, asked))
    assert [(one.name, one.outcome) for one in found] == [("alpha", "fail"), ("beta", "fail")]
    assert "<2" in found[0].found
    assert [one.outcome for one in packages(installed(), required())] == ["ok"]
    assert {"prefect", "mlflow", "pandas"} <= {one.name for one in required()}
    assert "boto3" not in {one.name for one in required()}


def test_folders_that_cannot_be_written_and_disks_that_are_full(tmp_path):
    (tmp_path / "file").write_text("")
    (one,) = folders({"LANDED_DATA": tmp_path / "file"})
    assert (one.outcome, "LANDED_DATA" in one.remedy) == ("fail", True)
    assert [disk(free).outcome for free in (0.5, 3.0, 50.0)] == ["fail", "warn", "ok"]
    assert python((3, 10, 4)).outcome == "fail"


def test_a_port_that_is_taken_is_a_warning(home, monkeypatch):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        monkeypatch.setattr("pipeline.stack.checkup.WANTED", {"mlflow": server.getsockname()[1]})
        (one,) = ports(Settings())
    assert (one.name, one.outcome) == ("port of mlflow", "warn")


def test_without_a_browser_it_says_where_the_page_can_be_read(monkeypatch):
    def none(using=None):
        raise webbrowser.Error("none")

    monkeypatch.setattr(webbrowser, "get", none)
    assert (browser().outcome, "evidence.html" in browser().remedy) == ("warn", True)


def test_the_command_shows_signs_and_remedies_and_json(home):
    shown = landed("doctor")
    assert shown.exit_code == 0, shown.output
    assert "✓ Python" in shown.output
    found = json.loads(landed("doctor", "--json").stdout)
    assert {"name", "outcome", "found", "remedy"} == set(found[0])
