"""Iterations under review, made through the rooms' own functions: what a flow leaves, without its training."""

from dataclasses import asdict
from datetime import date

from mlflow.tracking import MlflowClient

from pipeline.charter import Charter
from pipeline.ledger import (
    IterationRecord,
    Kind,
    Ledger,
    get_iteration,
    mark_done,
    open_iteration,
    open_key,
    record_report,
    record_run,
    transition,
)
from pipeline.problems.reading import read_charter_for_problem
from pipeline.review.recorded import read_recorded
from pipeline.review.requests import ReviewRequest, request_review
from pipeline.review.signing import sign
from pipeline.rollout.arms import Arms
from tests.conftest import Home
from tests.flows.made import PROJECT, charter_values, decisions_values, write_yaml

UNITS = {"pilot": ["S001", "S002"], "regional": ["S001", "S002", "S003"], "chain": ["S001", "S002", "S003", "S004"]}
COMMENT = "Read and agreed."


def a_charter(home: Home) -> Charter:
    return read_charter_for_problem(
        write_yaml(home.root / "charter.yaml", charter_values(controls=(8, 8, 0))), date.today()
    )


def feedback_of_iteration_one(home: Home):
    """The shipped items F1, D1 and F2."""
    answers = read_recorded(write_yaml(home.root / "decisions.yaml", decisions_values()))
    return tuple(item for answer in answers.to(1, "pilot") for item in answer.feedback)


def under_review(
    ledger: Ledger, charter: Charter, *, number: int = 1, stage: str = "pilot", kind: Kind = "train",
    version: str = "1", run: str | None = None, location: str = "nowhere",
) -> ReviewRequest:  # fmt: skip
    """An iteration that ran to its review; one that a decision opened before is taken up."""
    with ledger.transaction() as tx:
        record = open_iteration(
            tx, project=PROJECT, number=number, stage=stage, kind=kind, charter=charter.canonical(),
            charter_digest=charter.digest, why={"sentence": "made", "file": charter.digest}, started_by="robin",
        )  # fmt: skip
        record = transition(tx, record, "running", actor="robin")
        if run is not None:
            record = record_run(tx, record, run)
        record = record_report(tx, record, f"{number}{version}" * 32, a_result(record, version, location))
        mark_done(tx, open_key(PROJECT, number, stage))
        return request_review(tx, record, verdicts=())


def a_result(record: IterationRecord, version: str, location: str) -> dict:
    kpi = {"title": "Stock-out rate", "unit": "share", "direction": "lower", "value": [0.03, 0.02, 0.04]}
    kpi |= {"baseline": [0.09, 0.08, 0.1], "difference": [-0.06, -0.08, -0.04]}
    names = list(UNITS)
    rungs = names[names.index(record.stage) :][:2]
    return {
        "kpi": "stockout_rate",
        "order": ["stockout_rate"],
        "kpis": {"stockout_rate": kpi},
        "units": len(UNITS[record.stage]),
        "units_of": {stage: UNITS[stage] for stage in rungs},
        "blocking": [],
        "model_version": version,
        "model_digest": version * 64,
        "training": f"key-{version}",
        "next_period": f"2026-0{record.number}-05",
        "location": location,
        "report": "evidence.html",
        "next_arms": arms_of_the_region() if record.stage == "pilot" else None,
    }


def arms_of_the_region() -> dict:
    """Who would be compared on the second rung: the shipped ladder keeps controls there."""
    controls = tuple(f"S{number:03d}" for number in range(11, 19))
    sides = {"units": tuple(UNITS["regional"]), "treated": ("S003",), "controls": controls, "unmeasured": ()}
    told = {"start": "2026-01-05", "before": 26, "seed": 1, "method": "made", "balance": (), "note": "made"}
    return asdict(Arms(project=PROJECT, stage="regional", kpi="stockout_rate", **sides, **told))


def decide(ledger: Ledger, review: ReviewRequest, decision: str, feedback=()) -> None:
    """Everybody whose role the decision asks for signs it."""
    charter = get_iteration(ledger, PROJECT, review.iteration, review.stage)
    people = {"sponsor": "maria.costa", "business_owner": "ana.silva", "operations": "joao.pinto"}
    people["engineering"] = "lena.vogt"
    roles = {
        "advance": ["sponsor", "business_owner", "operations"], "iterate": ["business_owner", "engineering"],
        "hold": ["business_owner"], "roll_back": ["operations"], "stop": ["sponsor"],
    }[decision]  # fmt: skip
    assert charter.report_digest is not None
    for place, role in enumerate(roles):
        items = feedback if place == 0 else ()
        sign(ledger, review.id, people[role], decision, COMMENT, review.report_digest, items)


def registered(client: MlflowClient, versions: int) -> list[str]:
    """Runs of the project, each registered as a version of its model."""
    experiment = client.create_experiment(PROJECT)
    client.create_registered_model(PROJECT)
    runs = []
    for _ in range(versions):
        run = client.create_run(experiment).info.run_id
        client.create_model_version(PROJECT, f"runs:/{run}/candidate", run)
        runs.append(run)
    return runs
