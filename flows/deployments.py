"""Deployments: what Prefect may run for each project, when, and with which parameters."""

from collections.abc import Mapping
from typing import Any

from prefect.deployments.runner import RunnerDeployment
from prefect.flows import Flow
from prefect.schedules import Cron, Schedule
from prefect.types.entrypoint import EntrypointType

from flows.feedback import feedback_approval
from flows.iteration import iteration
from flows.monitoring import monitoring
from flows.retraining import charter_of, retraining
from pipeline.ledger import Reader, project_end
from pipeline.ledger.deployed import Deployed
from pipeline.provenance import code_version

DESCRIPTIONS = {
    iteration.name: "Runs an iteration that the ledger holds open; the dispatcher starts it.",
    retraining.name: "Opens the project's next iteration: by the charter's calendar, or because somebody asks here.",
    feedback_approval.name: "Applies a review's decision once. Without its sign-offs it is refused.",
    monitoring.name: "Looks at the newest data: contract, drift, realised KPI, and whether to train again.",
}


def deployments_of(ledger: Reader, deployed: Deployed) -> list[RunnerDeployment]:
    """All deployments of a project; its schedules are those of the charter it was deployed with."""
    crons = _crons(ledger, deployed)
    own = {"project": deployed.project}
    data = {**own, "location": deployed.location} if deployed.location else own
    return [
        _deployment(iteration, deployed, own, None),
        _deployment(retraining, deployed, own, crons.get("retrain")),
        _deployment(feedback_approval, deployed, {}, None),
        _deployment(monitoring, deployed, data, crons.get("monitor")),
    ]


def _deployment(
    flow: Flow[Any, Any], deployed: Deployed, parameters: Mapping[str, Any], schedule: Schedule | None
) -> RunnerDeployment:
    return RunnerDeployment.from_flow(
        flow,
        name=deployed.project,
        parameters=dict(parameters),
        schedules=[schedule] if schedule else [],
        description=DESCRIPTIONS[flow.name],
        tags=["landed", deployed.project],
        version=code_version()[:12],
        entrypoint_type=EntrypointType.MODULE_PATH,
        work_pool_name=deployed.pool or None,
    )


def _crons(ledger: Reader, deployed: Deployed) -> dict[str, Schedule]:
    end = project_end(ledger, deployed.project)
    if deployed.charter is None or (end is not None and end.kind == "project.stopped"):
        return {}
    schedule = charter_of(ledger, deployed).schedule
    wanted = {"retrain": schedule.retrain, "monitor": schedule.monitor}
    return {name: Cron(cron, timezone=schedule.time_zone) for name, cron in wanted.items() if cron}
