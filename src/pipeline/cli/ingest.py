"""``landed ingest``: new data, checked before anything is changed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.app import app
from pipeline.cli.charters import CharterFile
from pipeline.cli.results import AsJson, print_json
from pipeline.cli.runs import DataFolder
from pipeline.errors import Finding, Refused

if TYPE_CHECKING:
    from pipeline.monitoring.ingest import Ingested


@app.command()
def ingest(
    charter: CharterFile,
    path: Annotated[Path, typer.Argument(help="folder with the delivered tables or files", show_default=False)],
    data: DataFolder = None,
    replace: Annotated[
        str | None,
        typer.Option(help="take it in although history is lost, and why; kept in the ledger", show_default=False),
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Check a delivery against the contract and what is in place, then put it into place."""
    from datetime import date

    from pipeline.problems.reading import read_charter_for_problem

    found = read_charter_for_problem(charter, date.today())
    if replace is not None and not replace.strip():
        finding = Finding(
            "--replace", "an empty reason", "write why history may be lost, such as 'tills restated 2025'"
        )
        raise Refused("A reason is asked for", [finding])
    from pipeline.cli.setting import prepared

    settings = prepared()
    from pipeline.accounts import operator
    from pipeline.ledger import Ledger
    from pipeline.monitoring.ingest import ingest as take_in

    location = data or settings.source(found.data.source)
    with Ledger(settings.ledger) as ledger:
        told = take_in(
            ledger, settings.datasets, found, location, path, actor=operator(ledger, settings).id, replace=replace
        )
    print_json(told) if as_json else _show(told, location)


def _show(told: "Ingested", location: Path) -> None:
    from pipeline.cli.screens import console, table

    if told.same:
        typer.echo(f"Nothing to do: all of this is in {location} already, with data up to {told.until}.")
        return
    figures = ("new", "changed", "removed", "refused")
    made = table("table", *figures, "periods", "why refused", right=figures)
    for change in told.changes:
        made.add_row(
            change.table,
            *(f"{getattr(change, name):,}" for name in figures),
            f"{change.first} to {change.last}" if change.first else "–",
            "; ".join(f"{reason} ({count:,})" for reason, count in change.reasons),
        )
    console().print(made)
    before = f", which ended with {told.before} before" if told.before else ""
    typer.secho(f"✓ {location} holds data up to {told.until}{before}", bold=True, fg="green")
    typer.echo(f"  dataset {told.dataset}")
    if told.former:
        typer.echo(f"  the former state is kept as dataset {told.former}")
