import os
import shutil
import sqlite3
import tempfile
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import ChainBroken, LedgerError
from pipeline.ledger import Head, Ledger, verify
from pipeline.ledger.anchors import Anchor
from pipeline.ledger.chain import HASHED, event_hash

EVENTS = 12
COLUMNS = ("seq", "at", "actor", "role", "kind", "project", "subject", "body", "previous", "hash")


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A sound ledger of twelve events, in one file without a write-ahead log."""
    path = tmp_path_factory.mktemp("sound") / "ledger.db"
    with Ledger(f"sqlite:///{path}") as ledger:
        for number in range(EVENTS):
            with ledger.transaction() as tx:
                tx.append("review.signed", "p", f"p-{number}", "ana", "sponsor", {"comment": "Grün ✓", "n": number})
    raw = sqlite3.connect(path)
    raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raw.close()
    return path


def copy_of(sound: Path, folder: Path) -> Path:
    # A name of its own each time: a damaged store's connection may be closed late, and take its -wal file with it.
    handle, name = tempfile.mkstemp(suffix=".db", dir=folder)
    os.close(handle)
    path = Path(name)
    shutil.copy(sound, path)
    return path


def tamper(path, *statements):
    """What somebody with the file and a SQLite shell can do: the triggers are dropped first."""
    raw = sqlite3.connect(path)
    for name in ("no_update", "no_delete", "in_order"):
        raw.execute(f"DROP TRIGGER landed_events_{name}")
    for statement in statements:
        raw.execute(*statement) if isinstance(statement, tuple) else raw.execute(statement)
    raw.commit()
    raw.close()


def noted(head):
    return Anchor(head.seq, head.hash, "a mail")


def status_of(path, anchor=None):
    with Ledger(f"sqlite:///{path}") as ledger:
        return verify(ledger, [noted(anchor)] if anchor else [])


def head_of(path):
    with Ledger(f"sqlite:///{path}") as ledger:
        return ledger.head()


def test_a_sound_chain_is_intact_on_every_store(ledger):
    for number in range(5):
        with ledger.transaction() as tx:
            tx.append("k", "p", "s", "ana", "", {"number": number})
    status = verify(ledger, [noted(ledger.head())])
    assert status.intact
    assert (status.events, status.head) == (5, ledger.head())
    status.require()


def test_an_empty_ledger_is_intact(ledger):
    assert verify(ledger).intact
    assert verify(ledger).events == 0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, EVENTS), st.sampled_from(COLUMNS), st.data())
def test_any_edit_of_any_field_of_any_event_is_detected(sound, tmp_path, seq, column, data):
    path = copy_of(sound, tmp_path)
    raw = sqlite3.connect(path)
    before = raw.execute(f"SELECT {column} FROM landed_events WHERE seq = ?", (seq,)).fetchone()[0]  # noqa: S608
    raw.close()
    if column == "seq":
        after = data.draw(st.integers(-3, EVENTS + 3).filter(lambda value: not 1 <= value <= EVENTS))
    else:
        old = before.encode()
        place = data.draw(st.integers(0, len(old) - 1))
        byte = data.draw(st.integers(0, 255).filter(lambda value: value != old[place]))
        after = old[:place] + bytes([byte]) + old[place + 1 :]
    cast = "?" if column == "seq" else "CAST(? AS TEXT)"
    tamper(path, (f"UPDATE landed_events SET {column} = {cast} WHERE seq = ?", (after, seq)))  # noqa: S608
    status = status_of(path)
    assert not status.intact
    assert status.events <= seq


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_flipped_byte_of_the_file_is_detected_or_changes_no_event(sound, tmp_path, data):
    path = copy_of(sound, tmp_path)
    with Ledger(f"sqlite:///{path}") as ledger:
        original, anchor = list(ledger.events()), ledger.head()
    path = copy_of(sound, tmp_path)
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    with suppress(LedgerError), Ledger(f"sqlite:///{path}") as ledger:  # a store too damaged to be read says so
        assert not verify(ledger, [noted(anchor)]).intact or list(ledger.events()) == original


def test_a_schema_whose_names_are_no_text_is_told_as_damage(sound, tmp_path):
    path = copy_of(sound, tmp_path)
    content = path.read_bytes()
    # In sqlite_master an object's kind, name and table stand before its statement, one after the other.
    assert content.count(b"triggerlanded_events_no_update") == 1
    path.write_bytes(content.replace(b"triggerlanded_events_no", b"triggerl\xe1nded_events_no"))
    with pytest.raises(LedgerError, match="damaged"), Ledger(f"sqlite:///{path}") as ledger:
        list(ledger.events())


@pytest.mark.parametrize("name", HASHED[1:])
def test_a_text_that_became_bytes_is_detected(sound, tmp_path, name):
    path = copy_of(sound, tmp_path)
    tamper(path, f"UPDATE landed_events SET {name} = CAST({name} AS BLOB) WHERE seq = 4")  # noqa: S608
    assert status_of(path).fault_at == 4


def test_a_changed_event_is_named(sound, tmp_path):
    path = copy_of(sound, tmp_path)
    tamper(path, "UPDATE landed_events SET actor = 'eve' WHERE seq = 7")
    status = status_of(path)
    assert (status.events, status.fault_at) == (6, 7)
    assert "event 7 (review.signed" in status.fault.place
    assert "was changed" in status.fault.found
    with pytest.raises(ChainBroken, match="event 7"):
        status.require()


def test_a_missing_event_is_named(sound, tmp_path):
    path = copy_of(sound, tmp_path)
    tamper(path, "DELETE FROM landed_events WHERE seq = 5")
    status = status_of(path)
    assert (status.events, status.fault_at) == (4, 5)
    assert "event 5 is missing" in status.fault.found


def test_an_event_removed_with_those_after_it_renumbered_and_rehashed_is_seen_at_the_gap(sound, tmp_path):
    path = copy_of(sound, tmp_path)
    raw = sqlite3.connect(path)
    raw.row_factory = sqlite3.Row
    rows = [dict(row) for row in raw.execute("SELECT * FROM landed_events WHERE seq > 5 ORDER BY seq")]
    raw.close()
    changes = ["DELETE FROM landed_events WHERE seq = 5"]
    for row in rows:
        moved = {**row, "seq": row["seq"] - 1}
        values = (moved["seq"], event_hash(row["previous"], moved), row["seq"])
        changes.append(("UPDATE landed_events SET seq = ?, hash = ? WHERE seq = ?", values))
    tamper(path, *changes)
    status = status_of(path)
    assert status.fault_at == 5
    assert "does not follow" in status.fault.found


def test_two_events_that_changed_places_are_named_as_moved(sound, tmp_path):
    path = copy_of(sound, tmp_path)
    tamper(path, *(("UPDATE landed_events SET seq = ? WHERE seq = ?", pair) for pair in ((99, 3), (3, 4), (4, 99))))
    status = status_of(path)
    assert status.fault_at == 3
    assert "was moved: it was written as event 4" in status.fault.found


def test_an_event_slipped_in_before_the_first_is_detected(sound, tmp_path):
    path = copy_of(sound, tmp_path)
    tamper(path, "INSERT INTO landed_events SELECT 0, at, actor, role, kind, project, subject, body, previous, 'x' "
                 "FROM landed_events WHERE seq = 1")  # fmt: skip
    assert not status_of(path).intact


def test_a_cut_off_end_is_seen_against_a_head_that_was_noted_down(sound, tmp_path):
    path = copy_of(sound, tmp_path)
    anchor = head_of(path)
    tamper(path, "DELETE FROM landed_events WHERE seq > 9")
    assert status_of(path).intact
    status = status_of(path, anchor)
    assert (status.events, status.fault_at) == (9, 10)
    assert "the ledger ends at event 9, but event 12 was noted down" in status.fault.found


def test_a_chain_written_anew_is_seen_against_a_head_that_was_noted_down(tmp_path):
    heads = []
    for word in ("one", "two"):
        with Ledger(f"sqlite:///{tmp_path / word}.db") as ledger, ledger.transaction() as tx:
            tx.append("k", "p", "s", "ana", "", {"word": word})
            tx.append("k", "p", "s", "ana", "", {})
        heads.append(head_of(tmp_path / f"{word}.db"))
    status = status_of(tmp_path / "two.db", heads[0])
    assert "rewritten" in status.fault.found
    assert status_of(tmp_path / "two.db", heads[1]).intact


def test_an_older_head_is_still_good_when_the_ledger_has_grown(sound, tmp_path):
    path = copy_of(sound, tmp_path)
    anchor = head_of(path)
    with Ledger(f"sqlite:///{path}") as ledger, ledger.transaction() as tx:
        tx.append("k", "p", "s", "ana", "", {})
    assert status_of(path, anchor).intact
    assert not status_of(path, Head(EVENTS, "0" * 64)).intact


def test_an_edited_event_is_detected_on_postgresql_too(server):
    url = server.new_url()
    schema = url.rsplit("%3D", 1)[1]
    with Ledger(url) as ledger:
        with ledger.transaction() as tx:
            for number in range(3):
                tx.append("k", "p", "s", "ana", "", {"number": number})
        with server.connect() as connection:
            connection.execute(f"SET search_path = {schema}")
            connection.execute("ALTER TABLE landed_events DISABLE TRIGGER USER")
            connection.execute("""UPDATE landed_events SET body = '{"number":9}' WHERE seq = 2""")
        assert verify(ledger).fault_at == 2


def test_memory_does_not_grow_with_the_ledger(tmp_path):
    peaks = []
    for events in (4000, 12000):
        with Ledger(f"sqlite:///{tmp_path / str(events)}.db") as ledger:
            with ledger.transaction() as tx:
                for number in range(events):
                    tx.append("k", "p", "s", "ana", "", {"number": number})
            tracemalloc.start()
            assert verify(ledger).events == events
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]
