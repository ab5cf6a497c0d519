"""From what the lower rooms hand on to what the pack shows."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import pandas as pd

from pipeline.charter.difference import Change
from pipeline.compliance.personal import sampled, signs
from pipeline.datasets import undated
from pipeline.datasets.dataset import Dataset
from pipeline.evaluation.outcomes import Interval, KpiDefinition, Outcomes
from pipeline.evaluation.selection import Choice
from pipeline.reporting.evidence import (
    ArmKind,
    ArmShown,
    CandidateShown,
    ChangeShown,
    DataShown,
    QuarantineReason,
    WeeklyPoint,
)
from pipeline.reporting.refusals import refusal

#: Kinds of refused rows shown; the count of the others is shown too.
REASONS_SHOWN = 12


def data_shown(dataset: Dataset, declared: Collection[str] = ()) -> DataShown:
    """The figures of a dataset and its quarantine, reasons by how often they occur.

    The example of a refused row leaves out what is, or looks like, personal data: a pack is read by many.

    Args:
        dataset: clean tables and their quarantine.
        declared: columns with personal data, as ``table.column``.
    """
    quarantine = dataset.quarantine
    rows = quarantine.rows
    reasons: list[QuarantineReason] = []
    if len(rows):
        hidden = {*declared, *(f"{sign.table}.{sign.column}" for sign in signs(sampled(dataset.tables, seed=0)))}
        worded = {reason: refusal(reason) for reason in map(str, rows["reason"].unique())}
        # A column of texts would forget how they are said in another language.
        words = {str(text): text for text in worded.values()}
        groups = rows.groupby(
            ["table", rows["reason"].map({reason: str(text) for reason, text in worded.items()})], sort=True
        )
        reasons = [
            QuarantineReason(
                str(table),
                words[str(reason)],
                len(part),
                _shorten(_example(str(table), str(part["content"].iloc[0]), hidden)),
            )
            for (table, reason), part in groups
        ]
    reasons.sort(key=lambda reason: (-reason.rows, reason.table, reason.reason))
    shown = tuple(reasons[:REASONS_SHOWN])
    return DataShown(
        digest=dataset.digest,
        cutoff=dataset.cutoff,
        loaded=dict(quarantine.loaded),
        kept=dict(quarantine.kept),
        reasons=shown,
        other_refused=len(rows) - sum(reason.rows for reason in shown),
    )


def weekly_points(
    outcomes: Outcomes, kpi: KpiDefinition, arm: str, baseline: str, period: str
) -> tuple[WeeklyPoint, ...]:
    """The KPI per period (``week`` or ``day``) of two arms, for the chart; empty when the outcomes hold no periods."""
    if outcomes.weekly is None:
        return ()
    sums = outcomes.weekly.groupby(["period", "arm"], sort=True)[[kpi.numerator, kpi.denominator]].sum()
    ratio = sums[kpi.numerator] / sums[kpi.denominator]
    sides = {"model": ratio.xs(arm, level="arm"), "baseline": ratio.xs(baseline, level="arm")}
    both = pd.DataFrame(sides).dropna().sort_index()
    return tuple(
        WeeklyPoint(undated.shown(_period(first), period), float(row["model"]), float(row["baseline"]))
        for first, row in both.iterrows()
    )


def changes_shown(changes: Sequence[Change], why: Callable[[str], str]) -> tuple[ChangeShown, ...]:
    """The charter's differences in words; ``why`` says for a path where its change comes from."""
    return tuple(
        ChangeShown(change.path, _text(change.old), _text(change.new), change.kind, why(change.path))
        for change in changes
    )


def _text(value: Any) -> str:
    """A plain JSON value as a person writes it."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value)
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_text(item)}" for key, item in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def arms_shown(
    summary: pd.DataFrame, *, judged: str, kind: ArmKind = "challenger", labels: Mapping[str, str]
) -> tuple[ArmShown, ...]:
    """Every arm of :func:`pipeline.evaluation.kpis.summary`, in its order.

    Args:
        summary: one row per arm and KPI, columns ``arm``, ``kpi``, ``value``, ``low`` and ``high``.
        judged: the arm the pack is about.
        kind: what the judged arm is.
        labels: words for arms; an arm without any is named after itself.
    """
    arms = []
    for name, rows in summary.groupby("arm", sort=False):
        figures = rows[["kpi", "value", "low", "high"]].itertuples(index=False)
        values = {str(kpi): Interval(float(value), float(low), float(high)) for kpi, value, low, high in figures}
        arm = str(name)
        arms.append(ArmShown(arm, labels.get(arm, ""), kind if arm == judged else _kind(arm), values))
    return tuple(arms)


def _kind(arm: str) -> ArmKind:
    return "baseline" if arm.startswith("baseline:") else "variant"


def candidates_shown(choice: Choice, metrics: Mapping[str, Mapping[str, float]]) -> tuple[CandidateShown, ...]:
    """The candidates as the choice ranked them, each with its technical figures by candidate name."""
    return tuple(
        CandidateShown(
            name=score.candidate,
            tuned=score.tuning,
            confirmed=score.confirming,
            baseline=score.baseline,
            metrics=dict(metrics.get(score.candidate, {})),
            chosen=score.candidate == choice.challenger,
        )
        for score in choice.scores
    )


def _period(period: object) -> str:
    return period.date().isoformat() if isinstance(period, pd.Timestamp) else str(period)


def _example(table: str, content: str, hidden: Collection[str]) -> str:
    """A refused row, as JSON text, without the hidden columns."""
    row = json.loads(content)
    shown = {column: value for column, value in row.items() if f"{table}.{column}" not in hidden}
    return json.dumps(shown, ensure_ascii=False)


def _shorten(text: str, limit: int = 160) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
