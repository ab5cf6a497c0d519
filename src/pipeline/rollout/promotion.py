"""What the field must have shown before the rollout may go up: verdicts on the measured effect.

A point estimate alone never promotes. The worse end of the effect's interval must lie on the better side of zero and
the worse end of the realised KPI within the milestone; no slice and no unit may be left behind; guardrails must hold
against the controls; the groups must have been alike and have run side by side before, and doing nothing must not give
as much. The gates' names begin with ``field.``, beside those of the replay.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatch

from pipeline.charter import Charter, Stage
from pipeline.charter.model import Guardrail
from pipeline.evaluation import gates
from pipeline.evaluation.criteria import better, meets, worse_bound
from pipeline.evaluation.figures import contrast, level, show, show_change, show_interval
from pipeline.evaluation.outcomes import Direction, Interval, KpiResult
from pipeline.language.message import Message, say, term
from pipeline.rollout.arms import Arms
from pipeline.rollout.doubts import LUCK, least_share
from pipeline.rollout.effect import FieldEffect, KpiEffect, SliceEffect
from pipeline.rollout.matching import ASKED, TOLERATED
from pipeline.rollout.power import Power
from pipeline.verdicts import Severity, Verdict

Figures = Mapping[str, float | int | str | None]

#: Below this many units the interval of a slice says nothing, and the slice is judged on its point.
FEW = 5


def judge_field(charter: Charter, stage: Stage, arms: Arms, effect: FieldEffect) -> tuple[Verdict, ...]:
    """All field verdicts of a stage that has controls.

    Args:
        charter: its guardrails.
        stage: the rung that was measured.
        arms: as the ledger holds them.
        effect: what was measured on them.
    """
    return (
        balanced(arms),
        long_enough(stage, effect, charter.data.period),
        has_effect(effect.goal),
        reaches(effect, stage),
        worst_slice(effect, stage),
        worst_unit(effect, stage),
        *(guardrail(guard, effect) for guard in charter.guardrails),
        ran_side_by_side(effect),
        beats_placebo(effect),
    )


def no_field(stage: Stage) -> Verdict:
    """In place of the field verdicts where a stage has no controls: nothing is claimed about a causal effect."""
    reason = say(
        "Stage {stage} keeps no controls, so what the model changed in the field cannot be told from what happened to "
        "everybody.",
        stage=stage.name,
    )
    return _verdict("field.controls", say("The effect is measured against controls"), "warn", reason, {}, passed=False)


def detectable(found: Power, unit_word: str, period_word: str) -> Verdict:
    """Whether the stage can detect the charter's effect within its periods; shown before the release, never a bar."""
    figures: Figures = {
        "least": _finite(found.least), "wanted": found.wanted, "planned": found.planned, "needed": found.needed,
    }  # fmt: skip
    title = say("The stage can detect the effect asked for")
    return _verdict(
        "field.power", title, "warn", found.sentence(unit_word, period_word), figures, passed=found.enough
    )  # fmt: skip


def entering(verdicts: tuple[Verdict, ...], stage: Stage) -> tuple[Verdict, ...]:
    """The verdicts as the next rung wants them: what it asks to pass blocks, even where it only warned before.

    Args:
        verdicts: of the rung that was measured.
        stage: the rung above.
    """
    strict = tuple(
        replace(verdict, severity="block") if _named(verdict.gate, stage.enter) else verdict for verdict in verdicts
    )
    unknown = [pattern for pattern in stage.enter if not any(fnmatch(verdict.gate, pattern) for verdict in verdicts)]
    return (
        *strict,
        *(
            _verdict(
                f"enter.{pattern}",
                say("Gate {gate} was judged", gate=pattern),
                "block",
                say(
                    "Stage {stage} asks that {gate} passes, and no such gate was judged.",
                    stage=stage.name,
                    gate=pattern,
                ),
                {"gate": pattern},
                passed=False,
            )
            for pattern in unknown
        ),
    )


def balanced(arms: Arms) -> Verdict:
    """The groups were alike before: asked are differences of 0.1; above 0.25 nothing can be concluded."""
    severity: Severity = "block" if arms.worst > TOLERATED else "warn"
    figures: Figures = {"largest": arms.worst, "asked": ASKED, "tolerated": TOLERATED}
    passed = arms.worst <= ASKED
    return _verdict(
        "field.balance", say("Treated and controls were alike before"), severity, arms.note, figures, passed=passed
    )  # fmt: skip


