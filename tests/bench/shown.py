"""The table a run ends with, and how a figure is written."""

from collections.abc import Sequence

from figures import Figure, Result
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_STYLES = {"✓ within": "green", "✗ missed": "red", "": ""}
#: Below this a plain number is shown by its power of ten.
_TINY = 1e-3


def figure_text(figure: Figure) -> str:
    """The figure with its unit."""
    return _with_unit(figure.value, figure.unit)


def limit_text(figure: Figure) -> str:
    """The limit with its unit, or a dash."""
    if figure.least is not None:
        return f"≥ {_with_unit(figure.least, figure.unit)}"
    return "–" if figure.limit is None else f"≤ {_with_unit(figure.limit, figure.unit)}"


def verdict_text(figure: Figure) -> str:
    """Within or missed; empty without a limit."""
    return {None: "", True: "✓ within", False: "✗ missed"}[figure.within]


def show(console: Console, results: Sequence[Result], *, quick: bool) -> None:
    """One aligned table over all benchmarks."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("benchmark", "figure", "measured", "limit", ""):
        made.add_column(name, justify="right" if name in {"measured", "limit"} else "left", no_wrap=name != "figure")
    for result in results:
        if result.skipped:
            made.add_row(result.name, Text(f"skipped: {result.skipped}"), "–", "–", Text("skipped", style="yellow"))
        if result.failed:
            made.add_row(result.name, "no figures; the reason stands above", "–", "–", Text("✗ failed", style="red"))
        for figure in result.figures:
            verdict = verdict_text(figure)
            made.add_row(
                result.name,
                figure.title,
                figure_text(figure),
                limit_text(figure),
                Text(verdict, style=_STYLES[verdict]),
            )
    console.print(made)
    if quick:
        console.print("Quick run: limits that are meant for the whole size were not judged.")


def _with_unit(value: float, unit: str) -> str:
    if unit == "×":
        return f"{value:.2f} ×"
    if not unit:
        return f"{value:.0e}" if 0 < abs(value) < _TINY else f"{value:g}"
    digits = 1 if unit == "s" and value >= 10 else 2
    return f"{value:.{digits}f} {unit}"
