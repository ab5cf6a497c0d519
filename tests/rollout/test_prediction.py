"""Prediction intervals: each source of variance by hand, and how often they hold what comes in known worlds."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pipeline.evaluation.did import alone, ratios
from pipeline.evaluation.observed import Observed
from pipeline.evaluation.outcomes import Interval
from pipeline.rollout.effect import level
from pipeline.rollout.prediction import Figure, Swing, predicted, swing
from tests.rollout.worlds import GOAL

STILL = Swing(0.0, 9)
FIGURE = Figure(Interval(0.10, 0.08, 0.12), units=10, periods=14)


def history(rates, cells=100):
    """All of ``rates`` (units, weeks) as what was observed."""
    units, length = rates.shape
    first = np.datetime64("2024-01-01")
    return Observed(
        pd.DataFrame(
            {
                "unit": np.repeat([f"S{unit:03d}" for unit in range(units)], length),
                "period": np.tile([str(first + np.timedelta64(7 * week, "D")) for week in range(length)], units),
                "out": rates.ravel() * cells,
                "cells": float(cells),
                "sold": 1.0,
            }
        ),
        (), "sold",
    )  # fmt: skip


def relative(interval):
    return math.log(interval.high / interval.value)


def test_the_figures_own_error_and_the_fields_units_are_those_of_the_textbook():
    """Without any swing of the periods: samples of ten and forty units; nine spans, so eight degrees of freedom."""
    found = predicted(FIGURE, 40, GOAL, STILL, STILL)
    error = 0.02 / stats.t.ppf(0.975, 9) / 0.10
    assert relative(found) == pytest.approx(stats.t.ppf(0.975, 8) * error * math.sqrt(1 + 10 / 40))
    assert found.value == 0.10
    assert found.low == pytest.approx(0.10**2 / found.high)


def test_more_units_in_the_field_narrow_it_down_to_what_is_not_known_and_quarters_widen_it():
    widths = [relative(predicted(FIGURE, units, GOAL, STILL, STILL)) for units in (2, 10, 300)]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] > math.log(FIGURE.value.high / FIGURE.value.value) * 0.99
    restless = predicted(FIGURE, 300, GOAL, Swing(0.1, 9), Swing(0.2, 9))
    assert relative(restless) > widths[-1]
    # Hundreds of units do not make quarters equal.
    many = predicted(replace(FIGURE, value=Interval(0.10, 0.0999, 0.1001)), 10_000, GOAL, STILL, Swing(0.2, 9))
    assert relative(many) == pytest.approx(stats.t.ppf(0.975, 8) * 0.2, rel=0.01)


def test_what_nobody_can_tell_is_unbounded_and_a_share_stays_one():
    nothing = [
        predicted(replace(FIGURE, units=1), 5, GOAL, STILL, STILL),
        predicted(FIGURE, 5, GOAL, STILL, Swing(math.inf, 2)),
        predicted(replace(FIGURE, value=Interval(0.1, -math.inf, math.inf)), 5, GOAL, STILL, STILL),
        predicted(replace(FIGURE, value=Interval(0.0, 0.0, 0.0)), 5, GOAL, STILL, STILL),
    ]
    assert {(one.low, one.high) for one in nothing} == {(-math.inf, math.inf)}
    assert math.isfinite(predicted(FIGURE, 1, GOAL, STILL, STILL).high)  # one unit in the field is a measurement
    assert predicted(replace(FIGURE, value=Interval(0.9, 0.7, 1.0)), 2, GOAL, STILL, STILL).high == 1.0


def test_the_swing_is_that_of_whole_spans_that_end_with_the_newest_week():
    rates = np.random.default_rng(1).uniform(0.05, 0.2, (6, 41))
    found = swing(history(rates), GOAL, 13)
    spans = rates[:, 2:].mean(axis=0).reshape(3, 13).mean(axis=1)
    assert found.spans == 3
    assert found.relative == pytest.approx(spans.std(ddof=1) / spans.mean())
    # A longer span than three of which history holds: three as long as can be.
    assert swing(history(rates), GOAL, 14) == swing(history(rates), GOAL, 400) == found
    assert math.isinf(swing(history(rates[:, :2]), GOAL, 14).relative)
    assert math.isinf(swing(history(rates), GOAL, 0).relative)


def drawn(seed, units, weeks):
    """Rates of stores that differ for good and from game to game, in quarters that differ for all of them alike."""
    rng = np.random.default_rng(seed)
    quarter = rng.normal(0, 0.15, weeks)
    noise = rng.normal(0, 0.3, (units, weeks))
    for values in (quarter, noise.T):
        for week in range(1, weeks):
            values[week] = 0.85 * values[week - 1] + math.sqrt(1 - 0.85**2) * values[week]
    return 0.08 * np.exp(rng.normal(0, 0.35, (units, 1)) + quarter + noise)


def kept(seed, before, later):
    """Whether the field lies in the prediction interval, and in the confidence interval that was promised before."""
    rates = drawn(seed, before + later + 60, 130 + 14 + 13)
    cells = np.full(len(rates), 400.0)
    promise = np.stack([rates[:before, 130:144].mean(axis=1) * cells[:before], cells[:before]], axis=1)
    figure = alone(level(promise, seed))
    field = rates[before : before + later, 144:]
    gave = float(ratios(np.stack([field.mean(axis=1).sum(), float(later)])[None, :])[0])
    told = history(rates[:, :130])
    found = predicted(Figure(figure, before, 14), later, GOAL, swing(told, GOAL, 14), swing(told, GOAL, 13))
    return found.low <= gave <= found.high, figure.low <= gave <= figure.high


SIZES = [(5, 5), (5, 50), (50, 250)]


@pytest.mark.proof
@pytest.mark.parametrize(("before", "later"), SIZES)
def test_nineteen_of_twenty_promises_are_kept(before, later, capsys):
    worlds = 200
    held, plain = np.mean([kept(1000 + seed, before, later) for seed in range(worlds)], axis=0)
    with capsys.disabled():
        print(f"\n{before} units promise for {later}: {held:.1%} of {worlds} kept; as confidence intervals {plain:.1%}")  # noqa: T201
    assert 0.91 <= held <= 0.99
    assert plain < held


def test_a_kpi_that_no_books_tell_swings_without_bound_and_promises_nothing():
    """A cost of lost customers is on no record, so history cannot say how much its quarters differ."""
    unseen = replace(GOAL, numerator="lost")
    swung = swing(history(np.full((4, 30), 0.1)), unseen, 8)
    assert swung == Swing(math.inf, 0)
    assert math.isinf(predicted(FIGURE, 40, unseen, swung, swung).high)
