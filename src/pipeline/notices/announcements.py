"""What is announced: each function composes one notice from what the ledger holds and queues it.

Call them in the transaction that makes the news true. All are idempotent; people's comments are never repeated in a
notice, they are read on the review site.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pipeline.charter.model import Person, Table
from pipeline.language import Message, joined, say
from pipeline.ledger import Transaction, get_iteration
from pipeline.notices.asking import Asked, find_asked
from pipeline.notices.queueing import TEAM, enqueue_notice

#: Each decision as a notice names it.
_DECISIONS = {
    "advance": say("go up a stage"),
    "iterate": say("improve first, in another iteration"),
    "hold": say("hold, stay at this stage"),
    "roll_back": say("go down a stage"),
    "stop": say("stop the project"),
}


def announce_review(tx: Transaction, review: str) -> bool:
    """Tell everybody who may answer that a review was requested."""
    return ask(tx, find_asked(tx, review))


def ask(tx: Transaction, asked: Asked, without: Collection[str] = ()) -> bool:
    """As :func:`announce_review`, for a review that was read already; people in ``without`` were told before."""
    sentence = say(
        "{title} asks for your decision on iteration {number}, stage {stage}. Please answer by {due}.",
        title=asked.title, number=asked.iteration, stage=asked.stage, due=asked.due,
    )  # fmt: skip
    return enqueue_notice(
        tx, project=asked.project, kind="review_requested", subject=asked.review, sentence=sentence,
        figures=asked.figures(), audience=asked.missing, without={*asked.barred, *without}, link=asked.link,
    )  # fmt: skip


def announce_decision(tx: Transaction, review: str, then: str = "") -> bool:
    """Tell everybody of the charter, and the team, what was decided.

    Args:
        tx: the transaction.
        review: the decided review.
        then: what happens next, in a sentence.
    """
    asked = find_asked(tx, review)
    decision: str = _DECISIONS.get(asked.decision or "", say("nothing yet"))
    sentence = say(
        "On iteration {number} of {title}, stage {stage}, the decision is: {decision}.",
        title=asked.title, number=asked.iteration, stage=asked.stage, decision=decision,
    )  # fmt: skip
    return enqueue_notice(
        tx, project=asked.project, kind="decision_taken", subject=review,
        sentence=joined([sentence, then]) if then else sentence, figures=asked.figures(),
        audience=(*asked.everybody, TEAM), link=asked.link,
    )  # fmt: skip


def announce_failure(tx: Transaction, project: str, number: int, stage: str, reason: str) -> bool:
    """Tell engineering and the team that an iteration failed, and with which words."""
    record = get_iteration(tx, project, number, stage)
    sentence = say("It stopped and waits to be taken up again: {reason}", reason=reason)
    return enqueue_notice(
        tx, project=project, kind="iteration_failed", subject=_iteration(number, stage), sentence=sentence,
        figures={"Started by": record.started_by, "Last change": record.changed_at},
        audience=("engineering", TEAM),
    )  # fmt: skip


def announce_retraining(
    tx: Transaction, project: str, number: int, stage: str, sentence: str, figures: Mapping[str, Any]
) -> bool:
    """Tell business owner, engineering and the team why another iteration opened by itself."""
    return enqueue_notice(
        tx, project=project, kind="retraining_triggered", subject=_iteration(number, stage), sentence=sentence,
        figures=figures, audience=("business_owner", "engineering", TEAM),
    )  # fmt: skip


def announce_alarm(tx: Transaction, project: str, subject: str, sentence: str, figures: Mapping[str, Any]) -> bool:
    """Tell the people who can act of a guardrail broken, a contract broken or data that came late."""
    return enqueue_notice(
        tx, project=project, kind="alarm", subject=subject, sentence=sentence, figures=figures,
        audience=("business_owner", "operations", "engineering", TEAM),
    )  # fmt: skip


def announce_rollback(tx: Transaction, project: str, stage: str, sentence: str, figures: Mapping[str, Any]) -> bool:
    """Tell sponsor, business owner and operations that going down a stage is proposed; people decide."""
    return enqueue_notice(
        tx, project=project, kind="rollback_proposed", subject=say("stage {stage}", stage=stage), sentence=sentence,
        figures=figures, audience=("sponsor", "business_owner", "operations", TEAM),
    )  # fmt: skip


def announce_refused_rows(
    tx: Transaction, project: str, table: Table, people: Sequence[Person], refused: int, reasons: Mapping[str, int]
) -> bool:
    """Tell whoever answers for a table how many of its rows its contract refused, and why; the team where nobody does.

    Args:
        tx: the transaction.
        project: whose data it is.
        table: of the charter, with its owner: a person's id or name, a role, or words that name nobody.
        people: of the charter.
        refused: rows.
        reasons: rows by reason, the most frequent first.
    """
    named = table.owner.casefold()
    audience = tuple(one.id for one in people if named in {one.id, one.name.casefold(), one.role.replace("_", " ")})
    sentence = say(
        "The contract refused {refused} rows of the table {table}, for which {owner} answers. They are kept apart with "
        "their reasons; please mend them at the source.",
        refused=refused, table=table.name, owner=table.owner,
    )  # fmt: skip
    return enqueue_notice(
        tx, project=project, kind="rows_refused", subject=table.name, sentence=sentence, figures=dict(reasons),
        audience=audience or (TEAM,),
    )  # fmt: skip


def remind(tx: Transaction, asked: Asked, without: Collection[str] = ()) -> bool:
    """Half of the time is over: tell those who have not answered, but for the people in ``without``."""
    sentence = say(
        "{title}, iteration {number}, stage {stage}: your answer is missing. It is asked for by {due}.",
        title=asked.title, number=asked.iteration, stage=asked.stage, due=asked.due,
    )  # fmt: skip
    return enqueue_notice(
        tx, project=asked.project, kind="review_reminder", subject=asked.review, sentence=sentence,
        figures=asked.figures(), audience=asked.missing, without={*asked.barred, *without}, link=asked.link,
    )  # fmt: skip


def remind_when_due(tx: Transaction, asked: Asked, without: Collection[str] = ()) -> bool:
    """The time is over: tell those who have not answered, but for the people in ``without``."""
    sentence = say(
        "{title}, iteration {number}, stage {stage}: your answer was due on {due}. Without it nothing is approved.",
        title=asked.title, number=asked.iteration, stage=asked.stage, due=asked.due,
    )  # fmt: skip
    return enqueue_notice(
        tx, project=asked.project, kind="review_due", subject=asked.review, sentence=sentence,
        figures=asked.figures(), audience=asked.missing, without={*asked.barred, *without}, link=asked.link,
    )  # fmt: skip


def escalate(tx: Transaction, asked: Asked, without: Collection[str] = ()) -> bool:
    """The time is over by a day: tell the sponsor, unless in ``without``, whose answers are missing."""
    missing = ", ".join(asked.missing.values())
    sentence = say(
        "{title}, iteration {number}, stage {stage}: the decision was due on {due} and still waits for {missing}.",
        title=asked.title, number=asked.iteration, stage=asked.stage, due=asked.due, missing=missing,
    )  # fmt: skip
    return enqueue_notice(
        tx, project=asked.project, kind="review_overdue", subject=asked.review, sentence=sentence,
        figures=asked.figures(), audience=(asked.sponsor,), without=without, link=asked.link,
    )  # fmt: skip


def _iteration(number: int, stage: str) -> Message:
    return say("iteration {number}, stage {stage}", number=number, stage=stage)
