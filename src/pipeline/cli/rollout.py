"""``landed rollout``: who follows the model, the kill switch and its rehearsal. Needs neither Prefect nor MLflow."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.app import app, group
from pipeline.cli.results import AsJson, print_json

if TYPE_CHECKING:
    from pipeline.rollout.breach import Proposal
    from pipeline.rollout.switch import Standing

rollout = group("Who follows the model now; stop and resume.")
app.add_typer(rollout, name="rollout")

Project = Annotated[str, typer.Argument(help="the project, as its charter names it", show_default=False)]
Reason = Annotated[str, typer.Option(help="why; kept in the record", show_default=False)]
Actor = Annotated[str | None, typer.Option("--as", help="your id in the charter; LANDED_USER if not given")]


@rollout.command()
def show(
    project: Project,
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Show which units follow which model, and every move so far."""
    from pipeline.ledger import Ledger
    from pipeline.rollout.breach import open_proposal
    from pipeline.rollout.switch import newest_charter, standing
    from pipeline.settings import Settings

    with Ledger(Settings().ledger) as ledger:
        newest_charter(ledger, project)
        now, proposal = standing(ledger, project), open_proposal(ledger, project)
    print_json({"standing": now, "proposal": proposal}) if as_json else _show(now, proposal)


@rollout.command()
def stop(project: Project, reason: Reason, by: Actor = None) -> None:
    """Put all units on today's rule, at once."""
    from pipeline.ledger import Ledger
    from pipeline.rollout.switch import stop as throw
    from pipeline.settings import Settings

    settings = Settings()
    with Ledger(settings.ledger) as ledger, ledger.transaction() as tx:
        throw(tx, project, reason, actor=by or settings.user)
    typer.secho(f"✓ {project} is stopped: every unit follows today's rule", bold=True, fg="green")
    typer.echo("  `landed decide` serves it from now on; `landed rollout resume` is the sponsor's")


@rollout.command()
def resume(
    project: Project,
    reason: Reason,
    start: Annotated[str, typer.Option(help="first period in which the model decides again, YYYY-MM-DD; today")] = "",
    by: Actor = None,
) -> None:
    """Take the stop back: the newest release that was measured holds again."""
    from pipeline.ledger import Ledger
    from pipeline.rollout.switch import resume as restore
    from pipeline.settings import Settings

    settings = Settings()
    with Ledger(settings.ledger) as ledger, ledger.transaction() as tx:
        now = restore(tx, project, reason, start or date.today().isoformat(), actor=by or settings.user)
    if now.release is None:
        typer.secho(f"✓ {project} may go on, from the first stage: no released one was measured", bold=True, fg="green")
        return
    units = len(now.release.units)
    typer.secho(f"✓ {project} is back on stage {now.release.stage}: {units} units", bold=True, fg="green")


@rollout.command()
def rehearse(
    project: Project,
    data: Annotated[
        Path | None, typer.Option("--data", help="folder of the data source; then decisions are made too")
    ] = None,
    by: Actor = None,
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Throw the kill switch on a copy of the ledger and see that it works."""
    import tempfile

    from pipeline.errors import Finding, LandedError
    from pipeline.ledger import Ledger
    from pipeline.rollout.rehearsal import rehearse as throw
    from pipeline.settings import Settings

    settings = Settings()
    with tempfile.TemporaryDirectory(prefix="landed-rehearsal-") as folder, Ledger(settings.ledger) as ledger:
        check = None
        if data is not None:
            from pipeline.rollout.serving import serves_today

            check = serves_today(settings, project, data, Path(folder))
        found = throw(ledger, project, Path(folder), actor=by or settings.user, serves_today=check)
    if as_json:
        print_json(found)
    for name, held in () if as_json else found.steps:
        typer.echo(f"  {'✓' if held else '✗'} {name}")
    if not found.passed:
        failed = [name for name, held in found.steps if not held]
        findings = [Finding(name, "it did not hold", "tell engineering at once") for name in failed]
        raise LandedError("The kill switch does not work", findings)
    if as_json:
        return
    done = f"✓ {found.units} units back on today's rule in {found.seconds:.2f} s, on a copy"
    typer.secho(done, bold=True, fg="green")


def _show(now: "Standing", proposal: "Proposal | None") -> None:
    if now.stopped is not None:
        typer.secho(f"{now.project}: stopped; every unit follows today's rule", bold=True, fg="red")
        typer.echo(f"  by {now.stopped.actor} on {now.stopped.at[:16]}: {now.stopped.body['reason']}")
    elif now.release is None:
        typer.secho(f"{now.project}: every unit follows today's rule", bold=True)
    else:
        held = now.release
        typer.secho(f"{now.project}: stage {held.stage}, {len(held.units)} units follow the model", bold=True)
        typer.echo(f"  version {held.model_version} ({held.model_digest[:12]}) since {held.start}")
    if proposal is not None:
        typer.secho(f"  ! a rollback to {proposal.to or 'the rule of today'} is proposed:", fg="yellow")
        for gate, reason in proposal.gates:
            typer.echo(f"    {gate}: {reason}")
    for event in now.history:
        what = event.kind.removeprefix("rollout.")
        typer.echo(f"  {event.at[:16]}  {what:<12} {event.subject or '-':<12} {event.actor}")
