"""The application object: one place that turns our errors into a message and an exit code."""

import logging
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from pipeline.errors import LandedError

INTERRUPTED = 130


class Commands(TyperGroup):
    """The command group: no traceback for what a person can mend."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; print our own errors as place, finding and remedy."""
        try:
            return super().invoke(ctx)
        except LandedError as error:
            show_error(error)
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as error:
            typer.echo("\nStopped. What was finished is kept: the same command carries on from there.", err=True)
            raise typer.Exit(INTERRUPTED) from error


def show_error(error: LandedError) -> None:
    """Print an error's headline and its findings to standard error; a part that logs JSON logs them."""
    if "pipeline.logs" in sys.modules and sys.modules["pipeline.logs"].structured():
        logging.getLogger("landed").error("%s", error)
        return
    typer.secho(f"✗ {error.headline}", err=True, bold=True, fg="red")
    for finding in error.findings:
        typer.secho(f"  {finding.place}", err=True, bold=True)
        typer.echo(f"    {finding.found}", err=True)
        typer.secho(f"    → {finding.remedy}", err=True, fg="cyan")


def group(text: str) -> typer.Typer:
    """A group of commands under one word; its help is plain text, as all help is: see :data:`app`."""
    return typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=text)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"max_content_width": 100},
    # Boxes around the help cost more than all the rest of it: rich takes longer to load than Python itself.
    rich_markup_mode=None,
    help="Take an AI project from pilot to scale: charter, evidence, sign-off, rollout.",
    epilog="Exit codes: 0 done · 2 charter or usage · 3 data · 4 refused · 5 ledger · 6 model · 130 stopped.",
)


@app.callback()
def _landed() -> None:
    """Take an AI project from pilot to scale: charter, evidence, sign-off, rollout."""
