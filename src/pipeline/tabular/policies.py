"""From scores to decisions. What a policy leaves open is chosen on rows kept for that, by what would have been best."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.charter import Charter
from pipeline.errors import Finding, ModelError
from pipeline.tabular.parameters import Capacity, Estimate, Threshold, TopK, policy_of
from pipeline.tabular.values import Amount, Floats, Ints, Matrix, Miscost, values_of


@dataclass(frozen=True)
class Batch:
    """Rows to decide on.

    Attributes:
        scores: (N, C) or (N, 1), as :mod:`pipeline.tabular.values` describes them.
        group: (N,) number of each row's unit and period, within which cases compete.
        truth: (N,) what became of them; asked for where something is chosen only.
    """

    scores: Floats
    group: Ints
    truth: Floats | None = None


#: What was chosen, by name: the threshold, the number of cases, the margin.
Chosen = Mapping[str, float]


def leaves_open(charter: Charter) -> bool:
    """Whether something of the charter's policy is to be chosen."""
    policy = policy_of(charter)
    return any(getattr(policy, name, 0) is None for name in ("at", "most", "margin"))


def chosen(charter: Charter, known: Batch) -> Chosen:
    """What the charter's policy leaves open, by rows whose truth is known: ``at``, ``most`` or ``margin``.

    Raises:
        ModelError: something is open, and there is no row to choose it on.
    """
    policy, values = policy_of(charter), values_of(charter)
    truth = known.truth
    if truth is None:
        raise ValueError("a policy is chosen on rows whose truth is known")
    if not len(truth) and leaves_open(charter):
        finding = Finding(f"policy {charter.policy.name}", "no rows to choose it on", "train the candidate again")
        raise ModelError("The policy cannot be chosen", [finding])
    if isinstance(policy, Estimate) and isinstance(values, Miscost):
        margin = best_margin(truth - known.scores[:, 0], values) if policy.margin is None else policy.margin
        return {"margin": margin}
    gained = values.of(np.ones(len(truth)), truth) - values.of(np.zeros(len(truth)), truth)
    if isinstance(policy, Threshold):
        at = best_threshold(known.scores[:, -1], gained) if policy.at is None else policy.at
        return {"at": at}
    if isinstance(policy, TopK):
        order = _rank(_gains(values, known.scores), known.group)
        most = best_number(order, gained) if policy.most is None else policy.most
        return {"most": float(most)}
    return {}


def decided(charter: Charter, batch: Batch, found: Chosen) -> Floats:
    """(N,) the decisions of the charter's policy.

    Args:
        charter: its policy and values.
        batch: what is decided on.
        found: by :func:`chosen`.
    """
    policy, values = policy_of(charter), values_of(charter)
    if isinstance(policy, Estimate):
        return np.asarray(batch.scores[:, 0] + found["margin"])
    if isinstance(policy, Threshold):
        return np.asarray(batch.scores[:, -1] >= found["at"], dtype=np.float64)
    if isinstance(values, Matrix) and len(values.values) > 2:
        return np.asarray(values.expected(batch.scores).argmax(axis=1), dtype=np.float64)
    gains = _gains(values, batch.scores)
    if isinstance(policy, TopK):
        acts = _rank(gains, batch.group) < found["most"]
    elif isinstance(policy, Capacity):
        acts = (gains > 0) & (_rank(gains, batch.group) < policy.limit)
    else:
        acts = gains > 0
    return np.asarray(acts, dtype=np.float64)


def best_threshold(scores: Floats, gained: Floats) -> float:
    """The threshold at which acting from there on would have gained most; the highest of equals.

    Args:
        scores: (N,) probabilities or amounts.
        gained: (N,) what acting was worth more than leaving.
    """
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    total = np.concatenate([[0.0], np.cumsum(gained[order])])
    # One may stop only between two different scores: equal ones are acted on together.
    stops = (
        np.concatenate([[0], np.flatnonzero(np.diff(ranked)) + 1, [len(ranked)]]) if len(ranked) else np.zeros(1, int)
    )
    best = int(stops[np.argmax(total[stops])])
    if best == 0:
        return float(np.nextafter(ranked[0], np.inf)) if len(ranked) else np.inf
    return float((ranked[best - 1] + ranked[best]) / 2) if best < len(ranked) else float(ranked[-1])


def best_number(order: Ints, gained: Floats) -> int:
    """How many of the best cases of every group to act on, so that most would have been gained; the least of equals.

    Args:
        order: (N,) place of a case within its group, from 0.
        gained: (N,) what acting was worth more than leaving.
    """
    total = np.concatenate([[0.0], np.cumsum(np.bincount(order, gained))])
    return int(np.argmax(total))


def best_margin(errors: Floats, costs: Miscost) -> float:
    """What to add to every estimate so that errors would have cost least.

    The quantile ``under / (under + over)`` of the errors: the newsvendor's critical ratio (Porteus, Foundations of
    Stochastic Inventory Theory, 2002, section 1.2).

    Args:
        errors: (N,) truth less estimate.
        costs: of too high and too low.
    """
    ratio = costs.under / (costs.under + costs.over)
    return float(np.quantile(errors, ratio, method="inverted_cdf"))


def _gains(values: Matrix | Amount | Miscost, scores: Floats) -> Floats:
    if isinstance(values, Miscost):
        raise TypeError("an estimate is neither acted on nor left")
    return values.gains(scores)


def _rank(gains: Floats, group: Ints) -> Ints:
    """(N,) place of each row within its group, the largest gain first; ties by their order."""
    order = np.lexsort((np.arange(len(gains)), -gains, group))
    starts = np.concatenate([[True], np.diff(group[order]) != 0]) if len(group) else np.zeros(0, bool)
    place = np.arange(len(group)) - np.maximum.accumulate(np.where(starts, np.arange(len(group)), 0))
    rank = np.empty(len(group), np.int64)
    rank[order] = place
    return rank
