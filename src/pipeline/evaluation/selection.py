"""The choice of the challenger on some cutoffs of the backtest, and its confirmation on later ones.

The figure a candidate was chosen by flatters it (selection bias: Cawley and Talbot, JMLR 11, 2010). So the cutoffs
are split in time: the earlier half chooses, the later half confirms, and both figures are reported. A backtest
replays recorded history and is only an approximation of what the world would have answered; it chooses, and the
field decides.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.charter import Charter
from pipeline.datasets.splits import tune_confirm
from pipeline.errors import DataError, Finding
from pipeline.evaluation.criteria import better, breach
from pipeline.evaluation.figures import show, show_interval
from pipeline.evaluation.kpis import evaluate
from pipeline.evaluation.outcomes import Evaluation, Interval, KpiDefinition, Outcomes

CUTOFF = "cutoff"


@dataclass(frozen=True)
class Score:
    """How one candidate did in its backtest.

    Attributes:
        candidate: its name.
        tuning: the charter's KPI on the cutoffs that choose.
        confirming: the same on the later cutoffs.
        baseline: the baseline's KPI on the later cutoffs.
        breach: the largest miss of a guardrail on the choosing cutoffs, as a share of its limit; 0 when all are met.
    """

    candidate: str
    tuning: Interval
    confirming: Interval
    baseline: Interval
    breach: float


@dataclass(frozen=True)
class Choice:
    """The challenger, and how it was chosen.

    Attributes:
        challenger: name of the chosen candidate.
        scores: all candidates, best first.
        tuning, confirming: the cutoffs that chose and the later ones that confirm.
        reason: one sentence with the figures.
    """

    challenger: str
    scores: tuple[Score, ...]
    tuning: tuple[str, ...]
    confirming: tuple[str, ...]
    reason: str


def choose(
    charter: Charter,
    definitions: Mapping[str, KpiDefinition],
    backtests: Mapping[str, Outcomes],
    baseline: str,
    seed: int,
) -> Choice:
    """Choose the challenger by the charter's KPI on the earlier half of the cutoffs.

    Among the candidates that meet every guardrail there, the one with the best KPI wins. If none does, the one whose
    largest miss is smallest wins, whatever its KPI: the guardrails are the charter's too, and its gate will show the
    miss. Ties go to the candidate named first in the charter. Guardrails are judged on points here, as a choice must
    be made anyway.

    Args:
        charter: names KPI, guardrails and candidates.
        definitions: the problem's KPIs by name.
        backtests: outcomes per candidate, with the slice column ``cutoff``, the baseline's arm and an arm of the
            candidate's own name.
        baseline: name of the baseline's arm.
        seed: of the bootstrap.

    Raises:
        DataError: no candidate, no slice column ``cutoff``, or fewer than two cutoffs.
    """
    tuning, confirming = _halves(backtests)
    scores = [
        _score(charter, definitions, name, (_only(backtest, tuning), _only(backtest, confirming)), baseline, seed)
        for name, backtest in backtests.items()
    ]
    ranked = tuple(sorted(scores, key=lambda score: _rank(score, charter)))
    return Choice(ranked[0].candidate, ranked, tuning, confirming, _reason(ranked, charter, definitions))


def _rank(score: Score, charter: Charter) -> tuple[float, float]:
    """Smaller is better; a KPI that cannot be measured comes last."""
    value = score.tuning.value
    if math.isnan(value):
        return (math.inf, math.inf)
    return (score.breach, value if charter.kpi.direction == "lower" else -value)


def _score(
    charter: Charter,
    definitions: Mapping[str, KpiDefinition],
    name: str,
    halves: tuple[Outcomes, Outcomes],
    baseline: str,
    seed: int,
) -> Score:
    earlier, later = (evaluate(charter, definitions, half, name, baseline, seed) for half in halves)
    kpi = charter.kpi.name
    return Score(
        candidate=name,
        tuning=earlier.kpi(kpi).value,
        confirming=later.kpi(kpi).value,
        baseline=later.kpi(kpi).baseline,
        breach=_largest_breach(charter, earlier),
    )


def _largest_breach(charter: Charter, evaluation: Evaluation) -> float:
    results = [(guard, evaluation.kpi(guard.name)) for guard in charter.guardrails]
    return max((breach(guard, kpi.value.value, kpi.baseline.value) for guard, kpi in results), default=0.0)


def _halves(backtests: Mapping[str, Outcomes]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    lacking = [name for name, backtest in backtests.items() if CUTOFF not in backtest.frame.columns]
    if lacking or not backtests:
        remedy = "the backtest must hand over one row per cutoff, with its date in that column"
        places = [f"backtest of {name}" for name in lacking] or ["model.candidates"]
        findings = [Finding(place, f"no column {CUTOFF!r}", remedy) for place in places]
        raise DataError("No challenger can be chosen", findings)
    per_candidate = [frozenset(backtest.frame[CUTOFF].astype(str)) for backtest in backtests.values()]
    cutoffs = sorted(frozenset[str]().union(*per_candidate))
    if any(found != per_candidate[0] for found in per_candidate):
        found, remedy = "the candidates were played on different cutoffs", "play all candidates on the same cutoffs"
        raise DataError("No challenger can be chosen", [Finding("model.backtest_cutoffs", found, remedy)])
    if len(cutoffs) < 2:
        found, remedy = f"{len(cutoffs)} cutoff", "write at least 2, so that one can choose and a later one confirm"
        raise DataError("No challenger can be chosen", [Finding("model.backtest_cutoffs", found, remedy)])
    return tune_confirm(tuple(cutoffs))


def _only(backtest: Outcomes, cutoffs: Sequence[str]) -> Outcomes:
    return replace(backtest, frame=backtest.frame[backtest.frame[CUTOFF].astype(str).isin(cutoffs)])


def _reason(ranked: Sequence[Score], charter: Charter, definitions: Mapping[str, KpiDefinition]) -> str:
    best, kpi = ranked[0], definitions[charter.kpi.name]
    kept = "met every guardrail" if best.breach == 0 else f"missed a guardrail by the least ({best.breach:.1%} of it)"
    confirmed = better(best.confirming.value, best.baseline.value, kpi.direction)
    return (
        f"{best.candidate} {kept} and gave {kpi.title} of {show(best.tuning.value, kpi.unit)} on the earlier cutoffs, "
        f"best of {len(ranked)}; the later cutoffs {'confirm' if confirmed else 'do not confirm'} it: "
        f"{show_interval(best.confirming, kpi.unit)} against {show(best.baseline.value, kpi.unit)} under the baseline."
    )
