"""Stores that are broken, held, read-only or no stores at all: a clear message, and nothing lost."""

import os
import sqlite3
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from pipeline.ledger import Ledger, all_iterations
from pipeline.models import store
from pipeline.settings import Settings
from tests.cli.calling import assert_refused, contents, landed, mended, refusals, sign
from tests.conftest import Home
from tests.flows.awaiting import a_charter, under_review
from tests.flows.made import PROJECT


def test_a_ledger_whose_chain_is_broken_names_the_event(review, home):
    with closing(sqlite3.connect(home.data / "ledger.db")) as raw:
        (name,) = raw.execute("SELECT name FROM sqlite_master WHERE name LIKE 'landed_events_no_update'").fetchone()
        raw.execute(f"DROP TRIGGER {name}")
        raw.execute("UPDATE landed_events SET actor = 'eve.else' WHERE seq = 2")
        raw.commit()
    before = contents(home.data)
    result = landed("audit", "verify")
    assert_refused(result, 5, "event 2", "restore the ledger from a backup")
    assert contents(home.data) == before


def test_a_ledger_that_is_no_database(home):
    home.data.mkdir()
    (home.data / "ledger.db").write_text("minutes of a meeting\n" * 200)
    before = contents(home.data)
    for command in (["review", "list"], ["audit", "verify"], ["review", "show", "r"]):
        assert_refused(landed(*command), 5, "ledger.db", "not a database")
    assert contents(home.data) == before


def test_a_ledger_that_is_a_folder(home):
    (home.data / "ledger.db").mkdir(parents=True)
    assert_refused(landed("review", "list"), 5, "ledger.db")


def test_a_ledger_url_that_is_none(home, monkeypatch):
    monkeypatch.setenv("LANDED_LEDGER_URL", "somewhere over there")
    assert_refused(landed("review", "list"), 5, "ledger URL", "sqlite:///")


def test_a_ledger_that_another_process_holds(review, home, monkeypatch):
    # As a user meets it, only that nobody wants to wait half a minute here.
    monkeypatch.setitem(Ledger.__init__.__kwdefaults__, "patience", 0.2)
    with closing(sqlite3.connect(home.data / "ledger.db", isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        assert_refused(sign(review, "maria.costa"), 5, "ledger.db", "locked", "try again")
        holder.execute("ROLLBACK")
    assert sign(review, "ana.silva", "hold").exit_code == 0


@pytest.mark.proof
def test_a_tracking_store_that_another_process_holds_leaves_the_iteration_to_be_taken_up(home, monkeypatch):
    monkeypatch.setattr(store, "PATIENCE", 0.2)
    (home.data / "mlflow").mkdir(parents=True)
    with closing(sqlite3.connect(home.data / "mlflow" / "mlflow.db", isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        refused = landed("run", mended(home, lambda values: None), "--data", home.retailer)
    assert_refused(refused, 5, "mlflow.db", "locked")
    with Ledger(Settings().ledger) as ledger:
        (record,) = all_iterations(ledger, PROJECT)
        # Nothing was done yet: the same command takes it up.
        assert record.state == "running"


@contextmanager
def unprivileged(folder: Path):
    """Rights bind inside: root, whom no mode binds, is nobody for a while."""
    paths = [folder, *folder.rglob("*")]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        for path in paths:
            path.chmod(0o755 if path.is_dir() else 0o644)


@pytest.fixture
def open_home(monkeypatch):
    """An installation outside pytest's private folders, which nobody else may enter."""
    with tempfile.TemporaryDirectory(prefix="landed-open-") as folder:
        Path(folder).chmod(0o755)
        yield Home(Path(folder)).enter(monkeypatch)


def test_a_data_folder_that_may_only_be_read(open_home):
    with Ledger(Settings().ledger) as ledger:
        review = under_review(ledger, a_charter(open_home))
    # Everything is imported while it can be.
    assert landed("review", "list").exit_code == 0
    before = contents(open_home.data)
    with unprivileged(open_home.root):
        assert_refused(sign(review, "maria.costa"), 5, str(open_home.data), "Permission denied", "LANDED_DATA")
        assert review.id in landed("review", "list").stdout
        assert "The ledger is whole" in landed("audit", "verify").output
    assert contents(open_home.data) == before


def test_a_ledger_that_may_only_be_read(open_home, home, monkeypatch):
    elsewhere = open_home.root / "record"
    monkeypatch.setenv("LANDED_LEDGER_URL", f"sqlite:///{elsewhere / 'ledger.db'}")
    with Ledger(Settings().ledger) as ledger:
        review = under_review(ledger, a_charter(open_home))
    assert landed("review", "list").exit_code == 0
    writable = open_home.root / "data"
    for folder in (writable, open_home.reports):
        (folder / "prefect").mkdir(parents=True)
        for path in (folder, folder / "prefect"):
            path.chmod(0o777)
    monkeypatch.setenv("LANDED_DATA", str(writable))
    monkeypatch.setenv("LANDED_REPORTS", str(open_home.reports))
    before = contents(elsewhere)
    with unprivileged(elsewhere):
        assert_refused(sign(review, "maria.costa"), 5, "ledger.db", "read-only", "right to write")
    assert contents(elsewhere) == before
    assert not refusals()


@pytest.mark.parametrize("name", ["data", "reports"])
def test_a_file_where_a_folder_should_be(home, name):
    (home.root / name).write_text("not a folder")
    refused = landed("run", mended(home, lambda values: None), "--data", home.retailer)
    assert_refused(refused, 5, str(home.root / name), f"LANDED_{name.upper()}")
    assert (home.root / name).read_text() == "not a folder"
