"""The flagship case as `make run` plays it, and the same computation as a plain script beside it."""

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from children import GIBI, ROOT, BenchmarkFailed, Measured, environment, landed, measure, stores
from figures import Figure, Result, unjudged

CHARTER = ROOT / "configs" / "replenishment" / "charter.yaml"
DECISIONS = ROOT / "configs" / "replenishment" / "decisions.yaml"
WALL_LIMIT, MEMORY_LIMIT, OVERHEAD_LIMIT, EQUAL = 300.0, 4.0, 1.25, 1e-12
#: How many times its limit the case may take before it is ended.
PATIENCE = 5.0
#: Rungs of the small world.
_STORES = (5, 10, 24)


@dataclass(frozen=True)
class Played:
    """A finished case: what it took and what its ledger says was done."""

    run: Measured
    records: tuple[Any, ...]


@dataclass(frozen=True)
class Flagship:
    """The case, played once per run of the benchmark however many figures rest on it.

    Attributes:
        work: folder for stores.
        logs: folder for the children's output.
        quick: play it in a small world, made beforehand for both sides.
    """

    work: Path
    logs: Path
    quick: bool

    def case(self) -> Result:
        """Wall time and memory of the whole case in fresh stores, Prefect's and MLflow's start included."""
        run = self._played.run
        figures = (
            Figure("whole case, start to end", run.wall, "s", WALL_LIMIT),
            Figure("peak memory of all its processes", run.peak / GIBI, "GiB", MEMORY_LIMIT),
            Figure("CPU of all its processes", run.cpu, "s"),
        )
        return Result("case", unjudged(figures) if self.quick else figures, (run,), {"rungs": self._rungs()})

    def overhead(self) -> Result:
        """The case by flows, divided by the plain script on the same iterations, rungs, charters and world."""
        played = self._played
        plan, out, files = self.work / "plan.json", self.work / "plain.json", self.work / "files"
        plan.write_text(json.dumps([_planned(record) for record in played.records]), encoding="utf-8")
        command = [sys.executable, str(Path(__file__).with_name("plain.py"))]
        command += [str(path) for path in (plan, self._world("plain"), files, out)]
        plain = measure(command, environment(), self.logs / "plain.log", at_most=WALL_LIMIT * PATIENCE)
        answer = json.loads(out.read_text(encoding="utf-8"))
        pairs = list(_pairs(played.records, answer["iterations"]))
        ratios = (
            Figure("CPU, flows to plain script", played.run.cpu / plain.cpu, "×", OVERHEAD_LIMIT),
            Figure("wall time, flows to plain script", played.run.wall / plain.wall, "×", OVERHEAD_LIMIT),
        )
        figures = (
            *(unjudged(ratios) if self.quick else ratios),
            Figure("CPU of the plain script", plain.cpu, "s"),
            Figure("wall time of the plain script", plain.wall, "s"),
            Figure("largest difference between both sides' KPI figures", _largest(pairs), "", EQUAL),
        )
        details = {
            "rungs": self._rungs(),
            "figures_compared": len(pairs),
            "seconds_by_step": {"flows": _seconds(played.records), "plain": answer["seconds"]},
        }
        return Result("overhead", figures, (played.run, plain), details)

    @property
    def _played(self) -> Played:
        if isinstance(self._attempt, BenchmarkFailed):
            raise self._attempt
        return self._attempt

    @cached_property
    def _attempt(self) -> Played | BenchmarkFailed:
        """The one playing of the case; a failure is kept too, so that it does not take its minutes twice."""
        try:
            return self._play()
        except BenchmarkFailed as failure:
            return failure

    def _play(self) -> Played:
        folder = self.work / "flows"
        charter = small_charter(self.work / "charter.yaml") if self.quick else CHARTER
        command = landed("play", charter, "--decisions", DECISIONS)
        if self.quick:
            command += ["--data", str(self._world("flows"))]
        run = measure(command, stores(folder), self.logs / "case.log", at_most=WALL_LIMIT * PATIENCE)
        return Played(run, _records(folder / "data" / "ledger.db", charter))

    def _world(self, side: str) -> Path:
        """A folder of its own for each side; in a quick run with a small world that is founded before the clock."""
        folder = self.work / f"world-{side}"
        if self.quick:
            from pipeline.replenishment.demand import WorldSpec
            from pipeline.replenishment.field import tables_at

            tables_at(folder, WorldSpec(stores=_STORES[-1], products=20, weeks=120, seed=20260, lead_time=2))
        return folder

    def _rungs(self) -> list[dict[str, Any]]:
        return [
            {
                "iteration": record.number,
                "stage": record.stage,
                "kind": record.kind,
                "units": record.result["units"],
                "blocking": record.result["blocking"],
            }
            for record in self._played.records
        ]


