"""``landed run``, ``landed play`` and ``landed decide``: the loop from the command line."""

from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipeline.cli.app import app
from pipeline.cli.charters import CharterFile
from pipeline.cli.results import AsJson, print_json

if TYPE_CHECKING:
    from flows.case import CaseRow
    from pipeline.charter import Charter
    from pipeline.ledger import IterationRecord, Ledger
    from pipeline.problems.parts import Parts
    from pipeline.rollout.serving import Served
    from pipeline.settings import Settings

DataFolder = Annotated[
    Path | None, typer.Option("--data", help="folder of the data source; data/SOURCE if not given", show_default=False)
]


@app.command()
def run(
    charter: CharterFile,
    data: DataFolder = None,
    again: Annotated[  # noqa: FBT002 - a flag of the command line
        bool, typer.Option("--again", help="run the iteration that waits for its review anew; its review lapses")
    ] = False,
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Run the next iteration up to its review, or carry on with one that was interrupted."""
    from pipeline.addresses import require_prefect
    from pipeline.cli.setting import prepared

    found = _checked(charter)
    settings = prepared()
    require_prefect(settings)
    from flows.case import case_rows
    from flows.dispatch import drain, run_iteration
    from flows.holding import held
    from flows.opening import open_by_hand
    from pipeline.accounts import operator
    from pipeline.cli.screens import show_backtest, show_case, show_studied, show_waiting
    from pipeline.ledger import Ledger
    from pipeline.progress import reporter

    location = data or settings.source(found.data.source)
    with Ledger(settings.ledger) as ledger:
        drain(ledger, found.project, run_iterations=False)
        with held(ledger, found.project):
            opened = open_by_hand(ledger, found, location, operator(ledger, settings).id, again=again)
            if opened.waits:
                reporter().say("[yellow]The last iteration waits for people; nothing was run.[/]")
                reporter().say(f"  [dim]{_rests_on(opened.record)}[/]")
            else:
                record = opened.record
                run_iteration(record.project, record.number, record.stage, location)
        rows = case_rows(ledger, found.project)
        if as_json:
            print_json(_case(ledger, found.project, rows))
            return
        show_studied(rows[-1])
        show_backtest(rows[-1])
        show_case(rows)
        show_waiting(ledger, found.project)


@app.command()
def play(
    charter: CharterFile,
    decisions: Annotated[Path, typer.Option(help="recorded decisions that stand in for people", show_default=False)],
    data: DataFolder = None,
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Play a shipped case to its end, with recorded decisions in the place of people's."""
    from pipeline.addresses import require_prefect
    from pipeline.cli.setting import prepared
    from pipeline.review.recorded import read_recorded

    found, answers = _checked(charter), read_recorded(decisions)
    settings = prepared()
    require_prefect(settings)
    from pipeline.ledger import Ledger, project_end

    with Ledger(settings.ledger) as ledger:
        if project_end(ledger, found.project) is None:
            from flows.server import begin

            begin()  # while all the rest is loaded
        from flows.case import play_case
        from pipeline.accounts import operator
        from pipeline.cli.screens import show_case, show_goal, show_looking_further
        from pipeline.progress import reporter

        location = data or settings.source(found.data.source)
        reporter().say(f"[bold]{found.title}[/]. {answers.label}.")
        rows = play_case(ledger, found, location, answers, operator(ledger, settings).id)
        if as_json:
            print_json(_case(ledger, found.project, rows))
            return
    show_case(rows)
    show_goal(found, rows)
    show_looking_further(rows)


@app.command()
def decide(
    charter: CharterFile,
    out: Annotated[Path, typer.Option(help="file to write the decisions to", show_default=False)],
    data: DataFolder = None,
    model: Annotated[
        Literal["champion", "challenger"] | None,
        typer.Option(help="which model decides; the champion, or a proposal by the challenger while none is released"),
    ] = None,
    explain: Annotated[  # noqa: FBT002 - a flag of the command line
        bool, typer.Option("--explain", help="write what moved each decision beside them, as OUT.explained.csv")
    ] = False,
    overrides: Annotated[
        Path | None,
        typer.Option(help="CSV of decisions people change: the series, quantity, person, reason", show_default=False),
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Write the next period's decisions, one for every series; the batch is noted in the ledger."""
    from pipeline.cli.setting import prepared

    found = _checked(charter)
    settings = prepared()
    from pipeline.cli.deciding import explanation, with_overrides, write
    from pipeline.ledger import Ledger
    from pipeline.rollout.overriding import record_served
    from pipeline.rollout.serving import serve

    location, told = data or settings.source(found.data.source), overrides is not None
    with Ledger(settings.ledger) as ledger:
        asked = partial(serve, ledger, settings, found.project, location, model, told=told, explained=explain)
        served = _by_engine(settings, lambda parts: asked(parts=parts))
        decisions, changed = with_overrides(served, overrides)
        with ledger.transaction() as tx:
            # Inside the transaction: a batch that cannot be written is not on record.
            digest = write(decisions, out)
            record_served(
                tx, found.project, actor=settings.user, decisions=len(decisions), sha256=digest, overrides=changed,
                model={"alias": served.alias, "version": served.version},
                cutoff=served.account.cutoff if served.account else None,
                by_model=int(served.account.by_model.sum()) if served.account else 0,
                limited=served.limited.changed if served.limited else 0,
            )  # fmt: skip
    if explain:
        beside = out.with_suffix(".explained.csv")
        write(explanation(served, decisions), beside)
    if as_json:
        shown = {"decisions": len(decisions), "out": out, "by": served.alias, "version": served.version}
        print_json({**shown, "proposal": served.proposal, "overridden": len(changed)})
        return
    if explain:
        typer.echo(f"what moved each of them is in {beside}")
    if changed:
        people = len({one.person for one in changed})
        typer.echo(
            f"{len(changed)} of {len(decisions)} decisions are people's ({people} people), kept with their reasons"
        )
    if served.limited is not None:
        typer.echo(f"the charter's limits changed {served.limited.changed} decisions")
    if served.proposal:
        typer.secho("! No model is released yet: these decisions are the challenger's proposal.", err=True, fg="yellow")
    if served.alias == "baseline":
        typer.secho("! No unit follows a model: these decisions are today's rule.", err=True, fg="yellow")
    by = f"the rule {served.version}" if served.alias == "baseline" else f"{served.alias} version {served.version}"
    typer.echo(f"{len(served.decisions)} decisions by {by} written to {out}")


def _by_engine(settings: "Settings", work: "Callable[[Parts], Served]") -> "Served":
    """The work on parts of large data done by this process, or by a cluster."""
    from pipeline.problems.parts import Parts

    if settings.engine == "local":
        return work(Parts(settings.partition, settings.data / "parts"))
    from pipeline.addresses import require_prefect

    require_prefect(settings)
    from flows.clusters import on_dask

    return on_dask(settings, work)


def _case(ledger: "Ledger", project: str, rows: "Sequence[CaseRow]") -> dict[str, object]:
    """Every iteration with its figures and its decision, and what waits for people."""
    from pipeline.review.listing import open_reviews

    told = [
        {
            "iteration": row.record.number,
            "stage": row.record.stage,
            "state": row.record.state,
            "decision": row.review.decision if row.review else None,
            "recorded": row.recorded,
            "figures": row.record.result,
        }
        for row in rows
    ]
    return {
        "project": project,
        "iterations": told,
        "waiting": [view.request.id for view in open_reviews(ledger, project)],
    }


def _checked(charter: Path) -> "Charter":
    """The charter, read before the heavy imports so that a fault in it is told at once."""
    from pipeline.problems.reading import read_charter_for_problem

    return read_charter_for_problem(charter, date.today())


def _rests_on(record: "IterationRecord") -> str:
    """What an iteration that waits rests on, so that nothing of it needs to be made again."""
    result = record.result or {}
    parts = {"data": result.get("dataset"), "model": result.get("model_digest"), "evidence": record.report_digest}
    named = ", ".join(f"{name} {digest[:12]}" for name, digest in parts.items() if digest)
    return f"it rests on {named}, all kept; --again runs it anew"
