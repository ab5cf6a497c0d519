"""``feedback_approval``: the task that turns a decision of people into the next iteration or a stage of the rollout."""

import json
from typing import Annotated, Any

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed
from pydantic import Field

from flows.carrying import point_champion, track_decision
from flows.opening import queue_run
from pipeline.errors import Finding, LedgerError
from pipeline.language import kept, say
from pipeline.ledger import (
    IterationRecord,
    Kind,
    Ledger,
    Transaction,
    end_project,
    enqueue,
    mark_done,
    open_iteration,
    track_key,
    transition,
)
from pipeline.notices.announcements import announce_decision
from pipeline.problems.registry import find
from pipeline.review.applying import Applied, mark_applied
from pipeline.review.consequences import consequence
from pipeline.review.quorum import SignOff
from pipeline.review.requests import ReviewRequest, charter_of, find_review, iteration_of
from pipeline.review.signing import signoffs_of
from pipeline.rollout.arms import arms_from, record_arms
from pipeline.rollout.ladder import Release, current, next_stage, release, roll_back, withdraw
from pipeline.settings import Settings

ReviewId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{1,159}$", description="id of the review request")]


@flow(name="feedback_approval", flow_run_name="{review}", persist_result=False)
def feedback_approval(review: ReviewId) -> State:
    """Apply a review's decision, once; running it again changes nothing, running it without a quorum is refused.

    Args:
        review: id of the review request.
    """
    with Ledger(Settings().ledger) as ledger:
        moved = apply_decision(ledger, review)
        request = find_review(ledger, review)
        if request is None:
            finding = Finding(review, "there is no such review", "see `landed review list`")
            raise LedgerError("No such review", [finding])
        tell_tracking(ledger, request)
        show_decision(ledger, request)
        with ledger.transaction() as tx:
            mark_done(tx, track_key(review))
    return Completed(name="Applied" if moved else "AlreadyApplied", message=f"{review}: {request.decision}")


@task(cache_policy=NO_CACHE, persist_result=False)
def apply_decision(ledger: Ledger, review: str) -> bool:
    """Applied mark, next iteration, release and intents commit together, or none of them does.

    Returns:
        False if the decision had been applied before.

    Raises:
        Refused: the sign-offs do not bear the decision.
    """
    with ledger.transaction() as tx:
        applied = mark_applied(tx, review)
        if applied is None:
            return False
        # Stays pending until MLflow was told, so that a kill in between leaves no champion of yesterday.
        enqueue(tx, track_key(review), "track", applied.request.project, {"review": review})
        _MOVES[applied.decision](tx, applied)
        charter = charter_of(applied.record)
        then = consequence(charter, applied.record, applied.decision, find(charter.problem).unit_word)
        announce_decision(tx, review, then)
        last = applied.signoffs[-1]
        transition(tx, applied.record, "closed", actor=last.person, role=last.role, details={"review": review})
    return True


@task(cache_policy=NO_CACHE, persist_result=False)
def tell_tracking(ledger: Ledger, request: ReviewRequest) -> None:
    """Carry decision, reviewers and the champion alias over to MLflow; may be repeated."""
    settings = Settings()
    record = iteration_of(ledger, request)
    track_decision(settings, record, request, signoffs_of(ledger, request.id), ledger.head())
    point_champion(settings, record.project, current(ledger, record.project))


@task(cache_policy=NO_CACHE, persist_result=False)
def show_decision(ledger: Ledger, request: ReviewRequest) -> None:
    """Leave the decision as an artifact in Prefect's own pages."""
    record = iteration_of(ledger, request)
    result = record.result or {}
    kpi = result["kpis"][result["kpi"]]
    signed = "\n".join(_line(signoff) for signoff in signoffs_of(ledger, request.id))
    charter = charter_of(record)
    word = find(charter.problem).unit_word
    next_step = consequence(charter, record, request.decision, word) if request.decision else ""
    create_markdown_artifact(
        key=f"decision-{request.id}",
        description=f"Decision on {request.id}",
        markdown=(
            f"# {request.decision}\n\n{next_step}\n\n"
            f"- {kpi['title']}: {kpi['value'][0]:.4g} (95 % interval {kpi['value'][1]:.4g} to {kpi['value'][2]:.4g}), "
            f"baseline {kpi['baseline'][0]:.4g}\n"
            f"- evidence: `{result['report']}`, hash `{request.report_digest}`\n\n{signed}\n"
        ),
    )


