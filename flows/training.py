"""Training keyed in the ledger: what was finished under the same charter, data, parameters and code is never redone."""

import hashlib
import json
import shutil
from collections.abc import Mapping

from flows.handed import Candidates
from flows.workbench import Workbench
from pipeline.charter import Candidate, Charter
from pipeline.charter.reading import charter_from_canonical
from pipeline.datasets.dataset import Dataset
from pipeline.errors import CharterError, Finding, ModelError
from pipeline.evaluation.selection import choose
from pipeline.ledger import recall, remember
from pipeline.problems.base import Arm, TrainedCandidate
from pipeline.problems.patching import apply_patch_for_problem
from pipeline.provenance import code_version
from pipeline.rollout.ladder import current

#: Sections of the charter that a training depends on; people or money may change without a new training.
TRAINING_SECTIONS = ("problem", "data", "business", "model", "policy", "scope", "seed")


def training_key(charter: Charter, dataset: Dataset, spec: Candidate, units: tuple[str, ...]) -> str:
    """SHA-256 over everything a training depends on."""
    canonical = charter.canonical()
    sections = {name: canonical[name] for name in TRAINING_SECTIONS}
    sections["model"] = {**sections["model"], "candidates": [spec.model_dump(mode="json")]}
    limits = charter.compliance.limits
    # A backtest is of limited decisions, and what limits them is today's rule.
    bound = {"limits": [limits.model_dump(mode="json"), charter.kpi.baseline.policy]} if limits.any else {}
    inputs = {
        "charter": sections | bound,
        "kpi": canonical["kpi"]["name"],
        "dataset": dataset.digest,
        "units": units if charter.model.train_on == "stage" else "all",
        "backtest_units": units,
        "code": code_version(),
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def train(
    bench: Workbench, dataset: Dataset, charter: Charter, spec: Candidate, label: str
) -> tuple[str, TrainedCandidate]:
    """Train one candidate, or read it back when the ledger says that it is finished; returns its key with it."""
    units = bench.problem.units(charter, dataset, bench.stage)
    key = training_key(charter, dataset, spec, units)
    directory = bench.settings.models / key[:16]
    known = recall(bench.ledger, f"train:{key}")
    if known is not None:
        candidate = bench.problem.load_candidate(spec, directory)
        _unchanged(candidate, known)
        bench.progress.say(f"  [dim]{label}: trained already[/]")
        return key, candidate
    if directory.exists():
        # What a killed training left; it is not in the ledger, so nothing rests on it.
        shutil.rmtree(directory)

    def progress(what: str, done: int, total: int) -> None:
        bench.progress(f"{label}: {what}", done, total)

    candidate = bench.problem.train(charter, dataset, spec, units, directory, progress)
    with bench.transaction() as tx:
        value = {"digest": candidate.digest, "directory": directory.name, "candidate": spec.name}
        remember(tx, f"train:{key}", "training", value, project=charter.project)
    return key, candidate


def trained_candidates(bench: Workbench, dataset: Dataset) -> Candidates:
    """All candidates of the charter, the challenger among them, and the challenger without each feedback item."""
    charter = bench.charter
    pairs = {spec.name: train(bench, dataset, charter, spec, spec.name) for spec in charter.model.candidates}
    trained = {name: candidate for name, (_, candidate) in pairs.items()}
    backtests = {name: candidate.backtest for name, candidate in trained.items()}
    choice = choose(charter, bench.problem.kpis(charter), backtests, bench.baseline_arm, charter.seed)
    variants = {
        item: _variant(bench, dataset, item, without, trained[choice.challenger])
        for item, without in _without(bench).items()
    }
    return Candidates(
        trained=trained,
        challenger=choice.challenger,
        choice=choice,
        variants=variants,
        keys={name: key for name, (key, _) in pairs.items()},
        version="",
    )


def measured_candidate(bench: Workbench) -> Candidates:
    """The released model, for a stage that measures it.

    Raises:
        ModelError: nothing is released, or its files are not those that were released.
    """
    release = current(bench.ledger, bench.charter.project)
    known = recall(bench.ledger, f"train:{release.candidate}") if release else None
    if release is None or known is None:
        finding = Finding(f"project {bench.charter.project}", "no release", "advance a trained iteration first")
        raise ModelError("There is no released model to measure", [finding])
    spec = next(item for item in bench.charter.model.candidates if item.name == known["candidate"])
    candidate = bench.problem.load_candidate(spec, bench.settings.models / known["directory"])
    _unchanged(candidate, {"digest": release.model_digest})
    return Candidates(
        trained={spec.name: candidate},
        challenger=spec.name,
        choice=None,
        variants={},
        keys={spec.name: release.candidate},
        version=release.model_version,
    )


def _variant(bench: Workbench, dataset: Dataset, item: str, without: Charter, challenger: TrainedCandidate) -> Arm:
    """The challenger without an item: trained anew only where the item changed what a training depends on."""
    specs = {spec.name: spec for spec in without.model.candidates}
    spec = specs.get(challenger.spec.name, without.model.candidates[0])
    same = (without.model.model_copy(update={"candidates": ()}), without.scope, spec)
    now = (bench.charter.model.model_copy(update={"candidates": ()}), bench.charter.scope, challenger.spec)
    candidate = challenger if same == now else train(bench, dataset, without, spec, f"{spec.name} without {item}")[1]
    return Arm(f"without {item}", without, candidate)


def _without(bench: Workbench) -> Mapping[str, Charter]:
    """The charter as it would be without each applied item: the earlier one with all the other patches."""
    why = bench.record.why
    patches: Mapping[str, Mapping[str, object]] = why.get("patches", {})
    if not patches:
        return {}
    before = charter_from_canonical(why["charter_before"])
    found = {}
    for item in patches:
        charter = before
        try:
            for other, patch in patches.items():
                if other != item:
                    charter = apply_patch_for_problem(charter, patch)
        except CharterError:
            # The other items build on this one, so there is no charter without it to compare with.
            continue
        found[item] = charter
    return found


def _unchanged(candidate: TrainedCandidate, known: Mapping[str, str]) -> None:
    if candidate.digest != known["digest"]:
        finding = Finding(
            str(candidate.directory),
            f"its files hash to {candidate.digest[:12]}, the ledger says {known['digest'][:12]}",
            "restore the folder from a backup, or delete it and run the iteration anew under a changed charter",
        )
        raise ModelError("A trained model was changed after its training", [finding])
