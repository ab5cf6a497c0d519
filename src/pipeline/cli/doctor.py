"""``landed doctor``: what is wrong with this installation, and how to mend it."""

import typer

from pipeline.cli.app import app
from pipeline.cli.results import AsJson, print_json

_SIGNS = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "red")}


@app.command()
def doctor(
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Look at Python, packages, folders, disk, stores, ports, browser. Ends with 0 unless something must be mended."""
    from pipeline.settings import Settings
    from pipeline.stack.checkup import checkup

    found = checkup(Settings())
    if as_json:
        print_json(found)
    for one in () if as_json else found:
        sign, colour = _SIGNS[one.outcome]
        typer.secho(f"{sign} {one.name:<16} {one.found}", fg=colour if one.outcome != "ok" else None)
        if one.remedy:
            typer.secho(f"  → {one.remedy}", fg="cyan")
    if any(one.outcome == "fail" for one in found):
        raise typer.Exit(1)
