"""``landed audit``: prove that the record is what was written, here or on a machine without Landed."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.app import app, group
from pipeline.cli.results import AsJson, print_json

if TYPE_CHECKING:
    from pipeline.audit.verification import Audit
    from pipeline.ledger import IterationRecord, Ledger
    from pipeline.models.auditing import AuditView
    from pipeline.settings import Settings

#: Characters of a reason below which it says nothing.
LEAST_REASON = 10

ProjectOrCharter = Annotated[
    str, typer.Argument(metavar="CHARTER_OR_PROJECT", help="the project's name or its charter", show_default=False)
]
Iteration = Annotated[int, typer.Option(help="number of the iteration", min=1, show_default=False)]
Stage = Annotated[str | None, typer.Option(help="its rung; the one it was trained on if not given", show_default=False)]

audit = group("Prove that the record is what was written.")
app.add_typer(audit, name="audit")


@audit.command()
def verify(
    mlflow: Annotated[  # noqa: FBT002 - a flag of the command line
        bool, typer.Option("--mlflow/--no-mlflow", help="also hold MLflow's runs and models against the record")
    ] = True,
    deep: Annotated[  # noqa: FBT002
        bool, typer.Option("--deep", help="also read every dataset again")
    ] = False,
    key: Annotated[
        str | None, typer.Option(help="the ledger's public key as you know it from elsewhere", show_default=False)
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Check every event, and all that the record points at; name the first event that was changed."""
    from pipeline.audit.verification import audit as audited
    from pipeline.ledger import Ledger
    from pipeline.settings import Settings

    settings = Settings()
    with Ledger(settings.ledger) as ledger:
        found = audited(ledger, settings, tracking_store(settings) if mlflow else None, public=key, deep=deep)
    found.require()
    if as_json:
        chain = {"intact": True, "events": found.chain.events, "head": found.chain.head.hash}
        print_json({**chain, "anchors": found.anchors, "public": found.public, "lost_keys": found.chain.lost})
        return
    show_audit(found)


@audit.command()
def keys() -> None:
    """Make the key that signs sign-offs and heads from now on; its private half stays in a file of mode 600."""
    from pipeline.accounts import operator
    from pipeline.ledger import Ledger
    from pipeline.ledger.notary import make_key
    from pipeline.settings import Settings

    settings = Settings()
    with Ledger(settings.ledger) as ledger:
        who = operator(ledger, settings).id
        with ledger.transaction() as tx:
            made = make_key(tx, ledger.notary, who)
        typer.secho(f"✓ sign-offs and heads are signed from now on, key {made.public}", bold=True, fg="green")
        typer.echo(f"  keep {ledger.notary.keys} safe and apart from the backups; without it nobody can sign")
        typer.echo("  give the key above to your auditors: `landed audit verify --key` holds the record against it")


@audit.command(name="rotate-key")
def rotate_key() -> None:
    """Hand over to a new key, by an event that the old and the new one sign; the old private half is gone then."""
    from pipeline.accounts import operator
    from pipeline.ledger import Ledger
    from pipeline.ledger import keys as files
    from pipeline.ledger.notary import rotate_key as rotated
    from pipeline.settings import Settings

    settings = Settings()
    with Ledger(settings.ledger) as ledger:
        who = operator(ledger, settings).id
        with ledger.transaction() as tx:
            made = rotated(tx, ledger.notary, who)
        files.settle(ledger.notary.keys)
        typer.secho(f"✓ sign-offs are signed by a new key from now on, {made.public}", bold=True, fg="green")
        typer.echo(f"  keep {ledger.notary.keys} safe and apart from the backups; other machines need a copy of it")
        typer.echo("  give the new key to your auditors; what the old one signed stays signed by it")


@audit.command(name="lost-key")
def lost_key(
    reason: Annotated[
        str, typer.Option(help="how it was lost, and who knows of it; kept for good", show_default=False)
    ],
) -> None:
    """Put a new key in the place of one whose private half is lost; the record and every verification say so."""
    from pipeline.accounts import operator
    from pipeline.ledger import Ledger
    from pipeline.ledger import keys as files
    from pipeline.ledger.notary import replace_lost_key
    from pipeline.settings import Settings

    if len(reason.strip()) < LEAST_REASON:
        raise typer.BadParameter(f"say in {LEAST_REASON} characters or more how it was lost", param_hint="--reason")
    settings = Settings()
    with Ledger(settings.ledger) as ledger:
        who = operator(ledger, settings).id
        with ledger.transaction() as tx:
            made = replace_lost_key(tx, ledger.notary, who, reason.strip())
        files.settle(ledger.notary.keys)
        typer.secho(f"✓ sign-offs are signed by a new key from now on, {made.public}", bold=True, fg="green")
        typer.echo("  what the lost one signed stays signed by it; that it was lost is on record, with the reason")
        typer.echo(
            "  tell your auditors yourself, and give them the new key: the one they have no longer satisfies them"
        )
        typer.echo(f"  keep {ledger.notary.keys} safe and apart from the backups; other machines need a copy of it")


