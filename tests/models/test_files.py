from pathlib import Path

import pytest

from pipeline.errors import ModelError
from pipeline.models.files import checked, digest


def test_the_digest_changes_with_any_byte_and_with_any_name(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text("{}")
    before = digest(tmp_path)
    (tmp_path / "model.json").write_text("{ }")
    changed = digest(tmp_path)
    (tmp_path / "model.json").rename(tmp_path / "other.json")
    assert len({before, changed, digest(tmp_path)}) == 3


def test_a_pickle_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(b"\x80\x04.")
    with pytest.raises(ModelError, match=r"model\.pkl"):
        checked(tmp_path)


def test_a_missing_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="train the candidate first"):
        checked(tmp_path / "nowhere")
