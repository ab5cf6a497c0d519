"""What the field shows of each unit in each period, and the sums over units and spans that statistics rest on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.errors import DataError, Finding
from pipeline.evaluation.outcomes import KpiDefinition

UNIT, PERIOD = "unit", "period"


#: Not taken from the intervals: they import SciPy, which a charter is checked without.
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Observed:
    """Measured components of all units, whoever decided.

    Attributes:
        frame: rows with ``unit``, ``period`` (ISO dates, or anything else that sorts in time), the slice columns and
            float component columns; a unit may have several rows in a period, one per slice cell. A component that
            nobody measured in a period is NaN there.
        slices: names of the slice columns.
        volume: the component that tells how large a unit is.
        delay: periods after a release that no decision of it can reach yet, such as the rest of a lead time.
        unseen: components that nobody can record, each with why, in words that follow "as".
    """

    frame: pd.DataFrame
    slices: tuple[str, ...]
    volume: str
    delay: int = 0
    unseen: Mapping[str, str] = field(default_factory=dict)

    @property
    def periods(self) -> tuple[str, ...]:
        """All periods in order."""
        return tuple(sorted(self.frame[PERIOD].unique()))

    @property
    def units(self) -> tuple[str, ...]:
        """All units in order."""
        return tuple(sorted(self.frame[UNIT].unique()))

    def before(self, start: str) -> "Observed":
        """Only what lies before a period: whoever picks units may see no more."""
        return replace(self, frame=self.frame[self.frame[PERIOD] < start])

    def tags(self) -> tuple[str, ...]:
        """The slices that are one value per unit, such as its region."""
        kinds = self.frame.groupby(UNIT, observed=True)[list(self.slices)].nunique() if self.slices else pd.DataFrame()
        return tuple(name for name in self.slices if len(kinds) and (kinds[name] <= 1).all())


def span_before(periods: Sequence[str], start: str, length: int) -> tuple[str, ...]:
    """The last ``length`` periods before the start."""
    return tuple(period for period in periods if period < start)[-length:]


def span_from(periods: Sequence[str], start: str, length: int | None = None) -> tuple[str, ...]:
    """The first ``length`` periods from the start on; all of them where no length is given."""
    later = tuple(period for period in periods if period >= start)
    return later if length is None else later[:length]


class Cube:
    """The components of a frame as dense arrays of units and periods, so that any sum over a span is one slice."""

    def __init__(self, frame: pd.DataFrame, components: Sequence[str]) -> None:
        """Add up the rows of each unit and period.

        Args:
            frame: rows with ``unit``, ``period`` and the components.
            components: columns to keep; those the frame lacks are left out.

        Raises:
            DataError: the frame has no column ``unit`` or ``period``.
        """
        require_columns(frame, ())
        unit, units = pd.factorize(frame[UNIT].to_numpy(dtype=object), sort=True)
        period, periods = pd.factorize(frame[PERIOD].to_numpy(dtype=object), sort=True)
        self.units, self.periods = tuple(units.tolist()), tuple(periods.tolist())
        self._row = {name: place for place, name in enumerate(self.units)}
        self._column = {name: place for place, name in enumerate(self.periods)}
        cell, shape = unit * len(periods) + period, (len(units), len(periods))
        self._values = {
            name: np.bincount(cell, frame[name].to_numpy(dtype=np.float64), minlength=shape[0] * shape[1])
            .reshape(shape)
            .astype(np.float64)
            for name in dict.fromkeys(components)
            if name in frame.columns
        }

    def measures(self, kpi: KpiDefinition) -> bool:
        """Whether both components of a KPI are there."""
        return {kpi.numerator, kpi.denominator} <= self._values.keys()

    def sums(self, kpi: KpiDefinition, units: Sequence[str], periods: Sequence[str]) -> Floats:
        """Numerator and denominator per unit over a span, shape ``(units, 2)``.

        A unit without a row in the span has 0 in both; where a component is NaN in the span, it is NaN.

        Raises:
            DataError: a component is missing.
        """
        return self.sums_by(kpi, units, [periods])[:, 0, :]

    def sums_by(self, kpi: KpiDefinition, units: Sequence[str], spans: Sequence[Sequence[str]]) -> Floats:
        """The same for several spans, shape ``(units, spans, 2)``.

        Raises:
            DataError: a component is missing.
        """
        missing = [name for name in (kpi.numerator, kpi.denominator) if name not in self._values]
        if missing:
            raise _missing(missing)
        rows = [self._row[unit] for unit in units if unit in self._row]
        known = [place for place, unit in enumerate(units) if unit in self._row]
        result = np.zeros((len(units), len(spans), 2))
        for place, span in enumerate(spans):
            columns = [self._column[period] for period in span if period in self._column]
            for part, name in enumerate((kpi.numerator, kpi.denominator)):
                result[known, place, part] = self._values[name][np.ix_(rows, columns)].sum(axis=1)
        return result


def blocks(periods: Sequence[str], count: int) -> tuple[tuple[str, ...], ...]:
    """The periods cut into ``count`` runs of nearly equal length, in order."""
    numbered = [(position * count // max(len(periods), 1), period) for position, period in enumerate(periods)]
    return tuple(tuple(period for _, period in group) for _, group in groupby(numbered, key=lambda item: item[0]))


def require_columns(frame: pd.DataFrame, columns: Sequence[str]) -> None:
    """Refuse a frame that lacks a column.

    Raises:
        DataError: naming every column that is missing.
    """
    missing = [name for name in (UNIT, PERIOD, *dict.fromkeys(columns)) if name not in frame.columns]
    if missing:
        raise _missing(missing)


def _missing(names: Sequence[str]) -> DataError:
    remedy = f"hand over one row per unit and period with the columns {UNIT}, {PERIOD} and the KPI's components"
    findings = [Finding(f"column {name}", "it is missing", remedy) for name in names]
    return DataError("The field's figures cannot be read", findings)
