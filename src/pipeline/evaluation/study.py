"""Ways to decide that were played on the same past games, and what came out of holding them against each other."""

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.evaluation.outcomes import Interval, Outcomes


@dataclass(frozen=True)
class Steered:
    """A policy and the parameter that says how much service it gives."""

    policy: str
    level: float


@dataclass(frozen=True)
class Study:
    """Ways to decide, all played on the same past games.

    Attributes:
        outcomes: of every way, with the slice column ``cutoff``; every way covers the same cells.
        reference: the arm the others are compared with.
        steered: arms that are the reference's model under a policy and level, by arm name; the reference among them.
        seeds: arms that are the reference trained with another seed.
        level_name: what the level is called, such as ``service level``.
    """

    outcomes: Outcomes
    reference: str
    steered: Mapping[str, Steered]
    seeds: tuple[str, ...] = ()
    level_name: str = "service level"


@dataclass(frozen=True)
class Way:
    """One way to decide: the KPI on both halves of the games, and what it differs from the reference by."""

    name: str
    chosen: Interval
    confirmed: Interval
    chosen_difference: Interval
    confirmed_difference: Interval


@dataclass(frozen=True)
class FrontierPoint:
    """Every KPI of the reference's model under one policy and level, on the confirming games."""

    policy: str
    level: float
    values: dict[str, float]


@dataclass(frozen=True)
class SeedSpread:
    """The KPI of the same way under several seeds: the two ends and the standard deviation, on both halves."""

    seeds: int
    chosen: tuple[float, float, float]
    confirmed: tuple[float, float, float]


@dataclass(frozen=True)
class Studied:
    """What a study found.

    Attributes:
        reference: name of the way the others are compared with.
        baseline: the arm whose figures the frontier is held against.
        games: number of games that chose and that confirm.
        ways: the reference first, then best first on the choosing games; no seeds.
        steered: policy and level of the ways that have them, by name.
        frontier: by policy, then by rising level.
        held_against: every KPI of the baseline on the confirming games.
        tuned: the way with the best KPI on the choosing games among those steered by a level.
        seeds: None where no other seed was tried.
        level_name: what the level is called.
    """

    reference: str
    baseline: str
    games: tuple[int, int]
    ways: tuple[Way, ...]
    steered: dict[str, Steered]
    frontier: tuple[FrontierPoint, ...]
    held_against: dict[str, float]
    tuned: str
    seeds: SeedSpread | None = None
    level_name: str = "service level"

    @property
    def own(self) -> Steered | None:
        """Where the reference itself stands; None where its policy has no level."""
        return self.steered.get(self.reference)
