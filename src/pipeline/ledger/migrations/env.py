"""What Alembic runs the steps in: the connection and the transaction of whoever opened the ledger."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], version_table="landed_alembic")
context.run_migrations()
