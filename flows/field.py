"""The field around an iteration: who is compared is settled before anything is played, and measured after it."""

from dataclasses import replace
from datetime import date

import pandas as pd
from sqlalchemy import select

from flows.handed import Candidates, Field, Played
from flows.workbench import LENGTH, Workbench
from pipeline.charter import Stage
from pipeline.datasets import catalog
from pipeline.datasets.contracts import apply_contracts
from pipeline.datasets.dataset import Dataset
from pipeline.errors import DataError, Refused
from pipeline.evaluation.observed import PERIOD, Observed, span_before, span_from
from pipeline.language import say
from pipeline.ledger import Reader, all_iterations
from pipeline.ledger.store import to_event
from pipeline.ledger.tables import events
from pipeline.rollout.arms import Arms, arms_of, record_arms
from pipeline.rollout.effect import FieldEffect, course
from pipeline.rollout.experiment import measure_stage, pick_arms, plan_power
from pipeline.rollout.ladder import current
from pipeline.rollout.outcomes import complete_only, completeness, expected_units, field_results
from pipeline.rollout.power import Power
from pipeline.rollout.prediction import Figure, predicted, swing
from pipeline.rollout.promises import Calibration, Promise, calibration, expected_of, interval_of, realised
from pipeline.rollout.promotion import detectable, judge_field, no_field
from pipeline.rollout.rungs import RungEffect, holds_at_scale, measured_effects, record_effect
from pipeline.verdicts import Verdict


def settle_arms(bench: Workbench, dataset: Dataset, units: tuple[str, ...]) -> Arms | None:
    """The arms of this rung: those on record, or picked and recorded now, before any unit follows a model.

    Raises:
        Refused: the stage asks for controls, and too few units are left to be any.
    """
    known = arms_of(bench.ledger, bench.charter.project, bench.stage.name)
    if known is not None or not bench.stage.controls:
        return known
    arms = pick_arms(
        bench.charter, bench.stage, bench.problem.observed(bench.charter, dataset), bench.problem.kpis(bench.charter),
        units=units, followers=followers(bench.ledger, bench.charter.project), start=_first_period(bench, dataset),
    )  # fmt: skip
    with bench.transaction() as tx:
        return record_arms(tx, arms, actor=bench.record.started_by)


def followers(reader: Reader, project: str) -> tuple[str, ...]:
    """Every unit that follows or ever followed a model of the project, in a trial or by a release."""
    query = select(events).where(
        events.c.project == project, events.c.kind.in_(("trial.begun", "rollout.released", "rollout.resumed"))
    )
    bodies = [to_event(row).body for row in reader.rows(query)]
    named = [body.get("units") or (body.get("to") or {}).get("units", ()) for body in bodies]
    return tuple(sorted({str(unit) for units in named for unit in units}))


def under_todays_rule(bench: Workbench, dataset: Dataset) -> tuple[str, ...]:
    """Units whose history is today's rule's alone: those of the stage, or of the whole where the stage has none left.

    Once units follow a model their newest weeks are its work. Taken for the baseline, they would make a target look met
    that today's rule never meets.
    """
    followed = set(followers(bench.ledger, bench.charter.project))
    last = bench.charter.stages[-1]
    both = (bench.problem.units(bench.charter, dataset, stage) for stage in (bench.stage, last))
    return next((fresh for units in both if (fresh := tuple(unit for unit in units if unit not in followed))), ())


def measured_in_field(bench: Workbench, dataset: Dataset, candidates: Candidates, played: Played) -> Field:
    """What the field shows after the weeks that were played, and the arms of the rung above.

    Args:
        bench: the iteration.
        dataset: its data, as it stood before anything was played.
        candidates: whose model was followed.
        played: what was played; a replay of history puts nobody under a model.
    """
    later = _later(bench, dataset) if played.outcomes.kind == "field" else dataset
    observed = _with_deliveries(bench, bench.problem.observed(bench.charter, later))
    arms = _clean(bench, arms_of(bench.ledger, bench.charter.project, bench.stage.name))
    release = current(bench.ledger, bench.charter.project)
    trial = played.outcomes.kind == "field" or (release is not None and release.stage == bench.stage.name)
    since = _first_period(bench, dataset) if played.outcomes.kind == "field" else ""
    effect, unmeasured = _effect(bench, observed, arms, since) if arms is not None and trial else (None, None)
    if effect is not None:
        _keep(bench, effect)
    next_arms, refused = _next_arms(bench, later, observed, played)
    up = bench.charter.stage_after(bench.stage.name)
    # Once units follow a model, what they show is no baseline: this rung's is the one measured before.
    own = _baselines(bench).get(bench.stage.name) or (_baseline(bench, dataset, arms) if arms else None)
    power = _power(bench, observed, bench.stage, arms, own)
    above = _baseline(bench, later, next_arms) if next_arms else None
    next_power = _power(bench, observed, up, next_arms, above)
    goal = bench.problem.kpis(bench.charter)[bench.charter.kpi.name]
    rungs = measured_effects(bench.ledger, bench.charter.project)
    verdicts = [
        *(_own(bench, arms, effect, unmeasured) if trial else ()),
        *((holds_at_scale(goal, rungs),) if effect is not None else ()),
        *((_able(bench, power, bench.stage, "field.power"),) if power else ()),
        *((_able(bench, next_power, up, "field.power_next"),) if next_power and up else ()),
        *((refused,) if refused else ()),
    ]
    return Field(
        arms=arms,
        effect=effect,
        course=_course(observed, effect, bench),
        power=power,
        rungs=rungs,
        next_arms=next_arms,
        next_power=next_power,
        promises=_promises(bench, dataset, candidates, played, observed, since),
        verdicts=tuple(verdicts),
        baselines={stage.name: value for stage, value in ((bench.stage, own), (up, above)) if stage and value},
        dataset=later.digest,
    )


