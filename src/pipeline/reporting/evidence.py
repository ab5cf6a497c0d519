"""Everything an evidence pack shows, as one frozen value.

The flow fills an :class:`Evidence` from what the lower rooms returned; the page, its JSON twin, the manifest and the
terminal summary are pure functions of it. What is not in here is not shown, and what is shown is sealed.
"""

from dataclasses import dataclass
from datetime import date
from typing import Literal

from pipeline.charter import Charter, DecisionName, Role, Stage
from pipeline.datasets.dataset import Assessment
from pipeline.evaluation.outcomes import Effect, Evaluation, Interval, KpiResult
from pipeline.evaluation.study import Studied
from pipeline.reporting.experiment import FieldShown
from pipeline.verdicts import Verdict

ArmKind = Literal["baseline", "challenger", "champion", "variant"]
FeedbackStatus = Literal["applied", "deferred", "declined", "open"]


@dataclass(frozen=True)
class ChangeShown:
    """One line of the charter that differs from the last iteration's, or another change told in words.

    Attributes:
        path: the charter's path of keys, or a few words.
        old, new: the two values as text; empty when there was none.
        kind: ``tightened``, ``loosened``, ``widened``, ``neutral`` … as the charter's diff names it.
        why: where the change comes from, such as ``feedback F1``.
    """

    path: str
    old: str
    new: str
    kind: str
    why: str = ""


@dataclass(frozen=True)
class FeedbackShown:
    """One feedback item, what became of it and what it changed.

    Attributes:
        id: the item, such as ``F1``.
        author, role: who wrote it.
        seen: what they saw.
        change: what they proposed, in words.
        status: what became of it.
        reason: why it was applied, deferred or declined.
        effect: its measured effect, once applied and measured.
    """

    id: str
    author: str
    role: str
    seen: str
    change: str
    status: FeedbackStatus
    reason: str
    effect: Effect | None = None


@dataclass(frozen=True)
class QuarantineReason:
    """Refused rows of one table with the same reason, and one of them."""

    table: str
    reason: str
    rows: int
    example: str


@dataclass(frozen=True)
class DataShown:
    """The dataset in figures. ``loaded[t] == kept[t] + refused`` for every table.

    Attributes:
        digest: content hash of the clean tables.
        cutoff: the last period they hold.
        loaded, kept: rows per table before and after the contract.
        reasons: the most frequent reasons of refusal.
        other_refused: refused rows whose reason is not among ``reasons``.
    """

    digest: str
    cutoff: date
    loaded: dict[str, int]
    kept: dict[str, int]
    reasons: tuple[QuarantineReason, ...] = ()
    other_refused: int = 0


@dataclass(frozen=True)
class ArmShown:
    """One way to decide, on the same units and periods as all the others.

    Attributes:
        name: the arm's name.
        label: words for people; empty means derived from the name.
        kind: what it is; a variant is neither a baseline nor judged, such as the model without a feedback item.
        values: per KPI name.
    """

    name: str
    label: str
    kind: ArmKind
    values: dict[str, Interval]


@dataclass(frozen=True)
class CandidateShown:
    """A candidate in the backtest: the KPI on the games it was chosen on, and on games kept aside to confirm.

    Attributes:
        name: the charter's name for it.
        tuned: the KPI on the choosing games; flattering by construction.
        confirmed: the KPI on the confirming games.
        baseline: the baseline's KPI on the confirming games.
        metrics: technical figures, shown and never gated on alone.
        chosen: whether it is the challenger.
    """

    name: str
    tuned: Interval
    confirmed: Interval
    baseline: Interval
    metrics: dict[str, float]
    chosen: bool = False


@dataclass(frozen=True)
class HistoryPoint:
    """The charter's KPI in one iteration, the baseline measured on the same units and periods."""

    iteration: int
    stage: str
    value: Interval
    baseline: Interval
    units: int


@dataclass(frozen=True)
class WeeklyPoint:
    """The charter's KPI in one period, the model beside the baseline."""

    period: str
    model: float
    baseline: float


@dataclass(frozen=True)
class DriftColumn:
    """How far one column moved from the reference, on the score's own scale."""

    name: str
    score: float
    threshold: float
    drifted: bool


@dataclass(frozen=True)
class DriftSummary:
    """Drift of the data against the last iteration's (or an earlier span, for the first).

    Attributes:
        columns: per column.
        share: share of drifted columns.
        rows: rows the scores rest on, per side.
        report_file: file name of the full report beside the page; empty when there is none.
    """

    columns: tuple[DriftColumn, ...]
    share: float
    rows: int
    report_file: str = ""


@dataclass(frozen=True)
class ModelShown:
    """The model the pack is about, as the registry knows it."""

    name: str
    version: str
    digest: str


@dataclass(frozen=True)
class CostsShown:
    """What was spent. What was asked for stands in the charter's stage and budget.

    Attributes:
        iterations_used: of the charter's budget, this one included.
        seconds: measured wall time per step, in order.
        money_used: in the charter's currency; None when nobody recorded it.
    """

    iterations_used: int
    seconds: tuple[tuple[str, float], ...] = ()
    money_used: float | None = None


