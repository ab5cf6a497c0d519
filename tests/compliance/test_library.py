"""Control files: the shipped ones are sound, and whatever is wrong in one is told with line and remedy, all at once."""

from pathlib import Path

import pytest

from pipeline.compliance.controls import CHECKS, known_controls
from pipeline.compliance.library import read_library
from pipeline.errors import CharterError

SHIPPED = Path(__file__).parents[2] / "configs" / "controls"


def told(tmp_path: Path, *texts: str) -> list[str]:
    paths = []
    for number, text in enumerate(texts):
        paths.append(tmp_path / f"{number}.yaml")
        paths[-1].write_text(text)
    with pytest.raises(CharterError) as caught:
        read_library(tuple(paths), tuple(CHECKS))
    return [str(finding).replace(str(tmp_path), "") for finding in caught.value.findings]


def a_control(name: str, **changes: str) -> str:
    values = {
        "id": name, "text": "Somebody looked at it closely", "source": "[ISO/IEC 42001 A.5]", "kind": "attested",
        "when": "each_iteration", "severity": "block", **changes,
    }  # fmt: skip
    first, *rest = [f"{key}: {value}" for key, value in values.items()]
    return "  - " + first + "".join(f"\n    {line}" for line in rest) + "\n"


def test_the_shipped_sets_are_there_and_every_check_stands_in_one() -> None:
    library = known_controls()
    assert set(library.sets) == {"baseline", "eu-ai-act-high-risk", "nist-ai-rmf"}
    assert {name for name, one in library.controls.items() if one.kind == "automated"} == set(CHECKS)
    assert {name for names in library.sets.values() for name in names} == set(library.controls)
    for text in (path.read_text() for path in SHIPPED.glob("*.yaml")):
        assert "comply" not in text
        assert "compliant" not in text


def test_a_set_holds_its_own_and_what_it_includes_each_once() -> None:
    library = known_controls()
    names = library.sets["eu-ai-act-high-risk"]
    assert len(names) == len(set(names))
    assert {"leakage", "risk_management"} <= set(names)


def test_everything_wrong_in_all_files_is_told_at_once_with_lines(tmp_path: Path) -> None:
    first = "set: one\ntitle: One\nincludes: [leakge]\ncontrols:\n" + a_control("mine", severity="bloc", kind="attest")
    second = "set: two\ntitle: Two\ncontrls: []\n"
    found = told(tmp_path, first, second)
    assert len(found) == 3
    assert found[0].startswith("/0.yaml:8 controls[mine].kind: 'attest'")
    assert "'automated', 'attested' or 'document'" in found[0]
    assert found[1].startswith("/0.yaml:10 controls[mine].severity: 'bloc'")
    assert found[2].startswith("/1.yaml:3 contrls: the unknown key `contrls`")
    assert "did you mean `controls`?" in found[2]


def test_what_is_wrong_between_files_is_told_too(tmp_path: Path) -> None:
    first = "set: one\ntitle: One\nincludes: [mime]\ncontrols:\n" + a_control("mine")
    second = "set: one\ntitle: Two\ncontrols:\n" + a_control("mine") + a_control("horoscope", kind="automated")
    found = told(tmp_path, first, second)
    assert [line.split("\n")[0] for line in found] == [
        "/0.yaml:3 includes[#1]: no control is called 'mime'",
        "/1.yaml:1 set: the set 'one' a second time",
        "/1.yaml:4 controls[mine].id: the control 'mine' a second time",
        "/1.yaml:10 controls[horoscope].id: no check is called 'horoscope'",
    ]
    assert "write 'mine'" in found[0]


@pytest.mark.parametrize("text", ["", "- a\n", "a: &x 1\nb: *x\n", "set: [", "\x00"])
def test_what_is_no_control_file_is_refused_not_crashed_on(tmp_path: Path, text: str) -> None:
    assert told(tmp_path, text)


def test_own_controls_are_read_from_the_folder_in_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "house.yaml").write_text(
        "set: house\ntitle: House rules\nincludes: [leakage]\ncontrols:\n" + a_control("dpo")
    )
    monkeypatch.setenv("LANDED_CONTROLS", str(tmp_path))
    assert known_controls().sets["house"] == ("leakage", "dpo")
    monkeypatch.setenv("LANDED_CONTROLS", str(tmp_path / "nowhere"))
    with pytest.raises(CharterError, match="cannot be read"):
        known_controls()
