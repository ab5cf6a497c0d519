import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import DataError
from pipeline.evaluation.outcomes import Interval
from pipeline.reporting import pack
from pipeline.reporting.evidence import Evidence
from pipeline.reporting.manifest import canonical, manifest, plain, report_digest
from pipeline.reporting.pack import read, verify, write
from tests.reporting.conftest import build


@pytest.fixture
def drift(tmp_path: Path) -> Path:
    path = tmp_path / "elsewhere" / "drift.html"
    path.parent.mkdir()
    path.write_text("<p>drift</p>")
    return path


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One pack with its attachment, drawn once; :func:`a_pack` hands out copies."""
    folder = tmp_path_factory.mktemp("kept")
    attached = folder / "drift.html"
    attached.write_text("<p>drift</p>")
    write(build(), folder / "pack", [attached])
    return folder / "pack"


@pytest.fixture
def a_pack(kept: Path, tmp_path: Path) -> Path:
    """A written pack that a test may spoil."""
    return Path(shutil.copytree(kept, tmp_path / "pack"))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_pack_holds_page_twin_and_manifest_under_one_digest(evidence: Evidence, tmp_path: Path) -> None:
    written = write(evidence, tmp_path / "pack")
    assert written.digest == report_digest(manifest(evidence))
    assert [p.name for p in (written.html, written.json, written.manifest)] == [
        "evidence.html",
        "evidence.json",
        "manifest.json",
    ]
    for path in (written.html, written.json, written.manifest):
        assert written.digest in path.read_text(encoding="utf-8")
    names = {"evidence.html", "evidence.json", "evidence.zh.html", "manifest.json"}
    roles = ("sponsor", "business-owner", "operations", "engineering", "compliance")
    names |= {f"digest-{role}{end}.html" for role in roles for end in ("", ".zh")}
    names |= {f"{card}{end}" for card in ("model-card", "data-sheet") for end in (".html", ".md", ".zh.html", ".zh.md")}
    assert {p.name for p in (tmp_path / "pack").iterdir()} == names
    assert set(written.files) == names - {"manifest.json"}


def test_the_same_evidence_gives_the_same_bytes(
    evidence: Evidence, drift: Path, tmp_path: Path, drawn_once: dict
) -> None:
    one = write(evidence, tmp_path / "one", [drift])
    drawn_once.clear()
    two = write(evidence, tmp_path / "two", [drift])
    assert one.files == two.files
    assert one.manifest.read_bytes() == two.manifest.read_bytes()
    again = write(evidence, tmp_path / "one", [tmp_path / "one" / "drift.html"])
    assert again == one


def test_the_page_stays_small(evidence: Evidence, tmp_path: Path) -> None:
    units = tuple(replace(evidence.evaluation.units[0], value=f"Store {n:03d}") for n in range(300))
    big = replace(evidence, evaluation=replace(evidence.evaluation, units=units))
    assert write(big, tmp_path).html.stat().st_size <= 400_000


def test_the_twin_reads_back_to_the_same_evidence(evidence: Evidence, a_pack: Path) -> None:
    assert read(a_pack) == evidence


def test_figures_that_are_no_numbers_survive_the_twin(evidence: Evidence, tmp_path: Path) -> None:
    goal = replace(evidence.goal, value=Interval(math.nan, -math.inf, math.inf))
    odd = replace(evidence, evaluation=replace(evidence.evaluation, kpis=(goal,)))
    digest = write(odd, tmp_path).digest
    assert verify(tmp_path, digest) == digest
    assert canonical(plain(read(tmp_path))) == canonical(plain(odd))


def test_an_untouched_pack_is_whole(evidence: Evidence, drift: Path, tmp_path: Path) -> None:
    written = write(evidence, tmp_path / "pack", [drift])
    assert verify(tmp_path / "pack") == verify(tmp_path / "pack", written.digest) == written.digest
    assert (tmp_path / "pack" / "drift.html").read_text() == "<p>drift</p>"


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("evidence.json", "0.0403", "0.0303"),
        ("evidence.json", '"target":0.042', '"target":0.052'),
        ("evidence.json", '"iteration":3', '"iteration":4'),
        ("evidence.json", "d" * 64, "e" * 64),
        ("evidence.html", "8.1\u00a0%", "9.1\u00a0%"),
        ("evidence.html", "Tom Okoye", "Tom Okoya"),
        ("evidence.zh.html", "Tom Okoye", "Tom Okoya"),
        ("drift.html", "drift", "calm"),
        ("manifest.json", "a" * 64, "b" * 64),
        ("manifest.json", '"iteration":3', '"iteration":4'),
    ],
)
def test_a_changed_file_is_found_and_named(a_pack: Path, file: str, old: str, new: str) -> None:
    edit(a_pack / file, old, new)
    with pytest.raises(DataError) as caught:
        verify(a_pack)
    assert any(finding.place.endswith(file) for finding in caught.value.findings)


def test_a_page_whose_own_hash_was_forged_into_the_manifest_still_misses_the_printed_hash(
    evidence: Evidence, tmp_path: Path
) -> None:
    written = write(evidence, tmp_path)
    edit(written.html, written.digest, "0" * 64)
    edit(written.html, written.digest, "0" * 64)
    listed = json.loads(written.manifest.read_text())
    listed["files"]["evidence.html"] = pack._file_digest(written.html)
    written.manifest.write_text(canonical(listed))
    with pytest.raises(DataError, match="does not print the hash"):
        verify(tmp_path)


def test_a_pack_rewritten_whole_is_found_by_the_hash_the_ledger_keeps(evidence: Evidence, tmp_path: Path) -> None:
    asked = write(evidence, tmp_path).digest
    write(replace(evidence, why="Another story."), tmp_path)
    assert verify(tmp_path) != asked
    with pytest.raises(DataError, match=f"the review was asked for {asked}"):
        verify(tmp_path, asked)


@pytest.mark.parametrize("file", ["evidence.html", "evidence.zh.html", "evidence.json", "manifest.json", "drift.html"])
def test_a_missing_file_is_named(a_pack: Path, file: str) -> None:
    (a_pack / file).unlink()
    with pytest.raises(DataError, match="is missing") as caught:
        verify(a_pack)
    assert file in str(caught.value)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"digest":"x","evidence":{}}', "\x00\xff"])
@pytest.mark.parametrize("file", ["evidence.json", "manifest.json"])
def test_a_broken_file_is_an_error_with_a_remedy_and_no_traceback_of_ours(
    a_pack: Path, file: str, content: str
) -> None:
    (a_pack / file).write_bytes(content.encode("latin-1"))
    with pytest.raises(DataError) as caught:
        verify(a_pack)
    assert caught.value.findings
    if file == "evidence.json":
        with pytest.raises(DataError):
            read(a_pack)


def test_a_writing_that_breaks_off_leaves_no_manifest_and_so_no_pack(
    evidence: Evidence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(evidence, tmp_path)
    whole = pack._replace

    def breaks(target: Path, text: str) -> None:
        if target.name == "manifest.json":
            raise OSError(28, "No space left on device")
        whole(target, text)

    monkeypatch.setattr(pack, "_replace", breaks)
    with pytest.raises(DataError, match="No space left on device"):
        write(replace(evidence, why="Another story."), tmp_path)
    with pytest.raises(DataError, match=r"manifest\.json: is missing"):
        verify(tmp_path)


def test_a_directory_that_cannot_be_made_is_named(evidence: Evidence, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="could not be written"):
        write(evidence, tmp_path / "file" / "pack")


def test_attachments_that_are_missing_or_take_the_packs_names_are_refused_together(
    evidence: Evidence, tmp_path: Path
) -> None:
    taken = tmp_path / "evidence.html"
    taken.write_text("mine")
    with pytest.raises(DataError) as caught:
        write(evidence, tmp_path / "pack", [tmp_path / "gone.html", taken])
    assert [finding.place for finding in caught.value.findings] == [str(tmp_path / "gone.html"), str(taken)]
    assert taken.read_text() == "mine"