def _first_period(bench: Workbench, dataset: Dataset) -> str:
    """The first period after the data: the one whose decision is the model's first."""
    first: date = dataset.cutoff + LENGTH[bench.charter.data.period]
    return first.isoformat()


def _later(bench: Workbench, dataset: Dataset) -> Dataset:
    """The source as it stands after the play, kept under its hash as every dataset that figures rest on."""
    raw = bench.problem.load(bench.charter, bench.location)
    clean, quarantine = apply_contracts(raw, bench.problem.contracts(bench.charter, raw))
    digest = catalog.digest(clean)
    if digest == dataset.digest:
        return dataset
    later = Dataset(clean, digest, bench.problem.cutoff(clean), quarantine)
    catalog.store(later, bench.settings.datasets)
    return later


def _with_deliveries(bench: Workbench, observed: Observed) -> Observed:
    """What ``landed outcomes add`` delivered of periods that the source itself does not tell, once they are whole."""
    project = bench.charter.project
    told = field_results(bench.ledger, bench.settings.data / "outcomes", project)
    told = told[~told[PERIOD].isin(observed.periods)] if len(told) else told
    if told.empty:
        return observed
    units, first = expected_units(bench.ledger, project)
    goal = bench.problem.kpis(bench.charter)[bench.charter.kpi.name]
    whole = complete_only(told, completeness(told, goal, units, first))
    return replace(observed, frame=pd.concat([observed.frame, whole], ignore_index=True)) if len(whole) else observed


def _clean(bench: Workbench, arms: Arms | None) -> Arms | None:
    """The arms without controls that followed a model since: a higher rung took them, and was rolled back.

    Which units a rung takes is settled by an order that looks at no figure, so leaving them out bends nothing.
    """
    if arms is None:
        return None
    changed = set(followers(bench.ledger, bench.charter.project))
    return replace(arms, controls=tuple(unit for unit in arms.controls if unit not in changed))


def _effect(bench: Workbench, observed: Observed, arms: Arms, since: str) -> tuple[FieldEffect | None, Verdict | None]:
    try:
        found = measure_stage(
            bench.charter, observed, bench.problem.kpis(bench.charter), arms, skip=observed.delay, since=since
        )  # fmt: skip
    except DataError as error:
        reason = say("The effect cannot be measured: {found}", found="; ".join(one.found for one in error.findings))
        title = say("The stage was in the field long enough")
        return None, Verdict("field.periods", title, "fail", "block", reason, {"asked": bench.stage.periods})
    return found, None


def _keep(bench: Workbench, effect: FieldEffect) -> None:
    """Once for an iteration, also when it is taken up again after a kill."""
    project = bench.charter.project
    rung = RungEffect.of(bench.stage.name, bench.record.number, effect)
    if repr(rung) not in {repr(known) for known in measured_effects(bench.ledger, project)}:
        with bench.transaction() as tx:
            record_effect(tx, project, rung, actor=bench.record.started_by)


def _next_arms(
    bench: Workbench, later: Dataset, observed: Observed, played: Played
) -> tuple[Arms | None, Verdict | None]:
    """The arms of the rung above, to be recorded with its release, or why there can be none."""
    up = bench.charter.stage_after(bench.stage.name)
    if up is None or not up.controls:
        return None, None
    known = arms_of(bench.ledger, bench.charter.project, up.name)
    if known is not None:
        return known, None
    followed = {*followers(bench.ledger, bench.charter.project), *played.units}
    try:
        arms = pick_arms(
            bench.charter, up, observed, bench.problem.kpis(bench.charter),
            units=bench.problem.units(bench.charter, later, up), followers=tuple(followed),
            start=_first_period(bench, later),
        )  # fmt: skip
    except Refused as error:
        reason = say(
            "The controls of stage {stage} cannot be picked: {found}",
            stage=up.name, found="; ".join(one.found for one in error.findings),
        )  # fmt: skip
        title = say("The next stage has its controls")
        return None, Verdict("field.next_arms", title, "fail", "block", reason, {"controls": up.controls})
    return arms, None