def small_charter(path: Path) -> Path:
    """The shipped charter for a small world and quick fits."""
    values = yaml.safe_load(CHARTER.read_text(encoding="utf-8"))
    for stage, units in zip(values["stages"], _STORES, strict=True):
        stage |= {"units": units, "periods": 4}
    values["model"]["backtest_cutoffs"] = 2
    values["data"]["max_quarantine_share"] = 0.05
    # So small a case may gain nothing twice; the recorded answers are for one that goes on.
    values["budget"]["stop_after_no_gain"] = values["budget"]["iterations"]
    for candidate in values["model"]["candidates"]:
        candidate["parameters"]["rounds"] = 20
    path.write_text(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


def _records(database: Path, charter: Path) -> tuple[Any, ...]:
    """The iterations of the case in the order they were opened.

    Raises:
        BenchmarkFailed: one of them has no figures.
    """
    from pipeline.ledger import Ledger, all_iterations

    project = yaml.safe_load(charter.read_text(encoding="utf-8"))["project"]
    with Ledger(f"sqlite:///{database}") as ledger:
        records = all_iterations(ledger, project)
    if not records or any(record.result is None for record in records):
        raise BenchmarkFailed("the case ended with an iteration that has no figures; see case.log")
    return records


def _planned(record: Any) -> dict[str, Any]:
    """What the plain script needs to do the same: nothing of what came out."""
    return {
        "number": record.number,
        "stage": record.stage,
        "kind": record.kind,
        "charter": json.loads(record.charter),
        "patches": record.why.get("patches", {}),
        "before": record.why.get("charter_before"),
    }


def _pairs(records: tuple[Any, ...], answers: list[Mapping[str, Any]]) -> Iterator[tuple[float | None, float | None]]:
    """Every figure of the flows beside that of the plain script.

    Raises:
        BenchmarkFailed: they did not do the same: another challenger, other verdicts, other arms or effects.
    """
    for record, answer in zip(records, answers, strict=True):
        flows = _comparable(record.result, set(answer["judged"]))
        for name in ("challenger", "blocking"):
            if flows[name] != answer[name]:
                raise BenchmarkFailed(f"{record.subject}: {name} is {flows[name]} by flows, {answer[name]} by script")
        for group in ("kpis", "arms", "effects"):
            if flows[group].keys() != answer[group].keys():
                odd = sorted(flows[group].keys() ^ answer[group].keys())
                raise BenchmarkFailed(f"{record.subject}: {group} stand on one side only: {', '.join(odd)}")
            for name, triple in flows[group].items():
                yield from zip(triple, answer[group][name], strict=True)


def _comparable(result: Mapping[str, Any], judged: set[str]) -> dict[str, Any]:
    """The ledger's figures in the shape the plain script writes, with the gates that a script judges too."""
    return {
        "challenger": result["challenger"],
        "blocking": [gate for gate in result["blocking"] if gate in judged],
        "kpis": {
            f"{name} {side}": kpi[side]
            for name, kpi in result["kpis"].items()
            for side in ("value", "baseline", "difference")
        },
        "arms": {f"{arm} {name}": triple for arm, kpis in result["arms"].items() for name, triple in kpis.items()},
        "effects": {item: effect["difference"] for item, effect in result["effects"].items()},
    }


def _largest(pairs: Sequence[tuple[float | None, float | None]]) -> float:
    """The largest absolute difference; two figures that are both undefined are equal, one of them alone is not."""
    return max((_gap(one, other) for one, other in pairs), default=math.inf)


def _gap(one: float | None, other: float | None) -> float:
    undefined = [value is None or math.isnan(value) for value in (one, other)]
    if one is None or other is None or any(undefined):
        return 0.0 if all(undefined) else math.inf
    return abs(one - other)


def _seconds(records: tuple[Any, ...]) -> dict[str, float]:
    """Wall seconds by step as the flows measured them, over all iterations, from the evidence packs."""
    total: dict[str, float] = {}
    for record in records:
        evidence = json.loads(Path(record.result["report"]).with_suffix(".json").read_text(encoding="utf-8"))
        for name, seconds in evidence["evidence"]["costs"]["seconds"]:
            total[name] = total.get(name, 0.0) + seconds
    return total