def _line(signoff: SignOff) -> str:
    label = " (recorded answer)" if signoff.recorded else ""
    return f"- {signoff.signer}, {signoff.role}: {signoff.decision}{label}"


def _iterate(tx: Transaction, applied: Applied) -> None:
    patches = {one.item.id: one.item.patch for one in applied.items if one.status == "applied"}
    sentence = say(
        "Iteration {number} was sent back by review {review}, with {items}.",
        number=applied.record.number, review=applied.request.id,
        items=", ".join(patches) or say("no changes to the charter"),
    )  # fmt: skip
    _open_next(tx, applied, applied.record.number + 1, applied.record.stage, "train", sentence, patches)


def _advance(tx: Transaction, applied: Applied) -> None:
    record, last = applied.record, applied.signoffs[-1]
    charter = charter_of(record)
    up = next_stage(charter, record.stage)
    if up is None:
        details = {"review": applied.request.id, "result": record.result}
        if current(tx, record.project) is None:
            _release(tx, applied, record.stage)
        end_project(tx, record.project, "landed", actor=last.person, role=last.role, details=details)
        return
    _release(tx, applied, up.name)
    sentence = say(
        "Review {review} moved the rollout up to stage {stage}; its effect is measured there.",
        review=applied.request.id, stage=up.name,
    )  # fmt: skip
    _open_next(tx, applied, record.number, up.name, "measure", sentence, {})


def _hold(tx: Transaction, applied: Applied) -> None:  # noqa: ARG001 - holding is doing nothing, on the record
    return


def _roll_back(tx: Transaction, applied: Applied) -> None:
    last, result = applied.signoffs[-1], _result(applied.record)
    roll_back(tx, applied.record.project, applied.request.id, result["next_period"], actor=last.person, role=last.role)


def _stop(tx: Transaction, applied: Applied) -> None:
    last, record, review = applied.signoffs[-1], applied.record, applied.request.id
    withdraw(tx, record.project, review, _result(record)["next_period"], actor=last.person, role=last.role)
    end_project(tx, record.project, "stopped", actor=last.person, role=last.role, details={"review": review})


_MOVES = {"iterate": _iterate, "advance": _advance, "hold": _hold, "roll_back": _roll_back, "stop": _stop}


def _result(record: IterationRecord) -> Any:
    if record.result is None:
        finding = Finding(f"iteration {record.subject}", "it has no figures", "run it to its report first")
        raise LedgerError("A decision without figures cannot be applied", [finding])
    return record.result


def _release(tx: Transaction, applied: Applied, stage: str) -> None:
    """Let the units of a stage follow the model this review was about."""
    result, last = _result(applied.record), applied.signoffs[-1]
    new = Release(
        project=applied.record.project,
        stage=stage,
        units=tuple(result["units_of"][stage]),
        model_version=result["model_version"],
        model_digest=result["model_digest"],
        candidate=result["training"],
        charter_digest=applied.record.charter_digest,
        start=result["next_period"],
        review=applied.request.id,
    )
    arms = arms_from(result["next_arms"]) if result.get("next_arms") else None
    if arms is not None and arms.stage == stage:
        # Who is compared was picked with the evidence; it is on record before the first unit follows.
        record_arms(tx, arms, actor=last.person, role=last.role)
    release(tx, new, actor=last.person, role=last.role)


def _open_next(
    tx: Transaction, applied: Applied, number: int, stage: str, kind: Kind, sentence: str, patches: dict[str, Any]
) -> None:
    record = applied.record
    why: dict[str, Any] = {
        "sentence": sentence,
        "said": kept(sentence),
        "file": record.why["file"],
        "review": applied.request.id,
        "recorded": any(signoff.recorded for signoff in applied.signoffs),
    }
    if patches:
        why |= {"patches": patches, "charter_before": json.loads(record.charter)}
    opened = open_iteration(
        tx,
        project=record.project,
        number=number,
        stage=stage,
        kind=kind,
        charter=applied.charter.canonical(),
        charter_digest=applied.charter.digest,
        why=why,
        started_by=record.started_by,
    )
    queue_run(tx, opened, _result(record)["location"])
