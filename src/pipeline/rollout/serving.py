"""Serving decisions: the released model's for the units that follow it, today's rule for all others.

What is served follows from the ledger alone: which release holds, and the hash of its model. The model is read from the
folder of trained candidates and checked against that hash; MLflow's copy is asked for only where that folder is gone.
A stopped project, and one whose releases were all taken back, is served today's rule and needs no model at all.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from pipeline.charter import Candidate, Charter
from pipeline.charter.reading import charter_from_canonical
from pipeline.compliance.account import Account
from pipeline.compliance.limits import Limited, limited
from pipeline.errors import Finding, LandedError, ModelError, Refused
from pipeline.ledger import IterationRecord, Ledger, all_iterations, recall
from pipeline.problems.base import Accountable, Arm, Problem, TrainedCandidate
from pipeline.problems.parts import Partible, Parts
from pipeline.problems.registry import find
from pipeline.rollout.switch import Standing, newest_charter, standing
from pipeline.settings import Settings

Alias = Literal["champion", "challenger"]
_REMEDY = "restore the folder from a backup; until then `landed rollout stop` puts all units on today's rule"


@dataclass(frozen=True)
class Served:
    """The decisions of one period.

    Attributes:
        decisions: one row per series, in the order the source asks for.
        alias: the model they come from; ``baseline`` where all units follow today's rule.
        version: of that model; the name of the rule for the baseline.
        proposal: whether nothing is released, so that these are only proposed.
        account: what there is to say of each decision; None where the problem cannot, or nobody asked.
        limited: which of them the charter's limits changed, and why; None where there are no limits.
    """

    decisions: pd.DataFrame
    alias: Literal["champion", "challenger", "baseline"]
    version: str
    proposal: bool
    account: Account | None = None
    limited: Limited | None = None


def serve(
    ledger: Ledger,
    settings: Settings,
    project: str,
    location: Path,
    alias: Alias | None = None,
    *,
    told: bool = False,
    explained: bool = False,
    parts: Parts | None = None,
) -> Served:
    """Decide the next period, within the limits the charter declares.

    Args:
        ledger: the record of what is released.
        settings: of this installation.
        project: whose model.
        location: where the newest data lies.
        alias: which model; by default what the ledger says: the released one, today's rule after a stop or when all
            releases were taken back, or the challenger as a proposal while nothing was ever released.
        told: whether a word on each decision is asked for.
        explained: whether each decision of the model's is to be taken apart.
        parts: how large data is cut, by a problem that can; in one piece if not given.

    Raises:
        ModelError: the model is missing, was changed, or nothing is released and the champion was asked for.
        Refused: the project is stopped and a model was asked for, or the problem has no word on single decisions.
    """
    now = standing(ledger, project)
    if now.stopped is not None and alias is not None:
        found = f"its rollout was stopped by {now.stopped.actor}: {now.stopped.body['reason']}"
        raise Refused("No model decides", [Finding(f"project {project}", found, "leave `--model` out")])
    if now.release is None and now.ever and alias is None:
        return _today(newest_charter(ledger, project), location, parts, told=told or explained)
    chosen: Alias = alias or ("champion" if now.release else "challenger")
    record = _record(ledger, project, chosen, now)
    charter = charter_from_canonical(json.loads(record.charter))
    problem = _problem(charter, parts)
    candidate = _model(ledger, settings, project, chosen, record, charter, problem)
    units = now.release.units if chosen == "champion" and now.release else None
    arm, version = Arm(candidate.spec.name, charter, candidate), _result(record)["model_version"]
    limits = charter.compliance.limits
    if not (told or explained or limits.any):
        return Served(problem.decide(charter, location, arm, units), chosen, version, proposal=now.release is None)
    account = _accountable(problem).account(charter, location, arm, units, explained=None if explained else 0)
    held = limited(account, limits) if limits.any else None
    decisions = account.decisions if held is None else account.with_values(held.amounts)
    return Served(decisions, chosen, version, proposal=now.release is None, account=account, limited=held)


def _accountable(problem: Problem) -> Accountable:
    if not isinstance(problem, Accountable):
        found = "it cannot tell about its single decisions"
        remedy = "leave --explain and --overrides out, and compliance.limits in the charter"
        raise Refused("No word on single decisions", [Finding(f"problem {problem.name}", found, remedy)])
    return problem


def serves_today(settings: Settings, project: str, location: Path, folder: Path) -> Callable[[Ledger], bool]:
    """Asked with a copy of the ledger: whether every unit is served today's rule, with no model and no MLflow at hand.

    Args:
        settings: of this installation.
        project: whose decisions.
        location: where the newest data lies.
        folder: of the rehearsal; nothing of the installation can be reached from it.
    """
    bare = settings.model_copy(update={"data": folder / "bare"})
    return lambda copy: serve(copy, bare, project, location).alias == "baseline"


def _problem(charter: Charter, parts: Parts | None) -> Problem:
    problem = find(charter.problem)
    return problem.in_parts(parts) if parts is not None and isinstance(problem, Partible) else problem


def _today(charter: Charter, location: Path, parts: Parts | None, *, told: bool = False) -> Served:
    """Today's rule for every unit: no model, no registry."""
    name, problem = charter.kpi.baseline.policy, _problem(charter, parts)
    arm = Arm(f"baseline:{name}", charter, baseline=name)
    if not told:
        return Served(problem.decide(charter, location, arm, None), "baseline", name, proposal=False)
    account = _accountable(problem).account(charter, location, arm, None)
    return Served(account.decisions, "baseline", name, proposal=False, account=account)


