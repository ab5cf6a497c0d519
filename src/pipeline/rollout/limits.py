"""When the loop must be stopped or continued on purpose: no gain, no time or no budget left. Pure.

A project that goes on only because nobody stopped it is the common death of pilots. Once a limit is reached the only
decisions offered are to stop, or to go on for another iteration, and both are the sponsor's, with a reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.charter import Charter, DecisionName, Role
from pipeline.language.message import Message, joined, say
from pipeline.verdicts import Verdict

#: Gates whose failure forces the question; what they mean stands in their reasons.
LIMITS = ("budget.deadline", "budget.iterations", "budget.money", "progress.no_gain")
_FORCED: tuple[DecisionName, ...] = ("iterate", "stop")


@dataclass(frozen=True)
class Offer:
    """The decisions on offer.

    Attributes:
        decisions: in the charter's order.
        signers: the roles that must sign each of them.
        forced: why nothing else is offered; empty where nothing forces anything.
    """

    decisions: tuple[DecisionName, ...]
    signers: Mapping[DecisionName, tuple[Role, ...]]
    forced: Message | None


def offered(
    charter: Charter, stage: str, allowed: Sequence[DecisionName], verdicts: Sequence[Verdict], iteration: int
) -> Offer:
    """What may be decided in a review.

    Args:
        charter: who signs what.
        stage: the rung.
        allowed: the decisions that make sense here.
        verdicts: of the iteration.
        iteration: its number; with the last one of the budget used up, another must be the sponsor's will.

    Returns:
        All allowed decisions with their signers, or *iterate* and *stop* by the sponsor alone where a limit is reached.
        A last iteration that reached everything may still advance: then nothing is left to be forced.
    """
    advances = not any(verdict.blocks for verdict in verdicts)
    reasons = [
        verdict.reason if isinstance(verdict.reason, Message) else Message(verdict.reason)
        for verdict in verdicts
        if verdict.outcome == "fail" and verdict.gate in LIMITS
    ]
    if iteration >= charter.budget.iterations and not any(
        verdict.gate == "budget.iterations" for verdict in _failed(verdicts)
    ):
        reasons.append(
            say(
                "Iteration {number} of {most} is the last in the budget.",
                number=iteration,
                most=charter.budget.iterations,
            )
        )
    if not reasons or advances:
        return Offer(tuple(allowed), {name: charter.signers(name, stage) for name in allowed}, None)
    sponsor: tuple[Role, ...] = ("sponsor",)
    why = say("Stop, or go on and say why; only the sponsor decides: {reasons}", reasons=joined(reasons))
    return Offer(_FORCED, dict.fromkeys(_FORCED, sponsor), why)


def money(charter: Charter, planned: float) -> Verdict:
    """Whether the money of the charter's budget lasts for what was planned so far; what was paid is not on record.

    Args:
        charter: the budget.
        planned: for the stages entered so far, in the budget's currency; see :mod:`pipeline.rollout.spending`.
    """
    left = charter.budget.money - planned
    currency = charter.budget.currency
    reason = say(
        "{currency} {planned} of {budget} are planned for the stages entered so far.",
        currency=currency, planned=f"{planned:,.0f}", budget=f"{charter.budget.money:,.0f}",
    )  # fmt: skip
    figures: dict[str, float | int | str | None] = {"planned": planned, "budget": charter.budget.money}
    title = say("The money lasts")
    return Verdict("budget.money", title, "pass" if left >= 0 else "fail", "block", reason, figures)


def _failed(verdicts: Sequence[Verdict]) -> list[Verdict]:
    return [verdict for verdict in verdicts if verdict.outcome == "fail"]