def _power(
    bench: Workbench, observed: Observed, stage: Stage | None, arms: Arms | None, baseline: float | None
) -> Power | None:
    if stage is None or arms is None or baseline is None:
        return None
    kpis = bench.problem.kpis(bench.charter)
    return plan_power(bench.charter, stage, observed, kpis, arms, baseline=baseline, skip=observed.delay)


def _baseline(bench: Workbench, dataset: Dataset, arms: Arms) -> float:
    return bench.problem.measured_baseline(bench.charter, dataset, arms.treated)


def _baselines(bench: Workbench) -> dict[str, float]:
    """The baseline of each stage's treated units, as the newest iteration before their release measured it."""
    found: dict[str, float] = {}
    for record in all_iterations(bench.ledger, bench.charter.project):
        if record.subject != bench.record.subject:
            told = (record.result or {}).get("baselines", {})
            found |= {name: value for name, value in told.items() if name != record.stage or name not in found}
    return found


def _own(
    bench: Workbench, arms: Arms | None, effect: FieldEffect | None, unmeasured: Verdict | None
) -> tuple[Verdict, ...]:
    if arms is None:
        return (no_field(bench.stage),)
    if effect is None:
        return (unmeasured,) if unmeasured else ()
    return judge_field(bench.charter, bench.stage, arms, effect)


def _able(bench: Workbench, found: Power, stage: Stage, gate: str) -> Verdict:
    verdict = detectable(found, bench.problem.unit_word, bench.charter.data.period)
    return replace(verdict, gate=gate, title=say("Stage {stage} can detect the effect asked for", stage=stage.name))


def _course(observed: Observed, effect: FieldEffect | None, bench: Workbench) -> tuple[tuple[str, float, float], ...]:
    if effect is None:
        return ()
    groups, periods = effect.groups, observed.periods
    span = (*span_before(periods, groups.start, groups.before), *span_from(periods, groups.start))
    return course(observed, bench.problem.kpis(bench.charter)[bench.charter.kpi.name], groups, span)


def _promises(
    bench: Workbench, dataset: Dataset, candidates: Candidates, played: Played, observed: Observed, since: str
) -> Calibration:
    """What each iteration's figures promised of its model, beside what the field gave; this one last.

    A promise rests on nothing that was seen in the field weeks: on figures of before, and on the history under today's
    rule, which tells how much one span of weeks differs from another.
    """
    goal, project = bench.problem.kpis(bench.charter)[bench.charter.kpi.name], bench.charter.project
    earlier = []
    for record in all_iterations(bench.ledger, project):
        if record.subject == bench.record.subject:
            break
        told = (record.result or {}).get("promise")
        if told:
            gave = interval_of(told["realised"]) if told["realised"] else None
            expected = interval_of(told["expected"])
            earlier.append(Promise(record.number, record.stage, expected, gave, told["periods"], told["units"]))
    release = current(bench.ledger, project)
    figure, units, first = _confirmed(candidates), played.units, since
    if figure is None and release is not None:
        figure = expected_of(bench.ledger, project, goal.name, release)
        units, first = release.units, since or release.start
    if figure is None:
        return calibration(goal, earlier)
    periods = span_from(observed.periods, first)[observed.delay :] if first else ()
    gave = realised(observed.frame, goal, units, periods, bench.charter.seed) if periods else None
    history = _history(bench, dataset, observed)
    lengths = figure.periods, len(periods) or bench.stage.periods
    expected = predicted(figure, len(units), goal, *(swing(history, goal, length) for length in lengths))
    promise = Promise(bench.record.number, bench.stage.name, expected, gave, len(periods), len(units))
    return calibration(goal, [*earlier, promise])


def _confirmed(candidates: Candidates) -> Figure | None:
    """What a trained model did on the games that were kept aside when it was chosen; None for a released one."""
    if candidates.choice is None:
        return None
    scores = {score.candidate: score for score in candidates.choice.scores}
    backtest, games = candidates.chosen.backtest, candidates.choice.confirming
    units = backtest.frame["unit"].nunique()
    return Figure(scores[candidates.challenger].confirming, units, backtest.periods * len(games))


def _history(bench: Workbench, dataset: Dataset, observed: Observed) -> Observed:
    """What was observed while every unit followed today's rule: before the project's first iteration was played."""
    results = (record.result for record in all_iterations(bench.ledger, bench.charter.project))
    first = next((result for result in results if result), None)
    cutoff = date.fromisoformat(first["cutoff"]) if first else dataset.cutoff
    return observed.before((cutoff + LENGTH[bench.charter.data.period]).isoformat())
