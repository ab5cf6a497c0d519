"""The synthetic retailer keeps its books, hides its demand, repeats itself under a seed, and answers to orders."""

import time
from dataclasses import fields, replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import DataError
from pipeline.replenishment.demand import SHIFTED_CLUSTERS, Truth, _easter, truth_of
from pipeline.replenishment.exports import export
from pipeline.replenishment.world import WorldSpec, found, load, observed, opened, play, save

SPEC = WorldSpec(stores=8, products=12, weeks=40, burn_in=10, field_weeks=30)
FLAGSHIP = WorldSpec()


@pytest.fixture(scope="module")
def world():
    return found(SPEC)


@pytest.fixture(scope="module")
def history():
    return play(opened(FLAGSHIP), FLAGSHIP.burn_in + FLAGSHIP.weeks, ())


def everywhere(spec, decide):
    return [(np.ones(spec.series, bool), decide)]


def random_orders(seed):
    rng = np.random.default_rng(seed)
    return lambda panel: rng.integers(0, 30, panel.size)


def assert_same(left, right):
    for field in fields(left):
        np.testing.assert_array_equal(np.asarray(getattr(left, field.name)), np.asarray(getattr(right, field.name)))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), lead_time=st.integers(1, 4), products=st.integers(1, 30))
def test_stock_balances_in_every_week_of_every_series(seed, lead_time, products):
    spec = WorldSpec(stores=3, products=products, weeks=30, burn_in=3, field_weeks=20, seed=seed, lead_time=lead_time)
    begin = opened(spec)
    middle, past = play(begin, 33, ())
    _, field = play(middle, 20, everywhere(spec, random_orders(seed)))
    before = np.vstack([begin.on_hand, past.end, field.end])[:-1]
    both = {f.name: np.concatenate([getattr(past, f.name), getattr(field, f.name)]) for f in fields(past)}
    np.testing.assert_array_equal(both["start"], before + both["arrived"] - both["withdrawn"])
    np.testing.assert_array_equal(both["sold"], np.minimum(both["start"], both["demand"]))
    np.testing.assert_array_equal(both["lost"], both["demand"] - both["sold"])
    np.testing.assert_array_equal(both["end"], both["start"] - both["sold"])
    for name in ("start", "end", "arrived", "withdrawn", "ordered", "demand"):
        assert both[name].min() >= 0
    assert not both["demand"][~both["listed"]].any()
    assert not both["start"][~both["listed"]].any()


@pytest.mark.parametrize("lead_time", [1, 2, 3])
def test_an_order_can_be_sold_lead_time_weeks_after_the_evening_it_was_placed(lead_time):
    base = found(replace(SPEC, lead_time=lead_time))
    first = base.clock

    def decide(panel):
        return np.full(panel.size, 1000 if panel.periods == first else 0)

    _, played = play(base, 6, everywhere(base.spec, decide))
    always = played.listed.all(axis=0)
    arrived = played.arrived[:, always]
    assert (arrived[lead_time - 1] == 1000).all()
    assert not arrived[lead_time:].any()
    np.testing.assert_array_equal(arrived[: lead_time - 1], base.on_order[:, always])
    assert (played.ordered[0, always] == 1000).all()


def test_the_same_seed_gives_the_same_world_and_another_seed_another(world):
    truth_of.cache_clear()
    assert_same(observed(found(SPEC)), observed(world))
    assert not np.array_equal(observed(found(replace(SPEC, seed=1))).sales, observed(world).sales)


def test_a_play_in_two_parts_is_the_play_in_one(world):
    whole, _ = play(world, 12, ())
    half, _ = play(world, 5, ())
    rest, _ = play(half, 7, ())
    assert_same(observed(whole), observed(rest))


