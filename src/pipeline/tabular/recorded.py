"""What really happened, period by period, as far as the table tells: the value of the decisions it holds."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from pipeline.charter import Charter
from pipeline.evaluation.kpis import summary
from pipeline.evaluation.observed import PERIOD, UNIT, Observed
from pipeline.evaluation.outcomes import Outcomes
from pipeline.problems.base import Arm
from pipeline.tabular.cases import Cases
from pipeline.tabular.forecasts import TODAY, TRUTH
from pipeline.tabular.offers import kpis
from pipeline.tabular.replay import components, ruled
from pipeline.tabular.values import Bools, Floats

#: Periods told at most.
NEWEST = 26
COLUMNS = ["period", "group", "kpi", "value", "low", "high", "units"]


def rows_of(cases: Cases, chosen: Bools) -> pd.DataFrame:
    """Cases as :func:`pipeline.tabular.replay.components` asks for them."""
    frame = cases.frame[chosen]
    rows = pd.DataFrame({UNIT: frame[UNIT].to_numpy(dtype=object)})
    rows[PERIOD] = [cases.starts[period].isoformat() for period in cases.period[chosen]]
    for name in cases.business.listed("slices"):
        rows[name] = frame[name].astype(str).to_numpy(dtype=object)
    return rows.assign(**{TRUTH: cases.truth[chosen], TODAY: cases.today[chosen]})


def measured(charter: Charter, cases: Cases, units: tuple[str, ...]) -> float:
    """The charter's KPI under its baseline policy on these units, over the newest ``measured_over`` periods."""
    kpi, first = kpis(charter)[charter.kpi.name], cases.periods - charter.kpi.baseline.measured_over
    chosen = cases.within(first, cases.periods) & cases.units.isin(list(units)).to_numpy()
    earlier = cases.within(0, first)
    before = cases.truth[earlier if earlier.any() else chosen]
    arm = Arm("baseline", charter, baseline=charter.kpi.baseline.policy)
    rows = rows_of(cases, chosen)
    found = components(charter, rows, ruled(arm, before, rows[TODAY].to_numpy(dtype=np.float64), cases.names))
    total = float(found[kpi.denominator].sum())
    return float(found[kpi.numerator].sum()) / total if total else float("nan")


def observed(charter: Charter, cases: Cases) -> Observed:
    """One row per unit, period and slice cell; values and decisions only where what was decided is written down."""
    frame = _components(charter, cases, np.ones(len(cases.truth), np.bool_))
    slices = cases.business.listed("slices")
    sums = frame.groupby([UNIT, PERIOD, *slices], sort=True, observed=True).sum(min_count=1).reset_index()
    return Observed(sums, slices, "cases")


def realised(charter: Charter, cases: Cases, followers: Mapping[str, date]) -> pd.DataFrame:
    """KPIs per period, group and KPI, as :meth:`pipeline.problems.base.Problem.realised` says."""
    told = []
    for number in range(max(cases.periods - NEWEST, 0), cases.periods):
        chosen = cases.within(number, number + 1)
        if not chosen.any():
            continue
        day = cases.starts[number]
        frame = _components(charter, cases, chosen).drop(columns=[PERIOD, *cases.business.listed("slices")])
        frame = frame.dropna(axis=1).groupby(UNIT, as_index=False, observed=True).sum()
        known = {
            name: kpi for name, kpi in kpis(charter).items() if {kpi.numerator, kpi.denominator} <= set(frame.columns)
        }
        following: Any = frame[UNIT].map(lambda unit: followers.get(str(unit), date.max)) <= day
        for group, rows in (("all", frame), ("model", frame[following])):
            if len(rows) and known:
                outcomes = Outcomes(rows.assign(arm="realised"), (), 1, "replay", "recorded periods")
                told.append(summary(outcomes, known, charter.seed).assign(period=day, group=group))
    found = pd.concat(told, ignore_index=True) if told else pd.DataFrame(columns=COLUMNS)
    found = found[np.isfinite(found["value"].astype(np.float64))]
    return found[COLUMNS].sort_values(["period", "group", "kpi"], ignore_index=True)


def _components(charter: Charter, cases: Cases, chosen: Bools) -> pd.DataFrame:
    """What recorded decisions added to each KPI; what rests on a decision that nobody wrote down is NaN."""
    rows = rows_of(cases, chosen)
    decisions: Floats = rows[TODAY].to_numpy(dtype=np.float64)
    known = ~np.isnan(decisions)
    frame = components(charter, rows, np.where(known, decisions, 0.0))
    resting = frame.columns.difference([UNIT, PERIOD, "cases", "unit_periods", "positives", *rows.columns])
    frame.loc[~known, list(resting)] = np.nan
    return frame
