"""A word on each decision on a case: what today's rule decides, whether the model knows such a case, what moved it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.charter import Charter
from pipeline.compliance.account import Account, Drivers, sample
from pipeline.problems.base import Arm
from pipeline.tabular.cases import Cases
from pipeline.tabular.explaining import drivers
from pipeline.tabular.learning import Learner
from pipeline.tabular.serving import DECISION, decided_on, followed, in_words, rest_of, words_of
from pipeline.tabular.values import Floats, values_of


def told(
    charter: Charter, arm: Arm, units: Sequence[str] | None, cases: Cases, waiting: pd.DataFrame, explained: int | None
) -> Account:
    """The decisions of :func:`pipeline.tabular.serving.decisions`, each with what there is to say of it.

    Args:
        charter: names the rule of the units that do not follow.
        arm: whom the units follow.
        units: those that follow it; None: all.
        cases: whose outcome is known.
        waiting: the cases to be decided on.
        explained: so many decisions at most are taken apart; None for all of the model's.
    """
    words = words_of(charter, cases)
    follows = followed(waiting, units)
    ours = follows & (arm.candidate is not None)
    frame = in_words(charter, arm, cases, waiting, follows)
    today = decided_on(rest_of(charter), cases, waiting).amounts
    outside = np.full(len(waiting), "", dtype=object)
    why: Drivers | None = None
    if arm.candidate is not None and ours.any():
        learner = Learner.load(arm.candidate.directory)
        places = np.flatnonzero(ours)
        outside[places] = learner.preparation.outside(waiting.iloc[places])
        if explained is None or explained > 0:
            chosen = places[sample(len(places), explained, charter.seed)]
            taken = frame[DECISION].to_numpy()[chosen]
            classes = np.array([words.index(word) for word in taken]) if len(words) > 2 else np.zeros(len(chosen), int)
            why = drivers(learner, waiting.iloc[chosen], chosen, classes)
    return Account(
        decisions=frame,
        column=DECISION,
        by_model=ours,
        incumbent=today,
        outside=outside,
        standing=np.zeros(len(waiting)),
        cutoff=cases.starts[-1],
        drivers=why,
        about=(cases.business.key,),
        words=words,
        whole=False,
    )


def newest(cases: Cases) -> pd.DataFrame:
    """The cases of the newest period as they came in: what is looked at where no case waits."""
    frame: pd.DataFrame = cases.frame[cases.within(cases.periods - 1, cases.periods)]
    return frame.reset_index(drop=True)


def saved(charter: Charter, cases: Cases, overrides: pd.DataFrame) -> Floats:
    """(M,) what each changed decision was worth more than the model's, by the outcome; NaN while nobody knows it.

    Args:
        charter: its values.
        cases: with what became of them.
        overrides: the key, ``model`` and ``quantity``.
    """
    keys = pd.Index(cases.frame[cases.business.key].astype(str))
    place = keys.get_indexer(pd.Index(overrides[cases.business.key].astype(str)))
    known, values = place >= 0, values_of(charter)
    found = np.full(len(overrides), np.nan)
    truth = cases.truth[place[known]]
    model, person = (overrides.loc[known, name].to_numpy(np.float64) for name in ("model", "quantity"))
    found[known] = values.of(person, truth) - values.of(model, truth)
    return found
