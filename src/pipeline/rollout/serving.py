"""Serving decisions: the released model's for the units that follow it, today's rule for all others."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from pipeline.charter.reading import charter_from_canonical
from pipeline.errors import Finding, ModelError
from pipeline.ledger import IterationRecord, Ledger, all_iterations, recall
from pipeline.models.tracking import Tracking
from pipeline.problems.base import Arm
from pipeline.problems.registry import find
from pipeline.rollout.ladder import current
from pipeline.settings import Settings

Alias = Literal["champion", "challenger"]


@dataclass(frozen=True)
class Served:
    """The decisions of one period.

    Attributes:
        decisions: one row per series, in the order the source asks for.
        alias, version: the model they come from.
        proposal: whether nothing is released, so that these are only proposed.
    """

    decisions: pd.DataFrame
    alias: Alias
    version: str
    proposal: bool


def serve(ledger: Ledger, settings: Settings, project: str, location: Path, alias: Alias | None = None) -> Served:
    """Decide the next period.

    Args:
        ledger: the record of what is released.
        settings: of this installation.
        project: whose model.
        location: where the newest data lies.
        alias: which model; the champion, or the challenger as a proposal while nothing is released.

    Raises:
        ModelError: the model is missing, was changed, or nothing is released and the champion was asked for.
    """
    released = current(ledger, project)
    chosen: Alias = alias or ("champion" if released else "challenger")
    if chosen == "champion" and released is None:
        finding = Finding(
            f"project {project}", "nothing is released", "have the review signed, or ask for `--model challenger`"
        )
        raise ModelError("There is no champion", [finding])
    tracking = Tracking(settings.mlflow)
    if chosen == "champion" and released is not None:
        # People signed for this version: an alias that was moved by hand, or left behind by a kill, does not count.
        tracking.point(project, "champion", released.model_version)
    model = tracking.released(project, chosen)
    record = _record(ledger, project, model.version)
    charter = charter_from_canonical(json.loads(record.charter))
    problem = find(charter.problem)
    known = recall(ledger, f"train:{record.result['training']}") if record.result else None
    name = known["candidate"] if known else charter.model.candidates[0].name
    spec = next(candidate for candidate in charter.model.candidates if candidate.name == name)
    arm = Arm(name, charter, problem.load_candidate(spec, model.directory))
    units = released.units if chosen == "champion" and released else None
    return Served(problem.decide(charter, location, arm, units), chosen, model.version, proposal=released is None)


def _record(ledger: Ledger, project: str, version: str) -> IterationRecord:
    """The newest iteration whose model this is: its charter holds the policy the model was judged with."""
    for record in reversed(all_iterations(ledger, project)):
        if record.result is not None and record.result["model_version"] == version:
            return record
    finding = Finding(f"project {project}", f"no iteration made version {version}", "run the charter again")
    raise ModelError("The registry holds a model that the ledger does not know", [finding])
