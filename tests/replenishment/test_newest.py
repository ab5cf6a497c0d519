"""The newest data by parts: the same decisions as in one piece, broken rows and short histories included."""

import os
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import DataError
from pipeline.problems.base import Arm
from pipeline.problems.parts import Parts
from pipeline.replenishment.demand import CHAINS
from pipeline.replenishment.exports import TABLES
from pipeline.replenishment.field import exports_at
from pipeline.replenishment.newest import newest_in_parts
from pipeline.replenishment.problem import Replenishment
from tests.replenishment.made import charter, write_long, write_vn2

RULES = charter("replenishment")
SMALL = replace(CHAINS["retailer"], stores=6, products=5, weeks=60, seed=RULES.seed, lead_time=2)
ARM = Arm("rule", RULES, baseline="seasonal_average")


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    """A retailer's exports, with the broken rows they always have."""
    with exports_at(tmp_path_factory.mktemp("retailer"), SMALL) as folder:
        return folder


@pytest.fixture
def scratch(tmp_path):
    return tmp_path / "scratch"


def by_parts(problem, series, scratch):
    return problem.in_parts(Parts(series, scratch))


@pytest.mark.parametrize(("series", "units"), [(6, None), (16, ("S001", "S004"))])
def test_the_decisions_are_those_of_the_chain_in_one_piece(series, units, exports, scratch):
    problem = Replenishment()
    whole = problem.account(RULES, exports, ARM, units)
    parts = by_parts(problem, series, scratch).account(RULES, exports, ARM, units)
    pd.testing.assert_frame_equal(parts.decisions, whole.decisions)
    assert np.array_equal(parts.incumbent, whole.incumbent)
    assert parts.cutoff == whole.cutoff
    assert by_parts(problem, series, scratch).decide(RULES, exports, ARM, units).equals(whole.decisions)
    assert not list(scratch.iterdir()), "parts are left lying about"


def test_a_part_whose_stores_opened_late_or_closed_early_has_all_weeks(exports, scratch, tmp_path):
    changed = shutil.copytree(exports, tmp_path / "changed")
    sales = pd.read_parquet(exports / "sales.parquet")
    stores = sorted(pd.read_parquet(exports / "stores.parquet")["store"].astype(str))
    weeks = np.sort(sales["week"].dropna().unique())
    late = sales["store"].isin(stores[:2]) & (sales["week"] < weeks[20])
    early = sales["store"].isin(stores[4:]) & (sales["week"] > weeks[45])
    sales[~late & ~early].to_parquet(changed / "sales.parquet", index=False)
    problem = Replenishment()
    with newest_in_parts(RULES, changed, Parts(11, scratch)) as chain:
        assert chain.count > 1
    assert by_parts(problem, 11, scratch).decide(RULES, changed, ARM).equals(problem.decide(RULES, changed, ARM))


def test_long_tables_by_week_are_read_by_parts_and_days_in_one_piece(tmp_path, scratch):
    vn2 = write_vn2(tmp_path / "vn2", weeks=70, stores=5, products=4)
    rules = charter("vn2")
    rules = rules.model_copy(update={"data": rules.data.model_copy(update={"source": "tables"})})
    problem, arm = Replenishment(), Arm("rule", rules, baseline="official_benchmark")
    for days in (False, True):
        folder = write_long(tmp_path / f"long-{days}", vn2, "parquet", days=days)
        with newest_in_parts(rules, folder, Parts(8, scratch)) as chain:
            assert (chain is None) == days
        assert by_parts(problem, 8, scratch).decide(rules, folder, arm).equals(problem.decide(rules, folder, arm))


