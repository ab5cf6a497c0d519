"""What people attested to and waived, and for how long it counts.

Pure; who may say so, and where it is kept, is :mod:`pipeline.review.attesting`.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from pipeline.compliance.library import Control


@dataclass(frozen=True)
class Attestation:
    """Somebody's word that a control holds.

    Attributes:
        control: its id.
        person: who, in the role the control names.
        at: when, in UTC.
        note: what they said.
        document, sha256: name and hash of the file they named, if it asks for one.
    """

    control: str
    person: str
    at: datetime
    note: str
    document: str = ""
    sha256: str = ""

    @property
    def day(self) -> date:
        """The day it was given."""
        return self.at.date()

    def ends(self, control: Control) -> date | None:
        """Its last day; None where it holds for ever."""
        return self.day + timedelta(days=control.renew_days) if control.renew_days is not None else None


@dataclass(frozen=True)
class Waiver:
    """Somebody's word that a control need not hold for now."""

    control: str
    person: str
    at: datetime
    reason: str
    until: date


@dataclass(frozen=True)
class Vouched:
    """Everything people said about a project's controls, in the order they said it.

    Attributes:
        attestations, waivers: oldest first.
        opened: when the iteration was opened; what must hold in each iteration was said since.
    """

    attestations: tuple[Attestation, ...]
    waivers: tuple[Waiver, ...]
    opened: datetime

    def attestation(self, control: Control, today: date) -> Attestation | None:
        """The newest word that still counts, or None."""
        for given in reversed(self.attestations):
            ends = given.ends(control)
            stale = control.when == "each_iteration" and given.at < self.opened
            if given.control == control.id and not stale and (ends is None or today <= ends):
                return given
        return None

    def waiver(self, control: Control, today: date) -> Waiver | None:
        """The newest waiver in force, or None."""
        for given in reversed(self.waivers):
            if given.control == control.id and today <= given.until:
                return given
        return None