def long_enough(stage: Stage, effect: FieldEffect, period: str) -> Verdict:
    """The stage was in the field for as long as the charter says."""
    had = effect.periods + effect.groups.skip
    reason = say(
        "{had} {period}s of {asked} are measured.", had=had, period=period, asked=stage.periods
    )  # fmt: skip
    figures: Figures = {"periods": had, "asked": stage.periods}
    title = say("The stage was in the field long enough")
    return _verdict("field.periods", title, "block", reason, figures, passed=had >= stage.periods)


def has_effect(goal: KpiEffect) -> Verdict:
    """The effect's interval lies wholly on the better side of zero."""
    unit = goal.kpi.unit
    bound = worse_bound(goal.effect, goal.kpi.direction)
    passed = math.isfinite(bound) and better(bound, 0.0, goal.kpi.direction)
    so = say("so the gain is no matter of luck.") if passed else say("so it may be luck or no gain at all.")
    reason = say(
        "{kpi} was {after} under the model; moved as the controls moved it would have been {expected}: an effect of "
        "{effect} ({level} interval {low} to {high}), {so}",
        kpi=term(goal.kpi.title), after=show(goal.after.value, unit), expected=show(goal.expected, unit),
        effect=show_change(goal.effect.value, unit), level=level(goal.effect),
        low=show_change(goal.effect.low, unit), high=show_change(goal.effect.high, unit), so=so,
    )  # fmt: skip
    figures: Figures = {**_figures("effect", goal.effect), "expected": _finite(goal.expected)}
    title = say("{kpi} is better than with the controls", kpi=term(goal.kpi.title))
    return _verdict("field.effect", title, "block", reason, figures, passed=passed)


def reaches(effect: FieldEffect, stage: Stage) -> Verdict:
    """The worse end of the realised KPI clears the stage's milestone."""
    found = gates.reaches_milestone(_result(effect.goal, len(effect.groups.treated)), stage)
    return replace(found, gate="field.milestone")


def worst_slice(effect: FieldEffect, stage: Stage) -> Verdict:
    """The worst slice is within the floor: by its worse end, or by its point where it holds too few units for that."""
    title = say("The worst slice stays within its limit")
    kpi, limit = effect.goal.kpi, stage.worst_unit_limit
    if not effect.slices:
        return _verdict("field.worst_slice", title, "warn", say("No slices were measured."), {}, passed=True)

    def held(part: SliceEffect) -> float:
        return worse_bound(part.after, kpi.direction) if part.units >= FEW else part.after.value

    ordered = sorted(effect.slices, key=held, reverse=kpi.direction == "lower")
    worst = ordered[0]
    bound = held(worst)
    passed = all(meets(held(part), limit, kpi.direction) for part in ordered)
    shown, asked = contrast(bound, limit, kpi.unit)
    end = say("the worse end of its interval") if worst.units >= FEW else say("its point, as it holds few units")
    reason = say(
        "{kpi} of {slice} {value} was {figure}; {end}, {shown}, is held against {limit}.",
        kpi=term(kpi.title), slice=term(worst.slice), value=worst.value, figure=show_interval(worst.after, kpi.unit),
        end=end, shown=shown, limit=_at(kpi.direction, asked),
    )  # fmt: skip
    figures: Figures = {
        "slice": worst.slice, "of": worst.value, "units": worst.units, "bound": _finite(bound), "limit": limit,
        **_figures("value", worst.after), **_figures("effect", worst.effect),
    }  # fmt: skip
    return _verdict("field.worst_slice", title, "block", reason, figures, passed=passed)


def worst_unit(effect: FieldEffect, stage: Stage) -> Verdict:
    """No unit is left behind; the worst one is named."""
    kpi, worst, limit = effect.goal.kpi, effect.units[0], stage.worst_unit_limit
    passed = meets(worst.after, limit, kpi.direction)
    shown, asked = contrast(worst.after, limit, kpi.unit)
    reason = say(
        "{kpi} of the worst unit, {unit}, was {value} ({expected} expected without the model); stage {stage} asks for "
        "{limit} in every unit.",
        kpi=term(kpi.title), unit=worst.unit, value=shown, expected=show(worst.expected, kpi.unit), stage=stage.name,
        limit=_at(kpi.direction, asked),
    )  # fmt: skip
    figures: Figures = {"unit": worst.unit, "value": _finite(worst.after), "limit": limit}
    title = say("The worst unit stays within its limit")
    return _verdict("field.worst_unit", title, "block", reason, figures, passed=passed)


