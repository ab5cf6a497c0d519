"""Alarms: what monitoring tells people of at once. Each is raised once, as an event, and goes out as a notice."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select

from pipeline.charter import Charter
from pipeline.datasets.dataset import Quarantine
from pipeline.language import legend
from pipeline.ledger import Transaction
from pipeline.ledger.tables import events
from pipeline.monitoring.comparing import worst_share
from pipeline.monitoring.observations import Figures
from pipeline.notices.announcements import announce_alarm

RAISED = "alarm.raised"


@dataclass(frozen=True)
class Alarm:
    """One breach.

    Attributes:
        kind: ``contract``, ``guardrail``, ``late`` or ``failure``.
        subject: a few words that tell it from every other one, period included.
        sentence: what happened, for people.
        figures: what the sentence stands on, JSON-ready.
    """

    kind: str
    subject: str
    sentence: str
    figures: Mapping[str, Any]


def raise_alarms(tx: Transaction, project: str, alarms: Iterable[Alarm], *, actor: str) -> int:
    """Record and announce the alarms that were not raised before; returns their number."""
    query = select(events.c.subject).where(events.c.project == project, events.c.kind == RAISED)
    raised = {row["subject"] for row in tx.rows(query)}
    fresh = [alarm for alarm in alarms if f"{project}: {alarm.subject}" not in raised]
    for alarm in fresh:
        body = {
            "kind": alarm.kind,
            "sentence": alarm.sentence,
            "figures": dict(alarm.figures),
            "legend": legend(alarm.sentence),
        }
        tx.append(RAISED, project, f"{project}: {alarm.subject}", actor, "", body)
        announce_alarm(tx, project, alarm.subject, alarm.sentence, alarm.figures)
    return len(fresh)


def contract_alarms(charter: Charter, quarantine: Quarantine, period: date) -> list[Alarm]:
    """More rows broke the contract than the charter allows."""
    most = charter.data.max_quarantine_share
    share, table = worst_share(quarantine)
    if share <= most:
        return []
    refused, loaded = quarantine.refused[table], quarantine.loaded[table]
    sentence = f"{refused:,} of {loaded:,} rows of {table} broke the contract ({share:.2%}; {most:.2%} is allowed)."
    figures = {"table": table, "refused": refused, "loaded": loaded, "share": share, "allowed": most}
    return [Alarm("contract", f"contract of {table}, {period}", sentence, figures)]


def guardrail_alarms(charter: Charter, figures: Figures, period: date) -> list[Alarm]:
    """A guardrail of the units that follow the model is surely broken: the better end of its interval is.

    Where there are too few units for an interval, the value itself is taken.
    """
    alarms = []
    for guard in charter.guardrails:
        kpi = figures["kpis"].get(guard.name)
        limit = figures["benchmarks"].get(guard.name, {}).get("limit")
        if kpi is None or limit is None:
            continue
        lower = guard.direction == "lower"
        end = kpi["low"] if lower else kpi["high"]
        best = kpi["value"] if end is None else end
        if best > limit if lower else best < limit:
            side = "above" if lower else "below"
            value, units = f"{kpi['value']:.4g} ({guard.unit})", f"{kpi['units']} units that follow the model"
            sentence = (
                f"{guard.name} was {value} on the {units}, {side} its limit of {limit:.4g} even at the better end of "
                f"its interval ({best:.4g})."
            )
            alarms.append(Alarm("guardrail", f"guardrail {guard.name}, {period}", sentence, {**kpi, "limit": limit}))
    return alarms


def stale_alarms(charter: Charter, ages_days: Mapping[str, int], period: date) -> list[Alarm]:
    """A table lies behind the others by more than its owner promises."""
    return [
        Alarm(
            "late",
            f"table {table.name}, {period}",
            f"Table {table.name} is {age} days behind the newest data; {table.owner} promises at most "
            f"{table.freshness_days}.",
            {"table": table.name, "age_days": age, "promised": table.freshness_days},
        )
        for table in charter.data.tables
        if (age := ages_days.get(table.name)) is not None and age > table.freshness_days
    ]


def missing_alarms(charter: Charter, newest: date, seen_at: str, now: datetime, step: timedelta) -> list[Alarm]:
    """No new period came: a period and the promised freshness have passed since the newest one was first seen.

    Measured on the ledger's clock from the arrival of the newest period, so that it holds for data whose own
    calendar is not today's.

    Args:
        charter: its tables' freshness; the strictest counts.
        newest: the newest period seen.
        seen_at: when it was noted, UTC, ISO 8601.
        now: the present moment.
        step: length of a period.
    """
    table = min(charter.data.tables, key=lambda one: one.freshness_days)
    waited = now - datetime.fromisoformat(seen_at)
    allowed = step + timedelta(days=table.freshness_days)
    if waited <= allowed:
        return []
    days = math.floor(waited / timedelta(days=1))
    sentence = (
        f"No data after {newest} has come for {days} days; {table.owner} promises {table.name} within "
        f"{table.freshness_days} days of the end of a {charter.data.period}."
    )
    figures = {"newest_period": newest.isoformat(), "days": days, "promised": table.freshness_days}
    return [Alarm("late", f"no data after {newest}", sentence, figures)]
