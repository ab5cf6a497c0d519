"""What monitoring saw, in the ledger: one row per period and dataset, each with its event; the latest row counts."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd
from sqlalchemy import select

from pipeline.charter import Charter
from pipeline.ledger import Reader, Transaction
from pipeline.ledger.chain import canonical
from pipeline.ledger.tables import events, observations
from pipeline.monitoring.rules import Observed

Figures = Mapping[str, Any]

OBSERVED = "monitoring.observed"


@dataclass(frozen=True)
class Observation:
    """What one monitoring run saw of one period.

    Attributes:
        period: first day of the period.
        dataset: digest of the data it was seen in.
        figures: ``drift_share`` and ``quarantine_share`` (None where not measured), ``kpis`` (per name ``value``,
            ``low``, ``high``, ``units`` of the units that follow the model), ``all`` (the same of all units),
            ``benchmarks`` (per KPI ``target``, ``limit``, ``baseline``), and ``verdict`` of the rule where it was
            judged.
        order: seq of its event.
        at: UTC, ISO 8601.
    """

    period: date
    dataset: str
    figures: Figures
    order: int = 0
    at: str = ""

    @property
    def observed(self) -> Observed:
        """As the rule reads it."""
        figures: dict[str, float | None] = {
            name: self.figures.get(name) for name in ("drift_share", "quarantine_share")
        }
        figures |= {name: kpi["value"] for name, kpi in self.figures.get("kpis", {}).items()}
        benchmarks = {
            (name, benchmark): value
            for name, known in self.figures.get("benchmarks", {}).items()
            for benchmark, value in known.items()
        }
        return Observed(self.period, self.order, figures, benchmarks)


def observations_of(reader: Reader, project: str) -> dict[date, Observation]:
    """The latest observation of every period, oldest period first."""
    query = select(observations).where(observations.c.project == project).order_by(observations.c.event)
    found: dict[date, Observation] = {}
    for row in reader.rows(query):
        period = date.fromisoformat(row["period"])
        found[period] = Observation(period, row["dataset"], json.loads(row["figures"]), row["event"], row["at"])
    return dict(sorted(found.items()))


def fired_of(reader: Reader, project: str) -> tuple[date, ...]:
    """Periods in which the rule fired, as it was told then."""
    # From the events: a row may be written over when a correction is taken back, an event never is.
    query = select(events.c.body).where(events.c.project == project, events.c.kind == OBSERVED)
    told = [json.loads(row["body"]) for row in reader.rows(query)]
    return tuple(
        sorted(
            {
                date.fromisoformat(one["verdict"]["period"])
                for one in told
                if one["verdict"] is not None and one["verdict"]["status"] == "fire"
            }
        )
    )


def observe(tx: Transaction, project: str, seen: Observation, *, actor: str) -> bool:
    """Note an observation with its event; returns False, and writes nothing, when the latest one says the same.

    Data that comes back (a correction taken back) is noted anew under its old key, so that the latest row counts.
    """
    latest = observations_of(tx, project).get(seen.period)
    if latest is not None and latest.dataset == seen.dataset:
        return False
    body = {"period": seen.period.isoformat(), "dataset": seen.dataset, **seen.figures}
    event = tx.append(OBSERVED, project, f"{project}/{seen.period.isoformat()}", actor, "", body)
    key = {"project": project, "period": seen.period.isoformat(), "dataset": seen.dataset}
    values = {"figures": canonical(seen.figures), "at": event.at, "event": event.seq}
    where = [observations.c[name] == value for name, value in key.items()]
    if tx.execute(observations.update().where(*where).values(**values)) == 0:
        tx.execute(observations.insert().values(**key, **values))
    return True


def kpi_figures(realised: pd.DataFrame, period: date, group: str) -> dict[str, dict[str, float | int | None]]:
    """The KPIs of one period and group by name; bounds that one unit leaves open are None."""
    rows = realised[(realised["period"] == period) & (realised["group"] == group)]
    told = rows[["kpi", "value", "low", "high", "units"]].to_dict(orient="records")
    return {
        str(row["kpi"]): {
            "value": float(row["value"]),
            "low": _finite(row["low"]),
            "high": _finite(row["high"]),
            "units": int(row["units"]),
        }
        for row in told
    }


def benchmarks(charter: Charter, result: Mapping[str, Any] | None) -> dict[str, dict[str, float]]:
    """What each KPI is held against: target, limit, and the baseline the last iteration measured.

    Args:
        charter: the project's.
        result: figures of the last iteration that has some, or None.
    """
    measured = {name: kpi["baseline"][0] for name, kpi in (result or {}).get("kpis", {}).items()}
    known: dict[str, dict[str, float | None]] = {
        charter.kpi.name: {"target": charter.kpi.target, "baseline": measured.get(charter.kpi.name)}
    }
    for guard in charter.guardrails:
        baseline = measured.get(guard.name)
        relative = guard.versus_baseline * baseline if guard.versus_baseline and baseline is not None else None
        known[guard.name] = {"limit": guard.limit if guard.limit is not None else relative, "baseline": baseline}
    return {
        name: {word: value for word, value in values.items() if value is not None and math.isfinite(value)}
        for name, values in known.items()
    }


def corrected(
    known: Mapping[date, Observation], realised: pd.DataFrame, dataset: str, newest: date, first: date, held: Figures
) -> tuple[Observation, ...]:
    """Observations of earlier periods whose KPIs the data tells anew, or tells for the first time.

    Drift and quarantine belong to a delivery and stay as they were seen then; of a period that was skipped they are
    not known.

    Args:
        known: the latest observations.
        realised: as the problem tells it now.
        dataset: digest of the data.
        newest: the period under observation, which is not among the answers.
        first: periods before it are nobody's business, such as those before the last training.
        held: ``benchmarks`` for periods seen for the first time.
    """
    told = []
    for period in sorted(set(realised["period"])):
        if not first < period < newest:
            continue
        before = known.get(period)
        groups = {name: kpi_figures(realised, period, group) for name, group in (("kpis", "model"), ("all", "all"))}
        if before is None:
            skipped = {"drift_share": None, "quarantine_share": None, **groups, "benchmarks": held, "verdict": None}
            told.append(Observation(period, dataset, skipped))
            continue
        merged = {name: {**before.figures.get(name, {}), **kpis} for name, kpis in groups.items()}
        if any(merged[name] != before.figures.get(name, {}) for name in merged):
            told.append(Observation(period, dataset, {**before.figures, **merged}))
    return tuple(told)


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
