"""Carrying a decision over to MLflow, which shows what the ledger decides."""

from collections.abc import Mapping, Sequence

from pipeline.ledger import Head, IterationRecord
from pipeline.models.records import anchor_tags
from pipeline.review.quorum import SignOff
from pipeline.review.requests import ReviewRequest
from pipeline.rollout.ladder import Release
from pipeline.settings import Settings


def track_decision(
    settings: Settings, record: IterationRecord, request: ReviewRequest, signoffs: Sequence[SignOff], head: Head
) -> None:
    """Tag an iteration's run, and the version of its model, with what people decided, who they were, on what evidence.

    Somebody approved where they signed *advance* and it was decided; everybody who answered is a reviewer.
    """
    from pipeline.models.tracking import Tracking

    if record.mlflow_run is None:
        return
    reviewers = ", ".join(f"{signoff.signer} ({signoff.role})" for signoff in signoffs)
    approved = [one for one in signoffs if request.decision == one.decision == "advance"]
    tags = {
        "landed.decision": str(request.decision),
        "landed.approved_by": ", ".join(f"{one.signer} ({one.role})" for one in approved) or "nobody",
        "landed.decided_at": str(request.decided_at),
        "landed.reviewers": reviewers,
        "landed.review": request.id,
        "landed.recorded": str(any(signoff.recorded for signoff in signoffs)).lower(),
        **anchor_tags(head),
    }
    tracking, result = Tracking(settings), record.result or {}
    tracking.record(record.mlflow_run, tags={**tags, "mlflow.note.content": _described(record, tags)})
    version = result.get("model_version")
    if version:
        tracking.describe(record.project, str(version), {**tags, "landed.report": request.report_digest})


def _described(record: IterationRecord, tags: Mapping[str, str]) -> str:
    """What MLflow shows above a run, in sentences."""
    label = " (recorded answers stand in for people)" if tags["landed.recorded"] == "true" else ""
    return (
        f"**{tags['landed.decision']}**, decided {tags['landed.decided_at'][:16]} UTC by {tags['landed.reviewers']}"
        f"{label}.\n\n{record.why.get('sentence', '')}\n\n"
        f"Approved by: {tags['landed.approved_by']}. Evidence: report `{record.report_digest}`. "
        f"The ledger counts: `landed review show {tags['landed.review']}`, `landed audit verify`.\n"
    )


def point_champion(settings: Settings, project: str, release: Release | None) -> None:
    """Let the registry's alias ``champion`` follow the ledger's release; the ledger leads, the registry shows."""
    from pipeline.models.tracking import Tracking

    tracking = Tracking(settings)
    if release is None:
        tracking.retire(project, "champion")
    else:
        tracking.point(project, "champion", release.model_version)
