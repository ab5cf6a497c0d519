"""Matching: balanced where it can be, said where it cannot, and blind to everything after the cutoff."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import Refused
from pipeline.evaluation.observed import Observed
from pipeline.rollout.matching import ASKED, TOLERATED, describe, match
from tests.rollout.worlds import GOAL, START, Chain

CHAIN = Chain.drawn(11, 120)
OBSERVED = CHAIN.observed()
NAMES = CHAIN.names


def pick(observed=OBSERVED, treated=NAMES[:5], controls=10, seed=4, eligible=NAMES):
    return match(
        observed, GOAL, treated=treated, eligible=eligible, controls=controls, start=START, periods=26, seed=seed
    )


def means_apart(observed, found):
    """Standardised mean differences by hand, over all units that were at hand."""
    table = describe(observed, GOAL, start=START, periods=26)
    spread = table.std(ddof=1)
    return (table.loc[list(found.treated)].mean() - table.loc[list(found.controls)].mean()) / spread


@pytest.mark.parametrize(("treated", "controls"), [(5, 10), (5, 7), (40, 30), (30, 60)])
def test_controls_are_balanced_and_the_figures_are_those_of_the_groups(treated, controls):
    found = pick(treated=NAMES[:treated], controls=controls)
    assert len(found.controls) == controls == len(set(found.controls))
    assert not set(found.controls) & set(found.treated)
    by_hand = means_apart(OBSERVED, found)
    for item in found.balance:
        assert item.after == pytest.approx(by_hand[item.covariate])
    assert abs(found.worst.after) <= ASKED
    assert max(abs(item.before) for item in found.balance) > ASKED


def test_where_balance_is_out_of_reach_the_best_found_is_told():
    """The five worst stores have no equals; what is found is still better than any of many random picks."""
    level = describe(OBSERVED, GOAL, start=START, periods=26)["level"].sort_values()
    treated = sorted(level.index[-5:])
    found = pick(treated=treated)
    assert abs(found.worst.after) > TOLERATED
    rest = [name for name in NAMES if name not in treated]
    rng = np.random.default_rng(0)
    table = describe(OBSERVED, GOAL, start=START, periods=26)
    goal, spread = table.loc[treated].mean(), table.std(ddof=1)
    random = [((goal - table.loc[rng.choice(rest, 10, replace=False)].mean()) / spread).abs().max() for _ in range(300)]
    assert abs(found.worst.after) <= min(random)


def test_the_same_seed_picks_the_same_and_the_order_of_rows_does_not_matter():
    shuffled = Observed(OBSERVED.frame.sample(frac=1, random_state=3), OBSERVED.slices, OBSERVED.volume)
    assert pick() == pick() == pick(shuffled, treated=NAMES[:5][::-1], eligible=NAMES[::-1])


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    factor=st.floats(0, 50, allow_nan=False),
    treated=st.integers(1, 12),
    controls=st.integers(1, 20),
)
def test_nothing_after_the_cutoff_is_looked_at(seed, factor, treated, controls):
    """Changing, dropping and adding rows from the release on changes no pick and no figure."""
    rng = np.random.default_rng(seed)
    frame = OBSERVED.frame.copy()
    later = frame["period"] >= START
    for column in ("out", "cells", "stock", "sold"):
        frame.loc[later, column] = rng.random(int(later.sum())) * factor
    frame.loc[later, "region"] = "nowhere"
    changed = Observed(frame[~later | (rng.random(len(frame)) < 0.5)], OBSERVED.slices, OBSERVED.volume)
    units = list(rng.choice(NAMES, treated, replace=False))
    assert pick(OBSERVED, units, controls, seed) == pick(changed, units, controls, seed)


def test_what_came_before_does_matter():
    frame = OBSERVED.frame.copy()
    earlier = (frame["period"] < START) & frame["unit"].isin(pick().controls)
    frame.loc[earlier, "out"] = frame.loc[earlier, "cells"]
    assert pick(Observed(frame, OBSERVED.slices, OBSERVED.volume)).controls != pick().controls


def test_a_unit_without_history_is_neither_compared_nor_a_control():
    frame = OBSERVED.frame
    new = frame["unit"].isin([NAMES[0], NAMES[50]]) & (frame["period"] < START)
    found = pick(Observed(frame[~new], OBSERVED.slices, OBSERVED.volume))
    assert found.unmeasured == (NAMES[0],)
    assert NAMES[0] not in found.treated
    assert NAMES[50] not in found.controls


def test_too_few_eligible_units_are_refused_with_their_number():
    with pytest.raises(Refused, match="8 units with history stay"):
        pick(eligible=NAMES[:13])
    with pytest.raises(Refused, match="none of the 1 units has figures"):
        pick(treated=["S999"])
