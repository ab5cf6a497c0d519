"""The next decisions: one for every case whose target is still empty."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.charter import Charter
from pipeline.problems.base import Arm
from pipeline.tabular.candidates import settled
from pipeline.tabular.cases import Cases, decided_today
from pipeline.tabular.forecasts import groups_in
from pipeline.tabular.learning import Learner
from pipeline.tabular.parameters import shape_of
from pipeline.tabular.policies import Batch, decided
from pipeline.tabular.replay import ruled
from pipeline.tabular.source import UNIT
from pipeline.tabular.values import Bools, Floats

DECISION = "decision"


@dataclass(frozen=True)
class Decided:
    """Decisions (N,) as numbers, and the scores they rest on; NaN for a rule."""

    amounts: Floats
    score: Floats


def decisions(charter: Charter, arm: Arm, units: Sequence[str] | None, cases: Cases) -> pd.DataFrame:
    """One row per waiting case, in the order of their periods and keys.

    Columns: the key, ``unit``, ``decision`` (``act`` or ``leave``, a class, or a number), ``score`` (probability of the
    positive or the named class, or the expected amount; empty for a rule) and ``by``, who decided.

    Args:
        charter: names the rule of the units that do not follow.
        arm: whom the units follow.
        units: those that follow it; None: all.
        cases: all of them.
    """
    return in_words(charter, arm, cases, cases.waiting, followed(cases.waiting, units))


def followed(waiting: pd.DataFrame, units: Sequence[str] | None) -> Bools:
    """(N,) cases of the units that follow the arm."""
    return np.ones(len(waiting), bool) if units is None else waiting[UNIT].isin(list(units)).to_numpy()


def rest_of(charter: Charter) -> Arm:
    """Who decides for the units that do not follow."""
    return Arm(charter.kpi.baseline.policy, charter, baseline=charter.kpi.baseline.policy)


def words_of(charter: Charter, cases: Cases) -> tuple[str, ...]:
    """The words of decisions, by the number that stands for each; none where a decision is a number."""
    return {"act": ("leave", "act"), "assign": cases.names, "estimate": ()}[shape_of(charter)]


def in_words(charter: Charter, arm: Arm, cases: Cases, waiting: pd.DataFrame, follows: Bools) -> pd.DataFrame:
    """The frame of :func:`decisions` on some cases."""
    words, key = words_of(charter, cases), cases.business.key
    frame = pd.DataFrame({key: waiting[key], UNIT: waiting[UNIT]})
    values, score, by = np.zeros(len(frame)), np.full(len(frame), np.nan), np.full(len(frame), "", dtype=object)
    for who, chosen in ((arm, follows), (rest_of(charter), ~follows)):
        found = decided_on(who, cases, waiting[chosen])
        values[chosen], score[chosen], by[chosen] = found.amounts, found.score, who.name
    frame[DECISION] = np.array(words, dtype=object)[values.astype(np.int64)] if words else values
    return frame.assign(score=score, by=by)


def decided_on(arm: Arm, cases: Cases, rows: pd.DataFrame) -> Decided:
    """What an arm decides on some cases; a model without regard to the charter's limits."""
    if arm.candidate is None:
        found = ruled(arm, cases.truth, decided_today(arm.charter, rows, cases.names), cases.names)
        return Decided(found, np.full(len(rows), np.nan))
    scores = Learner.load(arm.candidate.directory).scores(rows)
    found = decided(arm.charter, Batch(scores, groups_in(rows)), settled(arm.charter, arm.candidate.directory))
    return Decided(found, _score(scores, found, cases))


def _score(scores: Floats, found: Floats, cases: Cases) -> Floats:
    if len(cases.names) > 2:
        return np.asarray(np.take_along_axis(scores, found.astype(np.int64).reshape(-1, 1), axis=1)[:, 0])
    return scores[:, -1]
