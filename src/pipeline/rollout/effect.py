"""What the model changed in the field: treated units against their controls, every KPI, every slice, the worst unit.

The effect is a difference-in-differences (:mod:`pipeline.evaluation.did`). What the treated units would have shown
without the model is *expected*: their own figure before, moved as the controls moved. Pure functions: a frame in,
frozen figures out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.errors import DataError, Finding
from pipeline.evaluation.did import Change, alone, change, effect, ratios
from pipeline.evaluation.intervals import Floats, resampled_totals
from pipeline.evaluation.observed import UNIT, Cube, Observed, span_before, span_from
from pipeline.evaluation.outcomes import Interval, KpiDefinition
from pipeline.rollout.doubts import Placebo, PreTrend, placebo, pre_trend


@dataclass(frozen=True)
class Groups:
    """Who is compared with whom, and when.

    Attributes:
        treated: units that follow the model from ``start`` on and did not before.
        controls: units that stay with today's rule.
        start: first period under the model.
        before: periods before it that are looked at.
        after: field periods that are looked at; None for all there are.
        skip: periods after ``since`` that no decision of the model could reach yet.
        since: first period under the very model that is measured, where the treated followed another one from
            ``start`` on; empty where they did not. What lies between belongs to neither side.
    """

    treated: tuple[str, ...]
    controls: tuple[str, ...]
    start: str
    before: int
    after: int | None = None
    skip: int = 0
    since: str = ""

    @property
    def first(self) -> str:
        """The first period under the model that is measured."""
        return max(self.start, self.since)


@dataclass(frozen=True)
class KpiEffect:
    """One KPI of the treated units before and after, beside the controls.

    Attributes:
        kpi: the definition.
        before: the treated units before the start; NaN where that was not measured.
        after: the treated units after it, with the interval over units.
        controls: the controls before and after.
        expected: what the treated would have shown without the model.
        effect: ``after - expected`` with its interval. Where nothing was measured before the start it is the treated
            minus the controls after it, and ``paired`` is False.
        paired: whether both groups were measured on both sides of the start.
    """

    kpi: KpiDefinition
    before: float
    after: Interval
    controls: tuple[float, float]
    expected: float
    effect: Interval
    paired: bool


@dataclass(frozen=True)
class SliceEffect:
    """The goal on one slice: the treated units after the start, and the effect there."""

    slice: str
    value: str
    units: int
    after: Interval
    effect: Interval


@dataclass(frozen=True)
class UnitFigure:
    """The goal of one treated unit: before, after, and what was expected of it without the model."""

    unit: str
    before: float
    after: float
    expected: float


@dataclass(frozen=True)
class FieldEffect:
    """All that was measured on one stage.

    Attributes:
        groups: who was compared.
        periods: field periods that were measured.
        kpis: the goal first, then the guardrails and the other KPIs.
        slices: the goal per slice value, worst first.
        units: the goal per treated unit, worst first.
        pre_trend, placebo: of the goal.
        unmeasured: KPIs whose components the field did not bring, each with why nobody can record them; empty where
            they could be.
    """

    groups: Groups
    periods: int
    kpis: tuple[KpiEffect, ...]
    slices: tuple[SliceEffect, ...]
    units: tuple[UnitFigure, ...]
    pre_trend: PreTrend
    placebo: Placebo
    unmeasured: tuple[tuple[KpiDefinition, str], ...] = ()

    @property
    def goal(self) -> KpiEffect:
        """The charter's KPI."""
        return self.kpis[0]

    def kpi(self, name: str) -> KpiEffect | None:
        """The KPI of this name, or None where it was not measured in the field."""
        return next((found for found in self.kpis if found.kpi.name == name), None)


def measure(
    observed: Observed, definitions: Mapping[str, KpiDefinition], goal: str, groups: Groups, seed: int
) -> FieldEffect:
    """Measure the effect of a release.

    Args:
        observed: the field's figures, before and after the start.
        definitions: the problem's KPIs; those whose components were not measured are left out.
        goal: name of the charter's KPI.
        groups: who is compared with whom.
        seed: of the bootstrap and of the splits.

    Raises:
        DataError: the goal's components are missing, a unit has no figures, or there is nothing after the start.
    """
    before = span_before(observed.periods, groups.start, groups.before)
    after = span_from(observed.periods, groups.first, groups.after)[groups.skip :]
    frame, main = observed.frame, definitions[goal]
    cube = Cube(frame, [name for kpi in definitions.values() for name in (kpi.numerator, kpi.denominator)])
    _require(cube, main, groups, after)
    others = [kpi for name, kpi in definitions.items() if name != goal and cube.measures(kpi)]
    found = tuple(_kpi_effect(cube, kpi, groups, before, after, seed) for kpi in (main, *others))
    worst_first = 1 if main.direction == "higher" else -1
    units = sorted(_units(cube, main, groups, before, after), key=lambda unit: (worst_first * unit.after, unit.unit))
    parts = (main.numerator, main.denominator)
    slices = [
        _slice_effect(Cube(frame[frame[name] == value], parts), main, name, str(value), groups, before, after, seed)
        for name in observed.slices
        for value in sorted(frame.loc[frame[UNIT].isin(groups.treated), name].dropna().unique())
    ]
    measured = [item for item in slices if np.isfinite(item.after.value)]
    return FieldEffect(
        groups=groups,
        periods=len(after),
        kpis=tuple(item for item in found if np.isfinite(item.after.value) or item.kpi is main),
        slices=tuple(sorted(measured, key=lambda item: worst_first * item.after.value)),
        units=tuple(units),
        pre_trend=pre_trend(cube, main, groups.treated, groups.controls, before, seed),
        placebo=placebo(
            cube, main, groups.controls, before, after, real=found[0].effect.value, treated=len(groups.treated),
            seed=seed,
        ),
        unmeasured=tuple((kpi, _why(kpi, observed)) for kpi in definitions.values() if not cube.measures(kpi)),
    )  # fmt: skip


