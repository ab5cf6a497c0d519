"""Decisions played against what really happened later: values, counts and errors by unit and slice.

A replay knows the truth of every case whatever was decided on it, and takes for granted that the decision itself did
not change that truth. Where it does (a customer stays because somebody called), only the field can tell.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from pipeline.charter import Charter
from pipeline.compliance.limits import held
from pipeline.evaluation.outcomes import Outcomes
from pipeline.language import say
from pipeline.problems.base import Arm
from pipeline.tabular.forecasts import (
    CALIBRATING,
    CHOOSING,
    CUTOFF,
    FINAL,
    KEY,
    OUTSIDE,
    PART,
    REPLAY,
    TODAY,
    TRUTH,
    groups_in,
    scores_in,
)
from pipeline.tabular.parameters import business_of, shape_of
from pipeline.tabular.policies import Batch, chosen, decided
from pipeline.tabular.source import PERIOD, UNIT
from pipeline.tabular.values import Floats, Matrix, values_of

FORECASTS = "forecasts.parquet"


def played(
    arms: Mapping[str, tuple[Arm, pd.DataFrame]], treated: Charter, names: tuple[str, ...], cutoffs: tuple[str, ...]
) -> Outcomes:
    """Every arm on the same rows after the same cutoffs.

    Args:
        arms: by name, each with the forecasts it decides on; a baseline takes anybody's.
        treated: whose slices, values and periods count.
        names: the classes.
        cutoffs: those to be played.
    """
    shared = _shared({name: forecasts for name, (_, forecasts) in arms.items()}, cutoffs)
    parts = []
    for name, (arm, forecasts) in arms.items():
        for cutoff in cutoffs:
            rows = part_of(forecasts, cutoff, REPLAY)
            rows = rows[rows[KEY].isin(shared[cutoff])]
            decisions = _decisions(arm, part_of(forecasts, cutoff, CALIBRATING, CHOOSING), rows, names)
            parts.append(components(treated, rows, decisions).assign(arm=name))
    whole = pd.concat(parts, ignore_index=True)
    slices = (CUTOFF, *business_of(treated).listed("slices"))
    counted = [column for column in whole.columns if column not in ("arm", UNIT, PERIOD, *slices)]
    frame = whole.groupby(["arm", UNIT, *slices], sort=True, observed=True)[counted].sum().reset_index()
    weekly = whole.groupby(["arm", PERIOD], sort=True)[counted].sum().reset_index()
    one = whole[whole["arm"] == next(iter(arms))]
    basis = say(
        "{cases} cases of {units} units (cutoffs: {cutoffs}), each decided by what was known before; a decision is "
        "taken not to change what became of the case",
        cases=f"{len(one):,}", units=one[UNIT].nunique(), cutoffs=len(cutoffs),
    )  # fmt: skip
    return Outcomes(frame, slices, treated.model.backtest_every * len(cutoffs), "replay", basis, weekly)


def components(charter: Charter, rows: pd.DataFrame, decisions: Floats) -> pd.DataFrame:
    """One row per case: its unit, period and slices, and what its decision adds to each KPI.

    Args:
        charter: its values and task.
        rows: as :func:`pipeline.tabular.forecasts.foreseen` gives them, of one cutoff.
        decisions: (N,).
    """
    business, shape = business_of(charter), shape_of(charter)
    truth = rows[TRUTH].to_numpy(dtype=np.float64)
    kept = [UNIT, PERIOD, *([CUTOFF] if CUTOFF in rows else []), *business.listed("slices")]
    frame = rows[kept].reset_index(drop=True)
    frame["cases"] = 1.0
    # A unit's periods are spread over its cases, so that they add up whatever the rows are grouped by.
    size = rows.groupby(UNIT, observed=True)[PERIOD].transform("size").to_numpy()
    frame["unit_periods"] = rows.groupby(UNIT, observed=True)[PERIOD].transform("nunique").to_numpy() / size
    frame["value"] = values_of(charter).of(decisions, truth)
    if shape == "act":
        frame["acted"] = decisions
    if business.task == "binary":
        frame["positives"] = truth
        frame["missed"], frame["false_alarms"] = (1 - decisions) * truth, decisions * (1 - truth)
    if shape == "assign":
        frame["right"] = (decisions == truth).astype(np.float64)
    if shape == "estimate":
        frame["absolute_error"] = np.abs(decisions - truth)
    return frame


def batch(rows: pd.DataFrame) -> Batch:
    """Rows of forecasts as a policy takes them."""
    return Batch(scores_in(rows), groups_in(rows), rows[TRUTH].to_numpy(dtype=np.float64))


def ruled(arm: Arm, truth_before: Floats, today: Floats, names: tuple[str, ...]) -> Floats:
    """(N,) decisions of a way to decide without a model.

    Args:
        arm: names it.
        truth_before: what became of earlier cases; a constant is learned from them.
        today: (N,) what was decided; where nobody knows, the case was left, or got what is most common.
        names: the classes.

    Raises:
        ValueError: nobody knows a baseline of this name.
    """
    shape, name = shape_of(arm.charter), arm.baseline
    if name == "today":
        fallback = {"act": 0.0, "assign": _most_common(truth_before, names), "estimate": _mean(truth_before)}[shape]
        return np.where(np.isnan(today), fallback, today)
    constant = {
        "nobody": lambda: 0.0,
        "everybody": lambda: 1.0,
        "most_common": lambda: _most_common(truth_before, names),
        "best_constant": lambda: _best_constant(arm.charter, truth_before, names),
        "mean": lambda: _mean(truth_before),
        "median": lambda: float(np.median(truth_before)) if len(truth_before) else 0.0,
    }.get(str(name))
    if constant is None:
        raise ValueError(f"arm {arm.name} has neither a model nor a known baseline")
    return np.full(len(today), constant())


def part_of(forecasts: pd.DataFrame, cutoff: str, *parts: str) -> pd.DataFrame:
    """The rows of some parts at a cutoff."""
    return forecasts[(forecasts[CUTOFF] == cutoff) & forecasts[PART].isin(parts)].reset_index(drop=True)


def _decisions(arm: Arm, kept: pd.DataFrame, rows: pd.DataFrame, names: tuple[str, ...]) -> Floats:
    """(N,) what an arm decides; a model within the limits of its charter, as it is when it serves."""
    known, today = kept[TRUTH].to_numpy(dtype=np.float64), rows[TODAY].to_numpy(dtype=np.float64)
    if arm.baseline is not None:
        return ruled(arm, known, today, names)
    found = decided(arm.charter, batch(rows), chosen(arm.charter, batch(kept[kept[PART] == CHOOSING])))
    limits = arm.charter.compliance.limits
    if not limits.any:
        return found
    rest = Arm("rest", arm.charter, baseline=arm.charter.kpi.baseline.policy)
    outside = rows[OUTSIDE].to_numpy(dtype=object)
    measured = shape_of(arm.charter) == "estimate"
    return held(limits, found, ruled(rest, known, today, names), outside, measured=measured, whole=False).amounts


def _shared(forecasts: Mapping[str, pd.DataFrame], cutoffs: tuple[str, ...]) -> dict[str, set[Any]]:
    """Per cutoff the cases that every arm decides on: a feedback item may leave some out for one of two arms."""
    found: dict[str, set[Any]] = {}
    for cutoff in cutoffs:
        keys = [
            set(part_of(frame, cutoff, REPLAY)[KEY]) for frame in {id(one): one for one in forecasts.values()}.values()
        ]
        found[cutoff] = set.intersection(*keys)
    return found


def replayed_cutoffs(forecasts: pd.DataFrame) -> tuple[str, ...]:
    """The cutoffs that have rows after them, oldest first."""
    return tuple(sorted(set(forecasts[CUTOFF]) - {FINAL}))


def _most_common(truth: Floats, names: tuple[str, ...]) -> float:
    return float(np.bincount(truth.astype(np.int64), minlength=max(len(names), 1)).argmax()) if len(truth) else 0.0


def _best_constant(charter: Charter, truth: Floats, names: tuple[str, ...]) -> float:
    """The one class that would have been worth most for every case."""
    values = values_of(charter)
    if not isinstance(values, Matrix):
        raise TypeError("only classes have a best constant")
    shares = np.bincount(truth.astype(np.int64), minlength=len(names)) / max(len(truth), 1)
    return float(values.expected(shares.reshape(1, -1)).argmax())


def _mean(truth: Floats) -> float:
    return float(truth.mean()) if len(truth) else 0.0
