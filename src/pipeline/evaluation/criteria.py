"""What "better" and "within" mean for a KPI's direction; shared by the choice of a candidate and by the gates."""

import math

from pipeline.charter.model import Guardrail
from pipeline.evaluation.outcomes import Direction, Interval


def better(value: float, other: float, direction: Direction) -> bool:
    """Whether ``value`` is strictly better than ``other``; never true of NaN."""
    return value < other if direction == "lower" else value > other


def meets(value: float, limit: float, direction: Direction) -> bool:
    """Whether ``value`` is at the limit or on its better side; never true of NaN."""
    return value <= limit if direction == "lower" else value >= limit


def worse_bound(interval: Interval, direction: Direction) -> float:
    """The end of the interval on the side nobody wants: what a gate has to assume."""
    return interval.high if direction == "lower" else interval.low


def allowed(guardrail: Guardrail, baseline: float) -> float | None:
    """What a guardrail's factor allows beside this baseline; None where it names no factor.

    The factor widens or tightens by a share of the baseline's size, so that it means the same for a KPI below zero.
    """
    if guardrail.versus_baseline is None:
        return None
    return baseline + (guardrail.versus_baseline - 1) * abs(baseline)


def breach(guardrail: Guardrail, value: float, baseline: float) -> float:
    """By how much a guardrail is missed, as a share of its limit; 0 when it is met, infinite when not measurable."""
    limits = [limit for limit in (guardrail.limit, allowed(guardrail, baseline)) if limit is not None]
    return max((_excess(value, limit, guardrail.direction) for limit in limits), default=0.0)


def _excess(value: float, limit: float, direction: Direction) -> float:
    if meets(value, limit, direction):
        return 0.0
    if not math.isfinite(value) or not math.isfinite(limit):
        return math.inf
    return abs(value - limit) / (abs(limit) or 1.0)
