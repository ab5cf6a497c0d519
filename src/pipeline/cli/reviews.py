"""``landed review``: what waits for people, what they are asked, and their answer."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.app import app, group
from pipeline.cli.results import AsJson, print_json

review = group("What waits for people: list, show, sign.")
app.add_typer(review, name="review")

ReviewId = Annotated[str, typer.Argument(help="the review's id, as `landed review list` shows it", show_default=False)]


@review.command(name="list")
def list_reviews(
    project: Annotated[str | None, typer.Option(help="only this project's")] = None,
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Show the reviews that wait for answers, the one due first at the top."""
    from pipeline.cli.screens import show_reviews
    from pipeline.ledger import Ledger
    from pipeline.review.listing import open_reviews
    from pipeline.settings import Settings

    if Settings().url:
        from pipeline.cli import remote

        remote.list_reviews(Settings(), project, as_json=as_json)
        return
    with Ledger(Settings().ledger) as ledger:
        found = open_reviews(ledger, project)
    print_json(found) if as_json else show_reviews(found)


@review.command()
def show(
    review_id: ReviewId,
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Show one review: the figures, who signed, who is missing, and how to sign."""
    from pipeline.cli.screens import show_review as draw
    from pipeline.ledger import Ledger
    from pipeline.review.listing import show_review
    from pipeline.review.requests import iteration_of
    from pipeline.settings import Settings

    if Settings().url:
        from pipeline.cli import remote

        remote.show_review(Settings(), review_id, as_json=as_json)
        return
    with Ledger(Settings().ledger) as ledger:
        view = show_review(ledger, review_id)
        record = iteration_of(ledger, view.request)
    print_json({"review": view, "figures": record.result}) if as_json else draw(view, record)


@review.command()
def sign(
    review_id: ReviewId,
    decision: Annotated[str, typer.Option(help="advance, iterate, hold, roll_back or stop", show_default=False)],
    comment: Annotated[str, typer.Option(help="why; kept with the signature", show_default=False)],
    report: Annotated[str, typer.Option(help="hash of the report you read (12 digits or more)", show_default=False)],
    by: Annotated[
        str | None, typer.Option("--as", help="your id in the charter; the token's owner, or LANDED_USER, if not given")
    ] = None,
    on_behalf_of: Annotated[
        str | None, typer.Option("--for", help="whose role you play, where it was handed to you", show_default=False)
    ] = None,
    feedback: Annotated[
        Path | None, typer.Option(help="YAML file with typed feedback items", show_default=False)
    ] = None,
) -> None:
    """Sign a decision on the report you read; the last signature that is needed sets it going."""
    from pipeline.cli.setting import prepared
    from pipeline.review.feedback_file import read_feedback
    from pipeline.settings import Settings

    items = read_feedback(feedback) if feedback else ()
    if Settings().url:
        from pipeline.cli import remote

        remote.sign(Settings(), review_id, decision, comment, report, items, claimed=by, on_behalf_of=on_behalf_of)
        return
    settings = prepared()
    from pipeline.accounts.local import operator
    from pipeline.ledger import Ledger
    from pipeline.review.signing import sign as put

    with Ledger(settings.ledger) as ledger:
        signer = operator(ledger, settings, by).id
        outcome = put(ledger, review_id, signer, decision, comment, report, items, on_behalf_of=on_behalf_of)
        typer.secho(f"✓ {outcome.signoff.signer} signed {decision} on {review_id}", bold=True, fg="green")
        if outcome.decision is None:
            typer.echo(f"  still asked: {', '.join(outcome.waiting)}")
            return
        typer.echo(f"  decided: {outcome.decision}")
        from flows.dispatch import drain

        drain(ledger, outcome.review.project, run_iterations=False)
        typer.echo("  applied; `landed run CHARTER` runs what was opened, if anything was")
