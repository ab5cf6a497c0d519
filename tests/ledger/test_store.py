import os
import sqlite3
import stat
import tempfile
import threading
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from multiprocessing import get_context
from pathlib import Path

import pytest
from sqlalchemy.exc import SQLAlchemyError

from pipeline.errors import ChainBroken, LedgerError, Refused
from pipeline.ledger import Ledger, pending, tables, verify
from tests.ledger.racing import append_some, die_in_the_middle


def append(tx, number=1, project="p", kind="test.happened"):
    return tx.append(kind, project, f"s{number}", "ana", "sponsor", {"number": number, "text": "é\n\u2028"})


def test_an_event_reads_back_as_it_was_written(ledger):
    with ledger.transaction() as tx:
        written = append(tx)
    assert list(ledger.events()) == [written]
    assert written.seq == 1
    assert written.previous == "0" * 64
    assert datetime.fromisoformat(written.at).utcoffset() == timedelta(0)
    assert (ledger.head().seq, ledger.head().hash) == (1, written.hash)


def test_times_are_utc_whatever_the_clocks_zone(url):
    noon = datetime(2026, 6, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    with Ledger(url, now=lambda: noon) as ledger, ledger.transaction() as tx:
        assert append(tx).at == "2026-06-01T10:00:00.000000+00:00"


def test_events_are_filtered_and_paged_in_order(ledger):
    with ledger.transaction() as tx:
        for number in range(4500):
            append(tx, number, project="ab"[number % 2], kind=("k.one", "k.two")[number % 3 == 0])
    assert [event.seq for event in ledger.events()] == list(range(1, 4501))
    assert [event.body["number"] for event in ledger.events(project="a")] == list(range(0, 4500, 2))
    assert [event.seq for event in ledger.events(kind="k.two", after=4000)] == list(range(4003, 4501, 3))


def test_a_block_that_fails_leaves_nothing(ledger):
    def block():
        with ledger.transaction() as tx:
            append(tx)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        block()
    assert list(ledger.events()) == []


def test_ctrl_c_inside_a_block_leaves_nothing_and_the_next_block_works(ledger):
    def block():
        with ledger.transaction() as tx:
            append(tx)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        block()
    with ledger.transaction() as tx:
        append(tx)
    assert verify(ledger).events == 1


def test_a_refusal_rolls_back_the_block_and_records_the_attempt(ledger):
    def block():
        with ledger.transaction() as tx:
            append(tx)
            tx.note_refusal("test.refused", "p", "s", "bob", "", {"why": "no"})
            raise Refused("no")

    with pytest.raises(Refused, match="no"):
        block()
    assert [(event.kind, event.actor, event.body) for event in ledger.events()] == [
        ("test.refused", "bob", {"why": "no"})
    ]


def test_a_noted_refusal_of_a_block_that_goes_through_is_not_recorded(ledger):
    with ledger.transaction() as tx:
        tx.note_refusal("test.refused", "p", "s", "bob", "", {})
        append(tx)
    assert [event.kind for event in ledger.events()] == ["test.happened"]


@pytest.mark.parametrize("statement", ["UPDATE landed_events SET actor = 'eve'", "DELETE FROM landed_events"])
def test_the_store_itself_refuses_to_change_or_delete_an_event(ledger, statement):
    with ledger.transaction() as tx:
        append(tx)
    with pytest.raises(LedgerError, match="append-only"), ledger.transaction() as tx:
        tx._connection.exec_driver_sql(statement)
    assert verify(ledger).intact


def test_postgresql_refuses_to_truncate_events(server):
    with Ledger(server.new_url()) as ledger:
        with ledger.transaction() as tx:
            append(tx)
        with pytest.raises(LedgerError, match="append-only"), ledger.transaction() as tx:
            tx._connection.exec_driver_sql("TRUNCATE landed_events CASCADE")
        assert verify(ledger).events == 1


@pytest.mark.parametrize("seq", [1, 3, 0, -1])
def test_sqlite_refuses_an_insert_that_does_not_extend_the_chain(file_ledger, seq):
    with file_ledger.transaction() as tx:
        append(tx)
    raw = sqlite3.connect(file_ledger.path)
    try:
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            raw.execute(
                "INSERT OR REPLACE INTO landed_events VALUES (?, 'a', 'a', 'a', 'a', 'a', 'a', '{}', 'a', 'a')", (seq,)
            )
    finally:
        raw.close()


def test_threads_append_one_after_the_other(ledger):
    def work(number):
        for step in range(10):
            with ledger.transaction() as tx:
                append(tx, number * 100 + step)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert verify(ledger).events == 40
    assert len({event.body["number"] for event in ledger.events()}) == 40


def test_processes_that_open_a_new_ledger_together_make_one_chain(url):
    context = get_context("spawn")
    processes = [context.Process(target=append_some, args=(url, 20)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    with Ledger(url) as ledger:
        assert verify(ledger).events == 80


def test_a_writer_that_is_killed_leaves_nothing_half_done_and_blocks_nobody(url):
    process = get_context("spawn").Process(target=die_in_the_middle, args=(url,))
    process.start()
    process.join(60)
    assert process.exitcode == -9
    with Ledger(url, patience=5) as ledger:
        with ledger.transaction() as tx:
            append(tx)
        assert [event.kind for event in ledger.events()] == ["test.happened"] * 2
        assert pending(ledger) == ()
        assert verify(ledger).intact


def test_the_file_is_made_with_its_folders_and_for_its_owner_only(tmp_path):
    path = tmp_path / "deep" / "er" / "ledger.db"
    with Ledger(f"sqlite:///{path}") as ledger:
        assert not path.exists()
        with ledger.transaction() as tx:
            append(tx)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_reader_is_not_held_up_by_a_writer(ledger):
    with ledger.transaction() as tx:
        append(tx)
    with ledger.transaction() as tx:
        append(tx)
        assert len(list(ledger.events())) == 1
        assert len(tx.rows(tables.events.select())) == 2


def test_a_relative_path_stays_the_same_file_when_the_working_folder_changes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ledger = Ledger("sqlite:///ledger.db")
    monkeypatch.chdir("/")
    with ledger.transaction() as tx:
        append(tx)
    assert (tmp_path / "ledger.db").exists()


# ---- troubles: each names the store, says what was found and what to do, and shows no traceback of a library ----


@contextmanager
def refused(match):
    with pytest.raises(LedgerError, match=match) as caught:
        yield caught
    assert caught.value.findings
    assert all(finding.remedy for finding in caught.value.findings)
    assert "Traceback" not in str(caught.value)
    assert "sqlalche.me" not in str(caught.value)
    assert not isinstance(caught.value, SQLAlchemyError)


def test_a_locked_store_is_named_after_the_patience_is_over(url):
    with Ledger(url, patience=0.2) as one, Ledger(url, patience=0.2) as other, one.transaction() as tx:
        append(tx)
        with refused("locked by another process"), other.transaction():
            pass


@contextmanager
def ordinary_user():
    """Root may write anything, so step down for a moment."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def public_folder():
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)
        Path(name).chmod(0o755)


@pytest.mark.parametrize("folder_mode", [0o555, 0o777])
def test_a_read_only_store_can_be_read_and_verified_but_not_written(public_folder, folder_mode):
    url = f"sqlite:///{public_folder / 'ledger.db'}"
    with Ledger(url) as ledger, ledger.transaction() as tx:
        append(tx)
    (public_folder / "ledger.db").chmod(0o444)
    public_folder.chmod(folder_mode)
    with ordinary_user(), Ledger(url) as ledger:
        assert verify(ledger).events == 1
        with refused("read-only"), ledger.transaction() as tx:
            append(tx)


def test_a_folder_that_may_not_be_written_is_named(public_folder):
    public_folder.chmod(0o555)
    with ordinary_user(), refused("cannot be reached"), Ledger(f"sqlite:///{public_folder}/new.db").transaction():
        pass


def test_postgresql_in_read_only_mode_is_named(server):
    url = server.new_url()
    with Ledger(url) as ledger, ledger.transaction() as tx:
        append(tx)
    read_only = url.replace("&options=", "&options=-cdefault_transaction_read_only%3Don%20")
    with Ledger(read_only) as ledger:
        assert verify(ledger).events == 1
        with refused("read-only"), ledger.transaction() as tx:
            append(tx)


def test_a_file_that_is_no_database_is_named_and_left_alone(tmp_path):
    path = tmp_path / "notes.db"
    path.write_bytes(b"These are my notes, not a database. " * 50)
    before = path.read_bytes()
    with refused("damaged or is not a ledger"), Ledger(f"sqlite:///{path}").transaction():
        pass
    assert path.read_bytes() == before


def test_a_damaged_database_is_named(file_ledger):
    with file_ledger.transaction() as tx:
        for number in range(200):
            append(tx, number)
    raw = bytearray(file_ledger.path.read_bytes())
    raw[4096 : len(raw)] = b"\xff" * (len(raw) - 4096)
    file_ledger.path.write_bytes(raw)
    with refused("damaged"), Ledger(f"sqlite:///{file_ledger.path}") as ledger:
        list(ledger.events())


@pytest.mark.parametrize("place", ["a folder", "below a file"])
def test_a_path_that_cannot_be_a_file_is_named(tmp_path, place):
    (tmp_path / "file").write_text("x")
    path = tmp_path if place == "a folder" else tmp_path / "file" / "ledger.db"
    with refused("cannot be reached"), Ledger(f"sqlite:///{path}").transaction():
        pass


def test_a_server_that_is_not_there_is_named_without_the_password():
    url = "postgresql://ana:secret-word@127.0.0.1:1/ledger"
    with refused("cannot be reached") as caught, Ledger(url).transaction():
        pass
    assert "secret-word" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("mysql://host/db", "unknown kind"),
        ("not a url: secret", "no URL"),
        ("", "no URL"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
    ],
)
def test_a_url_of_no_known_store_is_refused(url, match):
    with refused(match) as caught:
        Ledger(url)
    assert "secret" not in str(caught.value)


def test_a_ledger_of_another_version_is_not_touched(ledger, url):
    with ledger.transaction() as tx:
        tx.execute(tables.about.update().values(value="999"))
    with refused("another version"), Ledger(url) as later, later.transaction():
        pass


def test_a_body_that_was_damaged_is_named_when_read(file_ledger):
    with file_ledger.transaction() as tx:
        append(tx)
    raw = sqlite3.connect(file_ledger.path)
    raw.execute("DROP TRIGGER landed_events_no_update")
    raw.execute("UPDATE landed_events SET body = '{'")
    raw.commit()
    raw.close()
    with pytest.raises(ChainBroken, match="landed audit verify"):
        list(file_ledger.events())


def test_a_ledger_in_a_database_with_other_tables_leaves_them_alone(server):
    url = server.new_url()
    schema = url.rsplit("%3D", 1)[1]
    with server.connect() as connection:
        connection.execute(f"CREATE TABLE {schema}.events (id int)")
    with Ledger(url) as ledger, ledger.transaction() as tx:
        append(tx)
    with server.connect() as connection:
        connection.execute(f"SET search_path = {schema}")
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (0,)


def test_a_ledger_survives_the_loss_of_its_servers_connections(server):
    with Ledger(server.new_url()) as ledger:
        with ledger.transaction() as tx:
            append(tx)
        with server.connect() as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        with ledger.transaction() as tx:
            append(tx)
        assert verify(ledger).events == 2
