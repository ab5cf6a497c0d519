"""The ledger's tables: one schema for SQLite and PostgreSQL.

``landed_events`` is the record: append-only, hash-chained. The other tables are its state, kept for quick reading
and for the unique keys that make "once" mean once; each change of them comes with an event. Names carry a prefix
because a team may keep Prefect, MLflow and the ledger in one PostgreSQL database. JSON is kept as text: the bytes
that were hashed are the bytes that are read back.
"""

from functools import cache

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    make_url,
    select,
)
from sqlalchemy.schema import CreateIndex, CreateTable, ExecutableDDLElement

#: Version of these tables; a change of them is a step in ``migrations/versions``, named by the next number.
SCHEMA = "2"
#: Versions that are brought up to this one when the ledger is opened.
EARLIER = frozenset({"1"})

metadata = MetaData()


def _text(name: str, *, null: bool = False) -> Column[str]:
    return Column(name, Text, nullable=null)


about = Table("landed_about", metadata, Column("key", Text, primary_key=True), _text("value"))

events = Table(
    "landed_events",
    metadata,
    # SQLite's rowid is its own 64-bit type; the ledger counts, not the store, because a store's counter leaves gaps.
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    _text("at"),
    _text("actor"),
    _text("role"),
    _text("kind"),
    Column("project", Text, nullable=False, index=True),
    Column("subject", Text, nullable=False, index=True),
    _text("body"),
    _text("previous"),
    _text("hash"),
)

