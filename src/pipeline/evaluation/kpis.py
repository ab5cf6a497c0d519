"""From played outcomes to KPIs with intervals, per unit and per slice."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pipeline.charter import Charter
from pipeline.errors import CharterError, DataError, Finding
from pipeline.evaluation.intervals import Floats, Ratio, difference, interval, ratio, resampled_totals
from pipeline.evaluation.outcomes import Effect, Evaluation, Interval, KpiDefinition, KpiResult, Outcomes, SliceResult


def evaluate(
    charter: Charter, definitions: Mapping[str, KpiDefinition], outcomes: Outcomes, arm: str, baseline: str, seed: int
) -> Evaluation:
    """All figures of one arm beside the baseline on the same units and periods.

    Args:
        charter: names the KPI and the guardrails.
        definitions: the problem's KPIs by name.
        outcomes: what was played; must hold both arms.
        arm: name of the judged arm in the outcomes.
        baseline: name of the arm it is held against.
        seed: of the bootstrap.

    Raises:
        CharterError: the charter names a KPI the problem does not offer.
        DataError: an arm was not played, arms cover different units, or a component is missing or not finite.
    """
    ordered = _ordered(charter, definitions)
    table = _Table.of(outcomes, (arm, baseline), ordered, seed)
    main = ordered[0]
    frame = outcomes.frame[outcomes.frame["arm"].isin([arm, baseline])]
    slices = [_slices(frame, main, column, arm, baseline) for column in outcomes.slices]
    return Evaluation(
        arm=arm,
        baseline=baseline,
        kpis=tuple(table.result(kpi, arm, baseline) for kpi in ordered),
        units=_slices(frame, main, "unit", arm, baseline),
        slices=tuple(result for results in slices for result in results),
        basis=outcomes.basis,
        kind=outcomes.kind,
        periods=outcomes.periods,
    )


def effect(item: str, kpi: KpiDefinition, outcomes: Outcomes, with_item: str, without_item: str, seed: int) -> Effect:
    """What one applied feedback item changed: the arm with it minus the arm without it, paired by unit.

    Raises:
        DataError: as for :func:`evaluate`.
    """
    table = _Table.of(outcomes, (with_item, without_item), (kpi,), seed)
    result = table.result(kpi, with_item, without_item)
    return Effect(item, kpi.name, result.value, result.baseline, result.difference)


def summary(outcomes: Outcomes, definitions: Mapping[str, KpiDefinition], seed: int) -> pd.DataFrame:
    """Every arm and KPI with its interval: one row per arm and KPI, arms in the order they were played.

    Columns: ``arm``, ``kpi``, ``title``, ``unit``, ``direction``, ``value``, ``low``, ``high``, ``units``.

    Raises:
        DataError: as for :func:`evaluate`.
    """
    arms = tuple(dict.fromkeys(outcomes.frame["arm"]))
    table = _Table.of(outcomes, arms, tuple(definitions.values()), seed)
    rows = [_row(table, arm, kpi) for arm in arms for kpi in definitions.values()]
    columns = ["arm", "kpi", "title", "unit", "direction", "value", "low", "high", "units"]
    return pd.DataFrame(rows, columns=columns)


@dataclass(frozen=True)
class _Table:
    """Components per unit, arms side by side, and their resampled totals.

    ``components`` has shape ``(units, arms * columns)``; ``position`` gives the column of an arm's component.
    """

    components: Floats
    totals: Floats
    position: dict[tuple[str, str], int]

    @classmethod
    def of(cls, outcomes: Outcomes, arms: Sequence[str], kpis: Sequence[KpiDefinition], seed: int) -> "_Table":
        columns = list(dict.fromkeys(name for kpi in kpis for name in (kpi.numerator, kpi.denominator)))
        frame = outcomes.frame
        _require(frame, arms, columns)
        played = frame[frame["arm"].isin(list(arms))]
        sums = played.groupby(["arm", "unit"], sort=True, observed=True)[columns].sum()
        units = _of_arm(sums, arms[0]).index
        for arm in arms[1:]:
            _same_units(arms[0], units, arm, _of_arm(sums, arm).index)
        blocks = [_of_arm(sums, arm).to_numpy(dtype=np.float64) for arm in arms]
        components = np.concatenate(blocks, axis=1)
        names = [(arm, column) for arm in arms for column in columns]
        return cls(components, resampled_totals(components, seed), {name: place for place, name in enumerate(names)})

    @property
    def units(self) -> int:
        return int(self.components.shape[0])

    def ratio(self, kpi: KpiDefinition, arm: str) -> Ratio:
        places = self.position[arm, kpi.numerator], self.position[arm, kpi.denominator]
        return ratio(self.components, self.totals, *places)

    def result(self, kpi: KpiDefinition, arm: str, baseline: str) -> KpiResult:
        ours, theirs = self.ratio(kpi, arm), self.ratio(kpi, baseline)
        return KpiResult(
            kpi=kpi,
            arm=arm,
            value=possible(interval(ours, self.units), kpi.unit),
            baseline=possible(interval(theirs, self.units), kpi.unit),
            difference=difference(ours, theirs, self.units),
            units=self.units,
        )


def possible(found: Interval, unit: str) -> Interval:
    """The part of an interval that can be true: a share lies between 0 and 1; unbounded ends stay unbounded."""
    if unit != "share":
        return found
    low, high = (min(max(end, 0.0), 1.0) if math.isfinite(end) else end for end in (found.low, found.high))
    return replace(found, low=low, high=high)


def _ordered(charter: Charter, definitions: Mapping[str, KpiDefinition]) -> tuple[KpiDefinition, ...]:
    """The charter's KPI, its guardrails, then the problem's other KPIs."""
    named = [("kpi.name", charter.kpi.name)]
    named += [(f"guardrails[{place}].name", guard.name) for place, guard in enumerate(charter.guardrails)]
    unknown = [
        Finding(place, f"no KPI is called {name!r}", f"write one of: {', '.join(sorted(definitions))}")
        for place, name in named
        if name not in definitions
    ]
    if unknown:
        raise CharterError("The charter names a KPI the problem does not offer", unknown)
    names = dict.fromkeys([name for _, name in named] + list(definitions))
    return tuple(definitions[name] for name in names)


def _slices(frame: pd.DataFrame, kpi: KpiDefinition, column: str, arm: str, baseline: str) -> tuple[SliceResult, ...]:
    """One KPI per value of a column, worst first; values without any denominator come last."""
    parts = list(dict.fromkeys([kpi.numerator, kpi.denominator]))
    sums = frame.groupby(["arm", column], sort=True, observed=True)[parts].sum()
    ours = _of_arm(sums, arm)
    theirs = _of_arm(sums, baseline).reindex(ours.index)
    weights = ours[kpi.denominator] / (ours[kpi.denominator].sum() or 1.0)
    table = pd.DataFrame({"arm": _quotient(ours, kpi), "baseline": _quotient(theirs, kpi), "weight": weights})
    ordered = table.sort_values("arm", ascending=kpi.direction == "higher", na_position="last", kind="stable")
    return tuple(
        SliceResult(column, str(value), kpi.name, *figures)
        for value, figures in zip(ordered.index, ordered.to_numpy(dtype=np.float64).tolist(), strict=True)
    )


def _of_arm(sums: pd.DataFrame, arm: str) -> pd.DataFrame:
    return sums[sums.index.get_level_values("arm") == arm].droplevel("arm")


def _quotient(sums: pd.DataFrame, kpi: KpiDefinition) -> "pd.Series[float]":
    denominator = sums[kpi.denominator]
    return sums[kpi.numerator] / denominator.where(denominator != 0)


def _row(table: _Table, arm: str, kpi: KpiDefinition) -> tuple[str | float | int, ...]:
    figure = possible(interval(table.ratio(kpi, arm), table.units), kpi.unit)
    return (arm, kpi.name, kpi.title, kpi.unit, kpi.direction, figure.value, figure.low, figure.high, table.units)


def _require(frame: pd.DataFrame, arms: Iterable[str], columns: Sequence[str]) -> None:
    played = set(frame["arm"])
    findings = [
        Finding(f"arm {arm}", "it was not played", f"play it; played were: {', '.join(sorted(played)) or 'none'}")
        for arm in arms
        if arm not in played
    ]
    for column in columns:
        if column not in frame.columns:
            findings.append(Finding(f"outcomes, column {column}", "it is missing", "the replay must hand it over"))
        elif not np.isfinite(frame[column].to_numpy(dtype=np.float64)).all():
            remedy = "the replay must hand over sums, with 0 for nothing"
            findings.append(Finding(f"outcomes, column {column}", "it holds values that are not finite", remedy))
    if findings:
        raise DataError("The outcomes cannot be evaluated", findings)


def _same_units(first: str, units: pd.Index, other: str, others: pd.Index) -> None:
    if not units.equals(others):
        odd = ", ".join(str(unit) for unit in units.symmetric_difference(others)[:5])
        remedy = "play all arms on the same units; without that nothing is paired"
        raise DataError("The arms cover different units", [Finding(f"arms {first} and {other}", odd, remedy)])
