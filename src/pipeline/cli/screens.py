"""What the commands show in a terminal: aligned tables, signs beside colours."""

from collections.abc import Iterable, Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.charter.difference import Change
from pipeline.evaluation.figures import contrast, show, show_change

if TYPE_CHECKING:
    from flows.case import CaseRow
    from flows.replay import Replayed
    from pipeline.charter import Charter
    from pipeline.ledger import IterationRecord, Ledger
    from pipeline.review.listing import ReviewView

#: Characters of a heading's line; figures are about as wide.
_HEADING = 10
#: KPIs shown beside the charter's own.
_BESIDE = 3

_SIGNS = {"tightened": "▲", "loosened": "▼", "widened": "◆", "neutral": "·"}
_COLOURS = {"tightened": "green", "loosened": "red", "widened": "yellow", "neutral": "dim"}


def console() -> Console:
    """Standard output, as wide as the terminal, or wide enough for a table where it is a pipe."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=160)


def table(*columns: str, right: Sequence[str] = (), title: str | None = None) -> Table:
    """An empty table in our shape; the columns in ``right`` hold figures."""
    made = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False, collapse_padding=True)
    for name in columns:
        figure = name in right
        heading = "\n".join(line for part in name.split("\n") for line in wrap(part, _HEADING) or [""])
        made.add_column(heading, justify="right" if figure else "left", no_wrap=figure, overflow="fold")
    return made


def show_changes(changes: Sequence[Change]) -> None:
    """The differences between two charters."""
    if not changes:
        console().print("The charters say the same.")
        return
    made = table("", "kind", "where", "before", "after")
    for change in changes:
        style = _COLOURS[change.kind]
        cells = [_SIGNS[change.kind], change.kind, change.path, _value(change.old), _value(change.new)]
        made.add_row(*(Text(cell, style=style if place < 2 else "") for place, cell in enumerate(cells)))
    console().print(made)
    if any(change.needs_sponsor for change in changes):
        console().print("▼ loosened and ◆ widened need the sponsor again.")


def show_case(rows: "Sequence[CaseRow]") -> None:
    """Iterations side by side: the KPI of model and baseline on the same units and periods."""
    if not rows:
        return
    first = rows[0].record.result or {}
    names = [name for name in first["order"] if name != first["kpi"]][:_BESIDE]
    baseline, model = (f"{first['kpis'][first['kpi']]['title']}\n{side}" for side in ("baseline", "model"))
    titles = [f"{first['kpis'][name]['title']}\nbaseline → model" for name in names]
    figures = [first["unit_word"], baseline, model, *titles]
    made = table("no.", "stage", *figures, "verdict", "decision", right=("no.", *figures))
    for row in rows:
        made.add_row(*_case_cells(row, names))
    console().print(made)
    word = first["unit_word"]
    units = _units(first["kpis"][name] for name in names)
    console().print(
        f"[dim]Baseline and model on the same {word} and weeks; below a figure its 95 % interval. {units}[/]\n"
    )


def _case_cells(row: "CaseRow", names: Sequence[str]) -> list[str | Text]:
    result: Mapping[str, Any] = row.record.result or {}
    goal = result["kpis"][result["kpi"]]
    blocking = result["blocking"]
    verdict = Text("✓ pass", style="green") if not blocking else Text(f"✗ {len(blocking)}\nnot met", style="red")
    decision = row.review.decision if row.review and row.review.decision else "awaits review"
    label = "\nrecorded" if row.recorded else ""
    return [
        str(row.record.number),
        row.record.stage,
        str(result["units"]),
        _interval(goal["baseline"], goal["unit"]),
        _interval(goal["value"], goal["unit"]),
        *(_pair(result["kpis"][name]) for name in names),
        verdict,
        f"{decision}{label}",
    ]


def show_goal(charter: "Charter", rows: "Sequence[CaseRow]") -> None:
    """Whether the charter's goal was reached on the last rung, in one line, with the figures."""
    last = rows[-1].record.result or {}
    goal, top = charter.kpi, charter.stages[-1]
    if rows[-1].record.stage != top.name:
        console().print(f"✗ Goal not reached: the rollout stands at {rows[-1].record.stage}, not at {top.name}.")
        return
    parts = []
    for name, limit in [(goal.name, goal.target), *_limits(charter, last)]:
        kpi = last["kpis"][name]
        met = kpi["value"][0] <= limit if kpi["direction"] == "lower" else kpi["value"][0] >= limit
        sign = "≤" if kpi["direction"] == "lower" else "≥"
        ours, asked = contrast(kpi["value"][0], limit, kpi["unit"])
        parts.append((met, f"{kpi['title']} {ours} (asked {sign} {asked})"))
    reached = all(met for met, _ in parts) and not last["blocking"]
    headline = "✓ Goal reached" if reached else "✗ Goal missed"
    period = charter.data.period
    console().print(f"[bold]{headline}[/] on {last['units']} {last['unit_word']} over {last['periods']} {period}s")
    for met, text in parts:
        console().print(f"  {'✓' if met else '✗'} {text}")