@dataclass(frozen=True)
class DecisionOption:
    """One decision that may be taken now, and what it will do.

    Attributes:
        decision: the charter's name for it.
        consequence: one sentence: what happens next.
        available: whether the rules allow it.
        reason: why not, when it is not.
        signers: the roles that must sign it.
    """

    decision: DecisionName
    consequence: str
    available: bool = True
    reason: str = ""
    signers: tuple[Role, ...] = ()


@dataclass(frozen=True)
class Link:
    """Somewhere to look further: a file beside the page, a web address or a command."""

    title: str
    target: str


@dataclass(frozen=True)
class ControlShown:
    """One control and how it stands.

    Attributes:
        id, text, sources: what is asked, and where that comes from.
        kind: ``automated``, ``attested`` or ``document``.
        when: the moment it must hold.
        severity: ``block`` or ``warn``.
        role: who attests to it and may waive it.
        state: ``holds``, ``fails``, ``overdue``, ``waived`` or ``not_due``.
        reason: names and figures.
        by: who attested to it or waived it.
        until: the last day of that, ISO 8601; empty for ever.
    """

    id: str
    text: str
    sources: tuple[str, ...]
    kind: str
    when: str
    severity: str
    role: str
    state: Literal["holds", "fails", "overdue", "waived", "not_due"]
    reason: str
    by: str = ""
    until: str = ""


@dataclass(frozen=True)
class OverridesShown:
    """Decisions that were served, and those that people changed.

    Attributes:
        batches: periods that were decided for.
        decisions: of all of them.
        limited: changed by the charter's limits.
        changed: changed by people.
        people: how many people changed some.
        told: changed decisions whose outcome is known.
        better: of these, how many did better than the model's would have.
        saved: what they saved in all against the model's, in the currency of the charter's budget; negative: cost.
        reasons: the most frequent reasons, each with its number.
    """

    batches: int
    decisions: int
    limited: int
    changed: int
    people: int
    told: int
    better: int
    saved: float
    reasons: tuple[tuple[str, int], ...] = ()

    @property
    def rate(self) -> float:
        """Share of the decisions that people changed."""
        return self.changed / self.decisions if self.decisions else 0.0


@dataclass(frozen=True)
class LedgerHead:
    """The ledger's last event when the pack was made: printed here, it shows whether the ledger was cut off later."""

    seq: int
    hash: str


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All an evidence pack shows.

    Attributes:
        iteration: number, from 1.
        stage: the stage that was measured.
        kind: ``train`` when a model was trained and compared, ``measure`` when a released one was measured.
        why: why this iteration was opened.
        charter: the charter it ran under; project and title come from it.
        data, assessment: the data and whether it is good and enough.
        evaluation: the figures of the arm that is judged.
        model, code_version, seed, started_by: what made the figures.
        costs: what was spent.
        changes, feedback: what differs from the last iteration, and who asked for it.
        arms: every arm played, baselines included.
        backtest: the candidates.
        studied: policies, parameters and seeds on the past games; None where none were played.
        history: the charter's KPI per iteration so far, this one last.
        weekly: the charter's KPI per period, for the chart.
        drift: None when there was nothing to compare with.
        field: the effect against controls; None where nobody followed a model.
        verdicts: all of them.
        controls: every control of the charter, and how it stands.
        overrides: decisions served and changed by people; None where none was served yet.
        decisions: which decisions are open, and what each will do.
        limits: sentences on what this evidence cannot tell.
        links: where to look further.
        head: the ledger's head when the pack was made.
        units_word: plural of what a unit is, such as ``stores``.
        recorded_case: whether decisions in this case are recorded rather than made by people.
    """

    iteration: int
    stage: Stage
    kind: Literal["train", "measure"]
    why: str
    charter: Charter
    data: DataShown
    assessment: Assessment
    evaluation: Evaluation
    model: ModelShown
    code_version: str
    seed: int
    started_by: str
    costs: CostsShown
    changes: tuple[ChangeShown, ...] = ()
    feedback: tuple[FeedbackShown, ...] = ()
    arms: tuple[ArmShown, ...] = ()
    backtest: tuple[CandidateShown, ...] = ()
    studied: Studied | None = None
    history: tuple[HistoryPoint, ...] = ()
    weekly: tuple[WeeklyPoint, ...] = ()
    drift: DriftSummary | None = None
    field: FieldShown | None = None
    verdicts: tuple[Verdict, ...] = ()
    controls: tuple[ControlShown, ...] = ()
    overrides: OverridesShown | None = None
    decisions: tuple[DecisionOption, ...] = ()
    limits: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    head: LedgerHead | None = None
    units_word: str = "units"
    recorded_case: bool = False

    @property
    def goal(self) -> KpiResult:
        """The charter's KPI of the arm that is judged."""
        return self.evaluation.kpi(self.charter.kpi.name)

    @property
    def charter_digest(self) -> str:
        """The charter's own hash, never a copy of it."""
        return self.charter.digest
