"""Bringing an older ledger's tables up to this version, with Alembic: one step a version in ``versions``.

The version a ledger has stands in ``landed_about``; Alembic's own table is its bookkeeping while it steps. New ledgers
are made at once as :mod:`pipeline.ledger.tables` says, and a test holds that against what the steps make of an old one.
Steps only add: events are never rewritten, or their hashes would no longer fit.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from pipeline.ledger import tables


def migrate(connection: Connection) -> None:
    """Bring the tables up to this version, in the caller's transaction; does nothing where they are.

    Args:
        connection: of the only writer, in its transaction: all steps commit together or none does.
    """
    earlier = tables.schema_of(connection)
    if earlier not in tables.EARLIER:
        return
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.stamp(config, earlier, purge=True)
    command.upgrade(config, tables.SCHEMA)
    tables.guard(connection)
    connection.execute(tables.about.update().where(tables.about.c.key == "schema").values(value=tables.SCHEMA))
