"""What a candidate foresaw at each cutoff, row by row, so that any policy can be played on it later without the model.

One row per case, cutoff and part: ``calibrating`` and ``choosing`` rows were known at the cutoff and not fitted on (see
:mod:`pipeline.tabular.parts`); ``replay`` rows lie after it. The last cutoff, :data:`FINAL`, has no replay: its rows
are those of the model that is kept.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.charter import Candidate, Charter
from pipeline.datasets.splits import cutoffs
from pipeline.problems.base import Progress
from pipeline.tabular.cases import Cases
from pipeline.tabular.learning import Learner, learned
from pipeline.tabular.parts import parts_before
from pipeline.tabular.source import PERIOD, UNIT
from pipeline.tabular.values import Bools, Floats, Ints

FINAL = "final"
CALIBRATING, CHOOSING, REPLAY = "calibrating", "choosing", "replay"
CUTOFF, PART, KEY, TRUTH, TODAY, OUTSIDE = "cutoff", "part", "key", "truth", "today", "outside"
#: Periods at least before the first cutoff.
LEAST_PERIODS = 4


def foreseen(
    charter: Charter, spec: Candidate, cases: Cases, units: Sequence[str], progress: Progress
) -> tuple[pd.DataFrame, Learner]:
    """Past cutoffs with a model fitted for each, then the model that is kept.

    Returns:
        Rows with ``cutoff`` (ISO date or :data:`FINAL`), ``part``, ``key``, ``unit``, ``period``, the charter's slices,
        ``truth``, ``today``, ``outside`` (a column beyond the training rows) and ``score_0`` …; and the fitted model.

    Raises:
        DataError: the history is too short for the cutoffs the charter asks for.
        ModelError: there is too little to learn from.
    """
    model = charter.model
    games = cutoffs(
        cases.periods, model.backtest_every, model.backtest_cutoffs, model.backtest_every, least=LEAST_PERIODS
    )
    stage = cases.units.isin(list(units)).to_numpy() if model.train_on == "stage" else np.ones(len(cases.truth), bool)
    frames = []
    for number, cutoff in enumerate([*games, cases.periods], start=1):
        known = parts_before(charter, spec, cases, cutoff, stage)
        learner = learned(cases, spec, known.fitting, known.calibrating, charter.seed)
        label = cases.starts[cutoff].isoformat() if cutoff < cases.periods else FINAL
        frames.append(_rows(cases, learner, label, CALIBRATING, known.calibrating))
        frames.append(_rows(cases, learner, label, CHOOSING, known.choosing))
        if label != FINAL:
            frames.append(_rows(cases, learner, label, REPLAY, cases.within(cutoff, cutoff + model.backtest_every)))
        progress("past cutoffs", number, len(games) + 1)
    return pd.concat(frames, ignore_index=True), learner


def scores_in(frame: pd.DataFrame) -> Floats:
    """(N, C) scores, out of the columns that begin with ``score_``."""
    names = sorted((name for name in frame.columns if str(name).startswith("score_")), key=lambda name: int(name[6:]))
    return frame[names].to_numpy(dtype=np.float64)


def groups_in(frame: pd.DataFrame) -> Ints:
    """(N,) number of each row's unit and period."""
    return np.asarray(frame.groupby([UNIT, PERIOD], sort=True, observed=True).ngroup(), dtype=np.int64)


def _rows(cases: Cases, learner: Learner, cutoff: str, part: str, chosen: Bools) -> pd.DataFrame:
    rows, business = cases.frame[chosen], cases.business
    scores = learner.scores(rows) if len(rows) else np.zeros((0, max(len(cases.names), 1)))
    keys = rows[business.key].astype(str).to_numpy(dtype=object)
    frame = pd.DataFrame({CUTOFF: cutoff, PART: part, KEY: keys, UNIT: rows[UNIT].to_numpy(dtype=object)})
    frame[PERIOD] = [cases.starts[period].isoformat() for period in cases.period[chosen]]
    for name in business.listed("slices"):
        frame[name] = rows[name].astype(str).to_numpy(dtype=object)
    frame[TRUTH], frame[TODAY] = cases.truth[chosen], cases.today[chosen]
    frame[OUTSIDE] = learner.preparation.outside(rows)
    for place in range(scores.shape[1]):
        frame[f"score_{place}"] = scores[:, place]
    return frame
