import json
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from pipeline.charter import charter_schema, read_charter, schema_text
from pipeline.charter.anatomy import example, example_line, fields
from pipeline.charter.model import Part

CONFIGS = Path(__file__).parents[2] / "configs"
CHARTERS = [CONFIGS / case / "charter.yaml" for case in ("replenishment", "vn2", "turnover", "service_desk")]
TODAY = date(2026, 11, 23)


def _sections(part: type[Part] = Part) -> list[type[Part]]:
    return [section for child in part.__subclasses__() for section in (child, *_sections(child))]


def test_the_schema_in_configs_is_the_one_the_types_give() -> None:
    assert (CONFIGS / "charter.schema.json").read_text(encoding="utf-8") == schema_text(), "run `make schema`"


@pytest.mark.parametrize("file", CHARTERS, ids=lambda file: file.parent.name)
def test_shipped_charters_name_the_schema_and_keep_to_it(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=../charter.schema.json\n")
    assert (file.parent / "../charter.schema.json").exists()
    validator = jsonschema.Draft202012Validator(charter_schema())
    validator.check_schema(charter_schema())
    values = json.loads(json.dumps(yaml.safe_load(text), default=str))
    assert [error.message for error in validator.iter_errors(values)] == []


@pytest.mark.parametrize("file", CHARTERS, ids=lambda file: file.parent.name)
def test_shipped_charters_are_sound(file: Path) -> None:
    charter = read_charter(file, TODAY)
    assert charter.model.candidates
    assert {person.channel.split("@")[1] for person in charter.people} == {"example.com"}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("kpi", "target"), "4.2 %"),
        (("kpi", "baseline"), 0.08),
        (("kpi", "targett"), 1),
        (("sign", "advance"), ["boss"]),
        (("stages",), []),
        (("data", "min_coverage"), 1.5),
    ],
)
def test_an_editor_with_the_schema_marks_what_landed_refuses(
    fresh: dict[str, Any], path: tuple[str, ...], value: Any
) -> None:
    here = fresh
    for step in path[:-1]:
        here = here[step]
    here[path[-1]] = value
    assert list(jsonschema.Draft202012Validator(charter_schema()).iter_errors(fresh))


@pytest.mark.parametrize("section", _sections(), ids=lambda section: section.__name__)
def test_every_key_of_every_section_is_described_and_has_a_sound_example(section: type[Part]) -> None:
    for key, field in fields(section).items():
        assert field.description, key
        line = example_line(key, field)
        assert "\n" not in line
        assert yaml.safe_load(line).keys() == {key}
    required = {key: example(field) for key, field in fields(section).items() if field.is_required()}
    everything = {key: example(field) for key, field in fields(section).items()}
    section.model_validate_json(json.dumps(required))
    section.model_validate_json(json.dumps(everything))
