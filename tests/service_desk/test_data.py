"""The world's seeds, its exports, the contract that refuses what is broken, and the log made of the rest."""

import numpy as np
import pandas as pd
import pytest

from pipeline.datasets.contracts import apply_contracts
from pipeline.service_desk.clock import WEEK_HOURS, to_clock, to_time
from pipeline.service_desk.contract import contracts
from pipeline.service_desk.exports import EVENT_FAULTS, PER_FAULT, TICKET_FAULTS, export, tables_of
from pipeline.service_desk.log import EVENTS
from pipeline.service_desk.realised import observed
from pipeline.service_desk.tally import COMPONENTS, components
from pipeline.service_desk.world import tickets_of
from tests.service_desk.made import SPEC, dataset, founded, log

MONDAY = np.datetime64("2026-01-05")


def test_the_clock_runs_only_while_the_desk_is_open():
    """Against counting open minutes one by one."""
    draw = np.random.default_rng(3)
    minutes = MONDAY + np.arange(14 * 24 * 60).astype("timedelta64[m]")
    hour, day = np.arange(len(minutes)) // 60 % 24, np.arange(len(minutes)) // 1440 % 7
    passed = np.concatenate([[0], np.cumsum((hour >= 7) & (hour < 19) & (day < 6))]) / 60
    some = draw.integers(0, len(minutes), 400)
    np.testing.assert_allclose(to_clock(minutes[some].astype("datetime64[s]"), MONDAY), passed[some], atol=1e-9)


def test_moments_and_clock_are_each_others_inverse():
    clock = np.random.default_rng(4).uniform(0, 500, 300)
    np.testing.assert_allclose(to_clock(to_time(clock, MONDAY), MONDAY), clock, atol=1 / 3600)
    assert np.isnat(to_time(np.array([np.nan]), MONDAY)).all()


def test_a_week_is_the_same_however_it_is_reached():
    one, other = tickets_of(SPEC, 2, 9), tickets_of(SPEC, 2, 9)
    assert all((one[name] == other[name]).all() for name in one)
    assert not np.array_equal(one["work"][:20], tickets_of(SPEC, 3, 9)["work"][:20])


def test_nothing_that_is_only_true_is_exported(tmp_path):
    tables = tables_of(founded())
    assert not {"work", "chance", "draw", "away", "patience", "work_again"} & {
        name for table in tables.values() for name in table.columns
    }
    export(founded(), tmp_path / "one")
    export(founded(), tmp_path / "two")
    for name in tables:
        assert (tmp_path / "one" / f"{name}.parquet").read_bytes() == (
            tmp_path / "two" / f"{name}.parquet"
        ).read_bytes()


def test_the_contract_keeps_every_good_row_and_refuses_every_broken_one():
    raw = tables_of(founded())
    clean, quarantine = apply_contracts(raw, contracts(raw))
    assert quarantine.refused == {
        "tickets": len(TICKET_FAULTS) * PER_FAULT, "events": len(EVENT_FAULTS) * PER_FAULT, "shifts": 0, "teams": 0,
    }  # fmt: skip
    end = founded().clock * WEEK_HOURS
    came = founded().tickets["arrival"].between(SPEC.burn_in * WEEK_HOURS, end, inclusive="left")
    assert len(clean["tickets"]) == came.sum()


def test_the_log_says_what_happened():
    truth = founded().tickets.set_index("ticket")
    rows = log().tickets.set_index("ticket")
    same = truth.loc[rows.index]
    shift = SPEC.burn_in * WEEK_HOURS
    for name in ("arrival", "first", "closed"):
        np.testing.assert_allclose(rows[name], same[name] - shift, atol=1 / 1800)
    np.testing.assert_allclose(rows["spent"].dropna(), same["spent"][rows["spent"].notna()], atol=1e-4)
    back = same["reopened"].where(same["reopened"] < founded().clock * WEEK_HOURS)
    assert (rows["reopened"].isna() == back.isna()).all()


@pytest.mark.parametrize("weeks", [3, 9])
def test_a_log_cut_off_is_what_was_known_then(weeks):
    cut = log().upto(weeks)
    end = weeks * WEEK_HOURS
    assert cut.tickets["arrival"].max() < end
    assert all(np.nanmax(cut.tickets[name], initial=0.0) <= end for name in EVENTS)
    assert cut.tickets["spent"].notna().sum() == cut.tickets["closed"].notna().sum()
    assert log().upto(9).upto(weeks).tickets.equals(cut.tickets)


def test_components_of_weeks_add_up_to_those_of_their_span():
    tickets = log().tickets
    whole = components(tickets, 2 * WEEK_HOURS, 6 * WEEK_HOURS, 8.0)
    weekly = [components(tickets, week * WEEK_HOURS, (week + 1) * WEEK_HOURS, 8.0) for week in range(2, 6)]
    for name in COMPONENTS:
        np.testing.assert_allclose(sum(week[name] for week in weekly), whole[name], atol=1e-9)


def test_waits_counted_by_week_are_the_waits_of_tickets():
    """Every hour any ticket waited stands in one week, beside pandas on the tickets themselves."""
    found = observed(log(), 8.0, np.zeros(len(log().tickets), bool)).frame
    tickets = log().tickets
    waits = tickets["first"].fillna(log().weeks * WEEK_HOURS) - tickets["arrival"]
    assert found["response_hours"].sum() == pytest.approx(waits.sum())
    assert found["tickets"].sum() == len(tickets)
    assert found["late"].sum() == pytest.approx((waits > 8.0).sum())


def test_a_week_s_figures_do_not_change_when_later_weeks_come():
    none = np.zeros(len(log().tickets), bool)
    late = observed(log(), 8.0, none).frame
    early_log = log().upto(10)
    early = observed(early_log, 8.0, np.zeros(len(early_log.tickets), bool)).frame
    kept = late[late["period"] <= early["period"].max()].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, early)


def test_the_dataset_ends_with_its_last_whole_week():
    first = pd.Timestamp(SPEC.first_monday)
    assert pd.Timestamp(dataset().cutoff) == first + pd.Timedelta(weeks=SPEC.weeks - 1)