@audit.command()
def export(
    project: ProjectOrCharter,
    iteration: Iteration,
    out: Annotated[Path, typer.Option(help="file to write, such as case.zip", show_default=False)],
    stage: Stage = None,
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Write one iteration as one file that a machine without Landed can verify, with the program that does so."""
    from pipeline.audit.bundle import export as exported
    from pipeline.ledger import Ledger
    from pipeline.settings import Settings

    settings = Settings()
    with Ledger(settings.ledger) as ledger:
        record = asked_for(ledger, project, iteration, stage)
        written = exported(ledger, settings, record, out, tracking_store(settings))
    if as_json:
        print_json(written)
        return
    typer.secho(f"✓ {record.subject}: {len(written.files)} files in {written.path}", bold=True, fg="green")
    typer.echo(f"  events {written.first} to {written.last}, head {written.head}")
    typer.echo(f"  SHA-256 {written.sha256}")
    typer.echo("  anybody verifies it with Python alone:")
    typer.echo(f"    unzip {written.path.name} verify.py && python3 -I -S verify.py {written.path.name}")


@audit.command()
def replay(
    project: ProjectOrCharter,
    iteration: Iteration,
    stage: Stage = None,
    tolerance: Annotated[float, typer.Option(help="largest relative difference of two numbers that is none")] = 1e-9,
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Run an iteration again from its recorded inputs, in a place of its own, and compare every figure."""
    from pipeline.cli.setting import prepared

    settings = prepared()
    from flows.replay import replay as replayed
    from pipeline.cli.screens import show_differences
    from pipeline.errors import DataError, Finding
    from pipeline.ledger import Ledger

    with Ledger(settings.ledger) as ledger:
        found = replayed(ledger, settings, asked_for(ledger, project, iteration, stage), tolerance=tolerance)
    before, now = found.code
    if before != now:
        typer.secho(f"! reported by code {before}, replayed by {now}", err=True, fg="yellow")
    if as_json:
        told = {"iteration": found.record.subject, "compared": found.compared, "numbers": found.numbers}
        print_json({**told, "code": found.code, "differences": found.differences})
    if found.differences:
        if not as_json:
            show_differences(found)
        parts = f"{len(found.differences)} of {found.compared} parts of the evidence came out otherwise"
        remedy = "see the table above; the same code and packages give the same figures (report/environment.txt)"
        raise DataError("The replay is not the report", [Finding(f"iteration {found.record.subject}", parts, remedy)])
    if as_json:
        return
    typer.secho(f"✓ {found.record.subject} replayed: nothing differs", bold=True, fg="green")
    done = "the released model measured again" if found.record.kind == "measure" else "every candidate trained anew"
    typer.echo(f"  {found.compared:,} parts of the evidence compared, {found.numbers:,} of them numbers; {done}")


def asked_for(ledger: "Ledger", project: str, number: int, stage: str | None) -> "IterationRecord":
    """The iteration a person means: of a project by its name or charter; the one that trained if no stage is given.

    Raises:
        LedgerError: there is none.
    """
    from pipeline.charter.reading import read_charter
    from pipeline.errors import Finding, LedgerError
    from pipeline.ledger import all_iterations

    path = Path(project)
    name = read_charter(path, date.today()).project if path.suffix in {".yaml", ".yml"} else project
    records = [one for one in all_iterations(ledger, name) if one.number == number]
    for record in records:
        if stage in {None, record.stage}:
            return record
    known = ", ".join(f"{one.number} ({one.stage})" for one in all_iterations(ledger, name))
    found = f"the ledger holds {known or 'none of it'}"
    finding = Finding(f"iteration {number} of {name}", found, "name one of these, with --iteration and --stage")
    raise LedgerError("There is no such iteration", [finding])


def show_audit(found: "Audit") -> None:
    """A verification that found nothing."""
    typer.secho(f"✓ {found.chain.events} events, chain intact", bold=True, fg="green")
    typer.echo(f"  head {found.chain.head.hash}")
    if found.anchors:
        newest = max(found.anchors, key=lambda anchor: anchor.seq)
        typer.echo(f"  {len(found.anchors)} heads noted down elsewhere agree; the newest is event {newest.seq}")
    else:
        typer.echo("  no head was noted down elsewhere yet: a cut-off end would not be seen")
    typer.echo("  reports, models, sign-offs and releases are those the chain tells of")
    if found.public:
        typer.echo(f"  sign-offs are signed by the key {found.public}")
        for lost in found.chain.lost:
            gone = f"declared the key {lost.public[:12]}… lost ({lost.reason});"
            said = f"! event {lost.seq}, {lost.at[:10]}: {lost.actor} {gone}"
            typer.secho(f"  {said}", fg="yellow")
            typer.secho("    nothing but people's word says that the key after it is rightly the ledger's", fg="yellow")
    else:
        typer.echo("  sign-offs are not signed; `landed audit keys` makes a key")


def tracking_store(settings: "Settings") -> "AuditView | None":
    """MLflow's store for reading, or None where none was ever made."""
    from pipeline.models.store import store_of

    store = store_of(settings)
    if store.database is not None and not store.database.exists():
        return None
    from pipeline.models.auditing import AuditView

    return AuditView(settings)
