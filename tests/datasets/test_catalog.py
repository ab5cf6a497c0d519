"""A dataset is found by its content, and what was changed on disk is not taken for it."""

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.datasets.catalog import digest, load, store
from pipeline.datasets.dataset import Dataset, Quarantine
from pipeline.errors import DataError


def tables():
    return {
        "sales": pd.DataFrame(
            {
                "shop": pd.Series(["a", "b", "a"], dtype="str"),
                "week": pd.to_datetime(["2024-01-01", "2024-01-01", "2024-01-08"]),
                "units": [1, 2, 3],
                "price": [1.5, np.nan, 0.0],
                "open": [True, False, True],
            }
        ),
        "shops": pd.DataFrame({"shop": ["a", "b"]}),
    }


def dataset():
    rows = pd.DataFrame({"table": ["sales"], "row": [3], "reason": ["units: missing"], "content": ['{"units": null}']})
    quarantine = Quarantine(rows, {"sales": 4, "shops": 2}, {"sales": 3, "shops": 2})
    return Dataset(tables(), digest(tables()), date(2024, 1, 8), quarantine)


def test_the_digest_does_not_depend_on_the_order_of_tables_and_columns_or_on_how_text_is_kept():
    shuffled = {name: frame[frame.columns[::-1]] for name, frame in reversed(tables().items())}
    shuffled["sales"] = shuffled["sales"].astype({"shop": "category", "week": "datetime64[s]"})
    shuffled["shops"] = shuffled["shops"].astype(object)
    assert digest(shuffled) == digest(tables())


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t["sales"].loc.__setitem__((0, "units"), 9),
        lambda t: t["sales"].loc.__setitem__((0, "shop"), "c"),
        lambda t: t["sales"].loc.__setitem__((1, "price"), 0.0),
        lambda t: t["sales"].loc.__setitem__((0, "open"), False),
        lambda t: t.__setitem__("sales", t["sales"].astype({"units": "int32"})),
        lambda t: t.__setitem__("sales", t["sales"].rename(columns={"units": "pieces"})),
        lambda t: t.__setitem__("sales", t["sales"].iloc[::-1]),
        lambda t: t.__setitem__("sales", t["sales"].drop(columns="open")),
        lambda t: t.__setitem__("outlets", t.pop("shops")),
    ],
)
def test_any_change_of_names_columns_types_or_values_changes_the_digest(change):
    changed = tables()
    change(changed)
    assert digest(changed) != digest(tables())


@settings(max_examples=60)
@given(st.lists(st.text(max_size=3), max_size=5), st.lists(st.text(max_size=3), max_size=5))
def test_only_equal_texts_have_equal_digests(left, right):
    def of(texts):
        return digest({"t": pd.DataFrame({"x": pd.Series(texts, dtype="str")})})

    assert (of(left) == of(right)) == (left == right)


def test_what_is_stored_comes_back_whole(tmp_path):
    stored = dataset()
    place = store(stored, tmp_path)
    assert place == tmp_path / stored.digest
    back = load(tmp_path, stored.digest)
    for name, frame in stored.tables.items():
        pd.testing.assert_frame_equal(back.tables[name], frame, check_dtype=False)
    pd.testing.assert_frame_equal(back.quarantine.rows, stored.quarantine.rows, check_dtype=False)
    assert (back.digest, back.cutoff, back.quarantine.refused) == (
        stored.digest,
        stored.cutoff,
        {"sales": 1, "shops": 0},
    )
    assert [path.name for path in tmp_path.iterdir()] == [stored.digest]


def test_storing_twice_writes_once_and_mends_what_a_crash_left(tmp_path):
    stored = dataset()
    (tmp_path / stored.digest / "tables").mkdir(parents=True)
    place = store(stored, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*")}
    store(stored, tmp_path)
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*")} == before
    load(tmp_path, stored.digest)


HALF = """
import sys, time
from pathlib import Path
from pipeline.datasets import catalog
from tests.datasets.test_catalog import dataset
catalog._settle = lambda *_: (print("half", flush=True), time.sleep(60))
catalog.store(dataset(), Path(sys.argv[1]))
"""


def test_what_a_killed_writer_left_is_cleared_and_a_living_ones_stays(tmp_path):
    """Two processes stop half-way through the same dataset; one is killed."""
    root = Path(__file__).parents[2]
    begun = [
        subprocess.Popen([sys.executable, "-c", HALF, tmp_path], cwd=root, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    try:
        assert [process.stdout.readline() for process in begun] == ["half\n"] * 2
        killed, living = begun
        killed.kill()
        killed.wait()
        assert len(list(tmp_path.iterdir())) == 2
        place = store(dataset(), tmp_path)
        (left,) = set(tmp_path.iterdir()) - {place}
        assert left.name.endswith(f"-{living.pid}")
        assert (left / "manifest.json").exists()
    finally:
        for process in begun:
            process.kill()
            process.communicate()
    store(dataset(), tmp_path)
    assert list(tmp_path.iterdir()) == [place]


def test_what_another_machine_writes_is_not_touched(tmp_path):
    other = tmp_path / f".{'ab' * 32}-{'0' * 12}-1"
    other.mkdir()
    store(dataset(), tmp_path)
    assert other.exists()


def _change_a_value(place):
    path = place / "tables" / "sales.parquet"
    pd.read_parquet(path).assign(units=[1, 2, 4]).to_parquet(path)


def _forget_a_refused_row(place):
    path = place / "quarantine.parquet"
    pd.read_parquet(path).iloc[:0].to_parquet(path)


def _drop_a_table(place):
    manifest = json.loads((place / "manifest.json").read_text())
    del manifest["tables"]["shops"]
    (place / "manifest.json").write_text(json.dumps(manifest))


def _tear(place):
    path = place / "tables" / "sales.parquet"
    path.write_bytes(path.read_bytes()[:50])


@pytest.mark.parametrize(
    "harm",
    [
        _change_a_value, _forget_a_refused_row, _drop_a_table, _tear,
        lambda place: (place / "manifest.json").write_text("[]"),
        lambda place: (place / "manifest.json").unlink(),
        lambda place: (place / "tables" / "shops.parquet").unlink(),
    ],
)  # fmt: skip
def test_a_dataset_that_was_changed_or_torn_is_refused(tmp_path, harm):
    place = store(dataset(), tmp_path)
    harm(place)
    with pytest.raises(DataError, match="damaged or was changed") as caught:
        load(tmp_path, dataset().digest)
    assert caught.value.findings[0].place == str(place)
