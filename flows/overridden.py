"""How often people changed single decisions, and what came of it."""

from collections import Counter

from flows.workbench import Workbench
from pipeline.datasets.dataset import Dataset
from pipeline.problems.base import Accountable
from pipeline.reporting.evidence import OverridesShown
from pipeline.rollout.overriding import as_frame, batches

#: Reasons named in a pack.
REASONS = 5


def overridden(bench: Workbench, dataset: Dataset) -> OverridesShown | None:
    """The batches served so far, the decisions people changed in them, and whether that was for the better."""
    found = batches(bench.ledger, bench.charter.project)
    if not found:
        return None
    changed = [one for batch in found for one in batch.overrides]
    told = better = 0
    saved = 0.0
    frame = as_frame(found)
    if len(frame) and isinstance(bench.problem, Accountable):
        known = bench.problem.hindsight(bench.charter, dataset, frame)["saved"].dropna()
        told, better, saved = len(known), int((known > 0).sum()), float(known.sum())
    reasons = Counter(one.reason for one in changed).most_common(REASONS)
    return OverridesShown(
        batches=len(found),
        decisions=sum(batch.decisions for batch in found),
        limited=sum(batch.limited for batch in found),
        changed=len(changed),
        people=len({one.person for one in changed}),
        told=told,
        better=better,
        saved=saved,
        reasons=tuple(reasons),
    )
