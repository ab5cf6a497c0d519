"""``landed init``: a project folder from a table and people's answers, by questions in a terminal or by flags."""

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from pipeline.cli.app import app
from pipeline.cli.results import AsJson, print_json

if TYPE_CHECKING:
    from pipeline.problems.starting import Answers, Proposal, Starter

Read = TypeVar("Read")
#: The least a charter takes for a sentence.
_SENTENCE = 20


def _worth(given: str) -> tuple[str, float]:
    name, _, value = given.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError as error:
        raise typer.BadParameter(f"{given}: write NAME=NUMBER, such as hit=40") from error


@app.command()
def init(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet file: one row per case", show_default=False)],
    folder: Annotated[Path, typer.Argument(help="folder of the new project", show_default=False)],
    title: Annotated[str, typer.Option(help="what people call the project")] = "",
    pain: Annotated[str, typer.Option(help="what hurts today, whom and how much")] = "",
    decision: Annotated[str, typer.Option(help="the decision to be improved: who decides what, how often")] = "",
    target: Annotated[str, typer.Option(help="the column that is foreseen")] = "",
    positive: Annotated[str, typer.Option(help="of two values of the target, the one that asks for action")] = "",
    key: Annotated[str, typer.Option(help="the column that names a case")] = "",
    time: Annotated[str, typer.Option(help="the column of dates")] = "",
    unit: Annotated[str, typer.Option(help="the column of the unit that is rolled out to: store, team")] = "",
    counted_in: Annotated[str, typer.Option(help="what values count: EUR, hours, cases")] = "",
    worth: Annotated[
        list[str] | None, typer.Option(help="what a decision is worth, such as hit=40; several times", metavar="NAME=N")
    ] = None,
    baseline: Annotated[str, typer.Option(help="today's way to decide, or today=COLUMN")] = "",
    goal: Annotated[float | None, typer.Option(help="the KPI's value that means success")] = None,
    deadline: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="the day by which, YYYY-MM-DD")
    ] = None,
    sponsor: Annotated[str, typer.Option(help="who pays: 'Ada Lund <ada@example.com>'")] = "",
    owner: Annotated[str, typer.Option(help="who answers for the KPI: 'Ben Okoro <ben@example.com>'")] = "",
    problem: Annotated[str, typer.Option(help="kind of project")] = "tabular",
    ask: Annotated[
        bool | None, typer.Option("--ask/--no-ask", help="ask what is missing; by default in a terminal")
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Start a project from a table: charter, contract, a test of it, ready for `make run`.

    Target and baseline are never guessed. What nobody answers is marked TODO, and `landed check` names each place.
    """
    from pipeline.problems.starting import Answers, find_starter

    starter = find_starter(problem)
    answers = Answers(
        title=title, pain_point=pain, decision=decision, key=key, time=time, unit=unit, target=target,
        positive=positive, counted_in=counted_in, worth=dict(_worth(one) for one in worth or ()), baseline=baseline,
        goal=goal, deadline=deadline.date() if deadline else None, sponsor=sponsor, owner=owner,
    )  # fmt: skip
    proposal = starter.propose(file)
    if sys.stdin.isatty() if ask is None else ask:
        _show(proposal)
        answers = _interviewed(starter, file, proposal, answers)
    started = starter.start(file, answers, folder, date.today())
    if as_json:
        print_json({"folder": started.folder, "charter": started.charter, "open": started.open, "notes": started.notes})
        return
    typer.secho(f"✓ {started.folder} is written", bold=True, fg="green")
    for note in started.notes:
        typer.secho(f"  ! {note}", fg="yellow")
    if started.open:
        typer.echo(f"  {started.open} places are still to be filled in; each is marked TODO in {started.charter}")
        typer.echo(f"  cd {started.folder} && make check    # names each of them, and what belongs there")
    else:
        typer.echo(f"  cd {started.folder} && make run")


def _show(proposal: "Proposal") -> None:
    from pipeline.cli.screens import console, table

    made = table("column", "type", "seen", "looks like")
    roles = {proposal.key: "key", proposal.time: "time", proposal.unit: "unit"}
    roles |= {name: f"target? ({task}, {why})" for name, task, why in proposal.targets}
    for column in proposal.columns:
        made.add_row(column.name, column.kind, column.seen, roles.get(column.name, ""))
    console().print(f"{proposal.rows:,} rows")
    console().print(made)
    typer.echo("An empty answer leaves the place marked TODO, or takes the proposal in brackets.\n")


def _interviewed(starter: "Starter", file: Path, proposal: "Proposal", given: "Answers") -> "Answers":
    """Ask for what no flag answered, in the order people think of it."""
    columns = {column.name for column in proposal.columns}

    def known(text: str) -> str:
        if text not in columns:
            raise ValueError(f"there is no column {text}; write one of: {', '.join(sorted(columns))}")
        return text

    found = replace(
        given,
        title=given.title or _asked("What do people call the project?", str) or "",
        pain_point=given.pain_point or _asked("What hurts today, whom and how much?", _sentence) or "",
        decision=given.decision
        or _asked("Which decision is to be improved: who decides what, how often?", _sentence)
        or "",
        target=given.target or _asked("Which column is to be foreseen?", known) or "",
        key=given.key or _asked("Which column names a case?", known, proposal.key) or "",
        time=given.time or _asked("Which column holds the date?", known, proposal.time) or "",
        unit=given.unit or _asked("Which column names the unit that is rolled out to?", known, proposal.unit) or "",
        counted_in=given.counted_in or _asked("What do values count: EUR, hours, cases?", str) or "",
    )
    if found.target:
        found = _valued(starter, file, proposal, found)
    return replace(
        found,
        goal=found.goal if found.goal is not None else _asked("Which value of the KPI means success?", _number),
        deadline=found.deadline or _asked("By which day, as YYYY-MM-DD?", date.fromisoformat),
        sponsor=found.sponsor or _asked("Who pays, as 'Name <mail>'?", str) or "",
        owner=found.owner or _asked("Who answers for the KPI, as 'Name <mail>'?", str) or "",
    )


def _valued(starter: "Starter", file: Path, proposal: "Proposal", found: "Answers") -> "Answers":
    """What decisions are worth and how they are made today: what is asked follows from the target."""
    seen = {column.name: column.seen for column in proposal.columns}[found.target]
    if not found.positive and seen.startswith("2 values"):
        found = replace(found, positive=_asked(f"Which value of {found.target} asks for action? ({seen})", str) or "")
    worth = dict(found.worth)
    for name, meaning in () if worth else starter.worth(file, found.target):
        value = _asked(f"What is it worth: {meaning}?", _number)
        worth |= {} if value is None else {name: value}
    ways = ", ".join(starter.baselines(file, found.target))
    return replace(
        found, worth=worth, baseline=found.baseline or _asked(f"How is it decided today ({ways})?", str) or ""
    )


def _asked(question: str, read: Callable[[str], Read], proposal: str = "") -> Read | None:
    """One question, again until the answer can be read; None where it is left empty."""
    while True:
        text = str(typer.prompt(question, default=proposal, show_default=bool(proposal))).strip()
        if not text:
            return None
        try:
            return read(text)
        except ValueError as error:
            typer.secho(f"  {error}", fg="yellow")


def _sentence(text: str) -> str:
    if len(text) < _SENTENCE:
        raise ValueError(f"say a little more: {_SENTENCE} characters or more")
    return text


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise ValueError(f"{text} is no number") from error
