"""What the field experiment of a rung showed, as the evidence pack tells it: treated units beside their controls."""

from dataclasses import dataclass

from pipeline.evaluation.outcomes import Interval, KpiDefinition


@dataclass(frozen=True)
class FieldKpi:
    """One KPI of the treated units before and after, beside the controls; ``effect`` is ``after - expected``."""

    kpi: KpiDefinition
    before: float
    after: Interval
    controls_before: float
    controls_after: float
    expected: float
    effect: Interval


@dataclass(frozen=True)
class BalanceShown:
    """Standardised mean difference of one covariate: against all other units, and against the controls."""

    covariate: str
    before: float
    after: float


@dataclass(frozen=True)
class FieldPoint:
    """The charter's KPI in one period, the treated units beside the controls."""

    period: str
    treated: float
    controls: float


@dataclass(frozen=True)
class RungShown:
    """The effect that was measured on one stage."""

    stage: str
    iteration: int
    treated: int
    controls: int
    periods: int
    expected: float
    after: float
    effect: Interval


@dataclass(frozen=True)
class FieldShown:
    """The effect against controls.

    Attributes:
        treated, controls: units of both arms; empty where the stage keeps no controls.
        start: first period of the release.
        first: first period under the model that was measured.
        periods: field periods that were measured; 0 where none could be.
        method: how the controls were picked.
        balance: per covariate.
        note: what to know about the balance.
        kpis: the charter's KPI first; empty where nothing could be measured.
        sentences: doubts, worst slice and worst unit, in sentences.
        course: the charter's KPI of both arms per period.
        rungs: effects stage by stage.
        power: what this stage could detect.
        next_stage: what the rung above would compare and detect, in sentences.
        promise: what was promised of the model, and what the field gave.
        proposal: a standing proposal to roll back, with its reasons; empty for none.
    """

    treated: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    start: str = ""
    first: str = ""
    periods: int = 0
    method: str = ""
    balance: tuple[BalanceShown, ...] = ()
    note: str = ""
    kpis: tuple[FieldKpi, ...] = ()
    sentences: tuple[str, ...] = ()
    course: tuple[FieldPoint, ...] = ()
    rungs: tuple[RungShown, ...] = ()
    power: str = ""
    next_stage: tuple[str, ...] = ()
    promise: str = ""
    proposal: str = ""
