"""The checks that keep people in charge: limits of decisions, the floor under groups, explanation, repetition."""

import math

from pipeline.compliance.inputs import Answer, ControlInputs, Figures, Group
from pipeline.compliance.limits import limited
from pipeline.language.message import say

#: How far the sum of the contributions may lie from the model's output, which is kept in 32 bits.
_ADDITIVE = 1e-5
_UNTOLD = say("The problem cannot tell anything about its single decisions.")


def decision_limits(inputs: ControlInputs) -> Answer:
    """Whether the model keeps within the declared limits by itself; what is served is held to them in any case."""
    limits, account = inputs.charter.compliance.limits, inputs.account
    if not limits.any:
        reason = say("The charter declares no limits: write max_change, cap or outside_training in compliance.limits.")
        return Answer(passed=False, reason=reason, figures={})
    if account is None:
        return Answer(passed=False, reason=_UNTOLD, figures={})
    ours = int(account.by_model.sum())
    held = limited(account, limits)
    share = held.changed / ours if ours else 0.0
    counts: Figures = {name: int((held.why == name).sum()) for name in ("change", "cap", "outside")}
    reason = say(
        "Of {number} decisions of the next period, the limits changed {changed} ({share}): {change} for their change, "
        "{cap} for the cap, {outside} outside the training range; {most} are allowed.",
        number=ours, changed=held.changed, share=f"{share:.1%}", most=f"{limits.most_limited:.1%}",
        change=int((held.why == "change").sum()), cap=int((held.why == "cap").sum()),
        outside=int((held.why == "outside").sum()),
    )  # fmt: skip
    return Answer(
        passed=ours > 0 and share <= limits.most_limited, reason=reason, figures={"decisions": ours, **counts}
    )


def fairness_floor(inputs: ControlInputs) -> Answer:
    """No group may be worse off than the declared factor on its own baseline allows."""
    floor = inputs.charter.compliance.fairness
    factor = floor.versus_baseline
    if factor is None:
        reason = say("The charter declares no floor: write versus_baseline in compliance.fairness.")
        return Answer(passed=False, reason=reason, figures={})
    known = {group.column for group in inputs.groups}
    missing = [name for name in floor.slices if name not in known]
    looked = [group for group in inputs.groups if not floor.slices or group.column in floor.slices]
    if missing or not looked:
        reason = say("These slices were not measured: {names}.", names=", ".join(missing) or say("any"))
        return Answer(passed=False, reason=reason, figures={"groups": len(looked)})
    lower = inputs.charter.kpi.direction == "lower"
    below = [group for group in looked if not _kept(group, factor, lower=lower)]
    worst = max(looked, key=lambda group: _worse(group, lower=lower))
    figures: Figures = {"groups": len(looked), "below": len(below), "worst": f"{worst.column} {worst.value}"}
    reason = say(
        "{below} of {groups} groups lie below the floor of {factor} times their own baseline; the worst is {column} "
        "{value} with {ours} against {baseline} under today's rule.",
        below=len(below), groups=len(looked), factor=f"{factor:g}", column=worst.column, value=worst.value,
        ours=f"{worst.ours:.4g}", baseline=f"{worst.baseline:.4g}",
    )  # fmt: skip
    return Answer(passed=not below, reason=reason, figures=figures)


def _kept(group: Group, factor: float, *, lower: bool) -> bool:
    """Whether a group is within the floor; a figure that cannot be measured is not."""
    if not (math.isfinite(group.ours) and math.isfinite(group.baseline)):
        return False
    limit = group.baseline * factor if lower else group.baseline / factor
    return group.ours <= limit if lower else group.ours >= limit


def _worse(group: Group, *, lower: bool) -> float:
    """By how much a group is worse off than under today's rule; infinite where that cannot be measured."""
    gap = group.ours - group.baseline if lower else group.baseline - group.ours
    return gap if math.isfinite(gap) else math.inf


def explanation(inputs: ControlInputs) -> Answer:
    """Each decision looked at has drivers, and their contributions add up to what the model said."""
    told = inputs.account.drivers if inputs.account is not None else None
    if told is None or not len(told.rows):
        return Answer(passed=False, reason=_UNTOLD, figures={})
    silent = int((told.names[:, 0] == "").sum())
    figures: Figures = {"decisions": len(told.rows), "without": silent, "gap": told.gap}
    if silent or not told.gap <= _ADDITIVE:
        reason = say(
            "Of {number} decisions, {silent} have no driver; the contributions miss the model's output by up to {gap}.",
            number=len(told.rows), silent=silent, gap=f"{told.gap:.2g}",
        )  # fmt: skip
        return Answer(passed=False, reason=reason, figures=figures)
    reason = say(
        "{number} decisions were taken apart by feature; the contributions (SHAP values) add up to the model's output: "
        "`landed decide --explain`.",
        number=len(told.rows),
    )  # fmt: skip
    return Answer(passed=True, reason=reason, figures=figures)


def reproducible(inputs: ControlInputs) -> Answer:
    """A second training from the recorded inputs gives the same files, or figures within the declared tolerance."""
    found, tolerance = inputs.repeated, inputs.charter.compliance.metric_tolerance
    if found is None:
        return Answer(passed=False, reason=say("The training could not be repeated."), figures={})
    if found.refused:
        reason = say("The training could not be repeated from what is on record: {why}", why=found.refused)
        return Answer(passed=False, reason=reason, figures={"first": found.first[:12]})
    figures: Figures = {"first": found.first[:12], "second": found.second[:12], "furthest": found.furthest}
    if found.first == found.second:
        reason = say(
            "Trained again from the recorded inputs, the model is the same: {digest}.", digest=found.first[:12]
        )
        return Answer(passed=True, reason=reason, figures=figures)
    reason = say(
        "Trained again from the recorded inputs, the model is another one; {figure} lies {furthest} apart, {tolerance} "
        "is allowed.",
        figure=found.figure, furthest=f"{found.furthest:.2g}", tolerance=f"{tolerance:g}",
    )  # fmt: skip
    return Answer(passed=tolerance > 0 and found.furthest <= tolerance, reason=reason, figures=figures)
