"""Version 1: where the history of the tables begins. Ledgers of this version were made without Alembic."""

revision = "1"
down_revision = None


def upgrade() -> None:
    """Nothing: the tables are there."""
