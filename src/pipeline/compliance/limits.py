"""Holding decisions to the limits a charter declares."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.charter.compliance import DecisionLimits
from pipeline.compliance.account import Account, Names


@dataclass(frozen=True)
class Limited:
    """Decisions within their limits.

    Attributes:
        amounts: (N,) the decisions, whole units as before.
        why: (N,) ``outside``, ``change`` or ``cap`` where a limit changed the decision; else empty.
    """

    amounts: NDArray[np.float64]
    why: Names

    @property
    def changed(self) -> int:
        """How many decisions the limits changed."""
        return int((self.why != "").sum())


def limited(account: Account, limits: DecisionLimits) -> Limited:
    """The model's decisions held to the limits; today's rule is left as it is.

    A decision outside the training range is today's, where the charter says so. A change against today's rule is cut
    to ``max_change`` times its decision, or ``free_units`` if that is more. The cap comes last and holds always.
    """
    before, incumbent, ours = account.amounts, account.incumbent, account.by_model
    values, why = before.copy(), np.full(len(before), "", dtype=object)
    if limits.outside_training == "refuse":
        refused = ours & (account.outside != "")
        values[refused] = incumbent[refused]
        why[values != before] = "outside"
    if limits.max_change is not None:
        room = np.maximum(limits.max_change * incumbent, limits.free_units)
        low, high = np.maximum(np.ceil(incumbent - room), 0), np.floor(incumbent + room)
        cut = np.clip(values, low, high)
        moved = ours & (cut != values)
        values[moved], why[moved] = cut[moved], "change"
    if limits.cap is not None:
        moved = ours & (values > limits.cap)
        values[moved], why[moved] = np.floor(limits.cap), "cap"
    return Limited(values, why)
