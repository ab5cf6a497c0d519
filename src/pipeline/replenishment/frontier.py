"""What service costs: money, lost units, empty shelves and stock over a policy's service level, in rolling games."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from pipeline.charter import Charter, apply_patch
from pipeline.problems.base import Arm, Progress
from pipeline.replenishment.candidates import replayed
from pipeline.replenishment.offers import KPIS
from pipeline.replenishment.panel import Panel
from pipeline.replenishment.parameters import business_of

#: Service levels drawn by default: from leaner than any cost asks for to hardly an empty shelf.
LEVELS = (0.6, 0.7, 0.75, 0.78, 0.8, 0.833, 0.87, 0.9, 0.92, 0.95)
#: Policies that are steered by a service level.
STEERED = ("paths", "safety_stock")
BENCHMARK = "official_benchmark"


def frontier(
    arm: Arm,
    panel: Panel,
    cutoffs: Sequence[int],
    progress: Progress,
    levels: Sequence[float] = LEVELS,
    policies: Sequence[str] = STEERED,
) -> pd.DataFrame:
    """Play one model's games under each policy and service level; nothing is fitted anew.

    Args:
        arm: a trained candidate; the models of its games are read back.
        panel: the panel of the games.
        cutoffs: weeks known at the first decision of each game; choose a level on the earlier ones only.
        progress: called after each game.
        levels: service levels, between 0 and 1; a safety stock needs at least one half.
        policies: of :data:`STEERED`.

    Returns:
        One row per policy and level, and one for the official benchmark: ``policy``, ``service_level`` (missing for
        the benchmark) and a column per KPI of :data:`pipeline.replenishment.offers.KPIS`.
    """
    points = [(policy, level) for policy in policies for level in levels if policy == "paths" or level >= 0.5]
    arms = [Arm(BENCHMARK, arm.charter, baseline=BENCHMARK)]
    arms += [
        replace(arm, name=f"{policy} {level}", charter=_steered(arm.charter, policy, level)) for policy, level in points
    ]
    frame = replayed(arms, business_of(arm.charter), panel, cutoffs, progress).frame
    sums = frame.groupby("arm").sum(numeric_only=True).loc[[one.name for one in arms]]
    found = pd.DataFrame({name: (sums[kpi.numerator] / sums[kpi.denominator]).to_numpy() for name, kpi in KPIS.items()})
    found.insert(0, "service_level", [None, *(level for _, level in points)])
    found.insert(0, "policy", [BENCHMARK, *(policy for policy, _ in points)])
    return found.astype({"service_level": float})


def _steered(charter: Charter, policy: str, level: float) -> Charter:
    """The charter with this policy at this level; further parameters stay where the policy does."""
    kept = charter.policy.parameters if charter.policy.name == policy else {}
    return apply_patch(charter, {"policy": {"name": policy, "parameters": {**kept, "service_level": level}}})
