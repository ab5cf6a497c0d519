"""``landed audit``: prove that the record is what was written."""

import typer

from pipeline.cli.app import app, group

audit = group("Prove that the record is what was written.")
app.add_typer(audit, name="audit")


@audit.command()
def verify() -> None:
    """Check every event of the ledger against the hash chain; name the first that was changed."""
    from pipeline.ledger.store import Ledger
    from pipeline.ledger.verify import verify as verify_chain
    from pipeline.settings import Settings

    status = verify_chain(Ledger(Settings().ledger))
    status.require()
    typer.secho(f"✓ {status.events} events, chain intact", bold=True, fg="green")
    typer.echo(f"  head {status.head.hash}")
