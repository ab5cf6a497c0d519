"""Speed and size of Landed: ``make bench``.

Every benchmark runs the documented commands as children in fresh temporary stores and is measured from outside. One
figure over its limit makes the exit code 1; the other benchmarks still run.
"""

import tempfile
from collections.abc import Callable, Mapping
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from challenge import challenge
from children import ROOT, BenchmarkFailed
from decisions import decisions
from documents import rewrite
from figures import Result, machine, versions, write
from flagship import Flagship
from pages import pages
from records import records
from rich.console import Console
from shown import show
from startup import startup

PAGE = ROOT / "docs" / "benchmarks.md"
KEPT = ROOT / "reports" / "bench"


class Name(StrEnum):
    """What can be measured, in the order in which it is."""

    HELP = "help"
    PAGES = "pages"
    LEDGER = "ledger"
    DECISIONS = "decisions"
    VN2 = "vn2"
    CASE = "case"
    OVERHEAD = "overhead"


_WHAT: Mapping[Name, str] = {
    Name.HELP: "landed --help",
    Name.PAGES: "fifty people at once on the review site, beside a bare page",
    Name.LEDGER: "verifying a record of a million events",
    Name.DECISIONS: "from a decision to the next iteration, with the stack up",
    Name.VN2: "an iteration on the VN2 files, and the orders after it",
    Name.CASE: "the flagship case as `make run` plays it",
    Name.OVERHEAD: "the same case as a plain script",
}


def main(
    only: Annotated[list[Name] | None, typer.Option(help="measure only this; may be given several times")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="small worlds, to see that the benchmark itself works")
    ] = False,
    write_docs: Annotated[
        bool, typer.Option("--write-docs", help="put the figures of this run into docs/benchmarks.md")
    ] = False,
) -> None:
    """Measure speed and size as ratios side by side and hold them against their limits."""
    if write_docs and (quick or only):
        raise typer.BadParameter("docs/benchmarks.md holds one whole run: leave --quick and --only away")
    wide = Console(highlight=False)
    console = wide if wide.is_terminal else Console(highlight=False, width=120)
    on = machine()
    kept = KEPT / "quick" if quick else KEPT
    results = []
    with tempfile.TemporaryDirectory(prefix="landed-bench-") as work:
        benchmarks = _benchmarks(Path(work), kept, quick=quick)
        for name in [name for name in Name if not only or name in only]:
            with console.status(f"{name}: {_WHAT[name]}"):
                result = _outcome(name, benchmarks[name])
            path = write(result, kept, on, quick=quick)
            console.print(f"{name}: {_WHAT[name]}: {result.skipped or path.relative_to(ROOT)}", markup=False)
            if result.failed:
                console.print(result.failed, markup=False, style="red")
            results.append(result)
    show(console, results, quick=quick)
    if write_docs:
        rewrite(PAGE, results, on, versions(), date.today().isoformat())
        console.print(f"wrote {PAGE.relative_to(ROOT)}")
    if not all(result.good for result in results):
        raise typer.Exit(1)


def _benchmarks(work: Path, kept: Path, *, quick: bool) -> Mapping[Name, Callable[[], Result]]:
    logs = kept / "logs"
    for name in ("ledger", "vn2", "flagship", "pages"):
        (work / name).mkdir()
    flagship = Flagship(work / "flagship", logs, quick)
    return {
        Name.HELP: lambda: startup(logs),
        Name.PAGES: lambda: pages(work / "pages", logs, quick=quick),
        Name.LEDGER: lambda: records(work / "ledger", logs, quick=quick),
        Name.DECISIONS: decisions,
        Name.VN2: lambda: challenge(work / "vn2", logs, quick=quick),
        Name.CASE: flagship.case,
        Name.OVERHEAD: flagship.overhead,
    }


def _outcome(name: Name, benchmark: Callable[[], Result]) -> Result:
    """The benchmark's result, or why it has none; the next ones run all the same."""
    try:
        return benchmark()
    except BenchmarkFailed as failure:
        return Result(name, failed=str(failure))


if __name__ == "__main__":
    typer.run(main)
