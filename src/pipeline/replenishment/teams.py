"""Who orders what in the field: arms as deciders, the stores that follow them, and what the scope leaves out."""

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.charter import Charter
from pipeline.problems.base import Arm
from pipeline.replenishment.baselines import baseline
from pipeline.replenishment.candidates import model_decider
from pipeline.replenishment.chain import together
from pipeline.replenishment.field import Players
from pipeline.replenishment.forecast import LightGBMForecaster
from pipeline.replenishment.limiting import within
from pipeline.replenishment.panel import Bools, Ints, Panel
from pipeline.replenishment.parameters import business_of, policy_of
from pipeline.replenishment.replay import Decide

#: Names of the series that follow an arm, and of those that do not, in all parts of a chain.
ASKED, OTHERS = "asked", "others"


def players(charter: Charter, arms: Sequence[Arm], treated: str, units: Sequence[str], panel: Panel) -> Players:
    """The arms as deciders of the units' series; series the scope leaves out stay with today's rule."""
    stores = panel.series["store"].isin(list(units)).to_numpy()
    counted = stores & ~leaves_out(panel, charter.scope.leave_out)
    deciders = {arm.name: None if arm.baseline == "incumbent" else bounded(arm, panel, counted) for arm in arms}
    return Players(deciders, treated, counted, counted)


def bounded(arm: Arm, panel: Panel, asked: Bools) -> Decide:
    """The arm as :func:`decider`; a model within the limits of its charter, as it is when it serves."""
    decide = decider(arm, panel, asked)
    if arm.candidate is None or not arm.charter.compliance.limits.any:
        return decide
    rest = Arm("rest", arm.charter, baseline=arm.charter.kpi.baseline.policy)
    model = LightGBMForecaster.load(arm.candidate.directory)
    return within(arm.charter, model, decide, decider(rest, panel, asked), asked)


def decider(arm: Arm, panel: Panel, asked: Bools, view: str = "") -> Decide:
    """An arm as a decider that answers for the asked series and orders nothing for the rest.

    ``view`` names the asked series where the panel may be a part of a chain: the same choice in all parts.

    A model that was trained on the stage's stores sees these only, one that was trained on all sees all, so that its
    group means are of the kind it has learned. Rules of thumb see the whole chain, as planners do; the seasonal
    average, which is calibrated, keeps to the asked series.
    """
    if arm.candidate is not None:
        model = LightGBMForecaster.load(arm.candidate.directory)
        if arm.charter.model.train_on == "all":
            return model_decider(model, policy_of(arm.charter), business_of(arm.charter).critical_ratio, asked)
        decide = model_decider(model, policy_of(arm.charter), business_of(arm.charter).critical_ratio)
        return narrowed(decide, asked, view)
    if arm.baseline is None:
        raise ValueError(f"arm {arm.name} has neither a model nor a baseline")
    if arm.baseline == "seasonal_average":
        return narrowed(_rule(arm, arm.baseline, panel.take(asked, view)), asked, view)
    rule = _rule(arm, arm.baseline, panel)
    return lambda seen: np.where(asked, rule(seen), 0)


def _rule(arm: Arm, name: str, panel: Panel) -> Decide:
    return baseline(name, panel, business_of(arm.charter), policy_of(arm.charter))


def narrowed(decide: Decide, asked: Bools, view: str = "") -> Decide:
    """The decider on the asked series alone."""

    def narrow(panel: Panel) -> Ints:
        orders = np.zeros(panel.size, np.int64)
        orders[asked] = decide(panel.take(asked, view))
        return orders

    return narrow


def orders_of(charter: Charter, arm: Arm, units: Sequence[str] | None, panel: Panel) -> Ints:
    """(N,) next orders: the arm's for the units, the charter's baseline for the rest and for what is left out."""
    asked = asked_of(charter, units, panel)
    # Asked of the whole chain: every part of it must take the same way.
    ours, others = together(lambda: panel.chain.some((ASKED,), asked), lambda: panel.chain.some((OTHERS,), ~asked))
    orders = decider(arm, panel, asked, ASKED)(panel) if ours else np.zeros(panel.size, np.int64)
    if others:
        rest = Arm("rest", charter, baseline=charter.kpi.baseline.policy)
        orders = np.where(asked, orders, decider(rest, panel, ~asked, OTHERS)(panel))
    return np.where(panel.listed[-1], orders, 0)


def asked_of(charter: Charter, units: Sequence[str] | None, panel: Panel) -> Bools:
    """(N,) whether a series is of the units, all of them for None, and not left out by the scope."""
    out = leaves_out(panel, charter.scope.leave_out)
    return ~out if units is None else ~out & panel.series["store"].isin(list(units)).to_numpy()


def without(panel: Panel, left_out: Mapping[str, Sequence[str]]) -> Panel:
    """The panel without the series the charter's scope leaves out."""
    out = leaves_out(panel, left_out)
    return panel.take(~out) if out.any() else panel


def leaves_out(panel: Panel, left_out: Mapping[str, Sequence[str]]) -> Bools:
    """(N,) whether the charter's scope leaves the series out."""
    out = np.zeros(panel.size, np.bool_)
    for column, values in left_out.items():
        if column in panel.series.columns:
            out |= panel.series[column].isin(list(values)).to_numpy()
    return out
