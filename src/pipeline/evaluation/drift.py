"""The Evidently report of an iteration: drift by column, data summary and the business KPIs with their tests.

This report is for people and runs on a sample; nothing is gated on it. Scores on all rows are
:func:`pipeline.evaluation.stability.psi`; verdicts on KPIs are :mod:`pipeline.evaluation.gates`, on the interval.

The methods are fixed, so that two iterations can be compared: normed Wasserstein distance for numbers and
Jensen-Shannon distance for text, each drifted from 0.1 on. Evidently itself would switch to p-values below 1,000 rows.
"""

import json
import math
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.charter import Charter
from pipeline.errors import DataError, Finding
from pipeline.evaluation.criteria import allowed
from pipeline.evaluation.figures import show, show_interval
from pipeline.evaluation.outcomes import Evaluation, KpiResult

# Only Evidently's own server sends usage events, and we never start it; this keeps it silent even so.
os.environ.setdefault("DO_NOT_TRACK", "1")

# Evidently touches numpy.core and pydantic.v1 as it loads and runs; our own warnings stay errors in tests.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from evidently import DataDefinition, Report
    from evidently import Dataset as EvidentlyDataset
    from evidently.core.metric_types import SingleValue, SingleValueCalculation, SingleValueMetric
    from evidently.legacy.renderers.html_widgets import CounterData, counter
    from evidently.metrics import DriftedColumnsCount, QuantileValue, ValueDrift
    from evidently.presets import DatasetStats, ValueStats
    from evidently.tests import gte, lt, lte

NUMBERS_METHOD = "wasserstein"
TEXT_METHOD = "jensenshannon"
THRESHOLD = 0.1
#: A text column with more values than this is an identifier, whose distribution tells nothing.
MOST_VALUES = 60


@dataclass(frozen=True)
class ColumnDrift:
    """How far one column moved: ``drifted`` when ``score`` is at least ``threshold``."""

    name: str
    method: str
    score: float
    threshold: float
    drifted: bool


@dataclass(frozen=True)
class DriftTest:
    """One test of the Evidently report, in its words."""

    name: str
    description: str
    passed: bool


@dataclass(frozen=True)
class DriftReport:
    """What the Evidently report found.

    Attributes:
        columns: per compared column, largest score first.
        share_drifted: share of the compared columns that drifted.
        rows_current: rows of the current sample.
        rows_reference: rows of the reference sample.
        left_out: columns that were not compared: identifiers, and columns without any value on one side.
        tests: of columns and KPIs, passed or failed.
        files: ``drift.html`` and ``drift.json``.
    """

    columns: tuple[ColumnDrift, ...]
    share_drifted: float
    rows_current: int
    rows_reference: int
    left_out: tuple[str, ...]
    tests: tuple[DriftTest, ...]
    files: tuple[Path, ...]


