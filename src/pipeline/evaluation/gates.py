"""From figures to verdicts: what an iteration must show before anybody may advance.

Every gate on the KPI looks at the *worse end of the confidence interval*, never at the point: a pilot of five stores
that looks good by luck has a wide interval and does not pass. A guardrail's absolute limit is judged the same way. A
guardrail's factor on the baseline ("inventory no higher than today's") is judged on the *point*: with a factor of 1 a
bound could only pass where the guardrail clearly improves, which is more than the charter asks. Its reason therefore
always shows the interval of the difference, so that a reader sees how sure that point is.

All gates are monotone: a better KPI never turns a pass into a fail, a stricter limit never a fail into a pass.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import date

from pipeline.charter import Charter, Stage
from pipeline.charter.model import Guardrail
from pipeline.errors import CharterError, Finding
from pipeline.evaluation.criteria import allowed, better, meets, worse_bound
from pipeline.evaluation.figures import contrast, level, show, show_change, show_interval
from pipeline.evaluation.outcomes import Direction, Evaluation, Interval, KpiResult
from pipeline.language.message import Message, joined, say, term
from pipeline.verdicts import Outcome, Severity, Verdict

Figures = Mapping[str, float | int | str | None]


def judge(
    charter: Charter,
    stage: Stage,
    evaluation: Evaluation,
    *,
    iteration: int,
    today: date,
    previous: Sequence[Interval] = (),
) -> tuple[Verdict, ...]:
    """All gates of one iteration on its evaluation, budget and progress.

    Args:
        charter: holds target, guardrails, deadline and budget.
        stage: the rung that was measured.
        evaluation: of the arm to be released; its first KPI is the charter's.
        iteration: number of this iteration, from 1.
        today: the day the deadline is held against.
        previous: the charter's KPI in each earlier iteration of the project, oldest first.
    """
    goal = evaluation.kpi(charter.kpi.name)
    return (
        beats_baseline(goal),
        reaches_milestone(goal, stage),
        reaches_target(goal, charter, stage),
        *(guardrail(guard, evaluation.kpi(guard.name)) for guard in charter.guardrails),
        worst_unit(evaluation, charter, stage),
        deadline(charter, today),
        iterations(charter, iteration),
        no_gain(goal, charter, previous),
    )


def check_target(charter: Charter, measured: float) -> None:
    """Refuse a target that today's way of deciding already meets.

    Args:
        charter: the charter whose target is checked.
        measured: its KPI under the baseline policy, measured on history.

    Raises:
        CharterError: the baseline could not be measured, or the target lies on its wrong side.
    """
    kpi = charter.kpi
    if not math.isfinite(measured):
        place, found = "kpi.baseline", f"policy {kpi.baseline.policy} has no measurable {kpi.name} on this history"
        remedy = "name a policy and a span of history on which the KPI can be measured"
        raise CharterError("The baseline cannot be measured", [Finding(place, found, remedy)])
    if better(kpi.target, measured, kpi.direction):
        return
    ours, theirs = contrast(kpi.target, measured, kpi.unit)
    side = "below" if kpi.direction == "lower" else "above"
    found = f"the target is {ours}, but {kpi.baseline.policy} already gives {theirs} and {kpi.direction} is better"
    remedy = f"write a target {side} {theirs}, or choose another KPI: this one leaves nothing to improve"
    raise CharterError("The target lies on the wrong side of the baseline", [Finding("kpi.target", found, remedy)])


def beats_baseline(goal: KpiResult) -> Verdict:
    """The paired interval of the difference lies wholly on the better side of zero."""
    bound = worse_bound(goal.difference, goal.kpi.direction)
    unit = goal.kpi.unit
    passed = better(bound, 0.0, goal.kpi.direction)
    reason = say(
        "{kpi} was {value} against {baseline} under the baseline on the same {units} units: {difference} "
        "({level} interval {low} to {high}), {so}",
        kpi=term(goal.kpi.title), value=show(goal.value.value, unit), baseline=show(goal.baseline.value, unit),
        units=goal.units, difference=show_change(goal.difference.value, unit), level=level(goal.difference),
        low=show_change(goal.difference.low, unit), high=show_change(goal.difference.high, unit),
        so=say("so the gain is no matter of luck.") if passed else say("so it may be luck or no gain at all."),
    )  # fmt: skip
    figures: Figures = {
        **_figures("difference", goal.difference),
        **_figures("baseline", goal.baseline),
        "units": goal.units,
    }
    title = say("{kpi} beats today's rule", kpi=term(goal.kpi.title))
    return _verdict("kpi.beats_baseline", title, "block", reason, figures, passed=passed)


def reaches_milestone(goal: KpiResult, stage: Stage) -> Verdict:
    """The worse end of the interval clears the stage's milestone."""
    asks = say("the milestone of stage {stage}", stage=stage.name)
    title = say("{kpi} reaches the milestone of stage {stage}", kpi=term(goal.kpi.title), stage=stage.name)
    return _limit("kpi.reaches_milestone", title, goal, stage.milestone, asks, "block")


