"""``landed controls``: what a charter is held to, who vouches for it, and what is waived until when."""

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.app import app, group
from pipeline.cli.charters import CharterFile
from pipeline.cli.results import AsJson, print_json

if TYPE_CHECKING:
    from pipeline.charter import Charter
    from pipeline.compliance.library import Control
    from pipeline.compliance.vouching import Vouched
    from pipeline.ledger import IterationRecord

controls = group("Compliance controls: list, attest, waive.")
app.add_typer(controls, name="controls")

ControlId = Annotated[str, typer.Argument(help="the control, as `landed controls list` names it", show_default=False)]
By = Annotated[
    str | None, typer.Option("--as", help="your id in the charter; the token's owner, or LANDED_USER, if not given")
]

_STATES = {
    "holds": ("✓ holds", "green"), "fails": ("✗ fails", "red"), "overdue": ("! open", "yellow"),
    "waived": ("! waived", "yellow"), "not_due": ("– not due", "dim"), "none": ("– not checked yet", "dim"),
}  # fmt: skip


@controls.command(name="list")
def list_controls(
    charter: CharterFile,
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Show every control of a charter: source, kind, when it must hold, and how it stands now."""
    from rich.text import Text

    from pipeline.cli.screens import console, table
    from pipeline.compliance.controls import due, known_controls
    from pipeline.ledger import Ledger, all_iterations
    from pipeline.review.attesting import vouched
    from pipeline.settings import Settings

    found = _read(charter)
    asked = known_controls().asked(found)
    settings = Settings()
    with Ledger(settings.ledger) as ledger:
        records = all_iterations(ledger, found.project)
        opened = datetime.fromisoformat(records[-1].opened_at) if records else ledger.now()
        said = vouched(ledger, found, {one.id: one.role for one in asked}, opened)
        today = ledger.now().date()
    stage = records[-1].stage if records else found.stages[0].name
    kept = _kept(records[-1]) if records else {}
    rows = []
    made = table("control", "what must hold", "source", "kind", "when", "state")
    for one in asked:
        state, note = _standing(one, said, kept, today)
        if state == "overdue" and not due(one, found, stage):
            state = "not_due"
        rows.append(
            {"control": one.id, "text": one.text, "kind": one.kind, "when": one.when, "state": state, "note": note}
        )
        word, style = _STATES[state]
        who = "the program" if one.kind == "automated" else f"{one.kind}, {one.role}"
        weight = "" if one.severity == "block" else "\nwarns only"
        cell = Text(word + (f"\n{note}" if note else ""), style=style)
        made.add_row(one.id, one.text, "; ".join(one.source), who, one.when.replace("_", " ") + weight, cell)
    if as_json:
        print_json(rows)
        return
    out = console()
    sets = ", ".join(found.compliance.sets) or "none"
    out.print(f"[bold]{found.title}[/]: risk class {found.compliance.risk_class}, sets {sets}")
    out.print(made)
    out.print("[dim]Sources say where a control comes from; nothing here claims that a law is kept.[/]")


@controls.command()
def attest(
    charter: CharterFile,
    control: ControlId,
    note: Annotated[str, typer.Option(help="what you looked at, in a sentence; kept", show_default=False)],
    document: Annotated[
        Path | None, typer.Option(help="the file, where the control asks for one; its hash is kept", show_default=False)
    ] = None,
    by: By = None,
) -> None:
    """Give your word, in your role, that a control holds."""
    from pipeline.accounts import operator
    from pipeline.ledger import Ledger
    from pipeline.review.attesting import attest as record
    from pipeline.settings import Settings

    found, settings = _read(charter), Settings()
    one = _find(found, control)
    with Ledger(settings.ledger) as ledger:
        actor = operator(ledger, settings, by).id
        with ledger.transaction() as tx:
            event = record(tx, found, one, note, actor=actor, document=document)
    typer.secho(f"✓ {event.actor}, {event.role}, attests to {one.id}", bold=True, fg="green")
    typer.echo(f"  {one.text}")
    if document is not None and "sha256" in event.body:
        typer.echo(f"  {event.body['document']} {event.body['sha256'][:16]}")


@controls.command()
def waive(
    charter: CharterFile,
    control: ControlId,
    reason: Annotated[str, typer.Option(help="why it need not hold for now; kept, and in every report")],
    until: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="last day of the waiver, a year away at most")],
    by: By = None,
) -> None:
    """Waive a control until a day; every report shows who did, and why."""
    from pipeline.accounts import operator
    from pipeline.ledger import Ledger
    from pipeline.review.attesting import waive as record
    from pipeline.settings import Settings

    found, settings = _read(charter), Settings()
    one = _find(found, control)
    with Ledger(settings.ledger) as ledger:
        actor = operator(ledger, settings, by).id
        with ledger.transaction() as tx:
            event = record(tx, found, one, reason, until.date(), actor=actor)
    typer.secho(f"✓ {event.actor}, {event.role}, waives {one.id} until {event.body['until']}", bold=True, fg="yellow")
    typer.echo("  An open review shows it, and every evidence pack from the next one on. A check that failed there")
    typer.echo("  stays failed: people sign what the pack says.")


def _read(charter: Path) -> "Charter":
    from pipeline.problems.reading import read_charter_for_problem

    return read_charter_for_problem(charter, date.today())


def _find(charter: "Charter", name: str) -> "Control":
    from pipeline.compliance.controls import known_controls
    from pipeline.errors import Finding, Refused

    asked = known_controls().asked(charter)
    found = next((one for one in asked if one.id == name), None)
    if found is None:
        remedy = f"write one of: {', '.join(one.id for one in asked) or '(the charter names none)'}"
        raise Refused("No such control", [Finding(name, "the charter does not ask for it", remedy)])
    return found


def _kept(record: "IterationRecord") -> dict[str, tuple[str, str]]:
    """State and reason of each control in the newest report."""
    return {one["id"]: (one["state"], one["reason"]) for one in (record.result or {}).get("controls", ())}


def _standing(control: "Control", said: "Vouched", kept: dict[str, tuple[str, str]], today: date) -> tuple[str, str]:
    """The state of a control now, and a word on it."""
    given, waiver = said.attestation(control, today), said.waiver(control, today)
    if control.kind != "automated" and given is not None:
        return "holds", f"{given.person}, {given.day}"
    state = kept.get(control.id, ("none", ""))[0]
    if waiver is not None and (control.kind != "automated" or state in ("fails", "waived")):
        return "waived", f"{waiver.person}, until {waiver.until}"
    if control.kind != "automated":
        return "overdue", ""
    return ("fails" if state == "waived" else state), ""
