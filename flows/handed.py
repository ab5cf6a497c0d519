"""The frozen values that the steps of an iteration hand on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from pipeline.charter import Charter
from pipeline.evaluation.outcomes import Effect, Evaluation, Outcomes
from pipeline.evaluation.selection import Choice
from pipeline.problems.base import Arm, TrainedCandidate
from pipeline.verdicts import Verdict

if TYPE_CHECKING:  # Evidently takes seconds to import, and a flow starts without it
    from pipeline.evaluation.drift import DriftReport


@dataclass(frozen=True)
class Candidates:
    """The models of this iteration.

    Attributes:
        trained: by name; for a measured stage the released one alone.
        challenger: the one to be judged.
        choice: how it was chosen; None where a released model is measured.
        variants: the challenger as it would be without each applied feedback item, by the item's id.
        keys: training key of each model in ``trained``.
        version: the challenger's version in the registry.
    """

    trained: Mapping[str, TrainedCandidate]
    challenger: str
    choice: Choice | None
    variants: Mapping[str, Arm]
    keys: Mapping[str, str]
    version: str

    @property
    def chosen(self) -> TrainedCandidate:
        """The model to be judged."""
        return self.trained[self.challenger]


@dataclass(frozen=True)
class Played:
    """All arms on the same units and periods.

    Attributes:
        charter: the charter the arms were played under.
        units: the units that followed the challenger.
        outcomes: what happened.
        arms: names in playing order.
    """

    charter: Charter
    units: tuple[str, ...]
    outcomes: Outcomes
    arms: tuple[str, ...]


@dataclass(frozen=True)
class Judgement:
    """What the figures say.

    Attributes:
        evaluation: of the challenger beside the baseline.
        arms: every arm's KPIs with intervals, as :func:`pipeline.evaluation.kpis.summary` gives them.
        effects: of each applied feedback item, measured.
        verdicts: of data, KPI, guardrails, budget and controls.
        drift: Evidently's report on a stated sample; None where there was nothing to compare.
    """

    evaluation: Evaluation
    arms: pd.DataFrame
    effects: tuple[Effect, ...]
    verdicts: tuple[Verdict, ...]
    drift: "DriftReport | None"
