"""The watched folder: only what is complete is touched, each delivery ends in one of two places."""

import os

import pytest

from pipeline.errors import DataError, Finding
from pipeline.monitoring.inbox import complete, take_in, take_results_in

NOW = 1_800_000_000.0


def delivery(inbox, name: str, age: float, *, marker: bool = False):
    folder = inbox / name
    (folder / "deep").mkdir(parents=True)
    (folder / "sales.csv").write_text(name)
    if marker:
        (folder / "_SUCCESS").touch()
    for path in (folder / "deep", *folder.iterdir(), folder):
        os.utime(path, (NOW - age, NOW - age))
    return folder


def names(folder) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_an_inbox_that_is_not_there_holds_nothing(tmp_path):
    assert complete(tmp_path / "none", NOW) == ()


@pytest.mark.parametrize(
    ("age", "marker", "expected"), [(0, False, False), (59, False, False), (60, False, True), (0, True, True)]
)
def test_a_delivery_is_complete_with_its_marker_or_after_a_minute_without_a_change(tmp_path, age, marker, expected):
    folder = delivery(tmp_path, "w1", age, marker=marker)
    assert complete(tmp_path, NOW) == ((folder,) if expected else ())


def test_a_change_deep_inside_counts(tmp_path):
    folder = delivery(tmp_path, "w1", 900)
    os.utime(folder / "deep", (NOW - 5, NOW - 5))
    assert complete(tmp_path, NOW) == ()


def test_links_files_and_hidden_folders_are_no_deliveries(tmp_path):
    outside = delivery(tmp_path / "elsewhere", "secret", 900)
    inbox = tmp_path / "inbox"
    delivery(inbox, ".hidden", 900)
    (inbox / "link").symlink_to(outside)
    (inbox / "file").touch()
    assert complete(inbox, NOW) == ()


def test_a_refused_delivery_is_put_aside_with_the_reason_and_the_next_one_has_its_turn(tmp_path):
    for name in ("w1", "w2", "w3"):
        delivery(tmp_path, name, 900)
    seen = []

    def ingest(folder):
        seen.append(folder.name)
        if folder.name == "w2":
            raise DataError("It is broken", [Finding("sales.csv", "no units", "deliver units")])
        return folder.name

    taken = take_in(tmp_path, NOW, ingest)
    assert seen == ["w1", "w2", "w3"]
    assert [(one.name, one.error is None) for one in taken] == [("w1", True), ("w2", False), ("w3", True)]
    assert names(tmp_path) == ["accepted", "refused"]
    assert names(tmp_path / "accepted") == ["w1", "w3"]
    why = (tmp_path / "refused" / "w2" / "why.txt").read_text()
    assert why == "It is broken\n  sales.csv: no units\n    → deliver units\n"
    assert take_in(tmp_path, NOW + 900, ingest) == ()


def test_a_name_that_was_used_before_gets_a_number(tmp_path):
    for _ in range(3):
        delivery(tmp_path, "w1", 900)
        take_in(tmp_path, NOW, lambda folder: folder)
    assert names(tmp_path / "accepted") == ["w1", "w1-2", "w1-3"]


def test_field_results_are_single_files_taken_in_the_order_they_came_and_are_no_delivery_of_data(tmp_path):
    folder = tmp_path / "outcomes"
    folder.mkdir()
    for name, age in (
        ("b.csv", 900),
        ("a.csv", 300),
        ("c.parquet", 61),
        ("late.csv", 5),
        (".x.csv", 900),
        ("d.txt", 900),
    ):
        (folder / name).write_text(name)
        os.utime(folder / name, (NOW - age, NOW - age))
    os.utime(folder, (NOW - 900, NOW - 900))
    assert complete(tmp_path, NOW) == ()
    seen = []

    def add(file):
        seen.append(file.name)
        if file.name == "a.csv":
            raise DataError("It is broken", [Finding("line 2", "no number", "deliver a number")])

    taken = take_results_in(tmp_path, NOW, add)
    assert seen == ["b.csv", "a.csv", "c.parquet"]
    assert [one.error is None for one in taken] == [True, False, True]
    assert names(folder) == [".x.csv", "accepted", "d.txt", "late.csv", "refused"]
    assert names(folder / "accepted") == ["b.csv", "c.parquet"]
    assert names(folder / "refused") == ["a.csv", "a.csv.why.txt"]
    assert "no number" in (folder / "refused" / "a.csv.why.txt").read_text()
    (folder / "b.csv").write_text("corrected")
    os.utime(folder / "b.csv", (NOW - 90, NOW - 90))
    take_results_in(tmp_path, NOW, add)
    assert names(folder / "accepted") == ["b-2.csv", "b.csv", "c.parquet"]


def test_what_is_a_bug_and_no_refusal_leaves_the_delivery_where_it_is(tmp_path):
    delivery(tmp_path, "w1", 900)
    with pytest.raises(ZeroDivisionError):
        take_in(tmp_path, NOW, lambda folder: 1 // 0)
    assert names(tmp_path) == ["w1"]
