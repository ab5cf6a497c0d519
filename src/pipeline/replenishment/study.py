"""Every way to decide on the same past games: policies, their service levels, other seeds, and what service costs."""

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from pipeline.charter import Charter
from pipeline.evaluation.outcomes import Outcomes
from pipeline.evaluation.study import Steered, Study
from pipeline.language import say
from pipeline.problems.base import Progress, TrainedCandidate
from pipeline.replenishment.candidates import Material, fitting, loading
from pipeline.replenishment.games import Builder, rolling_games
from pipeline.replenishment.parameters import Parameters, Paths, SafetyStock, business_of, policy_of

#: Service levels played beside the charter's own, from leaner than any cost asks for to hardly an empty shelf.
LEVELS: Mapping[str, tuple[float, ...]] = {
    "paths": (0.7, 0.75, 0.8, 0.833, 0.87, 0.9, 0.93, 0.96),
    "safety_stock": (0.6, 0.7, 0.8, 0.9),
}
#: Trainings of the challenger that differ by their seed alone, the charter's own among them.
SEEDS = 5


def study(
    charter: Charter, material: Material, trained: Mapping[str, TrainedCandidate], challenger: str, progress: Progress
) -> Study:
    """Play the challenger under other policies, service levels and seeds in the games of its backtest.

    The models of those games are read back for policies and levels; other seeds are fitted anew. The candidates and
    the baselines come from their backtests: nothing is played twice.

    Args:
        charter: the charter all was trained under.
        material: what the candidates were trained on.
        trained: every candidate.
        challenger: the one that is studied.
        progress: called after each game.
    """
    policy, business, spec = policy_of(charter), business_of(charter), trained[challenger].spec
    steered = _steered(policy, business.critical_ratio)
    seeds = {f"seed {charter.seed + step}": charter.seed + step for step in range(1, SEEDS)}
    builders: dict[str, Builder] = {
        name: loading(charter, trained[challenger], _policy(policy, at)) for name, at in steered.items()
    }
    builders |= {
        name: fitting(charter.model_copy(update={"seed": seed}), spec, policy, material) for name, seed in seeds.items()
    }
    played = rolling_games(material.games, material.cutoffs, builders, business, progress)
    own = _own(policy, business.critical_ratio)
    return Study(
        outcomes=_beside([one.backtest for one in trained.values()], played),
        reference=challenger,
        steered={**({challenger: own} if own else {}), **steered},
        seeds=tuple(seeds),
        level_name=say("service level"),
    )


def _own(policy: Parameters, critical_ratio: float) -> Steered | None:
    """Where the charter's own policy stands; None for a policy that knows no service level."""
    if isinstance(policy, Paths):
        return Steered("paths", critical_ratio if policy.service_level is None else policy.service_level)
    return Steered("safety_stock", policy.service_level) if isinstance(policy, SafetyStock) else None


def _steered(policy: Parameters, critical_ratio: float) -> dict[str, Steered]:
    """Arm name → policy and level, without the charter's own, which is played already."""
    own = _own(policy, critical_ratio)
    points = [Steered(name, level) for name, levels in LEVELS.items() for level in levels]
    return {f"{at.policy} {at.level}": at for at in points if at != own}


def _policy(policy: Parameters, at: Steered) -> Parameters:
    """The policy at a level; the number of paths stays the charter's."""
    if at.policy == "safety_stock":
        return SafetyStock(service_level=at.level)
    return Paths(service_level=at.level, **({"paths": policy.paths} if isinstance(policy, Paths) else {}))


def _beside(backtests: list[Outcomes], played: Outcomes) -> Outcomes:
    """All arms in one frame, each once: every backtest holds the baselines."""
    frames = [backtest.frame for backtest in (*backtests, played)]
    known: set[str] = set()
    kept = []
    for frame in frames:
        kept.append(frame[~frame["arm"].isin(known)])
        known |= set(frame["arm"])
    return replace(played, frame=pd.concat(kept, ignore_index=True), weekly=None)