def _limits(charter: "Charter", result: Mapping[str, Any]) -> list[tuple[str, float]]:
    limits = []
    for guard in charter.guardrails:
        if guard.limit is not None:
            limits.append((guard.name, guard.limit))
        if guard.versus_baseline is not None:
            limits.append((guard.name, guard.versus_baseline * result["kpis"][guard.name]["baseline"][0]))
    return limits


def show_backtest(row: "CaseRow") -> None:
    """Every arm's KPIs in the iteration run last."""
    result = row.record.result or {}
    arms: Mapping[str, Mapping[str, Sequence[float]]] = result.get("arms", {})
    if not arms:
        return
    kpis = result["kpis"]
    names = result["order"]
    titles = [kpis[name]["title"] for name in names]
    console().print(f"Iteration {row.record.number}: {result['basis']}.")
    made = table("way to decide", *titles, right=titles)
    for arm, values in arms.items():
        cells = [_cell(values.get(name), kpis[name]["unit"], whole=name == result["kpi"]) for name in names]
        name = arm.removeprefix("baseline:").replace("_", " ")
        made.add_row(Text(name, style="bold" if arm == result["challenger"] else ""), *cells)
    console().print(made)
    console().print(f"[dim]{_units(kpis[name] for name in names)}[/]\n")


def show_studied(row: "CaseRow") -> None:
    """Candidates, policies and parameters on the same past games, and how far seeds go apart."""
    result = row.record.result or {}
    studied: Mapping[str, Any] | None = result.get("studied")
    if not studied:
        return
    kpi, reference = result["kpis"][result["kpi"]], studied["reference"]
    figures = ["chosen on", "difference (interval)", "confirmed on", "difference (interval) "]
    made = table("way to decide", *figures, right=figures)
    for way in studied["ways"]:
        own = way["name"] == reference
        cells = []
        for half in ("chosen", "confirmed"):
            apart = _triple(way[f"{half}_difference"])
            cells += [_bare(float(way[half]["value"]), kpi["unit"]), "–" if own else _change(apart, kpi["unit"])]
        made.add_row(Text(_way(way["name"], studied), style="bold" if own else ""), *cells)
    chosen, confirmed = studied["games"]
    console().print(
        f"{kpi['title']} of every way to decide: {chosen} earlier games chose, {confirmed} later ones confirm. "
        f"Differences to {reference} with 95 % interval, games and {result['unit_word']} drawn together."
    )
    console().print(made)
    console().print(
        f"Best service on the earlier games: {_way(studied['tuned'], studied)}." if studied["tuned"] else ""
    )
    seeds = studied["seeds"]
    if seeds:
        ends = [
            f"{name} {_bare(low, kpi['unit'])} to {_bare(high, kpi['unit'])} (standard deviation {spread:.4f})"
            for name, (low, high, spread) in (("chosen on", seeds["chosen"]), ("confirmed on", seeds["confirmed"]))
        ]
        console().print(f"{seeds['seeds']} seeds of {reference}: {', '.join(ends)}.\n")


def _way(name: str, studied: Mapping[str, Any]) -> str:
    at = studied["steered"].get(name)
    steered = f"{studied['reference']}, {at['policy']} {at['level']:g}" if at else ""
    return (name if not at or name == studied["reference"] else steered).removeprefix("baseline:").replace("_", " ")


def _triple(interval: Mapping[str, Any]) -> list[float]:
    return [float(interval[name]) for name in ("value", "low", "high")]


def _change(triple: Sequence[float], unit: str) -> str:
    """A difference and its interval with their signs, in one line."""
    value, low, high = (show_change(one, unit).removesuffix(f" {unit}") for one in triple)
    return f"{value} ({low} to {high})"


def show_waiting(ledger: "Ledger", project: str) -> None:
    """Which review waits, and how to look at it."""
    from pipeline.review.listing import open_reviews

    for view in open_reviews(ledger, project):
        console().print(f"Waits for people: [bold]{view.request.id}[/], due {view.request.due_at[:10]}")
        console().print(f"  landed review show {view.request.id}")