@pytest.mark.parametrize(
    ("last_order", "more"), [("2022-08-08", True), ("2022-08-14", True), ("2022-08-15", False), ("2022-08-01", True)]
)
def test_the_parts_know_the_last_order_as_the_whole_does(last_order, more, tmp_path, scratch):
    """The 70 weeks end with that of 2022-08-08; any day of it names it, and orders after the end are last ones too."""
    folder = write_long(tmp_path / "long", write_vn2(tmp_path / "vn2", weeks=70, stores=5, products=4), "parquet")
    rules = charter("vn2")
    rules = rules.model_copy(update={"data": rules.data.model_copy(update={"source": "tables"})})
    endless, ending = (
        rules.model_copy(update={"business": {**rules.business, "last_order": day}})
        for day in ("2030-01-07", last_order)
    )
    problem, orders = Replenishment(), {}
    for name, charter_ in (("endless", endless), ("ending", ending)):
        arm = Arm("average", charter_, baseline="seasonal_average")
        whole = problem.account(charter_, folder, arm, None)
        parts = by_parts(problem, 8, scratch).account(charter_, folder, arm, None)
        assert parts.decisions.equals(whole.decisions)
        assert by_parts(problem, 8, scratch).decide(charter_, folder, arm).equals(whole.decisions)
        orders[name] = whole.decisions["order"].sum()
    assert (orders["ending"] > orders["endless"]) == more


@pytest.mark.parametrize("table", ["sales", "state", "stores", "promotions"])
def test_what_is_wrong_with_a_table_is_told_as_in_one_piece(table, exports, scratch, tmp_path):
    broken = shutil.copytree(exports, tmp_path / "broken")
    (broken / f"{table}.parquet").write_bytes(b"no table")
    problem = Replenishment()
    with pytest.raises(DataError) as whole:
        problem.decide(RULES, broken, ARM)
    with pytest.raises(DataError) as parts:
        by_parts(problem, 13, scratch).decide(RULES, broken, ARM)
    assert str(parts.value) == str(whole.value)


def test_a_part_with_nothing_good_in_it_is_no_reason_to_refuse_the_whole(exports, scratch, tmp_path):
    odd = shutil.copytree(exports, tmp_path / "odd")
    sales = pd.read_parquet(exports / "sales.parquet")
    first = sorted(pd.read_parquet(exports / "stores.parquet")["store"].astype(str))[0]
    bad = sales["units"].where(sales["store"] != first, "-1")
    sales.assign(units=bad).to_parquet(odd / "sales.parquet", index=False)
    problem = Replenishment()
    assert by_parts(problem, 1, scratch).decide(RULES, odd, ARM).equals(problem.decide(RULES, odd, ARM))


def test_parts_that_cannot_be_written_are_told(exports, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DataError, match="cannot be cut into parts"):
        by_parts(Replenishment(), 13, tmp_path / "file" / "scratch").decide(RULES, exports, ARM)


def test_what_a_killed_command_left_is_cleared_away_in_time(exports, scratch):
    old, young = scratch / "old", scratch / "young"
    for folder in (old, young):
        folder.mkdir(parents=True)
    os.utime(old, (0, 0))
    with newest_in_parts(RULES, exports, Parts(13, scratch)):
        assert not old.exists()
        assert young.exists()


def test_the_tables_dealt_out_hold_every_row_once_in_its_order(exports, scratch):
    with newest_in_parts(RULES, exports, Parts(13, scratch)) as chain:
        for table in ("sales", "state"):
            whole = pd.read_parquet(exports / f"{table}.parquet")
            dealt = [pd.read_parquet(part / f"{table}.parquet") for part in sorted(chain.folder.iterdir())]
            assert sum(map(len, dealt)) == len(whole)
            assert all(set(TABLES) <= {path.stem for path in part.iterdir()} for part in chain.folder.iterdir())
            stores = [set(part["store"].dropna()) & set(chain.series["store"]) for part in dealt]
            for rows, names in zip(dealt, stores, strict=True):
                mine = whole[whole["store"].isin(names)].reset_index(drop=True)
                assert rows[rows["store"].isin(names)].reset_index(drop=True).equals(mine)
