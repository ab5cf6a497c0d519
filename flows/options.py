"""What each decision will do, in words: the same sentences in the evidence pack and on the command line."""

from collections.abc import Sequence

from pipeline.charter import Charter, DecisionName
from pipeline.ledger import IterationRecord
from pipeline.reporting.evidence import DecisionOption
from pipeline.verdicts import Verdict


def allowed_decisions(charter: Charter, record: IterationRecord) -> tuple[DecisionName, ...]:
    """The decisions that make sense here: the bottom rung has nothing to roll back to."""
    return tuple(
        decision
        for decision in charter.sign
        if decision != "roll_back" or charter.stage_before(record.stage) is not None
    )


def decision_options(
    charter: Charter, record: IterationRecord, verdicts: Sequence[Verdict], unit_word: str
) -> tuple[DecisionOption, ...]:
    """Every decision on offer with its consequence, and why *advance* is barred where it is."""
    blocking = [verdict.title for verdict in verdicts if verdict.blocks]
    return tuple(
        DecisionOption(
            decision=decision,
            consequence=consequence(charter, record, decision, unit_word),
            available=not (decision == "advance" and blocking),
            reason=f"not met: {'; '.join(blocking)}" if decision == "advance" and blocking else "",
        )
        for decision in allowed_decisions(charter, record)
    )


def consequence(charter: Charter, record: IterationRecord, decision: DecisionName, unit_word: str) -> str:
    """One sentence: what happens next if people decide this."""
    stage = charter.stage(record.stage)
    up, down = charter.stage_after(stage.name), charter.stage_before(stage.name)
    if decision == "advance":
        if up is None:
            return (
                f"The project has landed: {stage.units} {unit_word} keep following the model, and it is only monitored."
            )
        return (
            f"{up.units} {unit_word} follow the model from the next {charter.data.period} on (stage {up.name}), "
            f"and are measured for {up.periods} {charter.data.period}s."
        )
    if decision == "iterate":
        return f"Iteration {record.number + 1} opens at stage {stage.name} with the changes people asked for."
    if decision == "hold":
        return f"Nothing changes: stage {stage.name} stays as it is until somebody starts a new run."
    if decision == "roll_back" and down is not None:
        followers = f"{down.units} {unit_word} follow the model released before, all others today's rule"
        return f"Back to stage {down.name}: {followers}."
    return "The project ends: all go back to today's rule, and no further iteration opens."
