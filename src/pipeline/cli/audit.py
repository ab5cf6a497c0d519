"""``landed audit``: prove that the record is what was written, here or on a machine without Landed."""

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.app import app

if TYPE_CHECKING:
    from pipeline.audit.verification import Audit
    from pipeline.models.auditing import AuditView
    from pipeline.settings import Settings

audit = typer.Typer(no_args_is_help=True, help="Prove that the record is what was written.")
app.add_typer(audit, name="audit")


@audit.command()
def verify(
    mlflow: Annotated[  # noqa: FBT002 - a flag of the command line
        bool, typer.Option("--mlflow/--no-mlflow", help="also hold MLflow's runs and models against the record")
    ] = True,
    deep: Annotated[  # noqa: FBT002
        bool, typer.Option("--deep", help="also read every dataset again")
    ] = False,
    key: Annotated[
        str | None, typer.Option(help="the ledger's public key as you know it from elsewhere", show_default=False)
    ] = None,
) -> None:
    """Check every event, and all that the record points at; name the first event that was changed."""
    from pipeline.audit.verification import audit as audited
    from pipeline.ledger import Ledger
    from pipeline.settings import Settings

    settings = Settings()
    with Ledger(settings.ledger) as ledger:
        found = audited(ledger, settings, tracking_store(settings) if mlflow else None, public=key, deep=deep)
    found.require()
    show_audit(found)


@audit.command()
def keys() -> None:
    """Make the key that signs sign-offs and heads from now on; its private half stays in a file of mode 600."""
    from pipeline.accounts import operator
    from pipeline.ledger import Ledger
    from pipeline.ledger.notary import make_key
    from pipeline.settings import Settings

    settings = Settings()
    with Ledger(settings.ledger) as ledger:
        who = operator(ledger, settings).id
        with ledger.transaction() as tx:
            made = make_key(tx, ledger.notary, who)
        typer.secho(f"✓ sign-offs and heads are signed from now on, key {made.public}", bold=True, fg="green")
        typer.echo(f"  keep {ledger.notary.keys} safe and apart from the backups; without it nobody can sign")
        typer.echo("  give the key above to your auditors: `landed audit verify --key` holds the record against it")


def show_audit(found: "Audit") -> None:
    """A verification that found nothing."""
    typer.secho(f"✓ {found.chain.events} events, chain intact", bold=True, fg="green")
    typer.echo(f"  head {found.chain.head.hash}")
    if found.anchors:
        newest = max(found.anchors, key=lambda anchor: anchor.seq)
        typer.echo(f"  {len(found.anchors)} heads noted down elsewhere agree; the newest is event {newest.seq}")
    else:
        typer.echo("  no head was noted down elsewhere yet: a cut-off end would not be seen")
    typer.echo("  reports, models, sign-offs and releases are those the chain tells of")
    if found.public:
        typer.echo(f"  sign-offs are signed by the key {found.public}")
    else:
        typer.echo("  sign-offs are not signed; `landed audit keys` makes a key")


def tracking_store(settings: "Settings") -> "AuditView | None":
    """MLflow's store for reading, or None where none was ever made."""
    from pipeline.models.store import store_of

    store = store_of(settings)
    if store.database is not None and not store.database.exists():
        return None
    from pipeline.models.auditing import AuditView

    return AuditView(settings)
