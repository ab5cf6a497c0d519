"""What each decision will do, in words: the same sentences in the evidence pack, on the site and in the terminal."""

from datetime import date

from pipeline.charter import Charter, DecisionName
from pipeline.language import Message, say, term
from pipeline.ledger import IterationRecord

_NEXT: dict[str, Message] = {"week": say("the next week"), "day": say("the next day")}


def allowed_decisions(charter: Charter, record: IterationRecord) -> tuple[DecisionName, ...]:
    """The decisions that make sense here: the bottom rung has nothing to roll back to."""
    return tuple(
        decision
        for decision in charter.sign
        if decision != "roll_back" or charter.stage_before(record.stage) is not None
    )


def consequence(
    charter: Charter, record: IterationRecord, decision: DecisionName, unit_word: str, start: date | str | None = None
) -> Message:
    """One sentence: what happens next if people decide this.

    Args:
        charter: the one the iteration ran under.
        record: the iteration.
        decision: what is decided.
        unit_word: plural of what a unit is, such as ``stores``.
        start: the first period a release would hold in, as a day or in words; "the next week" where it is not known.
    """
    stage, word = charter.stage(record.stage), term(unit_word)
    up, down = charter.stage_after(stage.name), charter.stage_before(stage.name)
    if decision == "advance":
        if up is None:
            return say(
                "The project has landed: {units} {unit_word} keep following the model, and it is only monitored.",
                units=stage.amount, unit_word=word,
            )  # fmt: skip
        measured = _measured(up.periods, charter.data.period)
        return say(
            "{units} {unit_word} follow the model from {start} on (stage {stage}), and are measured for {measured}.",
            units=up.amount, unit_word=word, start=start or _NEXT[charter.data.period], stage=up.name,
            measured=measured,
        )  # fmt: skip
    if decision == "iterate":
        return say(
            "Iteration {number} opens at stage {stage} with the changes people asked for.",
            number=record.number + 1, stage=stage.name,
        )  # fmt: skip
    if decision == "hold":
        return say("Nothing changes: stage {stage} stays as it is until somebody starts a new run.", stage=stage.name)
    if decision == "roll_back" and down is not None:
        return say(
            "Back to stage {stage}: {units} {unit_word} follow the model released before, all others today's rule.",
            stage=down.name, units=down.amount, unit_word=word,
        )  # fmt: skip
    return say("The project ends: all go back to today's rule, and no further iteration opens.")


def _measured(periods: int, period: str) -> Message:
    return say("{number} weeks", number=periods) if period == "week" else say("{number} days", number=periods)