#: Signatures by the ledger's key over the hashes of events; which events bear one, the chain itself says.
signatures = Table(
    "landed_signatures",
    metadata,
    Column("event", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    _text("signature"),
    ForeignKeyConstraint(["event"], ["landed_events.seq"]),
)

iterations = Table(
    "landed_iterations",
    metadata,
    _text("project"),
    Column("number", Integer, nullable=False),
    _text("stage"),
    Column("position", Integer, nullable=False),  # order of opening within the project
    _text("kind"),
    _text("state"),
    _text("charter"),
    _text("charter_digest"),
    _text("why"),
    _text("started_by"),
    _text("mlflow_run", null=True),
    _text("report_digest", null=True),
    _text("result", null=True),
    _text("opened_at"),
    _text("changed_at"),
    PrimaryKeyConstraint("project", "number", "stage"),
    UniqueConstraint("project", "position"),
)

reviews = Table(
    "landed_reviews",
    metadata,
    Column("id", Text, primary_key=True),
    _text("project"),
    Column("number", Integer, nullable=False),
    _text("stage"),
    Column("revision", Integer, nullable=False),
    _text("report_digest"),
    _text("requested_by"),
    _text("opened_at"),
    _text("due_at"),
    _text("allowed"),
    _text("signers"),
    _text("blocking"),
    _text("state"),
    _text("decision", null=True),
    _text("decided_at", null=True),
    UniqueConstraint("project", "number", "stage", "revision"),
    ForeignKeyConstraint(
        ["project", "number", "stage"],
        ["landed_iterations.project", "landed_iterations.number", "landed_iterations.stage"],
    ),
)

signoffs = Table(
    "landed_signoffs",
    metadata,
    _text("review"),
    _text("person"),
    _text("role"),
    _text("decision"),
    _text("comment"),
    _text("report_digest"),
    Column("recorded", Boolean, nullable=False),
    _text("on_behalf_of", null=True),  # whose role a delegate played
    _text("at"),
    Column("event", BigInteger, nullable=False),  # seq of the chained event without which this row counts for nothing
    PrimaryKeyConstraint("review", "person"),
    UniqueConstraint("review", "role"),
    ForeignKeyConstraint(["review"], ["landed_reviews.id"]),
    ForeignKeyConstraint(["event"], ["landed_events.seq"]),
)

feedback_items = Table(
    "landed_feedback_items",
    metadata,
    _text("project"),
    _text("id"),
    _text("review"),
    Column("event", BigInteger, nullable=False),
    Column("place", Integer, nullable=False),  # position within the sign-off that brought it
    _text("signed_by"),
    _text("content"),
    _text("status"),
    _text("reason"),
    _text("effect", null=True),
    PrimaryKeyConstraint("project", "id"),
    ForeignKeyConstraint(["review"], ["landed_reviews.id"]),
)

intents = Table(
    "landed_intents",
    metadata,
    Column("key", Text, primary_key=True),
    _text("kind"),
    Column("project", Text, nullable=False),
    _text("payload"),
    Column("event", BigInteger, nullable=False),
    _text("created_at"),
    _text("done_at", null=True),
)

applied = Table(
    "landed_applied",
    metadata,
    Column("review", Text, primary_key=True),
    _text("decision"),
    _text("charter_digest"),
    _text("at"),
    ForeignKeyConstraint(["review"], ["landed_reviews.id"]),
)

work = Table(
    "landed_work",
    metadata,
    Column("key", Text, primary_key=True),
    _text("kind"),
    _text("value"),
    _text("at"),
)

#: How often a notice was tried and when it may be tried again; delivery's own bookkeeping, as a lease is.
notices = Table(
    "landed_notices",
    metadata,
    Column("key", Text, primary_key=True),
    Column("tries", Integer, nullable=False),
    _text("next_at"),
    ForeignKeyConstraint(["key"], ["landed_intents.key"]),
)

leases = Table(
    "landed_leases",
    metadata,
    Column("key", Text, primary_key=True),
    _text("project"),
    _text("holder"),  # empty while nobody holds it
    Column("token", BigInteger, nullable=False),  # grows with every holder
    Column("beat", BigInteger, nullable=False),  # grows while the holder lives
)

releases = Table(
    "landed_releases",
    metadata,
    _text("project"),
    Column("position", Integer, nullable=False),
    Column("parent", Integer, nullable=True),  # position of the release a rollback from here restores
    _text("action"),
    _text("content"),
    _text("review"),
    _text("at"),
    PrimaryKeyConstraint("project", "position"),
    UniqueConstraint("review"),
)

# ---- accounts: who may sign in; secrets only as hashes, never in the clear -------------------------------------

accounts = Table(
    "landed_accounts",
    metadata,
    Column("id", Text, primary_key=True),  # the same id the charters use for the person
    _text("name"),
    Column("email", Text, nullable=True, unique=True),
    Column("admin", Boolean, nullable=False),
    Column("auditor", Boolean, nullable=False),
    Column("active", Boolean, nullable=False),
    _text("language"),
    _text("password", null=True),  # Argon2's own text with its salt and parameters
    _text("created_at"),
)

invitations = Table(
    "landed_invitations",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("account", Text, nullable=False, index=True),
    _text("purpose"),
    _text("made_by"),
    _text("expires_at"),
    _text("used_at", null=True),
    ForeignKeyConstraint(["account"], ["landed_accounts.id"]),
)

sessions = Table(
    "landed_sessions",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("account", Text, nullable=False, index=True),
    _text("method"),
    _text("begun_at"),
    _text("seen_at"),
    ForeignKeyConstraint(["account"], ["landed_accounts.id"]),
)

api_tokens = Table(
    "landed_api_tokens",
    metadata,
    Column("id", Text, primary_key=True),
    Column("digest", Text, nullable=False, unique=True),
    Column("account", Text, nullable=False, index=True),
    _text("name"),
    Column("read_only", Boolean, nullable=False),
    _text("made_at"),
    _text("expires_at"),
    _text("last_used_at", null=True),
    _text("revoked_at", null=True),
    ForeignKeyConstraint(["account"], ["landed_accounts.id"]),
)

#: Failed sign-ins that still count, by account, address and both; no history, only what delays the next attempt.
throttle = Table(
    "landed_throttle",
    metadata,
    Column("key", Text, primary_key=True),
    Column("failures", Integer, nullable=False),
    _text("last_at"),
    _text("closed_until"),
)

delegations = Table(
    "landed_delegations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("project", Text, nullable=False, index=True),
    _text("giver"),
    Column("delegate", Text, nullable=False, index=True),
    _text("role"),
    _text("starts"),
    _text("ends"),
    _text("made_at"),
    _text("ended_at", null=True),
    Column("event", BigInteger, nullable=False),  # seq of the chained event without which this row counts for nothing
    ForeignKeyConstraint(["event"], ["landed_events.seq"]),
)

observations = Table(
    "landed_observations",
    metadata,
    _text("project"),
    _text("period"),  # first day of the period, ISO date
    _text("dataset"),  # digest of the data it was seen in
    _text("figures"),
    _text("at"),
    Column("event", BigInteger, nullable=False),
    PrimaryKeyConstraint("project", "period", "dataset"),
    ForeignKeyConstraint(["event"], ["landed_events.seq"]),
)

deliveries = Table(
    "landed_deliveries",
    metadata,
    _text("project"),
    Column("number", Integer, nullable=False),
    _text("digest"),  # of the content, which lies in the data folder
    _text("name"),
    _text("at"),
    Column("new", Integer, nullable=False),
    Column("corrected", Integer, nullable=False),
    Column("unchanged", Integer, nullable=False),
    Column("late", Integer, nullable=False),
    PrimaryKeyConstraint("project", "number"),
)

arms = Table(
    "landed_arms",
    metadata,
    _text("project"),
    _text("stage"),
    _text("inputs"),  # hash over what was asked for; a second pick must have the same
    _text("content"),
    _text("at"),
    PrimaryKeyConstraint("project", "stage"),
)

_SQLITE_GUARDS = (
    """CREATE TRIGGER IF NOT EXISTS landed_events_no_update BEFORE UPDATE ON landed_events
       BEGIN SELECT RAISE(ABORT, 'append-only: an event is never changed'); END""",
    """CREATE TRIGGER IF NOT EXISTS landed_events_no_delete BEFORE DELETE ON landed_events
       BEGIN SELECT RAISE(ABORT, 'append-only: an event is never deleted'); END""",
    # INSERT OR REPLACE deletes without firing the trigger above, so an insert must extend the chain by one.
    """CREATE TRIGGER IF NOT EXISTS landed_events_in_order BEFORE INSERT ON landed_events
       WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM landed_events)
       BEGIN SELECT RAISE(ABORT, 'append-only: an event follows the last one'); END""",
)

_POSTGRESQL_GUARDS = (
    """CREATE OR REPLACE FUNCTION landed_events_refuse() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN RAISE EXCEPTION 'append-only: an event is never changed or deleted'; END $$""",
    "DROP TRIGGER IF EXISTS landed_events_rows ON landed_events",
    """CREATE TRIGGER landed_events_rows BEFORE UPDATE OR DELETE ON landed_events
       FOR EACH ROW EXECUTE FUNCTION landed_events_refuse()""",
    "DROP TRIGGER IF EXISTS landed_events_table ON landed_events",
    """CREATE TRIGGER landed_events_table BEFORE TRUNCATE ON landed_events
       FOR EACH STATEMENT EXECUTE FUNCTION landed_events_refuse()""",
)


def create(connection: Connection) -> None:
    """Create all tables and the triggers that refuse UPDATE and DELETE on events; does nothing where they exist."""
    for statement in _definitions(connection.dialect.name):
        connection.exec_driver_sql(statement)
    guard(connection)
    if connection.execute(about.select()).first() is None:
        connection.execute(about.insert().values(key="schema", value=SCHEMA))


@cache
def _definitions(dialect: str) -> tuple[str, ...]:
    """The statements that make tables and indexes, put in words once: that takes longer than to carry them out."""
    speaks, made = make_url(f"{dialect}://").get_dialect()(), list[ExecutableDDLElement]()
    for table in metadata.sorted_tables:
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        made += [CreateTable(table, if_not_exists=True), *(CreateIndex(one, if_not_exists=True) for one in indexes)]
    return tuple(str(statement.compile(dialect=speaks)) for statement in made)


def guard(connection: Connection) -> None:
    """Create the triggers that refuse UPDATE and DELETE on events, or make sure that they are there."""
    for statement in _SQLITE_GUARDS if connection.dialect.name == "sqlite" else _POSTGRESQL_GUARDS:
        connection.exec_driver_sql(statement)


def unguarded(connection: Connection) -> tuple[str, ...]:
    """The triggers that are missing or switched off."""
    wanted: tuple[str, ...]
    if connection.dialect.name == "sqlite":
        wanted = ("landed_events_no_update", "landed_events_no_delete", "landed_events_in_order")
        query = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'landed_events'"
    else:
        wanted = ("landed_events_rows", "landed_events_table")
        query = "SELECT tgname FROM pg_trigger WHERE tgrelid = 'landed_events'::regclass AND tgenabled IN ('O', 'A')"
    found = {row[0] for row in connection.exec_driver_sql(query)}
    return tuple(name for name in wanted if name not in found)


def schema_of(connection: Connection) -> str:
    """Version of the tables in a store; empty when it does not say."""
    rows = connection.execute(select(about.c.value).where(about.c.key == "schema")).all()
    return str(rows[0].value) if rows else ""