def report(
    current: pd.DataFrame, reference: pd.DataFrame, kpis: Evaluation | None, charter: Charter, directory: Path
) -> DriftReport:
    """Compare two samples of the same columns, add the KPIs, and write ``drift.html`` and ``drift.json``.

    Args:
        current: seeded sample of this iteration's rows.
        reference: seeded sample of the rows it is compared with.
        kpis: the evaluation whose KPIs are shown and tested; None where only data is looked at.
        charter: holds the target and the guardrails the KPIs are tested against.
        directory: where the two files go; created when missing.

    Raises:
        DataError: a sample is empty, the columns differ, or no column can be compared.
    """
    numbers, texts, left_out = _columns(current, reference)
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=texts)
    samples = [_prepared(frame, numbers, texts) for frame in (current, reference)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        business = _business(kpis, charter) if kpis is not None else []
        metrics = [*business, *_drift(numbers, texts), DatasetStats(), *map(ColumnInShort, [*numbers, *texts])]
        sets = [EvidentlyDataset.from_pandas(sample, data_definition=definition) for sample in samples]
        snapshot = Report(metrics, include_tests=False).run(*sets)
        files = _write(snapshot, directory)
    found = json.loads(files[1].read_text())
    columns = _scores(found["metrics"])
    return DriftReport(
        columns=columns,
        share_drifted=sum(column.drifted for column in columns) / len(columns),
        rows_current=len(current),
        rows_reference=len(reference),
        left_out=left_out,
        tests=tuple(
            DriftTest(test["name"], test["description"], passed=test["status"] == "SUCCESS") for test in found["tests"]
        ),
        files=files,
    )


class ColumnInShort(ValueStats):  # type: ignore[misc]
    """Evidently's summary of a column without the quartiles: it draws the column anew for each and shows none."""

    def generate_metrics(self, context: Any) -> list[Any]:
        """Count, missing, least, most, mean and spread of a number; the values of a text."""
        return [one for one in super().generate_metrics(context) if not isinstance(one, QuantileValue)]


class BusinessKpi(SingleValueMetric):  # type: ignore[misc]
    """A KPI of the evaluation as an Evidently metric: computed by the replay, shown and tested here."""

    kpi: str
    title: str
    figure: float
    shown: str
    beside: str


class BusinessKpiCalculation(SingleValueCalculation[BusinessKpi]):  # type: ignore[misc]
    """Hands the figure over and draws it; the samples play no part in it."""

    def calculate(self, context: Any, current_data: Any, reference_data: Any) -> SingleValue:  # noqa: ARG002
        """The figure with a counter as its widget."""
        result = self.result(self.metric.figure)
        beside = CounterData(label="baseline", value=self.metric.beside)
        result.widget = [
            counter(title=self.metric.title, counters=[CounterData(label="model", value=self.metric.shown), beside])
        ]
        return result

    def display_name(self) -> str:
        """The KPI in words."""
        return str(self.metric.title)


def _business(kpis: Evaluation, charter: Charter) -> list[BusinessKpi]:
    """One metric per KPI that could be measured."""
    return [
        BusinessKpi(
            kpi=result.kpi.name,
            title=result.kpi.title,
            figure=result.value.value,
            shown=show_interval(result.value, result.kpi.unit),
            beside=show(result.baseline.value, result.kpi.unit),
            tests=_tests(result, charter),
        )
        for result in kpis.kpis
        if math.isfinite(result.value.value)
    ]


def _tests(result: KpiResult, charter: Charter) -> list[Any]:
    """The goal against target and baseline, a guardrail against its limits; any other KPI is only shown."""
    baseline = result.baseline.value
    limits: list[float | None] = []
    if result.kpi.name == charter.kpi.name:
        limits += [charter.kpi.target, baseline]
    for guard in charter.guardrails:
        if guard.name == result.kpi.name:
            limits += [guard.limit, allowed(guard, baseline)]
    within = lte if result.kpi.direction == "lower" else gte
    return [within(limit) for limit in limits if limit is not None and math.isfinite(limit)]


def _drift(numbers: Sequence[str], texts: Sequence[str]) -> list[Any]:
    """How many columns drifted, and each column with its test."""
    methods = dict.fromkeys(numbers, NUMBERS_METHOD) | dict.fromkeys(texts, TEXT_METHOD)
    limits = {"num_threshold": THRESHOLD, "cat_threshold": THRESHOLD}
    count = DriftedColumnsCount(num_method=NUMBERS_METHOD, cat_method=TEXT_METHOD, **limits)
    columns = [
        ValueDrift(column=name, method=method, threshold=THRESHOLD, tests=[lt(THRESHOLD)])
        for name, method in methods.items()
    ]
    return [count, *columns]


def _columns(current: pd.DataFrame, reference: pd.DataFrame) -> tuple[list[str], list[str], tuple[str, ...]]:
    """Names of the numeric, the text and the left-out columns."""
    sizes = {"current sample": current, "reference sample": reference}
    findings = [
        Finding(f"drift, {name}", "it has no rows", "sample at least one row") for name, f in sizes.items() if f.empty
    ]
    odd = sorted(str(name) for name in current.columns.symmetric_difference(reference.columns))
    if odd:
        findings.append(Finding("drift, columns", f"only in one sample: {', '.join(odd)}", "sample the same columns"))
    if findings:
        raise DataError("The samples cannot be compared", findings)
    usable = [name for name in current.columns if _comparable(current[name], reference[name])]
    if not usable:
        remedy = f"sample columns of numbers, or of text with at most {MOST_VALUES} values"
        raise DataError("The samples cannot be compared", [Finding("drift, columns", "no column is usable", remedy)])
    numbers = [name for name in usable if _is_number(current[name])]
    texts = [name for name in usable if name not in numbers]
    return numbers, texts, tuple(str(name) for name in current.columns if name not in usable)


def _comparable(current: "pd.Series[Any]", reference: "pd.Series[Any]") -> bool:
    if current.isna().all() or reference.isna().all():
        return False
    numbers = [_is_number(series) for series in (current, reference)]
    if all(numbers):
        return True
    return not any(numbers) and pd.concat([current, reference]).astype("string").nunique() <= MOST_VALUES


def _is_number(series: "pd.Series[Any]") -> bool:
    return pd.api.types.is_numeric_dtype(series) and not pd.api.types.is_bool_dtype(series)


def _prepared(frame: pd.DataFrame, numbers: Sequence[str], texts: Sequence[str]) -> pd.DataFrame:
    """Plain floats and plain strings, which is all that Evidently needs to understand."""
    types = dict.fromkeys(numbers, "float64") | dict.fromkeys(texts, "str")
    return frame[[*numbers, *texts]].astype(types).reset_index(drop=True)


def _scores(metrics: Sequence[dict[str, Any]]) -> tuple[ColumnDrift, ...]:
    found = []
    for metric in metrics:
        config = metric["config"]
        if config["type"].endswith(":ValueDrift"):
            score = float(metric["value"])
            drifted = score >= config["threshold"]
            found.append(ColumnDrift(config["column"], config["method"], score, config["threshold"], drifted))
    return tuple(sorted(found, key=lambda column: (-column.score, column.name)))


def _write(snapshot: Any, directory: Path) -> tuple[Path, Path]:
    directory.mkdir(parents=True, exist_ok=True)
    page, data = directory / "drift.html", directory / "drift.json"
    snapshot.save_html(str(page))
    snapshot.save_json(str(data))
    return page, data
