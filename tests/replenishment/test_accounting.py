"""What is said of single orders: it is about the orders that are placed, it adds up, and hindsight counts right."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from pipeline.problems.base import Accountable, Arm
from pipeline.replenishment.accounting import saved, told
from pipeline.replenishment.candidates import forecaster
from pipeline.replenishment.forecast import LightGBMForecaster
from pipeline.replenishment.parameters import Business
from tests.replenishment.made import made_panel
from tests.replenishment.test_problem import loaded


def test_the_account_is_of_the_orders_that_are_placed(problem, rules, place, model):
    assert isinstance(problem, Accountable)
    account = problem.account(rules, place, model, ("1", "2"))
    assert account.decisions.equals(problem.decide(rules, place, model, ("1", "2")))
    assert account.keys == ["Store", "Product"]
    today = problem.decide(rules, place, Arm("b", rules, baseline="official_benchmark"))
    assert account.incumbent.tolist() == today[account.column].tolist()
    assert account.by_model.tolist() == account.decisions["Store"].isin([1, 2]).tolist()
    assert account.amounts[~account.by_model].tolist() == account.incumbent[~account.by_model].tolist()
    assert account.drivers is None


def test_the_same_is_said_of_stored_tables_as_of_the_source(problem, rules, place, model):
    data = loaded(problem, rules, place)
    there = problem.account(rules, place, model, None, explained=None)
    here = problem.account(rules, place, model, None, dataset=data, explained=None)
    assert there.decisions.equals(here.decisions)
    assert there.cutoff == data.cutoff == here.cutoff
    assert there.drivers.names.tolist() == here.drivers.names.tolist()


def test_contributions_add_up_to_the_forecast_and_the_strongest_come_first(problem, rules, place, model):
    drivers = problem.account(rules, place, model, None, explained=None).drivers
    assert len(drivers.rows) == 16
    assert drivers.gap < 1e-6
    strength = np.abs(np.log(drivers.effects))
    assert (np.diff(strength, axis=1) <= 1e-12).all()
    assert "horizon" not in drivers.names
    few = problem.account(rules, place, model, None, explained=5).drivers
    assert len(few.rows) == 5
    again = problem.account(rules, place, model, None, explained=5).drivers
    assert few.rows.tolist() == again.rows.tolist()


def test_a_case_the_model_never_saw_is_named(tmp_path, rules):
    panel = made_panel()
    spec = rules.model.candidates[0]
    fitted: LightGBMForecaster = forecaster(rules, spec).fit(panel)
    fitted.save(tmp_path)
    candidate = type("Candidate", (), {"directory": tmp_path})()
    arm = Arm("m", rules, candidate)
    usual = told(rules, arm, None, 0, panel)
    huge = replace(panel, sales=panel.sales * 1000)
    strange = told(rules, arm, None, 0, huge)
    assert (usual.outside == "").mean() > 0.5
    assert (strange.outside[strange.by_model] != "").all()
    assert "log_level" in strange.outside


COSTS = Business(lead_time=2, holding_cost=0.2, shortage_cost=1.0)


@pytest.mark.parametrize(
    ("sold", "in_stock", "standing", "model", "person", "expected"),
    [
        ((3, 5), True, 4, 4, 10, 0.2 * 0 + 0.0 - 0.0),  # filled in below: the stock left from 4 after 3 is 1
        ((3, 5), True, 4, 2, 4, 2.0),                   # the model's 3 units miss 2 of 5, the person's 5 miss none
        ((3, 5), True, 4, 4, 14, -2.0),                 # ten units too many for a week at 0.2
        ((9, 5), True, 4, 5, 5, 0.0),                   # what was sold before cannot leave less than nothing
        ((3, 5), False, 4, 2, 6, 4.0),                  # sold out: four units more were surely asked for
        ((3, 5), False, 4, 6, 2, np.nan),               # sold out after a cut: nobody knows
    ],
)  # fmt: skip
def test_hindsight_counts_the_week_of_delivery(sold, in_stock, standing, model, person, expected):
    panel = made_panel(weeks=40, lead_time=2)
    sales, stocked = panel.sales.copy(), panel.in_stock.copy()
    sales[-2:, 7], stocked[-1, 7] = sold, in_stock
    panel = replace(panel, sales=sales, in_stock=stocked)
    if (model, person) == (4, 10):
        expected = -0.2 * 6  # both fill the 5 asked for; six more units lie a week longer
    line = {
        "store": panel.series["store"][7], "product": panel.series["product"][7],
        "cutoff": panel.weeks[-3].astype("datetime64[D]").item(), "model": model, "quantity": person,
        "standing": standing,
    }  # fmt: skip
    found = saved(COSTS, panel, pd.DataFrame([line]))
    assert found.tolist() == pytest.approx([expected], nan_ok=True)


def test_what_is_not_over_yet_or_not_known_cannot_be_told():
    panel = made_panel(weeks=40, lead_time=2)
    base = {"store": "S0", "product": "P1", "model": 1, "quantity": 2, "standing": 0}
    newest = panel.weeks[-1].astype("datetime64[D]").item()
    lines = [{**base, "cutoff": newest}, {**base, "cutoff": date(1999, 1, 4)}, {**base, "store": "X", "cutoff": newest}]
    assert np.isnan(saved(COSTS, panel, pd.DataFrame(lines))).all()


def test_an_order_left_as_it_was_saves_nothing(problem, rules, place):
    data = loaded(problem, rules, place)
    cutoff = sorted(data.tables["sales"]["week"].unique())[-5]
    first = data.tables["sales"].iloc[0]
    key = {"Store": first["store"], "Product": first["product"], "cutoff": cutoff.date()}
    line = {**key, "model": 0.0, "quantity": 0.0, "standing": 1.0}
    found = problem.hindsight(rules, data, pd.DataFrame([line]))
    assert found["saved"].tolist() == [0.0]