def guardrail(guard: Guardrail, effect: FieldEffect) -> Verdict:
    """A guardrail held against what the controls let expect.

    One that nobody measured is said to be so under a gate of its own: it is not kept, and it is not broken either.
    """
    found = effect.kpi(guard.name)
    if found is None:
        return _unmeasured(guard, effect)
    judged = gates.guardrail(guard, _result(found, len(effect.groups.treated)))
    return replace(judged, gate=f"field.guardrail.{guard.name}")


def ran_side_by_side(effect: FieldEffect) -> Verdict:
    """Nothing speaks against parallel courses before the release."""
    found, unit = effect.pre_trend, effect.goal.kpi.unit
    if not found.splits:
        reason: Message = say("Too little was measured before the release to tell whether the groups ran side by side.")
    else:
        reason = say(
            "Before the release the gap between treated and controls moved most in {first} to {last}, by {largest} "
            "({level} interval {low} to {high}); {share} of {splits} other ways to split the units show as much.",
            first=found.block[0], last=found.block[1], largest=show_change(found.largest.value, unit),
            level=level(found.largest), low=show_change(found.largest.low, unit),
            high=show_change(found.largest.high, unit), share=show(found.share, "share"), splits=found.splits,
        )  # fmt: skip
    figures: Figures = {**_figures("largest", found.largest), "share": found.share, "splits": found.splits}
    title = say("Treated and controls ran side by side before")
    return _verdict("field.pre_trend", title, "block", reason, figures, passed=found.parallel)


def beats_placebo(effect: FieldEffect) -> Verdict:
    """Hardly any placebo effect among the controls is as large as the real one."""
    found, unit = effect.placebo, effect.goal.kpi.unit
    treated, controls = len(effect.groups.treated), len(effect.groups.controls)
    least = least_share(controls, treated)
    if not found.splits:
        reason: Message = say("No placebo effect could be measured among the controls.")
    elif least > LUCK:
        reason = say(
            "{controls} controls give {splits} placebo effects, too few to rule luck out at {level}.",
            controls=controls, splits=found.splits, level=show(LUCK, "share"),
        )  # fmt: skip
    else:
        reason = say(
            "Measured on the controls alone, where nothing was done, {share} of {splits} placebo effects are as large; "
            "most lie between {low} and {high}.",
            share=show(found.share, "share"), splits=found.splits, low=show_change(found.middle[0], unit),
            high=show_change(found.middle[1], unit),
        )  # fmt: skip
    figures: Figures = {"share": found.share, "splits": found.splits, "least_share": least}
    title = say("Doing nothing does not give as much")
    return _verdict("field.placebo", title, "block", reason, figures, passed=found.beaten)


def _unmeasured(guard: Guardrail, effect: FieldEffect) -> Verdict:
    titles = {kpi.name: (kpi.title, why) for kpi, why in effect.unmeasured}
    kpi, why = titles.get(guard.name, (guard.name, ""))
    if why:
        reason = say(
            "{kpi} cannot be observed in the field, as {why}; only the replay judges it.", kpi=term(kpi), why=why
        )
    else:
        reason = say("{kpi} was not measured in the field; only the replay judges it.", kpi=term(kpi))
    title = say("{kpi} is measured in the field", kpi=term(kpi))
    return _verdict(f"field.unmeasured.{guard.name}", title, "warn", reason, {}, passed=False)


def _result(found: KpiEffect, units: int) -> KpiResult:
    """A field figure as the gates of the replay read one: what was expected takes the place of the baseline."""
    expected = Interval(found.expected, found.expected, found.expected, found.after.level)
    return KpiResult(found.kpi, "model", found.after, expected, found.effect, units)


def _named(gate: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(gate, pattern) for pattern in patterns)


def _verdict(gate: str, title: str, severity: Severity, reason: str, figures: Figures, *, passed: bool) -> Verdict:
    return Verdict(gate, title, "pass" if passed else "fail", severity, reason, dict(figures))


def _at(direction: Direction, limit: str) -> Message:
    return say("at most {limit}", limit=limit) if direction == "lower" else say("at least {limit}", limit=limit)


def _figures(name: str, interval: Interval) -> dict[str, float | int | str | None]:
    ends = {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
    return {key: _finite(value) for key, value in ends.items()}


def _finite(value: float) -> float | None:
    """None for what JSON has no number for."""
    return value if math.isfinite(value) else None
