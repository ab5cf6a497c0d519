"""A backup is of one moment, and whole and verified when it is put back; anything else is refused by name."""

import hashlib
import json
import shutil
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select

from pipeline.audit.verification import audit
from pipeline.backups.restoring import restore
from pipeline.backups.taking import take
from pipeline.errors import ChainBroken, DataError, LedgerError
from pipeline.ledger import Ledger, tables, verify
from pipeline.ledger.anchors import Anchor, read
from pipeline.ledger.copying import fill
from pipeline.settings import Settings
from tests.audit.made import PROJECT, Installation
from tests.cli.calling import landed


def taken(made, folder):
    with made.ledger() as ledger:
        return take(ledger, made.settings, folder)


def content(ledger):
    """Every row of every table, as text."""
    return {
        table.name: [
            str(sorted(row.items())) for row in ledger.rows(select(table).order_by(*table.primary_key.columns))
        ]
        for table in tables.metadata.sorted_tables
    }


def test_what_is_put_back_elsewhere_is_what_was_taken_and_verifies(made, tmp_path):
    backup = taken(made, tmp_path / "backup")
    other = Installation(tmp_path / "other")
    restored = restore(backup.folder, other.settings)
    assert restored.head == backup.head
    with made.ledger() as before, other.ledger() as after:
        assert content(after) == content(before)
        found = audit(
            after, other.settings, known=(Anchor(restored.head.seq, restored.head.hash, "the backup"),), deep=True
        )
        found.require()
        assert found.chain.events == backup.head.seq
    for folder in ("data/models", "data/datasets", "reports"):
        files = [path.relative_to(made.root) for path in (made.root / folder).rglob("*") if path.is_file()]
        assert files
        for path in files:
            assert (other.root / path).read_bytes() == (made.root / path).read_bytes()
    assert stat.S_IMODE(other.database.stat().st_mode) == 0o600


def test_secrets_and_keys_are_not_in_it_and_it_says_so(made, tmp_path):
    for name in ("secrets/prefect", "prefect/prefect.db", "logs/worker.log", "run/stack.json", ".cache/half"):
        path = made.root / "data" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("hush", encoding="utf-8")
    backup = taken(made, tmp_path / "backup")
    key = (made.root / "data" / "keys" / "ledger.key").read_bytes().strip()
    for path in backup.folder.rglob("*"):
        if path.is_file():
            found = path.read_bytes()
            assert found != b"hush", path
            assert key not in found, path
    assert (backup.folder / "ledger.pub").exists()
    assert "keep them apart" in backup.without[0]


def test_a_backup_taken_while_others_write_is_of_one_moment(made, tmp_path):
    """Somebody reports all the while: a pack first, then its event; no pack of the backup is newer than its ledger."""
    begun, ended = threading.Event(), threading.Event()

    def report():
        number = 0
        with made.ledger() as ledger:
            while not ended.is_set() or not begun.is_set():
                number += 1
                folder = made.root / "reports" / PROJECT / f"iteration-{number + 10}"
                folder.mkdir()
                head = ledger.head()
                twin = {"evidence": {"head": {"seq": head.seq, "hash": head.hash}}}
                (folder / ".evidence.json.tmp").write_text(json.dumps(twin), encoding="utf-8")
                (folder / ".evidence.json.tmp").rename(folder / "evidence.json")
                with ledger.transaction() as tx:
                    tx.append("review.applied", PROJECT, f"made-{number}", "robin", "", {"decision": "hold"})
                begun.set()

    writer = threading.Thread(target=report)
    writer.start()
    begun.wait(60)
    backup = taken(made, tmp_path / "backup")
    ended.set()
    writer.join(60)
    other = Installation(tmp_path / "other")
    restore(backup.folder, other.settings)
    with made.ledger() as before, other.ledger() as after:
        assert verify(before).events > verify(after).events
        heads = [
            json.loads(path.read_text(encoding="utf-8"))["evidence"]["head"]["seq"]
            for path in (other.root / "reports" / PROJECT).glob("iteration-*/evidence.json")
        ]
        packs = {path.name for path in (other.root / "reports" / PROJECT).glob("iteration-??")}
        reported = {event.subject for event in after.events(kind="review.applied") if event.subject.startswith("made-")}
        assert reported
        assert max(heads) <= after.head().seq
        assert {f"iteration-{int(name.removeprefix('made-')) + 10}" for name in reported} <= packs
        anchors = read(after.notary.anchors)
        assert verify(after, anchors).intact


@pytest.mark.parametrize("way", ["to PostgreSQL", "from PostgreSQL"])
def test_a_ledger_moves_between_the_stores_with_every_row(made, tmp_path, server, way):
    url = server.new_url()
    with made.ledger() as file, Ledger(url) as database:
        fill(file, database)
        before = content(file)
        assert content(database) == before
        assert verify(database).intact
        assert database.unguarded() == ()
    kept = Settings(data=tmp_path / "pg", reports=made.settings.reports, ledger_url=url)
    kept.data.mkdir()
    if way == "to PostgreSQL":
        with (
            Ledger(url) as database,
            pytest.raises(LedgerError, match="only put back into an empty one"),
            made.ledger() as file,
        ):
            fill(file, database)
        return
    with Ledger(url) as database:
        database.notary.anchors = made.root / "data" / "anchors.jsonl"
        backup = take(database, kept, tmp_path / "backup")
    assert "nothing else of the ledger's database server" in backup.without
    other = Installation(tmp_path / "other")
    restore(backup.folder, other.settings)
    with other.ledger() as after:
        assert content(after) == before
        assert verify(after, read(after.notary.anchors)).intact