def show_looking_further(rows: "Sequence[CaseRow]") -> None:
    """Where the evidence lies and which commands go deeper."""
    made = table("evidence", "page")
    for row in rows:
        made.add_row(f"iteration {row.record.number}, {row.record.stage}", str((row.record.result or {})["report"]))
    console().print(made)
    shown = rows[-1].review.id if rows[-1].review else ""
    console().print(f"Look further:  landed review show {shown}   ·   landed audit verify   ·   make up")


def show_reviews(views: "Sequence[ReviewView]") -> None:
    """The inbox."""
    if not views:
        console().print("No review waits for anybody.")
        return
    made = table("review", "project", "iteration", "stage", "due", "signed", "missing", right=("iteration",))
    for view in views:
        request = view.request
        made.add_row(
            request.id,
            view.title,
            str(request.iteration),
            request.stage,
            request.due_at[:10],
            ", ".join(f"{answer.role}: {answer.decision}" for answer in view.signoffs) or "–",
            ", ".join(f"{person.id} ({person.role})" for person in view.missing),
        )
    console().print(made)


def show_review(view: "ReviewView", record: "IterationRecord") -> None:
    """One review: what it asks, on which figures, who answered, how to answer."""
    request, result = view.request, record.result or {}
    out = console()
    out.print(f"[bold]{view.title}[/]: iteration {request.iteration}, stage {request.stage}, {request.state}")
    made = table("figure", "baseline", "model", right=("baseline", "model"))
    for kpi in (result["kpis"][name] for name in result.get("order", ())):
        made.add_row(kpi["title"], _interval(kpi["baseline"], kpi["unit"]), _interval(kpi["value"], kpi["unit"]))
    out.print(made)
    for blocking in request.blocking:
        out.print(Text(f"✗ {blocking.title}: {blocking.reason}", style="red"))
    for one in view.open_controls:
        out.print(Text(f"✗ {one.text} ({one.id}, for {one.role}): {one.found}; it bars advance", style="red"))
    for waived in view.waived:
        said = f"{waived.person} waived it until {waived.until}, after the report: {waived.reason}"
        out.print(Text(f"! {waived.text} ({waived.id}): {said}", style="yellow"))
    for answer in view.signoffs:
        label = " (recorded answer)" if answer.recorded else ""
        out.print(Text(f"✓ {answer.signer}, {answer.role}: {answer.decision}{label}: {answer.comment}"))
    for filed in view.items:
        out.print(Text(f"• {filed.item.id} by {filed.item.author}, {filed.status}: {filed.item.change}"))
    if request.state != "open":
        out.print(f"Decided: {request.decision}" if request.decision else "This review lapsed: a newer report exists.")
        return
    for decision, roles in view.needed.items():
        out.print(f"  {decision:<9} needs {', '.join(roles) or 'nobody else'}")
    out.print(f"evidence  {result.get('report', '')}")
    out.print(f"hash      {request.report_digest}")
    command = (
        f"landed review sign {request.id} --as YOU --decision … --comment '…' --report {request.report_digest[:12]}"
    )
    out.print(Text(f"sign      {command}"), soft_wrap=True)


def _units(kpis: Iterable[Mapping[str, Any]]) -> str:
    """What the figures are counted in, where a sign beside them does not say so."""
    told = [f"{kpi['title']} in {kpi['unit']}" for kpi in kpis if kpi["unit"] not in {"share", "ratio"}]
    return f"{', '.join(told)}." if told else ""


def _cell(triple: Sequence[float] | None, unit: str, *, whole: bool) -> str:
    if triple is None:
        return "–"
    return _interval(triple, unit) if whole else _bare(triple[0], unit)


def _interval(triple: Sequence[float], unit: str) -> str:
    """A point and its interval as short as a cell allows."""
    value, low, high = (_bare(one, unit) for one in triple)
    return f"{value}\n{low.removesuffix(' %')}–{high}"


def _pair(kpi: Mapping[str, Any]) -> str:
    return f"{_bare(kpi['baseline'][0], kpi['unit'])}\n→ {_bare(kpi['value'][0], kpi['unit'])}"


def _bare(value: float, unit: str) -> str:
    """The figure without the words of its unit; per cent keeps its sign."""
    return show(value, unit) if unit == "share" else show(value, "ratio" if unit == "ratio" else "")


def show_differences(found: "Replayed") -> None:
    """Where a replay came out otherwise, in the order of the evidence."""
    made = table("part of the evidence", "reported", "replayed", "difference", right=("difference",))
    for one in found.differences:
        both = [one.reported, one.replayed]
        numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in both)
        cells = ["–" if value is None else _value(value) for value in both]
        made.add_row(Text(one.part), *map(Text, cells), f"{one.replayed - one.reported:+.3g}" if numbers else "")
    console().print(made)


def _value(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value)
    return "–" if value is None else str(value)
