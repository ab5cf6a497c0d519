"""How one control stands: light, because whoever lists or signs reviews reads it."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

from pipeline.compliance.library import Control
from pipeline.language.message import term
from pipeline.verdicts import Outcome, Severity, Verdict

Figures = dict[str, float | int | str | None]
State = Literal["holds", "fails", "overdue", "waived", "not_due"]


@dataclass(frozen=True)
class ControlState:
    """One control, and how it stands.

    Attributes:
        control: what is asked.
        state: ``holds``, ``fails`` (a check), ``overdue`` (nobody attested), ``waived`` or ``not_due``.
        reason: one sentence with names and figures.
        figures: the same for machines.
        by: who attested to it or waived it; empty otherwise.
        until: the last day of the attestation or waiver; None for ever.
    """

    control: Control
    state: State
    reason: str
    figures: Figures
    by: str = ""
    until: date | None = None

    @property
    def verdict(self) -> Verdict:
        """As the gates see it."""
        outcome: Outcome = {"fails": "fail", "overdue": "fail", "waived": "waived"}.get(self.state, "pass")  # type: ignore[assignment]
        severity: Severity = "warn" if self.state == "overdue" else self.control.severity
        title = term(self.control.text)
        return Verdict(f"control.{self.control.id}", title, outcome, severity, self.reason, self.figures)
