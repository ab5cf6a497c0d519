"""Carrying a decision over to MLflow, which shows what the ledger decides."""

from collections.abc import Sequence

from pipeline.ledger import Head
from pipeline.models.records import anchor_tags
from pipeline.review.quorum import SignOff
from pipeline.review.requests import ReviewRequest
from pipeline.rollout.ladder import Release
from pipeline.settings import Settings


def track_decision(
    settings: Settings, run: str, request: ReviewRequest, signoffs: Sequence[SignOff], head: Head
) -> None:
    """Tag a run with what people decided, and who they were."""
    from pipeline.models.tracking import Tracking

    reviewers = ", ".join(f"{signoff.signer} ({signoff.role})" for signoff in signoffs)
    tags = {
        "landed.decision": str(request.decision),
        "landed.reviewers": reviewers,
        "landed.review": request.id,
        "landed.recorded": str(any(signoff.recorded for signoff in signoffs)).lower(),
        **anchor_tags(head),
    }
    Tracking(settings).record(run, tags=tags)


def point_champion(settings: Settings, project: str, release: Release | None) -> None:
    """Let the registry's alias ``champion`` follow the ledger's release; the ledger leads, the registry shows."""
    from pipeline.models.tracking import Tracking

    tracking = Tracking(settings)
    if release is None:
        tracking.retire(project, "champion")
    else:
        tracking.point(project, "champion", release.model_version)
