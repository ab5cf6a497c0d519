"""What a stage takes, and whether the next and the last one can be afforded.

Measured are wall time, peak memory, disk space and people's minutes of a run on so many units. Whether they grow with
the units is not known from one stage: part of the cost is the same for 5 units and for 300. So a figure for more units
is an interval: from one measured size it reaches from "all of it is fixed" to "all of it grows with the units"; from
two or more sizes it is the straight line through them (least squares, negative slopes cut off), up to growth in
proportion of the largest measured. The gate holds the upper end against the charter's plan.
"""

import resource
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sqlalchemy import func, select

from pipeline.charter import Charter, Stage
from pipeline.evaluation.outcomes import Interval
from pipeline.language.message import Message, joined, say
from pipeline.ledger import Reader
from pipeline.ledger.tables import reviews, signoffs
from pipeline.verdicts import Severity, Verdict

GIGA = 1e9
HOURS_A_DAY = 8.0


@dataclass(frozen=True)
class Usage:
    """What one iteration took.

    Attributes:
        stage: the rung.
        units: units that followed the model.
        seconds: wall time.
        memory_gb: peak memory of the process, 10^9 bytes.
        storage_gb: disk space it left behind, 10^9 bytes.
        people_minutes: sign-offs times the charter's minutes for one.
    """

    stage: str
    units: int
    seconds: float
    memory_gb: float
    storage_gb: float
    people_minutes: float


@dataclass(frozen=True)
class Need:
    """One resource at a larger stage: what is expected, with the interval, and what is planned; None for no limit."""

    name: str
    unit: str
    measured: float
    expected: Interval
    planned: float | None

    @property
    def fits(self) -> bool:
        """Whether even the upper end is planned for."""
        return self.planned is None or self.expected.high <= self.planned


def peak_memory_gb() -> float:
    """The most memory this process ever held, in 10^9 bytes."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KiB, macOS in bytes.
    return most * (1 if sys.platform == "darwin" else 1024) / GIGA


def storage_gb(folders: Iterable[Path]) -> float:
    """Disk space of all files below the folders, in 10^9 bytes; folders that are not there take none."""
    files = (file for folder in folders if folder.is_dir() for file in folder.rglob("*") if file.is_file())
    return sum(file.stat().st_size for file in files) / GIGA


def people_minutes(reader: Reader, charter: Charter, number: int, stage: str) -> float:
    """Sign-offs on an iteration's reviews times the charter's minutes for one; waiting is not work.

    While nobody has signed yet, those who must sign to go up are counted.
    """
    query = (
        select(func.count().label("signed"))
        .select_from(signoffs.join(reviews, signoffs.c.review == reviews.c.id))
        .where(reviews.c.project == charter.project, reviews.c.number == number, reviews.c.stage == stage)
    )
    signed = int(reader.rows(query)[0]["signed"]) or len(charter.signers("advance", stage))
    return signed * charter.budget.minutes_per_signoff


def needs(charter: Charter, stage: Stage, units: int, used: Sequence[Usage]) -> tuple[Need, ...]:
    """What a larger stage will take, against what the charter plans for it.

    Args:
        charter: how many minutes a sign-off takes.
        stage: the larger stage.
        units: its number of units.
        used: measured iterations, the newest last; of each number of units the newest counts.
    """
    newest = {one.units: one for one in used}
    points = [newest[size] for size in sorted(newest)]
    resources, capacity = stage.resources, stage.capacity
    people = len(charter.signers("advance", stage.name)) * charter.budget.minutes_per_signoff
    rows = (
        ("compute", "hours", [one.seconds / 3600 for one in points], resources.compute_hours),
        ("memory", "GB", [one.memory_gb for one in points], capacity.memory_gb),
        ("storage", "GB", [one.storage_gb for one in points], capacity.storage_gb),
    )
    sizes = [one.units for one in points]
    found = [
        Need(name, unit, values[-1], extrapolated(sizes, values, units), planned)
        for name, unit, values, planned in rows
    ]
    days = [one.people_minutes / 60 / HOURS_A_DAY for one in points]
    # Signing does not grow with the units but with the roles the next stage asks.
    asked = people / 60 / HOURS_A_DAY
    expected = Interval(max(asked, days[-1]), min(asked, days[-1]), max(asked, days[-1]))
    return (*found, Need("people", "days", days[-1], expected, resources.people_days))


def extrapolated(sizes: Sequence[int], values: Sequence[float], units: int) -> Interval:
    """A measured quantity at more units; see the module.

    Args:
        sizes: units it was measured at, ascending, each once.
        values: what was measured.
        units: where it is wanted.
    """
    largest, last = sizes[-1], values[-1]
    most = last * max(units / largest, 1.0)
    if len(sizes) == 1:
        return Interval((last + most) / 2, last, most)
    slope, offset = np.polyfit(np.asarray(sizes, dtype=np.float64), np.asarray(values, dtype=np.float64), 1)
    line = last if slope <= 0 else max(float(offset + slope * units), last)
    # Growth faster than in proportion shows as a line above it; then the line is the upper end.
    return Interval(line, min(last, line), max(most, line))


def affordable(charter: Charter, used: Sequence[Usage], next_units: int, last_units: int) -> tuple[Verdict, ...]:
    """The next stage blocks when it does not fit; the last one warns, as there is time to plan for it.

    Args:
        charter: its ladder and plans.
        used: measured iterations, the newest last.
        next_units: units of the next stage.
        last_units: units of the last stage.
    """
    stage = used[-1].stage
    above, top = charter.stage_after(stage), charter.stages[-1]
    wanted: list[tuple[str, Severity, Stage, int]] = []
    if above is not None:
        wanted.append(("resources.next_stage", "block", above, next_units))
        if above.name != top.name:
            wanted.append(("resources.last_stage", "warn", top, last_units))
    return tuple(
        _verdict(gate, severity, rung, units, needs(charter, rung, units, used))
        for gate, severity, rung, units in wanted
    )


def _verdict(gate: str, severity: Severity, stage: Stage, units: int, found: Sequence[Need]) -> Verdict:
    passed = all(need.fits for need in found)
    sentences: list[Message] = []
    figures: dict[str, float | int | str | None] = {"stage": stage.name, "units": units}
    for need in found:
        low, high = f"{need.expected.low:.3g}", f"{need.expected.high:.3g}"
        said: dict[str, str] = {"name": need.name, "low": low, "high": high, "unit": need.unit}
        if need.planned is None:
            sentences.append(say("{name} {low} to {high} {unit} (no limit)", **said))
        elif need.fits:
            sentences.append(say("{name} {low} to {high} {unit} of {planned}", **said, planned=f"{need.planned:g}"))
        else:
            sentences.append(
                say(
                    "{name} {low} to {high} {unit}, more than the {planned} planned",
                    **said,
                    planned=f"{need.planned:g}",
                )
            )
        figures |= {
            need.name: need.measured,
            f"{need.name}_high": need.expected.high,
            f"{need.name}_plan": need.planned,
        }
    reason = say(
        "Stage {stage} with {units} units takes, by what was measured so far: {needs}.",
        stage=stage.name, units=units, needs=joined(sentences, ", "),
    )  # fmt: skip
    title = say("What stage {stage} takes is planned for", stage=stage.name)
    return Verdict(gate, title, "pass" if passed else "fail", severity, reason, figures)
