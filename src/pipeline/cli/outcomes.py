"""``landed outcomes`` and ``landed charter reaffirm``: what the field reports, and the sponsor's word."""

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.app import app, group
from pipeline.cli.charters import CharterFile
from pipeline.cli.results import AsJson, print_json
from pipeline.cli.rollout import Actor, Reason

outcomes = group("Field results, as they come: late, partial or corrected.")
app.add_typer(outcomes, name="outcomes")
charter = group("The sponsor's word on a charter.")
app.add_typer(charter, name="charter")


@outcomes.command()
def add(
    charter_file: CharterFile,
    file: Annotated[Path, typer.Argument(help="CSV or Parquet: unit, period, KPI components", show_default=False)],
    by: Actor = None,
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Add a delivery of field results; the newest value of each figure counts, and all are kept."""
    from pipeline.ledger import Ledger
    from pipeline.problems.reading import read_charter_for_problem
    from pipeline.problems.registry import find
    from pipeline.rollout.outcomes import (
        add_delivery,
        completeness,
        expected_units,
        field_results,
        known_units,
        read_delivery,
    )
    from pipeline.settings import Settings

    today, settings = date.today(), Settings()
    found = read_charter_for_problem(charter_file, today)
    problem = find(found.problem)
    kpis = problem.kpis(found)
    with Ledger(settings.ledger) as ledger:
        units, start = expected_units(ledger, found.project)
        known = known_units(ledger, settings.datasets, problem, found)
        frame = read_delivery(file, kpis, known, today)
        folder = settings.data / "outcomes"
        delivery = add_delivery(ledger, folder, found.project, frame, file.name, actor=by or settings.user)
        states = completeness(field_results(ledger, folder, found.project), kpis[found.kpi.name], units, start)
    if as_json:
        print_json({"delivery": delivery, "periods": states})
        return
    typer.secho(f"✓ delivery {delivery.number}, {delivery.digest[:12]}", bold=True, fg="green")
    typer.echo(f"  {delivery.new} new figures, {delivery.corrected} corrected, {delivery.unchanged} unchanged")
    typer.echo(f"  {delivery.late} of them late")
    for state in states[-6:]:
        some = ", ".join(state.missing[:3]) + (" …" if len(state.missing) > 3 else "")
        typer.echo(f"  {state.period}  {state.reported} of {len(units)} units" + (f", without {some}" if some else ""))


@charter.command()
def reaffirm(charter_file: CharterFile, reason: Reason, by: Actor = None) -> None:
    """Record that the sponsor stands behind the charter as it is now: changed scope, loosened goal, another quarter."""
    from pipeline.cli.screens import show_changes
    from pipeline.ledger import Ledger
    from pipeline.problems.reading import read_charter_for_problem
    from pipeline.rollout.reaffirming import agreed
    from pipeline.rollout.reaffirming import reaffirm as record
    from pipeline.settings import Settings

    settings = Settings()
    found = read_charter_for_problem(charter_file, date.today())
    with Ledger(settings.ledger) as ledger:
        before = agreed(ledger, found.project)
        with ledger.transaction() as tx:
            event = record(tx, found, reason, actor=by or settings.user)
    if before is not None:
        from pipeline.charter.difference import difference

        show_changes(difference(before, found))
    typer.secho(f"✓ {event.actor} stands behind {found.digest[:12]}", bold=True, fg="green")
    typer.echo(f"  looked at again by {event.body['next_review']}")
