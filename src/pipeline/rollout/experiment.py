"""A stage as an experiment: pick its arms before the release, say what it can detect, measure it afterwards."""

from collections.abc import Mapping, Sequence

from pipeline.charter import Charter, Stage
from pipeline.errors import Finding, Refused
from pipeline.evaluation.observed import Observed
from pipeline.evaluation.outcomes import KpiDefinition
from pipeline.language import Message, say
from pipeline.language.message import Value
from pipeline.rollout.arms import Arms
from pipeline.rollout.effect import FieldEffect, Groups, measure
from pipeline.rollout.matching import ASKED, METHOD, Matched, match
from pipeline.rollout.power import Power, power


def pick_arms(
    charter: Charter,
    stage: Stage,
    observed: Observed,
    definitions: Mapping[str, KpiDefinition],
    *,
    units: Sequence[str],
    followers: Sequence[str],
    start: str,
) -> Arms:
    """Pick the controls of a stage, on nothing but what was measured before ``start``.

    Args:
        charter: its KPI, seed and ``kpi.baseline.measured_over``, the span that is looked at.
        stage: the rung; it asks for the number of controls.
        observed: the field's figures of all units.
        definitions: the problem's KPIs.
        units: all units of the stage.
        followers: units that follow, or ever followed, a model of this project: they are neither new nor controls.
        start: first period of the release.

    Raises:
        Refused: the stage asks for no controls, no unit is new on it, or too few units are left to be controls.
    """
    new = sorted(set(units) - set(followers))
    if not stage.controls or not new:
        found = "no unit is new on it" if stage.controls else "it asks for no controls"
        remedy = "its effect was measured before" if stage.controls else "write `controls: 10` at the stage"
        raise Refused("This stage has no arms to pick", [Finding(f"stage {stage.name}", found, remedy)])
    eligible = sorted(set(observed.units) - set(units) - set(followers))
    matched = match(
        observed, definitions[charter.kpi.name], treated=new, eligible=eligible, controls=stage.controls, start=start,
        periods=charter.kpi.baseline.measured_over, seed=charter.seed,
    )  # fmt: skip
    return Arms(
        project=charter.project,
        stage=stage.name,
        kpi=charter.kpi.name,
        units=tuple(sorted(units)),
        treated=matched.treated,
        controls=matched.controls,
        unmeasured=matched.unmeasured,
        start=start,
        before=charter.kpi.baseline.measured_over,
        seed=charter.seed,
        method=METHOD,
        balance=matched.balance,
        note=_note(matched, len(eligible)),
    )


def plan_power(
    charter: Charter,
    stage: Stage,
    observed: Observed,
    definitions: Mapping[str, KpiDefinition],
    arms: Arms,
    *,
    baseline: float,
    skip: int = 0,
) -> Power:
    """What the stage can detect of the way from the measured baseline to the charter's target.

    Args:
        charter: its target.
        stage: the rung; its periods are the field's.
        observed: the field's figures; only what lies before the arms' start is looked at.
        definitions: the problem's KPIs.
        arms: who is compared.
        baseline: the KPI under today's rule.
        skip: field periods that no decision can reach yet, such as a lead time.
    """
    return power(
        observed, definitions[charter.kpi.name], treated=len(arms.treated), controls=len(arms.controls),
        planned=stage.periods, before=arms.before, wanted=charter.kpi.target - baseline, start=arms.start, skip=skip,
    )  # fmt: skip


def measure_stage(
    charter: Charter,
    observed: Observed,
    definitions: Mapping[str, KpiDefinition],
    arms: Arms,
    *,
    skip: int = 0,
    since: str = "",
) -> FieldEffect:
    """What the model changed on the arms of a stage, in all periods since the release.

    Where the treated follow a newer model from ``since`` on, only its own periods are held against the span before the
    *first* start: whatever came between was under a model too, and is no "before".

    Args:
        charter: its KPI and seed.
        observed: the field's figures, before and after the release.
        definitions: the problem's KPIs.
        arms: who is compared, as the ledger holds it.
        skip: field periods that no decision can reach yet.
        since: first period under the model that is measured; empty for the release's.

    Raises:
        DataError: there is nothing to measure, or a unit's figures are missing.
    """
    groups = Groups(arms.treated, arms.controls, arms.start, arms.before, skip=skip, since=since)
    return measure(observed, definitions, arms.kpi, groups, charter.seed)


def _note(found: Matched, eligible: int) -> Message:
    worst = found.worst
    figures: dict[str, Value] = {"asked": f"{ASKED:g}", "after": f"{worst.after:+.2f}", "covariate": worst.covariate}
    if abs(worst.after) <= ASKED:
        return say(
            "All standardised mean differences are at most {asked}; the largest is {after}, of {covariate}.", **figures
        )
    return say(
        "A standardised mean difference of at most {asked} is asked; the best found is {after}, of {covariate} "
        "({before} against all other units): among {eligible} eligible units no swap of a control brings the {treated} "
        "treated and {controls} controls closer.",
        **figures, before=f"{worst.before:+.2f}", eligible=eligible, treated=len(found.treated),
        controls=len(found.controls),
    )  # fmt: skip
