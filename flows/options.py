"""The decisions on offer as the evidence pack shows them."""

from collections.abc import Sequence

from pipeline.charter import Charter
from pipeline.language import joined, say
from pipeline.ledger import IterationRecord
from pipeline.reporting.evidence import DecisionOption
from pipeline.review.consequences import consequence
from pipeline.rollout.limits import Offer
from pipeline.verdicts import Verdict


def decision_options(
    charter: Charter, record: IterationRecord, verdicts: Sequence[Verdict], unit_word: str, offer: Offer
) -> tuple[DecisionOption, ...]:
    """Every decision on offer with its consequence, and why *advance* is barred where it is."""
    blocking = [verdict.title for verdict in verdicts if verdict.blocks]
    return tuple(
        DecisionOption(
            decision=decision,
            consequence=consequence(charter, record, decision, unit_word),
            available=not (decision == "advance" and blocking),
            reason=say("not met: {gates}", gates=joined(blocking, "; ")) if decision == "advance" and blocking else "",
            signers=offer.signers[decision],
        )
        for decision in offer.decisions
    )
