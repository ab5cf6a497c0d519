"""What the weekly batch costs as the chain grows: memory, and whether time grows with the stores and no faster."""

from pathlib import Path

import chain
from children import GIBI
from figures import Figure, Result, unjudged
from turns import Side, cpu, in_turns, peak

FEW, MANY = 100, 1000
MEMORY, GROWTH = 4.0, 11.0
#: Stores of a quick run.
_QUICK = (24, 48)


def scale(work: Path, logs: Path, *, quick: bool) -> Result:
    """One side on two chains; the second has ten times the stores."""
    sizes = _QUICK if quick else (FEW, MANY)
    took = {}
    for stores in sizes:
        folder = chain.write(work / f"scale-{stores}", stores)
        took[stores] = in_turns({"week": Side("week")}, folder, logs)["week"]
    few, many = (took[stores] for stores in sizes)
    rows = sizes[1] * chain.PRODUCTS * chain.WEEKS
    held = f"weekly batch, peak memory at {sizes[1]} stores ({rows / 1e6:.1f} M rows)"
    judged = (
        Figure(held, peak(many) / GIBI, "GiB", MEMORY),
        Figure(f"weekly batch, CPU at {sizes[1]} stores to {sizes[0]}", cpu(many) / cpu(few), "×", GROWTH),
    )
    return Result(
        "scale",
        (
            *(unjudged(judged) if quick else judged),
            Figure(f"weekly batch at {sizes[1]} stores, read to orders", cpu(many), "s"),
            Figure(f"weekly batch at {sizes[0]} stores", cpu(few), "s"),
        ),
        (few[-1].run, many[-1].run),
        {"orders": {str(stores): turns[-1].answers["orders"] for stores, turns in took.items()}},
    )
