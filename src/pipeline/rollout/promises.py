"""Our own promises: what the replay let expect of a model, beside what the field gave.

Every iteration promises a KPI with a prediction interval (:mod:`.prediction`). Once its model has been in the field for
whole periods, the realised KPI of the units that follow it stands beside the promise, and the gap between them over
iterations tells how far our figures may be trusted: a mean gap is optimism, a share of realised values within the
interval far from 95 % is false certainty.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from pipeline.evaluation.criteria import better
from pipeline.evaluation.did import alone
from pipeline.evaluation.figures import level, show, show_change, show_interval
from pipeline.evaluation.observed import PERIOD, Cube
from pipeline.evaluation.outcomes import Interval, KpiDefinition
from pipeline.language.message import Message, say
from pipeline.ledger import Reader, all_iterations
from pipeline.rollout.effect import level as realised_level
from pipeline.rollout.prediction import Figure
from pipeline.rollout.stack import Release


@dataclass(frozen=True)
class Promise:
    """One iteration's promise and what came of it.

    Attributes:
        number: the iteration.
        stage: the rung on which it was kept or not.
        expected: the KPI by the replay, with its prediction interval for so many units and periods.
        realised: the KPI in the field, with its interval; None while no period is complete.
        periods: complete field periods it rests on.
        units: units that were measured.
    """

    number: int
    stage: str
    expected: Interval
    realised: Interval | None
    periods: int
    units: int

    @property
    def gap(self) -> float:
        """Realised minus expected; NaN while nothing is realised."""
        return self.realised.value - self.expected.value if self.realised is not None else math.nan

    @property
    def kept(self) -> bool | None:
        """Whether what was realised lies in the interval that was promised; None while nothing is realised."""
        if self.realised is None:
            return None
        return self.expected.low <= self.realised.value <= self.expected.high


@dataclass(frozen=True)
class Calibration:
    """All promises of a project.

    Attributes:
        kpi: the KPI.
        promises: in order.
        mean_gap: mean of the gaps; NaN while there are none.
        within: share of realised values inside the promised interval; NaN while there are none.
    """

    kpi: KpiDefinition
    promises: tuple[Promise, ...]
    mean_gap: float
    within: float

    @property
    def sentence(self) -> Message:
        """What it says, for the review."""
        told = [promise for promise in self.promises if promise.realised is not None]
        if not told:
            return say("No model has been in the field for a whole period yet, so no promise could be checked.")
        newest = told[-1]
        worse = better(newest.expected.value, newest.realised.value, self.kpi.direction) if newest.realised else False
        return say(
            "Iteration {number} promised {expected} for other units and periods, and the field gave {realised} on "
            "stage {stage} ({gap}, {judged}); over {count} promises the field was {mean} away on average, and {within} "
            "of them lay within the {level} prediction interval.",
            number=newest.number, expected=show_interval(newest.expected, self.kpi.unit),
            realised=show(newest.realised.value if newest.realised else math.nan, self.kpi.unit), stage=newest.stage,
            gap=show_change(newest.gap, self.kpi.unit), judged=say("worse") if worse else say("no worse"),
            count=len(told), mean=show_change(self.mean_gap, self.kpi.unit),
            within=show(self.within, "share", digits=0), level=level(newest.expected),
        )  # fmt: skip


def realised(
    results: pd.DataFrame, kpi: KpiDefinition, units: Sequence[str], periods: Sequence[str], seed: int
) -> Interval | None:
    """The KPI of the units that follow a model, over the periods its decisions could change; None without any.

    Args:
        results: rows with ``unit``, ``period`` and the KPI's components.
        kpi: the KPI.
        units: those that follow it.
        periods: the complete periods from its first one on.
        seed: of the bootstrap over units.
    """
    rows = results[results[PERIOD].isin(periods)]
    if rows.empty:
        return None
    cube = Cube(rows, (kpi.numerator, kpi.denominator))
    return alone(realised_level(cube.sums(kpi, units, periods), seed))


def calibration(kpi: KpiDefinition, promises: Sequence[Promise]) -> Calibration:
    """Mean gap and share kept over all promises that were realised."""
    told = [promise for promise in promises if promise.realised is not None and math.isfinite(promise.gap)]
    inside = [bool(promise.kept) for promise in told]
    mean = sum(promise.gap for promise in told) / len(told) if told else math.nan
    return Calibration(kpi, tuple(promises), mean, sum(inside) / len(inside) if inside else math.nan)


def triple(interval: Interval) -> list[float | None]:
    """Value, low and high as JSON has them: an end without bound is null."""
    return [end if math.isfinite(end) else None for end in (interval.value, interval.low, interval.high)]


def interval_of(plain: Sequence[float | None]) -> Interval:
    """The interval that :func:`triple` made plain."""
    value, low, high = plain[:3]
    return Interval(
        math.nan if value is None else value,
        -math.inf if low is None else low,
        math.inf if high is None else high,
    )


def expected_of(reader: Reader, project: str, kpi: str, release: Release) -> Figure | None:
    """The figure behind a release: the KPI of the iteration that was decided on, or None where it is unknown.

    That is the newest iteration below the release's stage with figures of its model.
    """
    for record in reversed(all_iterations(reader, project)):
        result = record.result
        if result is None or record.stage == release.stage or result["model_version"] != release.model_version:
            continue
        found = interval_of(result["kpis"][kpi]["value"])
        if math.isfinite(found.value):
            return Figure(found, result["units"], result["periods"])
    return None
