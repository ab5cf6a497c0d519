import math
import sqlite3
from collections.abc import Callable
from dataclasses import replace

import pytest

from pipeline.charter import Charter
from pipeline.errors import CharterError, DataError
from pipeline.evaluation.kpis import effect, evaluate, possible, summary
from pipeline.evaluation.outcomes import Interval, KpiDefinition, Outcomes

Play = Callable[..., Outcomes]
Offer = dict[str, KpiDefinition]


RATES = {"small": 0.04, "baseline:today": 0.08}


def test_values_agree_with_sql_over_the_same_rows(charter: Charter, played: Play, offer: Offer) -> None:
    outcomes = played(RATES)
    found = evaluate(charter, offer, outcomes, "small", "baseline:today", seed=1)
    database = sqlite3.connect(":memory:")
    outcomes.frame.to_sql("played", database, index=False)
    query = "select sum(out) / sum(cells), sum(stock) / sum(cells) from played where arm = ?"
    for arm, side in (("small", "value"), ("baseline:today", "baseline")):
        rate, stock = database.execute(query, (arm,)).fetchone()
        assert getattr(found.kpi("stockout_rate"), side).value == pytest.approx(rate)
        assert getattr(found.kpi("inventory"), side).value == pytest.approx(stock)
    worst = database.execute(
        "select unit, sum(out) / sum(cells) rate from played where arm = 'small' group by unit order by rate desc, unit"
    ).fetchall()
    database.close()
    assert [(row.value, pytest.approx(row.arm)) for row in found.units] == worst


def test_the_goal_comes_first_then_guardrails_then_the_rest(charter: Charter, played: Play, offer: Offer) -> None:
    extra = replace(offer["inventory"], name="extra")
    found = evaluate(charter, {"extra": extra, **offer}, played(RATES), "small", "baseline:today", seed=1)
    assert [result.kpi.name for result in found.kpis] == ["stockout_rate", "inventory", "margin", "extra"]


def test_a_clear_gain_has_its_paired_interval_below_zero(charter: Charter, played: Play, offer: Offer) -> None:
    goal = evaluate(charter, offer, played(RATES), "small", "baseline:today", seed=1).kpi("stockout_rate")
    assert goal.difference.high < 0
    assert goal.value.low < goal.value.value < goal.value.high
    assert goal.units == 20


def test_an_arm_beside_itself_differs_by_exactly_nothing(charter: Charter, played: Play, offer: Offer) -> None:
    goal = evaluate(charter, offer, played(RATES), "small", "small", seed=1).kpi("stockout_rate")
    assert (goal.difference.low, goal.difference.value, goal.difference.high) == (0, 0, 0)


def test_slices_are_worst_first_and_weigh_one_in_all(charter: Charter, played: Play, offer: Offer) -> None:
    outcomes = played(RATES)
    frame = outcomes.frame.copy()
    frame.loc[frame["category"] == "B", "out"] *= 2
    found = evaluate(charter, offer, replace(outcomes, frame=frame), "small", "baseline:today", seed=1)
    assert [(part.slice, part.value) for part in found.slices] == [("category", "B"), ("category", "A")]
    assert sum(part.weight for part in found.slices) == pytest.approx(1)


def test_a_unit_without_denominator_comes_last(charter: Charter, played: Play, offer: Offer) -> None:
    outcomes = played(RATES, units=6)
    frame = outcomes.frame.copy()
    frame.loc[frame["unit"] == "S003", ["out", "cells", "stock"]] = 0.0
    found = evaluate(charter, offer, replace(outcomes, frame=frame), "small", "baseline:today", seed=1)
    assert found.units[-1].value == "S003"
    assert math.isnan(found.units[-1].arm)
    assert math.isfinite(found.kpi("stockout_rate").value.high)


def test_the_same_seed_gives_the_same_figures_in_any_row_order(charter: Charter, played: Play, offer: Offer) -> None:
    outcomes = played(RATES)
    shuffled = replace(outcomes, frame=outcomes.frame.sample(frac=1, random_state=3))
    first, second = (evaluate(charter, offer, o, "small", "baseline:today", seed=1) for o in (outcomes, shuffled))
    for one, other in zip(first.kpis, second.kpis, strict=True):
        assert one.value.low == pytest.approx(other.value.low)
        assert one.difference.high == pytest.approx(other.difference.high)
    assert [unit.value for unit in first.units] == [unit.value for unit in second.units]


def test_an_effect_is_the_paired_difference_of_two_arms(played: Play, offer: Offer) -> None:
    outcomes = played({"with": 0.04, "without": 0.05})
    found = effect("F1", offer["stockout_rate"], outcomes, "with", "without", seed=1)
    assert found.difference.value == pytest.approx(found.with_item.value - found.without_item.value)
    assert found.difference.high < 0


def test_the_summary_has_a_row_for_every_arm_and_kpi(played: Play, offer: Offer) -> None:
    table = summary(played({**RATES, "baseline:naive": 0.1}), offer, seed=1)
    assert len(table) == 9
    assert list(table["arm"].unique()) == ["small", "baseline:today", "baseline:naive"]
    assert (table["low"] <= table["value"]).all()
    assert (table["value"] <= table["high"]).all()


def without(outcomes: Outcomes, column: str) -> Outcomes:
    return replace(outcomes, frame=outcomes.frame.drop(columns=column))


def test_bad_outcomes_are_refused_with_all_that_is_wrong(charter: Charter, played: Play, offer: Offer) -> None:
    outcomes = played(RATES)
    with pytest.raises(DataError, match=r"arm large.*not played[\s\S]*column stock: it is missing"):
        evaluate(charter, offer, without(outcomes, "stock"), "large", "baseline:today", seed=1)
    frame = outcomes.frame.copy()
    frame.loc[0, "out"] = math.nan
    with pytest.raises(DataError, match="not finite"):
        evaluate(charter, offer, replace(outcomes, frame=frame), "small", "baseline:today", seed=1)


def test_arms_on_different_units_are_refused(charter: Charter, played: Play, offer: Offer) -> None:
    outcomes = played(RATES)
    odd = (outcomes.frame["arm"] == "small") & (outcomes.frame["unit"] == "S004")
    with pytest.raises(DataError, match="S004"):
        evaluate(charter, offer, replace(outcomes, frame=outcomes.frame[~odd]), "small", "baseline:today", seed=1)


def test_a_kpi_nobody_offers_is_refused_with_those_on_offer(charter: Charter, played: Play, offer: Offer) -> None:
    offered = {"stockout_rate": offer["stockout_rate"]}
    with pytest.raises(CharterError, match=r"guardrails\[0\].name[\s\S]*write one of: stockout_rate"):
        evaluate(charter, offered, played(RATES), "small", "baseline:today", seed=1)


def test_a_share_never_leaves_nought_to_one_and_other_units_are_left_alone():
    wide = Interval(0.02, -0.05, 1.3)
    assert possible(wide, "share") == Interval(0.02, 0.0, 1.0)
    assert possible(wide, "days") == wide
    unbounded = Interval(0.02, -math.inf, math.inf)
    assert possible(unbounded, "share") == unbounded
