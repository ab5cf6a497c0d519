"""The answer of a gate: pass, fail or waived, with the figures and the reason."""

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["pass", "fail", "waived"]
Severity = Literal["block", "warn"]


@dataclass(frozen=True)
class Verdict:
    """One criterion, judged.

    Attributes:
        gate: stable identifier, such as ``kpi.reaches_target``.
        title: the criterion in words a business person reads.
        outcome: ``pass``, ``fail`` or ``waived``.
        severity: a failed ``block`` verdict forbids *advance*; a failed ``warn`` is shown.
        reason: one sentence that holds the figures the outcome rests on.
        figures: the same figures for machines.
    """

    gate: str
    title: str
    outcome: Outcome
    severity: Severity
    reason: str
    figures: dict[str, float | int | str | None]

    @property
    def blocks(self) -> bool:
        """Whether this verdict alone forbids *advance*."""
        return self.outcome == "fail" and self.severity == "block"