def reaches_target(goal: KpiResult, charter: Charter, stage: Stage) -> Verdict:
    """The worse end of the interval clears the target; it blocks on the last rung only, and is shown before."""
    last = charter.stage_after(stage.name) is None
    title = say("{kpi} reaches the target", kpi=term(goal.kpi.title))
    severity: Severity = "block" if last else "warn"
    return _limit("kpi.reaches_target", title, goal, charter.kpi.target, say("the target"), severity)


def guardrail(guard: Guardrail, result: KpiResult) -> Verdict:
    """A KPI that must not get worse: the bound decides on an absolute limit, the point on a factor."""
    gate, title = f"guardrail.{guard.name}", say("{kpi} stays within its guardrail", kpi=term(result.kpi.title))
    reasons: list[str] = []
    figures: dict[str, float | int | str | None] = {**_figures("value", result.value), "units": result.units}
    passed = True
    if guard.limit is not None:
        absolute = _limit(gate, title, result, guard.limit, say("the guardrail"), "block", guard.direction)
        passed, reasons = absolute.outcome == "pass", [absolute.reason]
        figures["limit"] = guard.limit
    bound = allowed(guard, result.baseline.value)
    if bound is not None:
        within = meets(result.value.value, bound, guard.direction)
        passed = passed and within
        reasons.append(_beside_baseline(guard, result, bound, within=within))
        figures |= {"allowed": _finite(bound), **_figures("difference", result.difference)}
    reason = joined(reasons) if reasons else say("The charter sets no limit.")
    return _verdict(gate, title, "block", reason, figures, passed=passed)


def worst_unit(evaluation: Evaluation, charter: Charter, stage: Stage) -> Verdict:
    """No unit is left behind: the worst unit's KPI is within the stage's limit."""
    title = say("The worst unit stays within its limit")
    if not evaluation.units:
        return _verdict("slice.worst_unit", title, "block", say("No unit was measured."), {"unit": None}, passed=False)
    worst, kpi = evaluation.units[0], evaluation.kpi(charter.kpi.name).kpi
    limit, passed = stage.worst_unit_limit, meets(worst.arm, stage.worst_unit_limit, kpi.direction)
    ours, asked = contrast(worst.arm, limit, kpi.unit)
    reason = say(
        "{kpi} of the worst unit, {unit}, was {value} (under the baseline {baseline}); "
        "stage {stage} asks for {limit} in every unit.",
        kpi=term(kpi.title), unit=worst.value, value=ours, baseline=show(worst.baseline, kpi.unit), stage=stage.name,
        limit=_at(kpi.direction, asked),
    )  # fmt: skip
    figures: Figures = {
        "unit": worst.value,
        "value": _finite(worst.arm),
        "baseline": _finite(worst.baseline),
        "limit": limit,
    }
    return _verdict("slice.worst_unit", title, "block", reason, figures, passed=passed)


def deadline(charter: Charter, today: date) -> Verdict:
    """The goal's date has not passed; after it the sponsor must change the charter or stop."""
    left = (charter.kpi.deadline - today).days
    when = (
        say("{days} days are left", days=left)
        if left >= 0
        else say("it passed {days} days ago: set a new date or stop", days=-left)
    )
    reason = say("The deadline is {deadline}; {when}.", deadline=charter.kpi.deadline, when=when)
    figures: Figures = {"deadline": charter.kpi.deadline.isoformat(), "today": today.isoformat(), "days_left": left}
    return _verdict("budget.deadline", say("The deadline has not passed"), "block", reason, figures, passed=left >= 0)


def iterations(charter: Charter, iteration: int) -> Verdict:
    """The iteration budget is not overdrawn."""
    most = charter.budget.iterations
    left = most - iteration
    rest = (
        say("{number} are left", number=left)
        if left >= 0
        else say("the budget is overdrawn: raise it in the charter or stop")
    )
    reason = say("This is iteration {number} of {most} in the budget; {rest}.", number=iteration, most=most, rest=rest)
    figures: Figures = {"iteration": iteration, "budget": most}
    return _verdict("budget.iterations", say("The iteration budget holds"), "block", reason, figures, passed=left >= 0)


