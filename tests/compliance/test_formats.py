import pickle
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from pipeline.compliance.formats import unsafe_files


def test_text_json_and_parquet_are_safe(tmp_path: Path) -> None:
    (tmp_path / "model.txt").write_text("tree\n")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "model.json").write_text("{}")
    pd.DataFrame({"a": [1.0]}).to_parquet(tmp_path / "state.parquet")
    assert unsafe_files(tmp_path) == {}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("name", ["model.txt", "model.json", "model.parquet", "model.pkl"])
def test_a_pickle_is_unsafe_under_any_name(tmp_path: Path, name: str, protocol: int) -> None:
    (tmp_path / name).write_bytes(pickle.dumps({"a": 1}, protocol=protocol))
    assert list(unsafe_files(tmp_path)) == [name]


def test_an_archive_a_broken_json_and_binary_text_are_unsafe(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.txt", "w") as archive:
        archive.writestr("x", "y")
    (tmp_path / "model.json").write_text("{")
    (tmp_path / "other.txt").write_bytes(b"\xff\xfe\x00")
    assert set(unsafe_files(tmp_path)) == {"model.txt", "model.json", "other.txt"}


def test_nothing_is_not_safe(tmp_path: Path) -> None:
    assert unsafe_files(tmp_path) == {".": "there are no model files"}
    assert unsafe_files(tmp_path / "nowhere") == {".": "there are no model files"}
