"""``landed backup`` and ``landed restore``: everything that must not be lost, of one moment."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.app import app
from pipeline.cli.results import AsJson, print_json

_KIBI = 1024.0


@app.command()
def backup(
    out: Annotated[Path, typer.Argument(help="folder to make, such as backups/monday", show_default=False)],
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Copy ledger, MLflow's store, reports, data sets and models, of one moment, while everything runs."""
    from pipeline.backups.taking import take
    from pipeline.ledger import Ledger
    from pipeline.settings import Settings

    settings = Settings()
    with Ledger(settings.ledger) as ledger:
        taken = take(ledger, settings, out)
    if as_json:
        print_json(taken)
        return
    typer.secho(f"✓ {taken.files} files, {_size(taken.size)} in {taken.folder}", bold=True, fg="green")
    typer.echo(f"  ledger up to event {taken.head.seq}, head {taken.head.hash}")
    for one in taken.without:
        typer.echo(f"  not in it: {one}")


@app.command()
def restore(
    backup: Annotated[Path, typer.Argument(help="a folder that `landed backup` wrote", show_default=False)],
) -> None:
    """Put a backup back into empty folders, and verify all of it."""
    from pipeline.audit.verification import audit
    from pipeline.backups.restoring import restore as put_back
    from pipeline.cli.audit import show_audit, tracking_store
    from pipeline.ledger import Ledger
    from pipeline.ledger.anchors import Anchor
    from pipeline.settings import Settings

    settings = Settings()
    restored = put_back(backup, settings)
    typer.secho(f"✓ {restored.files} files of {restored.at} are back", bold=True, fg="green")
    named = Anchor(restored.head.seq, restored.head.hash, "the backup")
    with Ledger(settings.ledger) as ledger:
        found = audit(ledger, settings, tracking_store(settings), deep=True, known=(named,))
    found.require()
    show_audit(found)
    if found.public:
        typer.echo("  put the ledger's key back into the folder keys of the data folder: nobody can sign without it")


def _size(count: float) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if count < _KIBI:
            return f"{count:,.0f} {unit}"
        count /= _KIBI
    return f"{count:,.1f} GiB"
