"""The retailer in the field: founded once, played once per key, never twice, also after a kill in the middle."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import DataError
from pipeline.replenishment import world
from pipeline.replenishment.demand import WorldSpec
from pipeline.replenishment.field import Players, play_field, rewound, tables_at
from pipeline.replenishment.parameters import Business

SPEC = WorldSpec(stores=6, products=8, weeks=60, burn_in=8, field_weeks=30)
BUSINESS = Business(lead_time=2, holding_cost=0.2, shortage_cost=1.0)
WEEKS = 5


def nothing(*_: object) -> None:
    """No progress is shown."""


def players(panel, treated="lavish"):
    series = panel.series["store"].isin(["S001", "S002"]).to_numpy()
    counted = series & (panel.series["product"] != "P01").to_numpy()
    deciders = {
        "lavish": lambda seen: np.where(counted, 60, 0),
        "idle": lambda seen: np.zeros(seen.size, np.int64),
        "today": None,
    }
    return Players(deciders, treated, counted, counted)


@pytest.fixture
def location(tmp_path: Path) -> Path:
    tables_at(tmp_path / "retailer", SPEC)
    return tmp_path / "retailer"


def play(location: Path, key: str, **changes):
    return play_field(location, key, WEEKS, BUSINESS, lambda panel: players(panel, **changes), nothing)


def clocks(location: Path) -> list[str]:
    return sorted(path.name for path in location.glob("exports-*"))


def test_a_retailer_is_founded_where_there_is_none_and_then_found_again(location: Path):
    first = tables_at(location, SPEC)
    other = tables_at(location, replace(SPEC, seed=1))
    assert set(first) == {"sales", "state", "products", "stores", "promotions", "calendar"}
    assert first["sales"].equals(other["sales"])


def test_a_directory_of_plain_exports_is_read_as_it_is(location: Path):
    plain = location / "exports-0060"
    assert tables_at(plain, SPEC)["sales"].equals(tables_at(location, SPEC)["sales"])
    with pytest.raises(DataError, match="no retailer to play in"):
        play(plain, "k")


def test_the_same_key_plays_once(location: Path):
    one = play(location, "trial-1")
    again = play(location, "trial-1")
    assert one.frame.equals(again.frame)
    assert clocks(location) == ["exports-0065"]
    play(location, "trial-2")
    assert clocks(location) == ["exports-0070"]
    assert play(location, "trial-1").frame.equals(one.frame)
    assert clocks(location) == ["exports-0070"]


def test_a_play_is_made_again_from_the_retailer_as_it_was_before_it(location: Path, tmp_path: Path):
    first, second = play(location, "trial-1"), play(location, "trial-2")
    for key, expected in (("trial-1", first), ("trial-2", second)):
        before = rewound(location, key, tmp_path / key)
        assert before == tmp_path / key
        assert play(before, key).frame.equals(expected.frame)
    assert clocks(location) == ["exports-0070"]
    assert rewound(location, "never", tmp_path / "never") == location


@pytest.mark.parametrize("step", ["world", "record", "export"])
def test_a_play_killed_in_the_middle_is_played_once_all_the_same(location: Path, tmp_path: Path, monkeypatch, step):
    tables_at(tmp_path / "twin", SPEC)
    expected = play(tmp_path / "twin", "trial-1")

    def kill(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    target = {
        "world": "pipeline.replenishment.world.save",
        "record": "pipeline.problems.played.save",
        "export": "pipeline.replenishment.field.export",
    }
    with monkeypatch.context() as patch:
        patch.setattr(target[step], kill)
        with pytest.raises(KeyboardInterrupt):
            play(location, "trial-1")
    found = play(location, "trial-1")
    assert found.frame.equals(expected.frame)
    assert clocks(location) == clocks(tmp_path / "twin")
    sales = [tables_at(place, SPEC)["sales"] for place in (location, tmp_path / "twin")]
    assert sales[0].equals(sales[1])


def test_every_arm_meets_the_same_shoppers_on_the_same_store_weeks(location: Path):
    frame = play(location, "k").frame
    keys = ["unit", "department", "promotion", "volume", "weeks", "cost_weeks", "demand"]
    arms = [frame[frame["arm"] == arm][keys].reset_index(drop=True) for arm in ("lavish", "idle", "today")]
    assert arms[0].equals(arms[1])
    assert arms[0].equals(arms[2])
    assert set(frame["unit"]) == {"S001", "S002"}
    totals = frame.groupby("arm")[["lost", "inventory", "stockout_weeks"]].sum()
    assert totals.loc["lavish", "lost"] <= totals.loc["today", "lost"] <= totals.loc["idle", "lost"]
    assert totals.loc["lavish", "inventory"] > totals.loc["idle", "inventory"]


def test_only_the_treated_arm_really_happens(location: Path, tmp_path: Path):
    tables_at(tmp_path / "twin", SPEC)
    outcomes = play(location, "k", treated="idle")
    play(tmp_path / "twin", "k", treated="lavish")
    stock = []
    for place in (location, tmp_path / "twin"):
        state = tables_at(place, SPEC)["state"]
        mine = state[state["store"].isin(["S001", "S002"]) & (state["product"] != "P01")]
        stock.append(pd.to_numeric(mine["on_hand"]).clip(lower=0).sum())
    assert stock[0] < stock[1]
    weekly = outcomes.weekly
    assert weekly is not None
    assert (weekly[weekly["arm"] == "idle"]["inventory"].iloc[-1]) <= stock[0] + 1


def test_weeks_and_units_agree_with_the_worlds_own_books(location: Path):
    before = world.load(location / "world", 60)
    outcomes = play(location, "k")
    panel = world.observed(before)
    mine = players(panel).counted
    after, record = world.play(before, WEEKS, [(mine, players(panel).deciders["lavish"])])
    frame = outcomes.frame[outcomes.frame["arm"] == "lavish"]
    assert after.clock == 65
    assert frame["cost_weeks"].sum() == record.listed[:, mine].sum()
    assert frame["weeks"].sum() == record.listed[1:, mine].sum()
    assert frame["lost"].sum() == record.lost[1:, mine].sum()
    assert frame["stockout_weeks"].sum() == (record.lost[1:, mine] > 0).sum()
    assert frame["holding"].sum() == pytest.approx(0.2 * record.end[:, mine].sum())
    assert frame["inventory"].sum() == record.end[1:, mine].sum()
    promoted = panel.promotion[60:65][1:, mine] > 0
    assert frame[frame["promotion"] == "yes"]["weeks"].sum() == (record.listed[1:, mine] & promoted).sum()


def test_a_damaged_record_says_where_it_lies(location: Path):
    play(location, "k")
    (location / "plays" / "k" / "outcomes.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match="plays"):
        play(location, "k")


def test_a_directory_that_cannot_be_made_is_a_clear_error(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="cannot be used"):
        tables_at(tmp_path / "file" / "retailer", SPEC)