def no_gain(goal: KpiResult, charter: Charter, previous: Sequence[Interval]) -> Verdict:
    """One of the last N iterations bettered all before them; if not, the decision is to stop or to say why not.

    Points are compared, as the goal is one: iterations may differ in units and season, so this is a warning.
    """
    span, unit, direction = charter.budget.stop_after_no_gain, goal.kpi.unit, goal.kpi.direction
    title = say("The KPI gained in the last {span} iterations", span=span)
    if len(previous) < span:
        reason = say(
            "Too early to tell: it takes {needed} iterations, this is number {number}.",
            needed=span + 1, number=len(previous) + 1,
        )  # fmt: skip
        return _verdict("progress.no_gain", title, "warn", reason, {"iterations": span}, passed=True)
    values = [interval.value for interval in previous] + [goal.value.value]
    before, recent = _best(values[:-span], direction), _best(values[-span:], direction)
    passed = better(recent, before, direction) or (math.isnan(before) and math.isfinite(recent))
    ours, theirs = contrast(recent, before, unit)
    best: dict[str, int | str] = {"span": span, "recent": ours, "before": theirs}
    reason = (
        say("The best of the last {span} iterations was {recent}, the best before them {before}.", **best)
        if passed
        else say(
            "The best of the last {span} iterations was {recent}, the best before them {before}: decide to stop, or to "
            "go on and why.",
            **best,
        )
    )
    figures: Figures = {"iterations": span, "best_recent": _finite(recent), "best_before": _finite(before)}
    return _verdict("progress.no_gain", title, "warn", reason, figures, passed=passed)


def _limit(
    gate: str,
    title: str,
    result: KpiResult,
    limit: float,
    asks: Message,
    severity: Severity,
    direction: Direction | None = None,
) -> Verdict:
    """The worse end of the interval against one number."""
    way = direction or result.kpi.direction
    bound = worse_bound(result.value, way)
    passed = meets(bound, limit, way)
    shown, asked = contrast(bound, limit, result.kpi.unit)
    said: dict[str, Message] = {
        "kpi": term(result.kpi.title),
        "value": show_interval(result.value, result.kpi.unit),
        "asks": asks,
        "limit": _at(way, asked),
    }
    if passed:
        reason = say("{kpi} was {value}, {asks} asks for {limit}.", **said)
    elif meets(result.value.value, limit, way):
        reason = say(
            "{kpi} was {value}, {asks} asks for {limit}: the point is there, but the worse end of the interval, "
            "{bound}, is not.",
            **said,
            bound=shown,
        )
    else:
        reason = say("{kpi} was {value}, {asks} asks for {limit}: not reached.", **said)
    figures: Figures = {**_figures("value", result.value), "limit": limit, "units": result.units}
    return _verdict(gate, title, severity, reason, figures, passed=passed)


def _beside_baseline(guard: Guardrail, result: KpiResult, bound: float, *, within: bool) -> Message:
    unit, shift = result.kpi.unit, result.difference
    ours, asked = contrast(result.value.value, bound, unit)
    return say(
        "{kpi} was {value} against {baseline} under the baseline; the guardrail asks for {factor} times that, {limit}: "
        "{kept}, judged on the point (difference {difference}, {level} interval {low} to {high}).",
        kpi=term(result.kpi.title), value=ours, baseline=show(result.baseline.value, unit),
        factor=_at(guard.direction, f"{guard.versus_baseline:g}"), limit=asked,
        kept=say("kept") if within else say("not kept"), difference=show_change(shift.value, unit),
        level=level(shift), low=show_change(shift.low, unit), high=show_change(shift.high, unit),
    )  # fmt: skip


def _verdict(gate: str, title: str, severity: Severity, reason: str, figures: Figures, *, passed: bool) -> Verdict:
    outcome: Outcome = "pass" if passed else "fail"
    return Verdict(gate, title, outcome, severity, reason, dict(figures))


def _best(values: Sequence[float], direction: Direction) -> float:
    known = [value for value in values if not math.isnan(value)]
    if not known:
        return math.nan
    return min(known) if direction == "lower" else max(known)


def _at(direction: Direction, limit: str) -> Message:
    return say("at most {limit}", limit=limit) if direction == "lower" else say("at least {limit}", limit=limit)


def _figures(name: str, interval: Interval) -> dict[str, float | int | str | None]:
    ends = {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
    return {key: _finite(value) for key, value in ends.items()}


def _finite(value: float) -> float | None:
    """None for what JSON has no number for."""
    return value if math.isfinite(value) else None