@pytest.mark.parametrize("what", ["changed", "missing", "added"])
def test_a_backup_that_was_touched_is_refused_by_name_and_nothing_is_put_back(made, tmp_path, what):
    backup = taken(made, tmp_path / "backup")
    path = next(backup.folder.glob("data/models/*/model.txt"))
    if what == "changed":
        path.write_text("tree\n", encoding="utf-8")
    elif what == "missing":
        path.unlink()
    else:
        path = path.with_name("more.txt")
        path.write_text("tree\n", encoding="utf-8")
    other = Installation(tmp_path / "other")
    with pytest.raises(DataError) as caught:
        restore(backup.folder, other.settings)
    assert [finding.place for finding in caught.value.findings] == [str(path)]
    assert not other.root.exists()


def test_a_backup_of_a_tampered_record_is_put_back_and_then_named(made, tmp_path, monkeypatch):
    """A backup keeps what was there, faithfully; whoever fits its manifest cannot fit the chain."""
    backup = taken(made, tmp_path / "backup")
    ledger = backup.folder / "ledger.db"
    raw = sqlite3.connect(ledger)
    raw.execute("DROP TRIGGER landed_events_no_update")
    raw.execute("UPDATE landed_events SET actor = 'eve' WHERE seq = 7")
    raw.commit()
    raw.close()
    manifest = json.loads((backup.folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["files"]["ledger.db"] = hashlib.sha256(ledger.read_bytes()).hexdigest()
    (backup.folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    monkeypatch.setenv("LANDED_DATA", str(tmp_path / "other" / "data"))
    monkeypatch.setenv("LANDED_REPORTS", str(tmp_path / "other" / "reports"))
    done = landed("restore", backup.folder)
    assert done.exit_code == ChainBroken.exit_code
    assert "event 7 (" in done.output


@pytest.mark.parametrize("held", ["data", "reports"])
def test_nothing_is_put_back_over_what_is_there(made, tmp_path, held):
    backup = taken(made, tmp_path / "backup")
    other = Installation(tmp_path / "other")
    (other.root / held).mkdir(parents=True)
    (other.root / held / "README.md").write_text("Kept empty.", encoding="utf-8")
    (other.root / held / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(DataError, match=r"it holds mine\.txt"):
        restore(backup.folder, other.settings)
    (other.root / held / "mine.txt").unlink()
    restore(backup.folder, other.settings)


def test_a_backup_needs_a_folder_of_its_own_and_leaves_none_behind_when_it_fails(made, tmp_path, monkeypatch):
    with made.ledger() as ledger:
        for folder, found in ((tmp_path, "there already"), (made.root / "data" / "b", "lies in the data folder")):
            with pytest.raises(DataError, match=found):
                take(ledger, made.settings, folder)

        def full(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(shutil, "copy2", full)
        with pytest.raises(DataError, match="No space left"):
            take(ledger, made.settings, tmp_path / "backup")
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_mlflow_finds_its_artifacts_in_their_new_place(made, tmp_path):
    """Its database holds whole addresses; they follow the data folder."""
    database = made.settings.mlflow / "mlflow.db"
    database.parent.mkdir()
    old, elsewhere = made.settings.mlflow.resolve().as_uri(), "s3://bucket/prefix"
    with closing(sqlite3.connect(database)) as raw, raw:
        columns = {"experiments": "artifact_location", "runs": "artifact_uri",
                   "logged_models": "artifact_location", "model_versions": "storage_location"}  # fmt: skip
        for table, column in columns.items():
            raw.execute(f"CREATE TABLE {table} ({column} TEXT)")
            rows = [(f"{old}/artifacts/1",), (elsewhere,), (None,)]
            raw.executemany(f"INSERT INTO {table} VALUES (?)", rows)  # noqa: S608
    raw.close()
    backup = taken(made, tmp_path / "backup")
    other = Installation(tmp_path / "other")
    restore(backup.folder, other.settings)
    raw = sqlite3.connect(other.settings.mlflow / "mlflow.db")
    found = [row[0] for row in raw.execute("SELECT artifact_uri FROM runs")]
    raw.close()
    assert found == [f"{other.settings.mlflow.resolve().as_uri()}/artifacts/1", elsewhere, None]


def test_the_commands_say_what_was_done(made, tmp_path, monkeypatch):
    monkeypatch.setenv("LANDED_DATA", str(made.root / "data"))
    monkeypatch.setenv("LANDED_REPORTS", str(made.root / "reports"))
    done = landed("backup", tmp_path / "backup")
    assert done.exit_code == 0, done.output
    assert "not in it: passwords and keys" in done.output
    assert landed("backup", tmp_path / "backup").exit_code == DataError.exit_code
    monkeypatch.setenv("LANDED_DATA", str(tmp_path / "other" / "data"))
    monkeypatch.setenv("LANDED_REPORTS", str(tmp_path / "other" / "reports"))
    done = landed("restore", tmp_path / "backup")
    assert done.exit_code == 0, done.output
    assert "chain intact" in done.output
    assert "put the ledger's key back" in done.output
    missing = landed("restore", Path("nowhere"))
    assert missing.exit_code == DataError.exit_code
