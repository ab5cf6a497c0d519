"""Deliveries: what is refused changes nothing, what is taken in is whole, told and found again."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.datasets import catalog
from pipeline.datasets.dataset import Quarantine
from pipeline.errors import DataError, LandedError, Refused
from pipeline.ledger import Ledger, verify
from pipeline.monitoring import ingest as room
from pipeline.monitoring.comparing import compare, worst_share
from pipeline.monitoring.ingest import ingest
from pipeline.monitoring.placing import put_in_place, recover, staged
from pipeline.settings import Settings
from tests.cli.calling import contents
from tests.monitoring.made import charter, dataset_of, tables_until, week, write
from tests.replenishment.made import charter as shipped
from tests.replenishment.made import write_vn2


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("export") / "exports"


@pytest.fixture
def ledger(home):
    with Ledger(Settings().ledger) as opened:
        yield opened


@pytest.fixture
def bring(home, ledger):
    def deliver(delivery: Path, location: Path, rules=None, replace=None):
        rules = rules or charter()
        return ingest(ledger, Settings().datasets, rules, location, delivery, actor="robin", replace=replace)

    return deliver


def told(ledger: Ledger, kind: str) -> list[dict]:
    return [dict(event.body) for event in ledger.events(kind=kind)]


def test_a_first_delivery_a_second_week_and_the_same_again(home, ledger, place, bring):
    location = home.root / "chain"
    first = bring(write(tables_until(place, 120), home.root / "d1"), location)
    assert (first.same, first.before, first.until, first.former) == (False, None, week(120), None)
    before = dataset_of(charter(), location)
    second = bring(write(tables_until(place, 121), home.root / "d2"), location)
    changes = {change.table: change for change in second.changes}
    sales = tables_until(place, 121)["sales"]
    new = int((sales["week"] == pd.Timestamp(week(121))).sum())
    assert (changes["sales"].new, changes["sales"].changed, changes["sales"].removed) == (new, 0, 0)
    assert (changes["sales"].first, changes["sales"].last) == (week(121), week(121))
    # Every row of stock is of another week now; the master data is as it was.
    assert changes["state"].changed == len(tables_until(place, 121)["state"])
    assert (changes["products"].new, changes["products"].changed) == (0, 0)
    assert dataset_of(charter(), location).digest == second.dataset
    # The former state is found under its hash.
    assert second.former == first.dataset == before.digest
    assert catalog.load(Settings().datasets, second.former).cutoff == week(120)
    state = contents(home.root)
    assert bring(home.root / "d2", location).same
    assert contents(home.root) == state
    events = told(ledger, "data.ingested")
    assert [event["until"] for event in events] == [str(week(120)), str(week(121))]
    assert set(events[1]["files"]) == {f"{name}.parquet" for name in sales_tables(place)}
    assert verify(ledger).intact


def sales_tables(place):
    return tables_until(place, 120).keys()


def test_files_a_delivery_does_not_bring_and_folders_beside_them_stay(home, place, bring):
    location = write(tables_until(place, 120), home.root / "chain")
    (location / "notes").mkdir()
    (location / "notes" / "a.txt").write_text("kept")
    newer = tables_until(place, 121)
    bring(write({name: newer[name] for name in ("sales", "state")}, home.root / "d"), location)
    assert dataset_of(charter(), location).cutoff == week(121)
    assert (location / "notes" / "a.txt").read_text() == "kept"
    assert sorted(entry.name for entry in location.parent.iterdir() if entry.name.startswith(".chain")) == [
        ".chain.lock"
    ]


def less_history(tables):
    tables["sales"] = tables["sales"][tables["sales"]["week"] > pd.Timestamp(week(1))]


@pytest.mark.parametrize(
    ("number", "change", "words"),
    [
        (115, None, f"it ends with {week(115)}, while data up to {week(120)} is in place"),
        (121, less_history, "rows of past periods are missing in it or break the contract"),
    ],
)
def test_lost_history_is_refused_unless_somebody_says_why(home, ledger, place, bring, number, change, words):
    location = write(tables_until(place, 120), home.root / "chain")
    tables = tables_until(place, number)
    if change:
        change(tables)
    delivery = write(tables, home.root / "d")
    before = contents(location)
    with pytest.raises(Refused, match=words):
        bring(delivery, location)
    assert contents(location) == before
    assert told(ledger, "data.ingested") == []
    assert len(told(ledger, "data.refused")) == 1
    ingested = bring(delivery, location, replace="tills restated")
    assert ingested.until == week(number)
    (event,) = told(ledger, "data.ingested")
    assert event["replace"] == "tills restated"
    assert catalog.load(Settings().datasets, event["former"]).cutoff == week(120)


def spoiled_units(tables):
    tables["sales"] = tables["sales"].astype({"units": "str"})
    tables["sales"].loc[: len(tables["sales"]) // 10, "units"] = "n/a"


def no_units(tables):
    tables["sales"] = tables["sales"].drop(columns="units")


@pytest.mark.parametrize(("change", "words"), [(spoiled_units, "10.00% of table sales breaks"), (no_units, "missing")])
def test_what_breaks_the_contract_changes_nothing(home, ledger, place, bring, change, words):
    location = write(tables_until(place, 120), home.root / "chain")
    tables = tables_until(place, 121)
    change(tables)
    before = contents(location)
    with pytest.raises(DataError, match=words):
        bring(write(tables, home.root / "d"), location)
    assert contents(location) == before
    assert told(ledger, "data.ingested") == []


def test_vn2s_weekly_files_are_taken_in_week_by_week(home, bring):
    rules, location = shipped("vn2"), home.root / "vn2"
    location.mkdir()
    whole = write_vn2(home.root / "whole", weeks=100)

    def delivery(weeks: int) -> Path:
        folder = Path(shutil.copytree(whole, home.root / f"w{weeks}"))
        for name in ("sales.csv", "in_stock.csv"):
            frame = pd.read_csv(whole / name)
            frame[frame.columns[: 2 + weeks]].to_csv(folder / name, index=False)
        return folder

    bring(delivery(98), location, rules)
    grown = bring(delivery(99), location, rules)
    changes = {change.table: change for change in grown.changes}
    assert (changes["sales"].new, changes["sales"].changed, changes["sales"].lost) == (9, 0, 0)
    assert changes["state"].changed == 9
    assert (location / "submission_template.csv").exists()
    assert bring(home.root / "w99", location, rules).same
    with pytest.raises(Refused, match="lose history"):
        bring(home.root / "w98", location, rules)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: None, "No such file"),
        (lambda folder: folder.mkdir(), "no file in it"),
        (lambda folder: (folder / "deep").mkdir(parents=True), "no plain file"),
        (lambda folder: (folder.mkdir(), (folder / "sales.parquet").symlink_to("/etc/hostname")), "no plain file"),
        (lambda folder: (folder.mkdir(), (folder / "readme.txt").write_text("x")), "none of its files is named after"),
        (lambda folder: (folder.mkdir(), (folder / "sales.parquet").write_text("x")), "not readable as Parquet"),
    ],
)
def test_what_is_no_delivery_is_told_and_changes_nothing(home, place, bring, make, words):
    folder = home.root / "d"
    make(folder)
    for location in (home.root / "nowhere", write(tables_until(place, 120), home.root / "chain")):
        before = contents(location)
        if location.name == "chain" and "none of its files" in words:
            continue  # beside good tables a stray text file is a file like any other
        with pytest.raises(DataError, match=words):
            bring(folder, location)
        assert contents(location) == before


def test_a_synthetic_retailers_folder_takes_no_delivery(home, place, bring):
    (home.root / "chain" / "world").mkdir(parents=True)
    with pytest.raises(DataError, match="plays its own data"):
        bring(write(tables_until(place, 120), home.root / "d"), home.root / "chain")


def test_a_delivery_without_the_main_table_founds_no_retailer(home, place, bring, monkeypatch):
    tables = {"state": tables_until(place, 120)["state"]}
    # As a source does that finds no tables in the folder it is shown.
    monkeypatch.setattr(room, "_read", lambda problem, rules, folder: (folder / "world").mkdir())
    with pytest.raises(DataError, match="lacks the source's main table"):
        bring(write(tables, home.root / "d"), home.root / "chain")
    assert not (home.root / "chain").exists()


def test_a_failure_while_renaming_leaves_neither_files_nor_an_event(home, ledger, place, bring, monkeypatch):
    location = write(tables_until(place, 120), home.root / "chain")
    before, real = contents(location), Path.rename

    def broken(self, target):
        if self.name.endswith("-new"):
            raise OSError(18, "cross-device link")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", broken)
    with pytest.raises(DataError, match="cannot be replaced"):
        bring(write(tables_until(place, 121), home.root / "d"), location)
    assert contents(location) == before
    assert told(ledger, "data.ingested") == []


def test_a_replacement_that_was_killed_between_its_renames_is_undone(tmp_path):
    location, former = tmp_path / "chain", tmp_path / ".chain-former"
    former.mkdir()
    (former / "sales.csv").write_text("old")
    recover(location)
    assert (location / "sales.csv").read_text() == "old"
    assert not former.exists()


def test_a_replacement_that_was_killed_after_its_renames_is_finished(tmp_path):
    location, former = tmp_path / "chain", tmp_path / ".chain-former"
    for folder, text in ((location, "new"), (former, "old")):
        folder.mkdir()
        (folder / "sales.csv").write_text(text)
    (former / "notes").mkdir()
    recover(location)
    assert (location / "sales.csv").read_text() == "new"
    assert (location / "notes").is_dir()
    assert not former.exists()


def test_staging_never_touches_what_is_in_place(tmp_path):
    location = tmp_path / "chain"
    location.mkdir()
    (location / "sales.csv").write_text("old")
    new = tmp_path / "sales.csv"
    new.write_text("new")
    with staged(location, {"sales.csv": new}) as fresh:
        (fresh / "sales.csv").write_text("changed")
        assert (location / "sales.csv").read_text() == "old"
        put_in_place(fresh, location)
    assert (location / "sales.csv").read_text() == "changed"


ROWS = st.dictionaries(st.tuples(st.sampled_from("ab"), st.integers(0, 5)), st.integers(0, 2), max_size=10)


class _Schema:
    unique = ("store", "week")


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ROWS, ROWS, st.integers(0, 5), st.randoms(use_true_random=False))
def test_rows_are_counted_as_sets_of_keys_count_them(now, before, until, random):
    def frame(rows):
        items = list(rows.items())
        random.shuffle(items)
        columns = {
            "store": pd.Series([key[0] for key, _ in items], dtype="str"),
            "week": pd.Series([week(1 + key[1]) for key, _ in items], dtype="datetime64[us]"),
            "units": pd.Series([value for _, value in items], dtype="int64"),
        }
        return pd.DataFrame(columns)

    quarantine = Quarantine(pd.DataFrame({"table": [], "reason": []}), {"sales": len(now)}, {"sales": len(now)})
    (change,) = compare(
        {"sales": frame(now)}, {"sales": frame(before)}, {"sales": _Schema}, quarantine, week(1 + until)
    )
    assert change.new == len(now.keys() - before.keys())
    assert change.changed == sum(now[key] != before[key] for key in now.keys() & before.keys())
    gone = before.keys() - now.keys()
    assert change.removed == len(gone)
    assert change.lost == sum(key[1] <= until for key in gone)
    touched = [key[1] for key in now if key not in before or before[key] != now[key]]
    assert change.first == (week(1 + min(touched)) if touched else None)
    assert change.last == (week(1 + max(touched)) if touched else None)


def test_the_worst_table_counts():
    quarantine = Quarantine(pd.DataFrame(), {"a": 100, "b": 10, "c": 0}, {"a": 90, "b": 8, "c": 0})
    assert worst_share(quarantine) == (0.2, "b")
    assert worst_share(Quarantine(pd.DataFrame(), {}, {})) == (0.0, "")


def test_errors_of_a_delivery_are_ours(home, place, bring):
    location = home.root / "file"
    location.write_text("x")
    with pytest.raises(LandedError, match="it is no folder"):
        bring(write(tables_until(place, 120), home.root / "d"), location)
