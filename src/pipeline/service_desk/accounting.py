"""A word on each ticket's place and each half-day's shift: today's rule beside it, what is unusual, what moved it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.charter import Charter
from pipeline.compliance.account import Account, Drivers, Names, sample
from pipeline.problems.base import Arm
from pipeline.service_desk.clock import Floats, Ints
from pipeline.service_desk.features import features
from pipeline.service_desk.log import Log
from pipeline.service_desk.parameters import policy_of
from pipeline.service_desk.prediction import Predictor
from pipeline.service_desk.serving import ABOUT, DECISION, decisions

#: Predictions named for each ticket.
NAMED = 3
#: Features that are one column of the log, each value by itself.
_ONE_HOT = ("category", "channel", "priority", "tier")


def told(charter: Charter, arm: Arm, units: Sequence[str] | None, log: Log, explained: int | None) -> Account:
    """The decisions of :func:`pipeline.service_desk.serving.decisions`, each with what there is to say of it.

    Shifts are as the arm plans them, before any limit of amounts. The queue knows tickets outside the training range
    already: see :func:`pipeline.service_desk.planning.plans`.

    Args:
        charter: names the rule of the teams that do not follow.
        arm: whom the units follow.
        units: teams that follow it; None: all.
        log: newest.
        explained: so many tickets at most are taken apart; None for all of the model's.
    """
    frame = decisions(charter, _free(arm), units, log)
    rest = Arm("rest", charter, baseline=charter.kpi.baseline.policy)
    today = decisions(charter, rest, None, log).set_index(list(ABOUT))[DECISION]
    queued = (frame["kind"] == "queue").to_numpy()
    follows = np.ones(len(frame), bool) if units is None else frame["team"].isin(list(units)).to_numpy()
    ours = follows & (arm.candidate is not None)
    outside: Names = np.full(len(frame), "", dtype=object)
    why: Drivers | None = None
    places = np.flatnonzero(ours & queued)
    if arm.candidate is not None and len(places):
        model = Predictor.load(arm.candidate.directory)
        tickets = log.tickets.set_index("ticket", drop=False).loc[frame["ticket"].to_numpy()[places]]
        outside[places] = model.outside(log, tickets)
        if explained is None or explained > 0:
            chosen = sample(len(places), explained, charter.seed)
            why = _drivers(model, policy_of(arm.charter).urgency, log, tickets.iloc[chosen], places[chosen])
    return Account(
        decisions=frame,
        column=DECISION,
        by_model=ours,
        incumbent=today.loc[pd.MultiIndex.from_frame(frame[list(ABOUT)])].to_numpy(dtype=np.float64),
        outside=outside,
        standing=np.zeros(len(frame)),
        cutoff=(pd.Timestamp(log.origin) + pd.Timedelta(weeks=log.weeks - 1)).date(),
        drivers=why,
        about=ABOUT,
        ranked=np.where(queued, frame["team"].to_numpy(dtype=object), ""),
    )


def _free(arm: Arm) -> Arm:
    """The arm without limits of amounts: what they change is counted elsewhere."""
    compliance = arm.charter.compliance
    limits = compliance.limits.model_copy(update={"max_change": None, "cap": None})
    charter = arm.charter.model_copy(update={"compliance": compliance.model_copy(update={"limits": limits})})
    return Arm(arm.name, charter, arm.candidate, arm.baseline)


def _drivers(model: Predictor, weight: float, log: Log, tickets: pd.DataFrame, places: Ints) -> Drivers:
    """The features that moved a ticket's predicted hours and urgency, those that move its place most first.

    The index of a ticket is its cost of delay, ``1 - weight + weight * urgency``, over its hours: a share of the
    logarithm of hours lowers the logarithm of the index by as much, one of urgency raises it by its part of the cost.
    """
    rows, _ = features(log, tickets, model.groups)
    hours, urgency = model.hours.shares(rows), model.urgency.shares(rows)
    gap = max(
        float(np.abs(shares.sum(axis=1) - scorer.score(rows)).max(initial=0.0))
        for shares, scorer in ((hours, model.hours), (urgency, model.urgency))
    )
    relative = np.exp(model.urgency.score(rows)) / model.mean_urgency
    part = weight * relative / (1 - weight + weight * relative)
    names, by_hours = _by_source(model.names, hours[:, :-1])
    _, by_urgency = _by_source(model.names, urgency[:, :-1])
    every = np.array([f"{name} (hours)" for name in names] + [f"{name} (urgency)" for name in names], dtype=object)
    shares = np.hstack([by_hours, by_urgency])
    moves = np.abs(np.hstack([by_hours, by_urgency * part[:, None]]))
    order = np.argsort(-moves, axis=1, kind="stable")[:, :NAMED]
    top = np.take_along_axis(shares, order, axis=1)
    moved = np.take_along_axis(moves, order, axis=1) > 0
    return Drivers(places, np.where(moved, every[order], ""), np.exp(top), gap)


def _by_source(names: tuple[str, ...], shares: Floats) -> tuple[list[str], Floats]:
    """Names of what features are made of, and (N, sources) the shares of all features of each."""
    sources = [next((one for one in _ONE_HOT if name.startswith(f"{one}_")), name) for name in names]
    distinct = list(dict.fromkeys(sources))
    total = np.zeros((len(shares), len(distinct)))
    for feature, source in enumerate(sources):
        total[:, distinct.index(source)] += shares[:, feature]
    return distinct, total
