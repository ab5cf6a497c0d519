"""Version 2: signatures of sign-offs by the ledger's key."""

import sqlalchemy as sa
from alembic import op

revision = "2"
down_revision = "1"


def upgrade() -> None:
    """Add the table of signatures; it is empty until a key is made."""
    op.create_table(
        "landed_signatures",
        sa.Column("event", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
        sa.Column("signature", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["event"], ["landed_events.seq"]),
    )
