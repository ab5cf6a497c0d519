"""Limits of decisions: whatever the model says, what leaves is within them, and today's rule is never touched."""

from dataclasses import replace

import numpy as np
import pandas as pd
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.charter.compliance import DecisionLimits
from pipeline.compliance.limits import limited
from tests.compliance.conftest import account

amounts = st.integers(0, 10_000)
rows = st.lists(st.tuples(amounts, amounts, st.booleans(), st.booleans()), min_size=1, max_size=30)
bounds = st.builds(
    DecisionLimits,
    max_change=st.none() | st.floats(0.01, 5),
    free_units=st.floats(0, 50),
    cap=st.none() | st.floats(1, 9_000),
    outside_training=st.sampled_from(["allow", "refuse"]),
)


@given(rows, bounds)
@example([(1, 5, True, True)], DecisionLimits(cap=1.5, outside_training="refuse"))
def test_every_decision_of_the_model_ends_within_its_limits(table, limits):
    orders, incumbent, ours, outside = (list(column) for column in zip(*table, strict=True))
    given = replace(
        account(),
        decisions=pd.DataFrame({"store": range(len(orders)), "order": orders}),
        incumbent=np.array(incumbent, dtype=float),
        by_model=np.array(ours),
        outside=np.array(["level" if one else "" for one in outside], dtype=object),
    )
    held = limited(given, limits)
    for place, value in enumerate(held.amounts):
        today = incumbent[place]
        if not ours[place]:
            assert value == orders[place]
            continue
        assert value == int(value) >= 0
        capped = limits.cap is not None and value == np.floor(limits.cap)
        assert limits.cap is None or value <= limits.cap
        if limits.outside_training == "refuse" and outside[place]:
            assert value == today or capped
        if limits.max_change is not None and not capped:
            assert abs(value - today) <= max(limits.max_change * today, limits.free_units) + 1e-9
        assert (held.why[place] != "") == (value != orders[place])


@given(rows)
def test_without_limits_nothing_changes(table):
    orders = [row[0] for row in table]
    given = replace(
        account(),
        decisions=pd.DataFrame({"store": range(len(orders)), "order": orders}),
        incumbent=np.array([row[1] for row in table], dtype=float),
        by_model=np.ones(len(orders), bool),
        outside=np.full(len(orders), "level", dtype=object),
    )
    held = limited(given, DecisionLimits())
    assert held.changed == 0
    assert held.amounts.tolist() == orders
