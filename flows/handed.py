"""The frozen values that the steps of an iteration hand on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from pipeline.charter import Charter
from pipeline.compliance.standing import ControlState
from pipeline.evaluation.outcomes import Effect, Evaluation, Outcomes
from pipeline.evaluation.selection import Choice
from pipeline.evaluation.study import Studied
from pipeline.problems.base import Arm, TrainedCandidate
from pipeline.rollout.arms import Arms
from pipeline.rollout.breach import Proposal
from pipeline.rollout.effect import FieldEffect
from pipeline.rollout.limits import Offer
from pipeline.rollout.power import Power
from pipeline.rollout.promises import Calibration
from pipeline.rollout.resources import Usage
from pipeline.rollout.rungs import RungEffect
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
        studied: further ways to decide, compared on the past games; None where the problem offers none.
    """

    charter: Charter
    units: tuple[str, ...]
    outcomes: Outcomes
    arms: tuple[str, ...]
    studied: Studied | None


@dataclass(frozen=True)
class Field:
    """What was measured against controls, and who is compared on the rung above.

    Attributes:
        arms: this rung's, as the ledger holds them; None where it keeps no controls.
        effect: what the model changed; None where nothing could be measured.
        course: the KPI of treated and controls per period, for the chart.
        power: what this rung could detect, by the history before its release.
        rungs: the effect of every stage measured so far.
        next_arms, next_power: of the rung above, to be recorded with its release.
        promises: what the figures promised, and what the field gave.
        verdicts: on all that.
        baselines: the KPI under today's rule of the treated of this rung and the next.
        dataset: hash of the data the field was measured on.
    """

    arms: Arms | None
    effect: FieldEffect | None
    course: tuple[tuple[str, float, float], ...]
    power: Power | None
    rungs: tuple[RungEffect, ...]
    next_arms: Arms | None
    next_power: Power | None
    promises: Calibration
    verdicts: tuple[Verdict, ...]
    baselines: Mapping[str, float]
    dataset: str


@dataclass(frozen=True)
class Judgement:
    """What the figures say.

    Attributes:
        evaluation: of the challenger beside the baseline.
        arms: every arm's KPIs with intervals, as :func:`pipeline.evaluation.kpis.summary` gives them.
        effects: of each applied feedback item, measured.
        verdicts: of data, KPI, guardrails, budget and controls.
        drift: Evidently's report on a stated sample; None where there was nothing to compare.
        offer: which decisions are on offer, and who signs them.
        usage: what the iteration took, for the stages to come.
        proposal: the standing proposal to roll back, if there is one.
        controls: how each control of the charter stands.
    """

    evaluation: Evaluation
    arms: pd.DataFrame
    effects: tuple[Effect, ...]
    verdicts: tuple[Verdict, ...]
    drift: "DriftReport | None"
    offer: Offer
    usage: Usage
    proposal: Proposal | None
    controls: tuple[ControlState, ...]