def _record(ledger: Ledger, project: str, chosen: Alias, now: Standing) -> IterationRecord:
    """The newest iteration of the chosen model: its charter holds the policy the model was judged with."""
    if chosen == "champion" and now.release is None:
        remedy = "have the review signed, or ask for `--model challenger`"
        raise ModelError("There is no champion", [Finding(f"project {project}", "nothing is released", remedy)])
    for record in reversed(all_iterations(ledger, project)):
        if record.result is None:
            continue
        if chosen == "challenger" and record.kind == "train":
            return record
        if chosen == "champion" and now.release and record.result["model_version"] == now.release.model_version:
            return record
    finding = Finding(f"project {project}", f"no iteration made its {chosen}", "run the charter first")
    raise ModelError("There is no such model", [finding])


def _model(
    ledger: Ledger,
    settings: Settings,
    project: str,
    chosen: Alias,
    record: IterationRecord,
    charter: Charter,
    problem: Problem,
) -> TrainedCandidate:
    """The candidate whose files hash to what people signed for."""
    result = _result(record)
    known = recall(ledger, f"train:{result['training']}") or {"candidate": result["challenger"]}
    spec = next((item for item in charter.model.candidates if item.name == known["candidate"]), None)
    if spec is None:
        finding = Finding(f"iteration {record.subject}", f"no candidate {known['candidate']}", "run the charter again")
        raise ModelError("The model's candidate is not in its charter", [finding])
    local = settings.models / str(known.get("directory", result["training"][:16]))
    try:
        candidate = problem.load_candidate(spec, local)
        if candidate.digest == result["model_digest"]:
            return candidate
        found = f"its files hash to {candidate.digest[:12]}, the ledger says {result['model_digest'][:12]}"
    except (LandedError, OSError) as exc:
        found = f"it cannot be read: {exc}"
    return _from_registry(settings, project, chosen, result, spec, problem, Finding(str(local), found, _REMEDY))


def _from_registry(
    settings: Settings,
    project: str,
    chosen: Alias,
    result: Mapping[str, str],
    spec: Candidate,
    problem: Problem,
    why: Finding,
) -> TrainedCandidate:
    """MLflow's copy of the same version, where the folder is gone or was changed."""
    version, digest = result["model_version"], result["model_digest"]
    try:
        # Only here: whoever has the folder, or needs no model at all, must not depend on MLflow.
        from pipeline.models.tracking import Tracking

        tracking = Tracking(settings)
        # People signed for this version: an alias that was moved by hand does not count.
        tracking.point(project, chosen, version)
        candidate = problem.load_candidate(spec, tracking.released(project, chosen).directory)
    except (LandedError, ImportError, OSError) as exc:
        finding = Finding(why.place, f"{why.found}; and the registry's copy cannot be had: {exc}", _REMEDY)
        raise ModelError("The model cannot be read", [finding]) from exc
    if candidate.digest != digest:
        found = f"version {version} of the registry hashes to {candidate.digest[:12]}, the ledger says {digest[:12]}"
        raise ModelError("The released model was changed", [Finding(f"project {project}", found, _REMEDY)])
    return candidate


def _result(record: IterationRecord) -> dict[str, str]:
    return dict(record.result or {})
