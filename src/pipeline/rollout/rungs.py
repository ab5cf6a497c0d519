"""The effect rung by rung: every stage is measured anew, and a pilot's gain that shrinks at scale must show."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import select

from pipeline.evaluation.criteria import better
from pipeline.evaluation.figures import level, show, show_change
from pipeline.evaluation.outcomes import Interval, KpiDefinition
from pipeline.language.message import joined, say, term
from pipeline.ledger import Reader, Transaction
from pipeline.ledger.chain import canonical
from pipeline.ledger.store import to_event
from pipeline.ledger.tables import events
from pipeline.rollout.effect import FieldEffect
from pipeline.verdicts import Verdict

MEASURED = "rollout.effect_measured"
#: A rung that keeps less than this share of the first rung's effect has lost it at scale.
KEPT = 0.5


@dataclass(frozen=True)
class RungEffect:
    """What was measured on one stage.

    Attributes:
        stage: the rung.
        number: of the iteration whose model it was.
        treated, controls, periods: how much the figure rests on.
        after: the realised KPI of the treated units.
        expected: what it would have been without the model.
        effect: the difference, with its interval.
        start: first period under the model that was measured.
    """

    stage: str
    number: int
    treated: int
    controls: int
    periods: int
    after: float
    expected: float
    effect: Interval
    start: str

    @classmethod
    def of(cls, stage: str, number: int, found: FieldEffect) -> "RungEffect":
        """The goal's figures of a measured stage."""
        groups, goal = found.groups, found.goal
        sizes = (len(groups.treated), len(groups.controls), found.periods)
        return cls(stage, number, *sizes, goal.after.value, goal.expected, goal.effect, groups.first)


def record_effect(tx: Transaction, project: str, rung: RungEffect, *, actor: str, role: str = "") -> None:
    """Write what a stage was measured to have changed, as one event; a later one of the same stage takes its place."""
    body = json.loads(canonical(_plain(asdict(rung))))
    tx.append(MEASURED, project, rung.stage, actor, role, body)


def measured_effects(reader: Reader, project: str) -> tuple[RungEffect, ...]:
    """The newest figures of every stage, in the order in which the stages were last measured."""
    query = select(events).where(events.c.project == project, events.c.kind == MEASURED).order_by(events.c.seq)
    found: dict[str, RungEffect] = {}
    for row in reader.rows(query):
        body = dict(to_event(row).body)
        found.pop(body["stage"], None)
        found[body["stage"]] = RungEffect(**{**body, "effect": _interval(body["effect"])})
    return tuple(found.values())


def holds_at_scale(kpi: KpiDefinition, rungs: Sequence[RungEffect]) -> Verdict:
    """Whether the newest rung keeps the effect of the first one.

    The rungs rest on different units, so their errors are taken as independent, and the interval of the difference has
    the root of the summed squares of their halves.

    Args:
        kpi: the KPI the effects are of.
        rungs: in the order in which they were measured; the last one is judged.
    """
    title = say("The effect holds at scale")
    if len(rungs) < 2:
        reason = say("The effect was measured on one stage only; the next one will show whether it holds.")
        return Verdict("field.holds_at_scale", title, "pass", "warn", reason, {"rungs": len(rungs)})
    first, last = rungs[0], rungs[-1]
    change = last.effect.value - first.effect.value
    half = math.hypot(*(0.5 * (rung.effect.high - rung.effect.low) for rung in (first, last)))
    difference = Interval(change, change - half, change + half, last.effect.level)
    kept = last.effect.value / first.effect.value if first.effect.value else math.nan
    sure = better(0.0, difference.low if kpi.direction == "lower" else difference.high, kpi.direction)
    passed = not sure and not kept < KEPT
    reason = say(
        "{kpi} moved {steps}. Stage {stage} keeps {kept} of the first effect: {change} ({level} interval {low} to "
        "{high}).",
        kpi=term(kpi.title),
        steps=joined(
            [
                say(
                    "by {effect} on {stage} ({treated} units, {periods} periods)",
                    effect=show_change(rung.effect.value, kpi.unit), stage=rung.stage, treated=rung.treated,
                    periods=rung.periods,
                )
                for rung in rungs
            ],
            ", ",
        ),
        stage=last.stage, kept=show(kept, "share", digits=0), change=show_change(change, kpi.unit),
        level=level(difference), low=show_change(difference.low, kpi.unit), high=show_change(difference.high, kpi.unit),
    )  # fmt: skip
    figures: dict[str, float | int | str | None] = {
        "rungs": len(rungs), "first": first.effect.value, "last": last.effect.value,
        "kept": kept if math.isfinite(kept) else None, "difference": change,
        "difference_low": _or_none(difference.low), "difference_high": _or_none(difference.high),
    }  # fmt: skip
    return Verdict("field.holds_at_scale", title, "pass" if passed else "fail", "warn", reason, figures)


def _plain(value: Any) -> Any:
    """JSON has no NaN and no infinity: null."""
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return _or_none(value) if isinstance(value, float) else value


def _interval(plain: Mapping[str, Any]) -> Interval:
    low, high = plain["low"], plain["high"]
    return Interval(
        math.nan if plain["value"] is None else plain["value"],
        -math.inf if low is None else low,
        math.inf if high is None else high,
        plain["level"],
    )


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
