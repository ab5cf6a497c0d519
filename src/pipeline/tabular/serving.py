"""The next decisions: one for every case whose target is still empty."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.charter import Charter
from pipeline.datasets.dataset import Tables
from pipeline.problems.base import Arm
from pipeline.tabular.candidates import settled
from pipeline.tabular.cases import Cases, cases_of, decided_today
from pipeline.tabular.forecasts import groups_in
from pipeline.tabular.learning import Learner
from pipeline.tabular.parameters import shape_of
from pipeline.tabular.policies import Batch, decided
from pipeline.tabular.replay import ruled
from pipeline.tabular.source import UNIT
from pipeline.tabular.values import Bools, Floats


def decisions(charter: Charter, arm: Arm, units: Sequence[str] | None, tables: Tables) -> pd.DataFrame:
    """One row per waiting case, in the order of their periods and keys.

    Columns: the key, ``unit``, ``decision`` (``act`` or ``leave``, a class, or a number), ``score`` (probability of the
    positive or the named class, or the expected amount; empty for a rule) and ``by``, who decided.

    Args:
        charter: names the rule of the units that do not follow.
        arm: whom the units follow.
        units: those that follow it; None: all.
        tables: clean.
    """
    cases = cases_of(charter, tables)
    waiting = cases.waiting
    follows = np.ones(len(waiting), bool) if units is None else waiting[UNIT].isin(list(units)).to_numpy()
    rest = Arm(charter.kpi.baseline.policy, charter, baseline=charter.kpi.baseline.policy)
    parts = [_decided(who, cases, chosen) for who, chosen in ((arm, follows), (rest, ~follows))]
    frame = pd.concat(parts).sort_index(kind="stable")
    return frame.reset_index(drop=True)


def _decided(arm: Arm, cases: Cases, chosen: Bools) -> pd.DataFrame:
    rows = cases.waiting[chosen]
    if arm.candidate is None:
        found, score = ruled(arm, cases.truth, decided_today(arm.charter, rows, cases.names), cases.names), None
    else:
        scores = Learner.load(arm.candidate.directory).scores(rows)
        group = groups_in(rows)
        found = decided(arm.charter, Batch(scores, group), settled(arm.charter, arm.candidate.directory))
        score = _score(scores, found, cases)
    key = cases.business.key
    frame = pd.DataFrame({key: rows[key], UNIT: rows[UNIT]}, index=rows.index)
    shape = shape_of(arm.charter)
    if shape == "estimate":
        frame["decision"] = found
    else:
        words = np.array(["leave", "act"] if shape == "act" else cases.names, dtype=object)
        frame["decision"] = words[found.astype(np.int64)]
    frame["score"] = np.nan if score is None else score
    return frame.assign(by=arm.name)


def _score(scores: Floats, found: Floats, cases: Cases) -> Floats:
    if len(cases.names) > 2:
        return np.asarray(np.take_along_axis(scores, found.astype(np.int64).reshape(-1, 1), axis=1)[:, 0])
    return scores[:, -1]
