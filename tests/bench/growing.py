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
    """By parts and in one piece, on two chains; the second has ten times the stores."""
    sizes = _QUICK if quick else (FEW, MANY)
    took = {}
    for stores in sizes:
        folder = chain.write(work / f"scale-{stores}", stores)
        took[stores] = in_turns({"whole": Side("week"), "parts": Side("week_parts")}, folder, logs)
    few, many = (took[stores]["parts"] for stores in sizes)
    whole = took[sizes[1]]["whole"]
    rows = sizes[1] * chain.PRODUCTS * chain.WEEKS
    held = f"weekly batch by parts, peak memory at {sizes[1]} stores ({rows / 1e6:.1f} M rows)"
    apart = sum(one["parts"][-1].answers["units"] != one["whole"][-1].answers["units"] for one in took.values())
    judged = (
        Figure(held, peak(many) / GIBI, "GiB", MEMORY),
        Figure(f"weekly batch by parts, CPU at {sizes[1]} stores to {sizes[0]}", cpu(many) / cpu(few), "×", GROWTH),
    )
    same = Figure("chains whose orders differ by parts and in one piece", apart, "", 0)
    return Result(
        "scale",
        (
            *(unjudged(judged) if quick else judged),
            same,
            Figure(f"weekly batch by parts at {sizes[1]} stores, read to orders", cpu(many), "s"),
            Figure(f"weekly batch by parts at {sizes[0]} stores", cpu(few), "s"),
            Figure(f"weekly batch in one piece at {sizes[1]} stores", cpu(whole), "s"),
            Figure(f"weekly batch in one piece at {sizes[1]} stores, peak memory", peak(whole) / GIBI, "GiB"),
        ),
        (few[-1].run, many[-1].run),
        {"orders": {str(stores): one["parts"][-1].answers["orders"] for stores, one in took.items()}},
    )
