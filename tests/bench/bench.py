"""Speed and size of Landed: ``make bench``.

Two parts: ``flows`` are the documented commands as children in fresh temporary stores, measured from outside;
``peers`` is the work inside them beside other libraries on the same data. One figure that misses its limit makes the
exit code 1; the other benchmarks still run.
"""

import tempfile
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from challenge import challenge
from children import ROOT, BenchmarkFailed
from comparisons import Comparisons
from decisions import decisions
from documents import rewrite
from figures import Result, machine, write
from figures import kept as files
from flagship import Flagship
from growing import scale
from iterating import iteration
from pages import pages
from records import records
from rich.console import Console
from shown import show
from standing import orchestration
from startup import startup

PAGE = ROOT / "docs" / "benchmarks.md"
KEPT = ROOT / "reports" / "bench"


class Name(StrEnum):
    """What can be measured, in the order in which it is."""

    HELP = "help"
    PAGES = "pages"
    LEDGER = "ledger"
    FEATURES = "features"
    FIT = "fit"
    CONTRACT = "contract"
    DRIFT = "drift"
    REPLAY = "replay"
    TRACKING = "tracking"
    ORCHESTRATION = "orchestration"
    ITERATION = "iteration"
    SCALE = "scale"
    DECISIONS = "decisions"
    VN2 = "vn2"
    CASE = "case"
    OVERHEAD = "overhead"


class Part(StrEnum):
    """Benchmarks that are written into the page together, because their figures belong to one run."""

    PEERS = "peers"
    FLOWS = "flows"


FLOWS = frozenset({Name.LEDGER, Name.PAGES, Name.DECISIONS, Name.VN2, Name.CASE, Name.OVERHEAD})

_WHAT: Mapping[Name, str] = {
    Name.HELP: "landed --help",
    Name.PAGES: "fifty people at once on the review site, beside a bare page",
    Name.LEDGER: "verifying a record of a million events",
    Name.FEATURES: "features of every series and week",
    Name.FIT: "train and forecast",
    Name.CONTRACT: "the contract with its unique key",
    Name.DRIFT: "drift of fifteen columns",
    Name.REPLAY: "a year of decisions, closed loop",
    Name.TRACKING: "one run with its model",
    Name.ORCHESTRATION: "six small steps",
    Name.ITERATION: "an iteration, and the same again",
    Name.SCALE: "the weekly batch on ten times the stores",
    Name.DECISIONS: "from a decision to the next iteration, with the stack up",
    Name.VN2: "an iteration on the VN2 files, and the orders after it",
    Name.CASE: "the flagship case as `make run` plays it",
    Name.OVERHEAD: "the same case as a plain script",
}


def main(
    only: Annotated[list[Name] | None, typer.Option(help="measure only this; may be given several times")] = None,
    part: Annotated[Part | None, typer.Option(help="measure one part only")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="small worlds, to see that the benchmark itself works")
    ] = False,
    write_docs: Annotated[
        bool, typer.Option("--write-docs", help="put what was measured last into docs/benchmarks.md, part by part")
    ] = False,
) -> None:
    """Measure speed and size as ratios side by side and hold them against their limits."""
    if write_docs and quick:
        raise typer.BadParameter("docs/benchmarks.md holds figures of the whole size: leave --quick away")
    wide = Console(highlight=False)
    console = wide if wide.is_terminal else Console(highlight=False, width=120)
    on = machine()
    kept = KEPT / "quick" if quick else KEPT
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="landed-bench-") as work:
        benchmarks = _benchmarks(Path(work), kept, quick=quick)
        for name in [name for name in Name if (not only or name in only) and part in {None, part_of(name)}]:
            with console.status(f"{name}: {_WHAT[name]}"):
                result = _outcome(name, benchmarks[name])
            path = write(result, kept, on, quick=quick)
            console.print(f"{name}: {_WHAT[name]}: {result.skipped or path.relative_to(ROOT)}", markup=False)
            if result.failed:
                console.print(result.failed, markup=False, style="red")
            results.append(result)
    show(console, results, quick=quick)
    if write_docs:
        for one in [one for one in Part if part in {None, one}]:
            rewrite(PAGE, one, files(KEPT, [name for name in Name if part_of(name) is one]))
        console.print(f"wrote {PAGE.relative_to(ROOT)}")
    if not all(result.good for result in results):
        raise typer.Exit(1)


def part_of(name: Name) -> Part:
    """The part a benchmark belongs to."""
    return Part.FLOWS if name in FLOWS else Part.PEERS


def _benchmarks(work: Path, kept: Path, *, quick: bool) -> Mapping[Name, Callable[[], Result]]:
    logs = kept / "logs"
    for name in ("ledger", "vn2", "flagship", "pages"):
        (work / name).mkdir()
    flagship, beside = Flagship(work / "flagship", logs, quick), Comparisons(work, logs, quick=quick)
    return {
        Name.HELP: lambda: startup(logs),
        Name.PAGES: lambda: pages(work / "pages", logs, quick=quick),
        Name.LEDGER: lambda: records(work / "ledger", logs, quick=quick),
        Name.FEATURES: beside.features,
        Name.FIT: beside.fit,
        Name.CONTRACT: beside.contract,
        Name.DRIFT: beside.drift,
        Name.REPLAY: beside.replay,
        Name.TRACKING: beside.tracking,
        Name.ORCHESTRATION: lambda: orchestration(work / "standing", logs),
        Name.ITERATION: lambda: iteration(work / "iteration", logs, quick=quick),
        Name.SCALE: lambda: scale(work, logs, quick=quick),
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