def test_twin_plays_meet_the_same_shoppers_and_differ_only_where_the_orders_do(world):
    mask = observed(world).series["store"].to_numpy() == "S003"
    _, today = play(world, 15, ())
    after, treated = play(world, 15, [(mask, lambda panel: np.full(panel.size, 40))])
    np.testing.assert_array_equal(today.demand, treated.demand)
    np.testing.assert_array_equal(today.end[:, ~mask], treated.end[:, ~mask])
    assert (today.end[:, mask] != treated.end[:, mask]).any()
    listed = treated.listed[1:, mask] & treated.listed[:-1, mask]
    assert (treated.ordered[1:, mask][listed] == 40).all()
    assert after.clock == world.clock + 15


def test_demand_the_shelves_could_not_meet_leaves_no_trace_but_the_gap(world, tmp_path, monkeypatch):
    _, past = play(opened(SPEC), SPEC.burn_in + SPEC.weeks, ())
    real = Truth.demand
    monkeypatch.setattr(Truth, "demand", lambda truth, row: real(truth, row) + 7 * (past.lost[row] > 0))
    louder = found(SPEC)
    assert past.lost.any()
    assert_same(observed(louder), observed(world))
    assert_same_bytes(export(louder, tmp_path / "a"), export(world, tmp_path / "b"))


def test_future_demand_leaves_history_and_exports_untouched(world, tmp_path):
    other = found(replace(SPEC, shift_after=1, shift_factor=3.0))
    assert_same(observed(other), observed(world))
    assert_same_bytes(export(other, tmp_path / "a"), export(world, tmp_path / "b"))
    _, mine = play(world, 10, ())
    _, theirs = play(other, 10, ())
    assert theirs.demand.sum() > mine.demand.sum()


def assert_same_bytes(left, right):
    names = sorted(path.name for path in left.iterdir())
    assert names == sorted(path.name for path in right.iterdir())
    for name in names:
        assert (left / name).read_bytes() == (right / name).read_bytes(), name


def test_a_controller_sees_the_past_only_and_cannot_change_it(world):
    seen = []

    def decide(panel):
        seen.append(panel)
        with pytest.raises(ValueError, match="read-only"):
            panel.sales[0, 0] = 5
        return np.zeros(panel.size, np.int64)

    after, played = play(world, 4, everywhere(SPEC, decide))
    assert [panel.periods for panel in seen] == [world.clock + step for step in range(4)]
    assert_same(seen[0], observed(world))
    for step, panel in enumerate(seen[1:]):
        np.testing.assert_array_equal(panel.on_hand, played.end[step])
        np.testing.assert_array_equal(panel.sales[-1], played.sold[step])
    np.testing.assert_array_equal(observed(after).sales[: world.clock], observed(world).sales)


@pytest.mark.parametrize(
    ("decide", "message"),
    [
        (lambda panel: np.full(panel.size, -1), "whole units"),
        (lambda panel: np.full(panel.size, 1.5), "whole units"),
        (lambda panel: np.zeros(3, np.int64), "shape"),
    ],
)
def test_orders_that_cannot_be_placed_are_refused(world, decide, message):
    with pytest.raises(ValueError, match=message):
        play(world, 1, everywhere(SPEC, decide))


def test_two_controllers_for_one_series_and_a_play_beyond_the_end_are_refused(world):
    with pytest.raises(ValueError, match="two controllers"):
        play(world, 1, everywhere(SPEC, random_orders(0)) * 2)
    with pytest.raises(ValueError, match="field_weeks"):
        play(world, 31, ())
    with pytest.raises(ValueError, match="need a history"):
        play(opened(SPEC), 1, everywhere(SPEC, random_orders(0)))
    with pytest.raises(ValueError, match="no history"):
        observed(opened(SPEC))


