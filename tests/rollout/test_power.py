"""Power: what is promised to be found is found so often, and what cannot be found is said."""

import math

import numpy as np
import pytest

from pipeline.evaluation.did import change, effect
from pipeline.evaluation.observed import Cube
from pipeline.rollout.power import power
from tests.rollout.worlds import GOAL, START, Chain, weeks

HISTORY = Chain.drawn(2, 120, before=104, after=0).observed()


def ask(treated=5, controls=10, planned=13, wanted=0.04, observed=HISTORY, **options):
    return power(
        observed, GOAL, treated=treated, controls=controls, planned=planned, before=26, wanted=wanted, start=START,
        **options,
    )  # fmt: skip


@pytest.mark.parametrize(("treated", "controls"), [(5, 10), (20, 30)])
def test_the_least_effect_is_found_in_four_of_five_worlds(treated, controls):
    found = ask(treated, controls)
    hits, worlds = 0, 150
    before, after = weeks(26, 13)[:26], weeks(26, 13)[26:]
    for seed in range(worlds):
        chain = Chain.drawn(500 + seed, treated + controls)
        cube = Cube(chain.observed(chain.names[:treated], -found.least).frame, ["out", "cells"])
        spans = [[cube.sums(GOAL, names, span) for span in (before, after)] for names in
                 (chain.names[:treated], chain.names[treated:])]  # fmt: skip
        hits += effect(change(*spans[0], seed), change(*spans[1], seed + 1)).high < 0
    assert 0.70 <= hits / worlds <= 0.90


def test_more_units_controls_and_periods_detect_less_and_the_needed_periods_are_the_first_that_do():
    assert ask(20, 30).least < ask(5, 30).least < ask(5, 10).least
    assert ask(planned=26).least < ask(planned=4).least
    found = ask(10, 20, wanted=0.03)
    assert found.needed is not None
    assert ask(10, 20, planned=found.needed).least <= 0.03 < ask(10, 20, planned=found.needed - 1).least
    assert ask(10, 20, planned=found.needed, wanted=-0.03).enough
    assert not ask(10, 20, planned=found.needed - 1, wanted=0.03).enough


def test_periods_nothing_can_reach_do_not_count():
    assert ask(planned=5, skip=1).least > ask(planned=5).least
    assert math.isinf(ask(planned=1, skip=1).least)


def test_only_what_lies_before_the_release_is_looked_at():
    chain = Chain.drawn(2, 60, before=78, after=26)
    first = chain.observed()
    frame = first.frame.copy()
    frame.loc[frame["period"] >= START, "out"] = 0.0
    assert ask(observed=first) == ask(observed=type(first)(frame, first.slices, first.volume))


def test_the_sentence_says_what_can_be_told_what_not_and_what_it_takes():
    can, cannot, never = ask(20, 30), ask(5, 10, planned=2, wanted=0.03), ask(5, 10, wanted=0.001)
    assert can.sentence("stores", "week").endswith(f"The effect asked for, +4.0 points, takes {can.needed} weeks.")
    assert "cannot detect the effect asked for, +3.0 points" in cannot.sentence("stores", "week")
    assert f"That takes {cannot.needed} weeks" in cannot.sentence("stores", "week")
    assert never.needed is None
    assert "78 weeks, the most that history can show" in never.sentence("stores", "week")
    assert "cannot be told" in ask(1, 10).sentence("stores", "week")


def test_variance_is_that_of_the_units_changes():
    """Against a plain recomputation at one moment: where there is one moment only, nothing is averaged."""
    chain = Chain.drawn(8, 40, before=30, after=0)
    observed = chain.observed()
    found = ask(8, 8, planned=4, observed=observed)
    table = observed.frame.pivot_table(index="unit", columns="period", values=["out", "cells"], aggfunc="sum")
    spans = []
    for part in (slice(0, 26), slice(26, 30)):
        out, cells = (table[name].to_numpy()[:, part].sum(axis=1) for name in ("out", "cells"))
        spans.append((out - out.sum() / cells.sum() * cells) / cells.mean())
    spread = np.std(spans[1] - spans[0], ddof=1)
    from scipy import stats

    reach = stats.t.ppf(0.975, 14) + stats.t.ppf(0.8, 14)
    assert found.least == pytest.approx(reach * spread * np.sqrt(2 / 8))
