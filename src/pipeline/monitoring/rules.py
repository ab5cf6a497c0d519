"""When the charter's retraining rule fires: a pure function of what was observed, period by period.

- A clause holds when its condition held in **each of the newest N periods**. Periods of the data count, not runs: two
  runs on the same data are one observation, and corrected figures of a period take the place of earlier ones.
- **A missing period breaks every streak**, of conditions and of their absence: what nobody saw proves nothing. A
  figure that could not be measured in a period that was seen (no baseline yet, no unit that follows a model) is a
  condition that did not hold.
- **Hysteresis**: after it fired, the rule is disarmed until its condition, whatever its "for N periods", was absent
  for ``clear_after`` periods in a row.
- **Cool-down**: it does not fire within ``cool_down`` periods after it fired last, nor after the last training's data
  ended, whatever caused that training.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from operator import ge, gt, le, lt
from typing import Any, Literal

from pipeline.charter.rules import Clause, Metric, Rule, RuleError, metrics_of, parse

__all__ = ["Clause", "Decision", "History", "Metric", "Observed", "Rule", "RuleError", "judge", "metrics_of", "parse"]

Status = Literal["fire", "armed", "cooling", "quiet"]
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {">": gt, ">=": ge, "<": lt, "<=": le}


@dataclass(frozen=True)
class Observed:
    """What was seen of one period.

    Attributes:
        period: first day of the period.
        order: position in the record; of two observations of a period the later one counts.
        figures: by metric; None or absent where it could not be measured.
        benchmarks: number of each (metric, ``target`` | ``limit`` | ``baseline``) as known at that time.
    """

    period: date
    order: int
    figures: Mapping[str, float | None]
    benchmarks: Mapping[tuple[str, str], float] = field(default_factory=dict)


@dataclass(frozen=True)
class History:
    """What came before, and the charter's brakes.

    Attributes:
        step: length of a period.
        fired: periods in which the rule fired.
        trained: last period of the data that was trained on last; None before the first training.
        clear_after, cool_down: periods, see the module.
    """

    step: timedelta
    fired: Sequence[date] = ()
    trained: date | None = None
    clear_after: int = 2
    cool_down: int = 4


@dataclass(frozen=True)
class Decision:
    """What a rule says of the newest period.

    Attributes:
        status: ``fire`` asks for another iteration; ``armed``: the condition holds, but not for long enough;
            ``cooling``: it would fire but for hysteresis or cool-down; ``quiet``: it does not hold.
        period: the newest period seen; None when none was.
        reason: one sentence with the figures.
        figures: per clause the numbers its answer rests on, JSON-ready.
    """

    status: Status
    period: date | None
    reason: str
    figures: Mapping[str, Any]


def judge(rule: Rule, observations: Iterable[Observed], history: History) -> Decision:
    """Judge the newest period.

    Args:
        rule: from the charter.
        observations: in any order, several of one period allowed.
        history: what fired and was trained before, and the brakes.
    """
    seen = _newest_of_each(observations)
    if not seen:
        return Decision("quiet", None, "Nothing was observed yet.", {})
    now = max(seen)
    looks = {clause: _Look.of(clause, seen, now, history.step) for clause in rule.clauses}
    figures = {clause.text: look.shown() for clause, look in looks.items()}
    groups = [group for group in rule.groups if all(looks[clause].streak == clause.periods for clause in group)]
    if groups:
        because = " and ".join(looks[clause].sentence() for clause in groups[0])
        brake = _brake(rule, seen, now, history)
        if brake is None:
            return Decision("fire", now, f"{because}.", figures)
        return Decision("cooling", now, f"{because}, but {brake}.", figures)
    if _holds(rule, seen[now]):
        building = " and ".join(
            look.sentence() for clause, look in looks.items() if look.streak and _true(clause, seen[now])
        )
        return Decision("armed", now, f"{building}; that is not long enough.", figures)
    return Decision("quiet", now, "The rule's condition does not hold.", figures)


@dataclass(frozen=True)
class _Look:
    """A clause in the newest periods: ``streak`` of its N periods in a row hold it, counted back from now."""

    clause: Clause
    streak: int
    values: Mapping[str, float | None]
    limit: float | None

    @classmethod
    def of(cls, clause: Clause, seen: Mapping[date, Observed], now: date, step: timedelta) -> "_Look":
        periods = [now - back * step for back in range(clause.periods)]
        streak = 0
        for period in periods:
            if period not in seen or not _true(clause, seen[period]):
                break
            streak += 1
        values = {
            period.isoformat(): seen[period].figures.get(clause.metric)
            for period in reversed(periods)
            if period in seen
        }
        return cls(clause, streak, values, _limit(clause, seen[now]))

    def sentence(self) -> str:
        if self.limit is None:
            return f"{self.clause.metric} has nothing to be compared with"
        values = ", ".join("unknown" if value is None else f"{value:.4g}" for value in self.values.values())
        named = f" ({self.clause.limit})" if isinstance(self.clause.limit, str) else ""
        word = "period" if self.streak == 1 else "periods"
        return (
            f"{self.clause.metric} was {self.clause.operator} {self.limit:.4g}{named} for {self.streak} {word} "
            f"({values})"
        )

    def shown(self) -> dict[str, Any]:
        return {
            "metric": self.clause.metric,
            "operator": self.clause.operator,
            "limit": self.limit,
            "asked_periods": self.clause.periods,
            "periods": self.streak,
            "values": dict(self.values),
        }


def _newest_of_each(observations: Iterable[Observed]) -> dict[date, Observed]:
    seen: dict[date, Observed] = {}
    for one in observations:
        if one.period not in seen or one.order > seen[one.period].order:
            seen[one.period] = one
    return seen


def _limit(clause: Clause, at: Observed) -> float | None:
    return at.benchmarks.get((clause.metric, clause.limit)) if isinstance(clause.limit, str) else clause.limit


def _true(clause: Clause, at: Observed) -> bool:
    """Whether the clause's comparison holds in one period."""
    value, limit = at.figures.get(clause.metric), _limit(clause, at)
    return value is not None and limit is not None and _COMPARE[clause.operator](value, limit)


def _holds(rule: Rule, at: Observed) -> bool:
    """Whether the rule's condition holds in one period, whatever its streaks."""
    return any(all(_true(clause, at) for clause in group) for group in rule.groups)


def _brake(rule: Rule, seen: Mapping[date, Observed], now: date, history: History) -> str | None:
    """Why the rule must not fire now though its clauses hold, or None."""
    quiet = history.cool_down * history.step
    last = max((period for period in history.fired if period <= now), default=None)
    for what, at in (("it fired", last), ("the last training ended", history.trained)):
        if at is not None and at <= now <= at + quiet:
            return f"{what} at {at}, and {history.cool_down} periods must pass"
    if last is not None and not _cleared(rule, seen, now, last, history):
        return f"since it fired at {last} its condition was not absent for {history.clear_after} periods in a row"
    return None


def _cleared(rule: Rule, seen: Mapping[date, Observed], now: date, since: date, history: History) -> bool:
    """Whether the condition was absent long enough between a fire and now."""
    absent, period = 0, since + history.step
    while period <= now:
        there = seen.get(period)
        absent = absent + 1 if there is not None and not _holds(rule, there) else 0
        if absent == history.clear_after:
            return True
        period += history.step
    return False