def course(
    observed: Observed, kpi: KpiDefinition, groups: Groups, periods: Sequence[str]
) -> tuple[tuple[str, float, float], ...]:
    """The KPI of the treated and of the controls in each period, for the chart: period, treated, controls."""
    cube = Cube(observed.frame, (kpi.numerator, kpi.denominator))
    spans = [[period] for period in periods]
    ours, theirs = (ratios(cube.sums_by(kpi, units, spans).sum(axis=0)) for units in (groups.treated, groups.controls))
    return tuple((period, float(one), float(other)) for period, one, other in zip(periods, ours, theirs, strict=True))


def _why(kpi: KpiDefinition, observed: Observed) -> str:
    return next((observed.unseen[part] for part in (kpi.numerator, kpi.denominator) if part in observed.unseen), "")


def _kpi_effect(
    cube: Cube,
    kpi: KpiDefinition,
    groups: Groups,
    before: Sequence[str],
    after: Sequence[str],
    seed: int,
) -> KpiEffect:
    ours_before, ours_after = (cube.sums(kpi, groups.treated, span) for span in (before, after))
    theirs_before, theirs_after = (cube.sums(kpi, groups.controls, span) for span in (before, after))
    was, their_was, their_now = _pooled(ours_before), _pooled(theirs_before), _pooled(theirs_after)
    paired = bool(np.isfinite([was, their_was]).all())
    if paired:
        ours, theirs = change(ours_before, ours_after, seed), change(theirs_before, theirs_after, seed + 1)
    else:
        ours, theirs = level(ours_after, seed), level(theirs_after, seed + 1)
    return KpiEffect(
        kpi=kpi,
        before=was,
        after=alone(level(ours_after, seed)),
        controls=(their_was, their_now),
        expected=was + their_now - their_was if paired else their_now,
        effect=effect(ours, theirs),
        paired=paired,
    )


def level(parts: Floats, seed: int) -> Change:
    """A KPI's level over one span, resampled by unit; parts are ``(units, 2)``."""
    return Change(_pooled(parts), ratios(resampled_totals(parts, seed)), len(parts))


def _slice_effect(
    cube: Cube,
    kpi: KpiDefinition,
    name: str,
    value: str,
    groups: Groups,
    before: Sequence[str],
    after: Sequence[str],
    seed: int,
) -> SliceEffect:
    """The goal on the rows of one slice; units without any row after the start are no part of it."""
    present = [
        tuple(unit for unit, row in zip(units, cube.sums(kpi, units, after), strict=True) if row[1] > 0)
        for units in (groups.treated, groups.controls)
    ]
    within = Groups(present[0], present[1], groups.start, groups.before)
    found = _kpi_effect(cube, kpi, within, before, after, seed) if all(present) else None
    if found is None:
        nothing = alone(level(cube.sums(kpi, present[0], after), seed))
        return SliceEffect(name, value, len(present[0]), nothing, Interval(np.nan, -np.inf, np.inf))
    return SliceEffect(name, value, len(present[0]), found.after, found.effect)


def _units(
    cube: Cube, kpi: KpiDefinition, groups: Groups, before: Sequence[str], after: Sequence[str]
) -> list[UnitFigure]:
    was, now = (ratios(cube.sums(kpi, groups.treated, span)) for span in (before, after))
    moved = [_pooled(cube.sums(kpi, groups.controls, span)) for span in (before, after)]
    expected = was + moved[1] - moved[0]
    return [
        UnitFigure(unit, float(one), float(two), float(three))
        for unit, one, two, three in zip(groups.treated, was, now, expected, strict=True)
        if np.isfinite(two)
    ]


def _pooled(parts: Floats) -> float:
    return float(ratios(parts.sum(axis=0)[None, :])[0])


def _require(cube: Cube, kpi: KpiDefinition, groups: Groups, after: Sequence[str]) -> None:
    findings = []
    if not after:
        found = f"nothing was measured from {groups.first} on"
        findings.append(Finding("field periods", found, "deliver the field's figures: `landed outcomes add`"))
    silent = [
        unit
        for unit, row in zip(
            (*groups.treated, *groups.controls),
            cube.sums(kpi, (*groups.treated, *groups.controls), after),
            strict=True,
        )
        if not row[1] > 0
    ]
    if after and silent:
        found = f"{len(silent)} units have no {kpi.name} after {groups.first}, such as {silent[0]}"
        findings.append(Finding("field periods", found, "deliver their figures too: who drops out bends the effect"))
    if not groups.treated or not groups.controls:
        findings.append(Finding("arms", "no treated units or no controls", "pick them before the release"))
    if findings:
        raise DataError("The effect cannot be measured", findings)
