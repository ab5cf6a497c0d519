"""``landed check``, ``landed diff``, ``landed schema``: the charter without running anything."""

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.app import app
from pipeline.cli.results import AsJson, print_json
from pipeline.errors import Finding, LandedError

CharterFile = Annotated[Path, typer.Argument(help="the project's charter, a YAML file", show_default=False)]


@app.command()
def check(
    charter: CharterFile,
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Validate a charter without running it; name every fault with its line."""
    from pipeline.problems.reading import read_charter_for_problem
    from pipeline.problems.registry import find

    found = read_charter_for_problem(charter, date.today())
    goal, units = found.kpi, find(found.problem).unit_word
    if as_json:
        print_json({"charter": charter, "digest": found.digest, **found.canonical()})
        return
    typer.secho(f"✓ {charter}: nothing to mend", bold=True, fg="green")
    sign = "≤" if goal.direction == "lower" else "≥"
    rows = {
        "project": f"{found.project} ({found.title})",
        "goal": f"{goal.name} {sign} {goal.target:g} ({goal.unit}) by {goal.deadline}",
        "baseline": f"policy {goal.baseline.policy}, measured over {goal.baseline.measured_over} {found.data.period}s",
        "owner": goal.owner,
        "ladder": " → ".join(f"{stage.name} ({stage.amount} {units})" for stage in found.stages),
        "hash": found.digest[:16],
    }
    for name, value in rows.items():
        typer.echo(f"  {name:<9} {value}")


@app.command()
def diff(
    old: Annotated[Path, typer.Argument(help="the charter before", show_default=False)],
    new: Annotated[Path, typer.Argument(help="the charter after", show_default=False)],
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Show what changed between two charters: tightened, loosened, widened or neutral."""
    from pipeline.charter.difference import difference
    from pipeline.charter.reading import read_charter
    from pipeline.cli.screens import show_changes

    today = date.today()
    changes = difference(read_charter(old, today), read_charter(new, today))
    print_json(changes) if as_json else show_changes(changes)


@app.command()
def schema(
    out: Annotated[Path | None, typer.Option(help="file to write; standard output if not given")] = None,
) -> None:
    """Write the JSON Schema of a charter, for editors."""
    from pipeline.charter.schema import schema_text

    text = schema_text()
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as exc:
        finding = Finding(str(out), f"it cannot be written: {exc.strerror}", "name a file you may write, with --out")
        raise LandedError("The schema cannot be written", [finding]) from exc
    typer.echo(f"wrote {out}")
