"""What is known about the data: coverage, ages, leaks and drift."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from pipeline.charter import Charter
from pipeline.datasets.contracts import duplicates_in
from pipeline.datasets.dataset import DataFacts, Dataset
from pipeline.evaluation.stability import psi
from pipeline.language import say
from pipeline.tabular.cases import Cases
from pipeline.tabular.preparing import features_of
from pipeline.tabular.source import PERIOD, UNIT
from pipeline.tabular.values import Floats

#: Share of the periods that are compared for drift: the newest against those before them.
SPAN = 0.25
#: A column is looked at for leaks where it has this many known cells.
_LEAST = 30
#: Rank correlation with an amount from which a column is the amount under another name.
_COPY = 0.9999


def facts_of(charter: Charter, dataset: Dataset, cases: Cases, earlier: Cases | None) -> DataFacts:
    """The facts of a dataset; ``earlier`` are the cases of the previous one, None for the first."""
    columns = _features(charter, cases)
    waiting = len(cases.waiting) / max(len(cases.waiting) + len(cases.frame), 1)
    notes = []
    if waiting:
        notes.append(
            say(
                "{cases} cases ({share}) have no outcome yet; nothing is learned from them.",
                cases=f"{len(cases.waiting):,}", share=f"{100 * waiting:.1f} %",
            )
        )  # fmt: skip
    if not cases.business.time:
        notes.append(
            say(
                "The table has no dates: cases were dealt into {groups} seeded groups, which stand in for {periods}. "
                "What holds on later groups need not hold at a later time.",
                groups=cases.business.groups, periods=say("weeks") if charter.data.period == "week" else say("days"),
            )
        )  # fmt: skip
    return DataFacts(
        periods=cases.periods,
        units=cases.units.nunique(),
        series=cases.units.nunique(),
        coverage=coverage(cases),
        censored=0.0,
        ages_days={charter.data.tables[0].name: 0},
        duplicates=duplicates_in(dataset.quarantine),
        leaks=leaks(cases, columns),
        drift=drift(cases, earlier, columns) if earlier is not None else {},
        notes=tuple(notes),
    )


def coverage(cases: Cases) -> float:
    """Share of the periods from a unit's first to the last one in which it has a case; lots count as one unit."""
    if not cases.business.unit:
        return len(np.unique(cases.period)) / cases.periods
    there = cases.frame.groupby(UNIT, observed=True)[PERIOD].agg(["nunique", "min"])
    last, first = cases.frame[PERIOD].max(), cases.frame[PERIOD].min()
    step = max((last - first).days / max(cases.periods - 1, 1), 1.0)
    expected = (last - there["min"]).dt.days / step + 1
    return float(min(there["nunique"].sum() / max(float(expected.sum()), 1.0), 1.0))


def leaks(cases: Cases, columns: Sequence[str]) -> tuple[str, ...]:
    """Columns that alone tell the target without fail: no honest feature does, so it was written down afterwards."""
    return tuple(sorted(name for name in columns if _tells(cases.frame[name], cases.truth, len(cases.names))))


def _tells(column: pd.Series, truth: Floats, classes: int) -> bool:
    known = column.notna().to_numpy()
    if known.sum() < _LEAST:
        return False
    cells, seen = column[known], truth[known]
    if not pd.api.types.is_numeric_dtype(cells):
        return bool(classes and cells.nunique() < known.sum() / 5 and _pure(cells, seen))
    numbers = cells.to_numpy(dtype=np.float64)
    if not classes:
        ranks = pd.Series(numbers).rank().to_numpy(), pd.Series(seen).rank().to_numpy()
        spread = min(float(np.std(one)) for one in ranks)
        return bool(spread > 0 and abs(float(np.corrcoef(*ranks)[0, 1])) > _COPY)
    order = np.argsort(numbers, kind="stable")
    found, cuts = seen[order], np.diff(numbers[order]) != 0
    changes = np.diff(found) != 0
    # As many runs as classes, none of them ending among equal numbers: cut points alone tell the class.
    return bool(
        len(np.unique(found)) > 1 and changes.sum() == len(np.unique(found)) - 1 and not (changes & ~cuts).any()
    )


def _pure(cells: pd.Series, truth: Floats) -> bool:
    groups = pd.Series(truth).groupby(cells.astype(str).to_numpy())
    return bool((groups.min() == groups.max()).all() and len(np.unique(truth)) > 1)


def drift(now: Cases, before: Cases, columns: Sequence[str]) -> dict[str, float]:
    """Population stability index of each feature's newest span against the earlier dataset's newest span."""
    current, reference = _newest(now), _newest(before)
    found: dict[str, Any] = {
        name: psi(current[name], reference[name]) for name in columns if name in reference and len(reference)
    }
    return {name: float(value) for name, value in found.items() if value == value}


def frames(charter: Charter, now: Cases, before: Cases | None, rows: int) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """Current and reference features, seeded samples; without an earlier dataset, the periods before the newest."""
    columns = list(_features(charter, now))
    current = _newest(now)
    reference = _newest(before) if before is not None else now.frame.iloc[: len(now.frame) - len(current)]
    columns = [name for name in columns if name in reference.columns]
    if current.empty or reference.empty or not columns:
        return None
    return tuple(_sample(frame[columns], rows, charter.seed) for frame in (current, reference))  # type: ignore[return-value]


def _features(charter: Charter, cases: Cases) -> tuple[str, ...]:
    """Every column that some candidate learns from."""
    groups = [features_of(cases.business, spec, cases.frame) for spec in charter.model.candidates]
    return tuple(dict.fromkeys(name for group in groups for name in group))


def _newest(cases: Cases) -> pd.DataFrame:
    return cases.frame[cases.period >= cases.periods - max(1, round(cases.periods * SPAN))]


def _sample(frame: pd.DataFrame, rows: int, seed: int) -> pd.DataFrame:
    chosen = frame.sample(rows, random_state=seed) if len(frame) > rows else frame
    return chosen.reset_index(drop=True)
