"""A ledger kept open for a server: quicker, and never another file than the one at its path."""

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline.errors import LedgerError
from pipeline.ledger import Ledger, verify
from pipeline.ledger.store import last_event


def note(ledger: Ledger, words: str) -> None:
    with ledger.transaction() as tx:
        tx.append("test.noted", "", words, "tests", "", {})


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'ledger.db'}"


def test_it_sees_what_others_write_and_they_see_what_it_writes(url):
    with Ledger(url, kept_open=True) as kept, Ledger(url) as other:
        note(kept, "one")
        note(other, "two")
        assert [event.subject for event in kept.events()] == ["one", "two"]
        note(kept, "three")
        assert [event.subject for event in other.events()] == ["one", "two", "three"]
        assert verify(other).intact


def test_a_restored_file_is_taken_up_at_the_next_question(url, tmp_path):
    with Ledger(url) as first:
        note(first, "kept in the backup")
    shutil.copy(tmp_path / "ledger.db", tmp_path / "backup.db")
    with Ledger(url, kept_open=True) as kept:
        note(kept, "lost with the machine")
        assert kept.head().seq == 2
        for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
            (tmp_path / name).unlink(missing_ok=True)
        shutil.copy(tmp_path / "backup.db", tmp_path / "ledger.db")
        assert [event.subject for event in kept.events()] == ["kept in the backup"]
        note(kept, "after the restore")
    with Ledger(url) as other:
        assert [event.subject for event in other.events()] == ["kept in the backup", "after the restore"]
        assert verify(other).intact


def test_a_file_that_is_gone_is_said_and_not_forgotten(url, tmp_path):
    with Ledger(url, kept_open=True) as kept:
        note(kept, "one")
        for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
            (tmp_path / name).unlink(missing_ok=True)
        with pytest.raises(LedgerError):
            kept.head()


def test_many_threads_share_it(url):
    with Ledger(url, kept_open=True) as kept:
        note(kept, "first")
        start = threading.Barrier(20)

        def use(number: int) -> int:
            start.wait(timeout=60)
            note(kept, str(number))
            with kept.reading() as reader:
                return last_event(reader).seq

        with ThreadPoolExecutor(20) as pool:
            seen = list(pool.map(use, range(20)))
        assert min(seen) >= 2
        assert max(seen) == 21
        assert kept.head().seq == 21
        assert verify(kept).intact
