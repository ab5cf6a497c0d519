"""What a replay hands to the evaluation: additive components per unit, and the KPIs defined on them."""

from dataclasses import dataclass
from typing import Literal

import pandas as pd

Direction = Literal["lower", "higher"]


@dataclass(frozen=True)
class KpiDefinition:
    """A business figure as a ratio of two additive components.

    The KPI over any set of rows is ``sum(numerator) / sum(denominator)``, so that it can be taken over all units,
    one unit or one slice, and resampled by unit (ratio estimator: Cochran, Sampling Techniques, 3rd ed., ch. 6).

    Attributes:
        name: identifier used in the charter.
        title: words for people.
        unit: ``share``, ``units per store-product``, ``EUR per week`` …; ``share`` is shown as per cent.
        direction: which way is better.
        numerator, denominator: component columns of :class:`Outcomes`.
    """

    name: str
    title: str
    unit: str
    direction: Direction
    numerator: str
    denominator: str


@dataclass(frozen=True)
class Outcomes:
    """Decisions played against what happened.

    Attributes:
        frame: one row per arm, unit and slice cell. Columns: ``arm``, ``unit``, the ``slices`` columns, and float
            component columns. Every arm covers the same units and cells (paired).
        slices: names of the slice columns.
        periods: number of periods played.
        kind: ``field`` (the world answered) or ``replay`` (played against recorded history).
        basis: one sentence for people: which weeks, how many series, what was left out and why.
        weekly: optional; one row per arm and period with columns ``arm``, ``period`` and the same components, for
            charts over time.
    """

    frame: pd.DataFrame
    slices: tuple[str, ...]
    periods: int
    kind: Literal["field", "replay"]
    basis: str
    weekly: pd.DataFrame | None = None


@dataclass(frozen=True)
class Interval:
    """A point with its two-sided confidence interval."""

    value: float
    low: float
    high: float
    level: float = 0.95


@dataclass(frozen=True)
class KpiResult:
    """One KPI of one arm beside the baseline on the same units and periods.

    Attributes:
        kpi: the definition.
        arm: name of the arm.
        value, baseline: each with its interval.
        difference: ``value - baseline``, paired by unit, with interval.
        units: number of resampled units (clusters).
    """

    kpi: KpiDefinition
    arm: str
    value: Interval
    baseline: Interval
    difference: Interval
    units: int


@dataclass(frozen=True)
class SliceResult:
    """One KPI on one slice (or one unit): the arm beside the baseline."""

    slice: str
    value: str
    kpi: str
    arm: float
    baseline: float
    weight: float


@dataclass(frozen=True)
class Evaluation:
    """All figures of one arm of one iteration.

    Attributes:
        arm: the challenger (or the champion, when a stage is measured).
        baseline: name of the baseline arm.
        kpis: the charter's KPI first, then guardrails, then the problem's other KPIs.
        units: the charter's KPI per unit, worst first.
        slices: the charter's KPI per slice, worst first within each slice column.
        basis: from :class:`Outcomes`.
        kind: from :class:`Outcomes`.
        periods: from :class:`Outcomes`.
    """

    arm: str
    baseline: str
    kpis: tuple[KpiResult, ...]
    units: tuple[SliceResult, ...]
    slices: tuple[SliceResult, ...]
    basis: str
    kind: Literal["field", "replay"]
    periods: int

    def kpi(self, name: str) -> KpiResult:
        """The result of the KPI of this name."""
        return next(result for result in self.kpis if result.kpi.name == name)


@dataclass(frozen=True)
class Effect:
    """What one applied feedback item changed: the arm with it minus the arm without it, same data, paired."""

    item: str
    kpi: str
    with_item: Interval
    without_item: Interval
    difference: Interval
