"""The same iterations as a plain script: no Prefect, no MLflow, no ledger, no Evidently, no report.

``python plain.py PLAN LOCATION FILES OUT`` reads what a finished case's ledger says was done (charters, patches,
rungs), does the same computation from a freshly founded world, and writes its figures. It calls the same functions of
the lower rooms that the flows call, keeps datasets in memory, and neither hashes nor stores what a script would not.
"""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from pipeline.charter import Candidate, Charter, Stage, apply_patch, charter_from_canonical
from pipeline.datasets.assessment import assess
from pipeline.datasets.contracts import apply_contracts
from pipeline.datasets.dataset import Assessment, Dataset
from pipeline.errors import CharterError
from pipeline.evaluation import gates, kpis
from pipeline.evaluation.outcomes import Effect, Evaluation, Interval, Outcomes
from pipeline.evaluation.selection import choose
from pipeline.problems.base import Arm, Problem, TrainedCandidate
from pipeline.problems.registry import find
from pipeline.rollout.arms import Arms
from pipeline.rollout.experiment import measure_stage, pick_arms, plan_power

_WEEK = timedelta(weeks=1)


@dataclass
class Script:
    """What the script keeps from one iteration to the next."""

    problem: Problem
    location: Path
    files: Path
    dataset: Dataset | None = None
    released: TrainedCandidate | None = None
    goals: list[Interval] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    trained: dict[str, TrainedCandidate] = field(default_factory=dict)
    arms: dict[str, Arms] = field(default_factory=dict)
    followers: set[str] = field(default_factory=set)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure a step."""
        started = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started


def main(plan: Path, location: Path, files: Path, out: Path) -> None:
    """Do every iteration of the plan and write the figures of each."""
    entries = json.loads(plan.read_text(encoding="utf-8"))
    script = Script(find(entries[0]["charter"]["problem"]), location, files)
    figures = [_iteration(script, entry) for entry in entries]
    out.write_text(json.dumps({"iterations": figures, "seconds": script.seconds}), encoding="utf-8")


def _iteration(script: Script, entry: Mapping[str, Any]) -> dict[str, Any]:
    charter, problem = charter_from_canonical(entry["charter"]), script.problem
    stage = charter.stage(entry["stage"])
    key = f"{charter.project}-{entry['number']}-{stage.name}"
    with script.step("load and check data"):
        dataset = _loaded(script, charter, key)
    with script.step("assess data"):
        assessment = assess(problem.facts(charter, dataset, script.dataset), charter, dataset.quarantine)
        units = problem.units(charter, dataset, stage)
        gates.check_target(charter, problem.measured_baseline(charter, dataset, units))
    with script.step("train and backtest"):
        chosen, others, variants = _candidates(script, entry, charter, dataset, units)
    baselines = [Arm(f"baseline:{name}", charter, baseline=name) for name in problem.baselines(charter)]
    arms = (
        Arm(chosen.spec.name, charter, chosen),
        *(Arm(other.spec.name, charter, other) for other in others),
        *baselines,
        *variants.values(),
    )
    with script.step("pick controls"):
        _pick(script, charter, stage, dataset, dataset, units)
    script.followers.update(units)
    with script.step("play the decisions"):
        outcomes = problem.play(
            charter, dataset, script.location, arms, arms[0].name, units, stage.periods, key, _silent
        )
    with script.step("evaluate"):
        figures = _judged(script, entry, charter, dataset, assessment, chosen, variants, outcomes)
    with script.step("measure against controls"):
        _measure(script, charter, stage, dataset, _loaded(script, charter, f"{key}-later"))
    script.dataset, script.released = dataset, chosen
    script.trained.clear()
    return figures


def _loaded(script: Script, charter: Charter, key: str) -> Dataset:
    """The source as it stands. A script has no use for a content hash; only two datasets must differ in it."""
    raw = script.problem.load(charter, script.location)
    clean, quarantine = apply_contracts(raw, script.problem.contracts(charter, raw))
    return Dataset(clean, key, script.problem.cutoff(clean), quarantine)


def _pick(
    script: Script, charter: Charter, stage: Stage, before: Dataset, dataset: Dataset, units: tuple[str, ...]
) -> None:
    """The controls of a stage, once, as the flows pick them."""
    if stage.controls and stage.name not in script.arms:
        script.arms[stage.name] = pick_arms(
            charter, stage, script.problem.observed(charter, dataset), script.problem.kpis(charter), units=units,
            followers=sorted(script.followers), start=(before.cutoff + _WEEK).isoformat(),
        )  # fmt: skip


def _measure(script: Script, charter: Charter, stage: Stage, before: Dataset, later: Dataset) -> None:
    """What the field showed against the controls, and the controls and the power of the rung above."""
    problem, kpis_of, up = script.problem, script.problem.kpis(charter), charter.stage_after(stage.name)
    observed = problem.observed(charter, later)
    if up is not None:
        _pick(script, charter, up, later, later, problem.units(charter, later, up))
    if stage.name in script.arms:
        since = (before.cutoff + _WEEK).isoformat()
        measure_stage(charter, observed, kpis_of, script.arms[stage.name], skip=observed.delay, since=since)
    for rung, dataset in ((stage, before), (up, later)):
        if rung is not None and rung.name in script.arms:
            arms = script.arms[rung.name]
            baseline = problem.measured_baseline(charter, dataset, arms.treated)
            plan_power(charter, rung, observed, kpis_of, arms, baseline=baseline, skip=observed.delay)


def _candidates(
    script: Script, entry: Mapping[str, Any], charter: Charter, dataset: Dataset, units: tuple[str, ...]
) -> tuple[TrainedCandidate, tuple[TrainedCandidate, ...], dict[str, Arm]]:
    """The challenger, the other candidates, and the challenger without each feedback item."""
    if entry["kind"] == "measure":
        if script.released is None:
            raise SystemExit("the plan measures a stage before anything was trained")
        return script.released, (), {}
    trained = {spec.name: _train(script, charter, dataset, spec, units) for spec in charter.model.candidates}
    backtests = {name: candidate.backtest for name, candidate in trained.items()}
    baseline = f"baseline:{charter.kpi.baseline.policy}"
    name = choose(charter, script.problem.kpis(charter), backtests, baseline, charter.seed).challenger
    variants = {}
    for item, without in _without(entry).items():
        specs = {spec.name: spec for spec in without.model.candidates}
        spec = specs.get(name, without.model.candidates[0])
        # An item that changed the policy alone needs no other model, here as in the flows.
        same = spec == trained[name].spec and _fitted_from(without) == _fitted_from(charter)
        model = trained[name] if same else _train(script, without, dataset, spec, units)
        variants[item] = Arm(f"without {item}", without, model)
    return trained[name], tuple(one for other, one in trained.items() if other != name), variants


def _fitted_from(charter: Charter) -> tuple[object, ...]:
    """What a fit depends on besides its candidate."""
    return charter.model.model_copy(update={"candidates": ()}), charter.scope


def _train(
    script: Script, charter: Charter, dataset: Dataset, spec: Candidate, units: tuple[str, ...]
) -> TrainedCandidate:
    """Train a candidate, once per iteration for the same inputs, as anybody would who tries variants."""
    inputs = charter.canonical()
    inputs["model"]["candidates"] = [spec.model_dump(mode="json")]
    key = json.dumps(inputs, sort_keys=True)
    if key not in script.trained:
        directory = script.files / f"{dataset.digest}-{len(script.trained)}"
        script.trained[key] = script.problem.train(charter, dataset, spec, units, directory, _silent)
    return script.trained[key]


def _without(entry: Mapping[str, Any]) -> dict[str, Charter]:
    """For each applied item the charter with all the others; none for an item that the others build on."""
    found: dict[str, Charter] = {}
    patches: Mapping[str, Mapping[str, Any]] = entry["patches"]
    for item in patches:
        charter = charter_from_canonical(entry["before"])
        try:
            for other in patches:
                if other != item:
                    charter = apply_patch(charter, patches[other])
        except CharterError:
            continue
        found[item] = charter
    return found


def _judged(
    script: Script,
    entry: Mapping[str, Any],
    charter: Charter,
    dataset: Dataset,
    assessment: Assessment,
    chosen: TrainedCandidate,
    variants: Mapping[str, Arm],
    outcomes: Outcomes,
) -> dict[str, Any]:
    """KPIs, effects and verdicts, and of them what is compared with the flows' figures."""
    definitions, name, seed = script.problem.kpis(charter), chosen.spec.name, charter.seed
    baseline = f"baseline:{charter.kpi.baseline.policy}"
    evaluation = kpis.evaluate(charter, definitions, outcomes, name, baseline, seed)
    goal = definitions[charter.kpi.name]
    effects = [kpis.effect(item, goal, outcomes, name, arm.name, seed) for item, arm in variants.items()]
    stage, number, previous = charter.stage(entry["stage"]), entry["number"], tuple(script.goals)
    table = kpis.summary(outcomes, definitions, seed)
    verdicts = (
        *assessment.verdicts,
        *gates.judge(charter, stage, evaluation, iteration=number, today=date.today(), previous=previous),
    )
    script.goals.append(evaluation.kpi(goal.name).value)
    rows = table.to_dict("records")
    return {
        "challenger": name,
        # What asks the record (controls, the field, the resources) is no script's to judge.
        "judged": [verdict.gate for verdict in verdicts],
        "blocking": [verdict.gate for verdict in verdicts if verdict.blocks],
        **_figures(evaluation, effects),
        "arms": {f"{row['arm']} {row['kpi']}": [row["value"], row["low"], row["high"]] for row in rows},
    }


def _figures(evaluation: Evaluation, effects: list[Effect]) -> dict[str, dict[str, list[float]]]:
    triples = {
        f"{result.kpi.name} {side}": [at.value, at.low, at.high]
        for result in evaluation.kpis
        for side, at in (("value", result.value), ("baseline", result.baseline), ("difference", result.difference))
    }
    differences = {one.item: one.difference for one in effects}
    return {
        "kpis": triples,
        "effects": {item: [one.value, one.low, one.high] for item, one in differences.items()},
    }


def _silent(what: str, done: int, total: int) -> None:
    """A script without bars."""


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:5]))
