"""Holding decisions to the limits a charter declares: the same way when they are served and when they are replayed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.charter.compliance import DecisionLimits
from pipeline.compliance.account import Account, Names

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Limited:
    """Decisions within their limits.

    Attributes:
        amounts: (N,) the decisions; whole units stay whole.
        why: (N,) ``outside``, ``change`` or ``cap`` where a limit changed the decision; else empty.
    """

    amounts: Floats
    why: Names

    @property
    def changed(self) -> int:
        """How many decisions the limits changed."""
        return int((self.why != "").sum())


def limited(account: Account, limits: DecisionLimits) -> Limited:
    """The model's decisions held to the limits; today's rule is left as it is.

    A place in a queue is no amount, and one ticket cannot be given today's place without moving all others: the problem
    itself ranks what lies outside the training range without its model, and it is counted here.
    """
    found = held(
        limits, account.amounts, account.incumbent, account.outside, ours=account.by_model, measured=account.measured,
        whole=account.whole, replaced=account.ranked is None or account.ranked == "",
    )  # fmt: skip
    if account.ranked is not None and limits.outside_training == "refuse":
        found.why[account.by_model & (account.ranked != "") & (account.outside != "")] = "outside"
    return found


def held(
    limits: DecisionLimits,
    before: Floats,
    incumbent: Floats,
    outside: Names,
    *,
    ours: Bools | bool = True,
    measured: Bools | bool = True,
    whole: bool = True,
    replaced: Bools | bool = True,
) -> Limited:
    """Decisions held to the limits.

    A decision outside the training range is today's, where the charter says so. A change against today's rule is cut
    to ``max_change`` times its decision, or ``free_units`` if that is more. The cap comes last and holds always.

    Args:
        limits: the charter's.
        before: (N,) what was decided.
        incumbent: (N,) what today's rule decides.
        outside: (N,) a feature outside the training range; empty for none.
        ours: (N,) whether a model decided; what today's rule decides is left as it is.
        measured: (N,) whether a decision is an amount that can be too large or too far off.
        whole: whether amounts are whole numbers of 0 or more.
        replaced: (N,) whether today's decision can take the place of one outside the training range.
    """
    values, why = before.astype(np.float64), np.full(len(before), "", dtype=object)
    if limits.outside_training == "refuse":
        refused = np.asarray(ours & replaced & (outside != ""))
        values[refused] = incumbent[refused]
        why[values != before] = "outside"
    if limits.max_change is not None:
        room = np.maximum(limits.max_change * np.abs(incumbent), limits.free_units)
        low, high = incumbent - room, incumbent + room
        if whole:
            low, high = np.maximum(np.ceil(low), 0), np.floor(high)
        cut = np.clip(values, low, high)
        moved = np.asarray(ours & measured & (cut != values))
        values[moved], why[moved] = cut[moved], "change"
    if limits.cap is not None:
        moved = np.asarray(ours & measured & (values > limits.cap))
        values[moved], why[moved] = np.floor(limits.cap) if whole else limits.cap, "cap"
    # Two limits may lead back to what was decided: then none of them changed it.
    why[values == before] = ""
    return Limited(values, why)