def test_a_saved_world_goes_on_as_if_never_saved(world, tmp_path):
    path = save(world, tmp_path)
    assert path.name == "world-0040.npz"
    back = load(tmp_path, 40)
    assert back.spec == world.spec
    assert_same(observed(play(back, 5, ())[0]), observed(play(world, 5, ())[0]))
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_lost_or_torn_state_is_refused_with_its_path(world, tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        load(tmp_path, 40)
    path = save(world, tmp_path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DataError) as caught:
        load(tmp_path, 40)
    assert caught.value.findings[0].place == str(path)


def test_ranges_change_in_history_and_in_the_field_and_new_shelves_are_filled(history):
    world, _ = history
    truth = truth_of(FLAGSHIP)
    panel = observed(world)
    assert (panel.listed[0] & ~panel.listed[-1]).any()
    assert (~panel.listed[0] & panel.listed[-1]).any()
    _, played = play(world, 20, ())
    new = played.listed[8] & ~played.listed[7]
    gone = played.listed[13] & ~played.listed[14]
    assert new.sum() == gone.sum() == FLAGSHIP.stores
    assert (played.start[8, new] == truth.fill[new]).all()
    assert (played.withdrawn[14, gone] == played.end[13, gone]).all()
    assert truth.weeks[truth.first.max()] == played.weeks[8]


def test_movers_are_slow_and_fast_and_todays_rule_has_the_troubles_it_is_said_to_have(history):
    _, played = history
    listed = played.listed[FLAGSHIP.burn_in :]
    demand, lost, end = (getattr(played, name)[FLAGSHIP.burn_in :] for name in ("demand", "lost", "end"))
    weeks = np.maximum(listed.sum(axis=0), 1)
    means = (demand.sum(axis=0) / weeks)[listed.any(axis=0)]
    assert (means < 1).mean() > 0.08
    assert means.max() > 40
    assert 0.07 <= (lost > 0).sum() / listed.sum() <= 0.105
    assert 0.06 <= lost.sum() / demand.sum() <= 0.11
    assert 2.0 <= end.sum() / (demand - lost).sum() <= 5.0
    # Planned promotions are what today's rule cannot see.
    discount = np.tile(truth_of(FLAGSHIP).discount[FLAGSHIP.burn_in :][: len(listed)], (1, FLAGSHIP.stores)) > 0
    assert (lost > 0)[discount & listed].mean() > 2 * (lost > 0)[~discount & listed].mean()


def test_the_shift_is_large_enough_to_be_caught_and_there_is_nothing_to_catch_before_it(history):
    world, _ = history
    _, played = play(world, 36, ())
    panel = observed(world)
    own = np.maximum(panel.sales[-52:].mean(axis=0), 0.5)
    hit = panel.series["cluster"].isin(SHIFTED_CLUSTERS).to_numpy() & played.listed.all(axis=0)
    reference = (panel.sales[-18:] / own)[:, hit]
    assert index_of_shift(reference, (played.sold[:16] / own)[:, hit]) < 0.1
    assert index_of_shift(reference, (played.sold[22:] / own)[:, hit]) > 0.2


def index_of_shift(reference, current):
    """Population stability index over ten bins of the reference's quantiles."""
    edges = np.unique(np.quantile(reference, np.linspace(0, 1, 11)))[1:-1]
    shares = [
        np.bincount(np.searchsorted(edges, each.ravel()), minlength=len(edges) + 1) for each in (reference, current)
    ]
    old, new = (np.maximum(share / share.sum(), 1e-4) for share in shares)
    return float(((new - old) * np.log(new / old)).sum())


@pytest.mark.parametrize(
    ("year", "day"), [(2023, date(2023, 4, 9)), (2024, date(2024, 3, 31)), (2038, date(2038, 4, 25))]
)
def test_easter_falls_on_its_published_date(year, day):
    assert _easter(year) == day


def test_a_spec_that_makes_no_world_is_refused():
    with pytest.raises(ValueError, match="not a Monday"):
        WorldSpec(first_week=date(2023, 1, 3))
    with pytest.raises(ValueError, match="at least 1"):
        WorldSpec(stores=0)


def test_the_flagship_world_is_of_its_size_and_tells_how_fast_it_was_founded(capsys):
    begin = time.perf_counter()
    world = found(FLAGSHIP)
    seconds = time.perf_counter() - begin
    with capsys.disabled():
        print(f"\n300 stores × 60 products × 156 weeks founded in {seconds:.2f} s")  # noqa: T201
    assert observed(world).sales.shape == (156, 18_000)
