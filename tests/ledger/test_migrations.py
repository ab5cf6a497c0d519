"""A ledger of every earlier version, with data in it, opened by this one."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect

from pipeline.errors import LedgerError
from pipeline.ledger import Ledger, tables, verify
from pipeline.ledger.chain import GENESIS, canonical, event_hash
from pipeline.ledger.engines import parse
from pipeline.ledger.notary import make_key

SCHEMAS = Path(__file__).parent / "schemas"
MIGRATIONS = Path(tables.__file__).parent / "migrations"


def statements(version, dialect):
    """The tables as that version made them, written down once and never edited."""
    return (SCHEMAS / f"{version}-{dialect}.sql").read_text(encoding="utf-8").split("\n---\n")


def old_events():
    previous = GENESIS
    for seq in range(1, 6):
        event = {
            "seq": seq, "at": f"2026-01-0{seq}T00:00:00.000000+00:00", "actor": "ana", "role": "sponsor",
            "kind": "review.signed", "project": "p", "subject": f"p-{seq}", "body": canonical({"comment": "Grün ✓"}),
        }  # fmt: skip
        event |= {"previous": previous, "hash": event_hash(previous, event)}
        previous = event["hash"]
        yield event


@pytest.fixture(params=["sqlite", "postgresql"])
def old(request, tmp_path):
    """The URL of a ledger of version 1 with events and a lease, made by plain SQL."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("server").new_url()
    engine = create_engine(parse(url))
    with engine.begin() as connection:
        for statement in statements("1", request.param):
            connection.exec_driver_sql(statement)
        for event in old_events():
            connection.execute(tables.events.insert().values(**event))
        connection.execute(tables.leases.insert().values(key="k", project="p", holder="me", token=3, beat=7))
    engine.dispose()
    return url


def schema_of(url):
    engine = create_engine(parse(url))
    with engine.connect() as connection:
        found = tables.schema_of(connection)
        context = MigrationContext.configure(
            connection, opts={"include_name": lambda name, kind, parents: kind != "table" or name != "landed_alembic"}
        )
        differences = compare_metadata(context, tables.metadata)
        keys = inspect(connection).get_foreign_keys("landed_signatures")
    engine.dispose()
    return found, differences, keys


def test_a_new_ledger_has_the_tables_keys_and_indexes_that_are_described(url):
    with Ledger(url) as ledger:
        ledger.head()
    found, differences, keys = schema_of(url)
    assert (found, differences) == (tables.SCHEMA, [])
    assert keys[0]["referred_table"] == "landed_events"


def test_a_ledger_of_version_1_is_brought_up_with_its_data(old):
    with Ledger(old) as ledger:
        assert [event.subject for event in ledger.events()] == [f"p-{seq}" for seq in range(1, 6)]
        assert verify(ledger).intact
        assert ledger.rows(tables.leases.select())[0]["beat"] == 7
        assert ledger.unguarded() == ()
    found, differences, keys = schema_of(old)
    assert found == tables.SCHEMA
    assert differences == [], "a step in ledger/migrations/versions is missing for these"
    assert keys[0]["referred_table"] == "landed_events"


def test_what_was_brought_up_works_on_and_is_left_alone_when_opened_again(old):
    with Ledger(old) as ledger, ledger.transaction() as tx:
        make_key(tx, ledger.notary, "olga")
        tx.append("review.signed", "p", "p-9", "ana", "sponsor", {})
    with Ledger(old) as ledger:
        assert verify(ledger).events == 7


def test_a_step_that_fails_leaves_the_ledger_as_it_was(old, monkeypatch):
    def refuse(connection):
        raise LedgerError("out of space")

    monkeypatch.setattr(tables, "guard", refuse)
    with Ledger(old) as ledger, pytest.raises(LedgerError, match="out of space"):
        ledger.head()
    engine = create_engine(parse(old))
    with engine.connect() as connection:
        assert tables.schema_of(connection) == "1"
        assert not inspect(connection).has_table("landed_signatures")
    engine.dispose()
    monkeypatch.undo()
    with Ledger(old) as ledger:
        assert ledger.head().seq == 5


def test_processes_that_open_an_old_ledger_together_step_once(old):
    program = f"from pipeline.ledger import Ledger\nwith Ledger({old!r}) as ledger: print(ledger.head().seq)"
    children = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [child.communicate(timeout=120)[0].strip() for child in children] == ["5", "5", "5"]


def test_there_is_a_step_for_every_version_and_the_last_one_is_this():
    script = ScriptDirectory(str(MIGRATIONS))
    revisions = [step.revision for step in script.walk_revisions()]
    assert revisions == sorted(revisions, key=int, reverse=True)
    assert script.get_current_head() == tables.SCHEMA
    assert set(revisions) == tables.EARLIER | {tables.SCHEMA}


@pytest.mark.parametrize("schema", ["99", ""])
def test_a_ledger_of_an_unknown_version_is_refused_and_not_touched(tmp_path, schema):
    path = tmp_path / "ledger.db"
    with Ledger(f"sqlite:///{path}") as ledger:
        ledger.head()
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("UPDATE landed_about SET value = ? WHERE key = 'schema'", (schema,))
    raw.close()
    shutil.copy(path, tmp_path / "before.db")
    with Ledger(f"sqlite:///{path}") as ledger, pytest.raises(LedgerError, match="another version"):
        ledger.head()


def test_opening_a_ledger_of_this_version_does_not_import_alembic(tmp_path):
    program = (
        "import sys\nfrom pipeline.ledger import Ledger\n"
        f"with Ledger('sqlite:///{tmp_path / 'ledger.db'}') as ledger: ledger.head()\n"
        "print([name for name in sys.modules if name.startswith(('alembic', 'cryptography'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"
