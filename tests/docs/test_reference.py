"""The pages of reference are what the program tells of itself today, and the picture shows the rooms."""

import re

import pytest

from pipeline.charter.schema import charter_schema
from pipeline.cli.reference import pages
from tests.docs.blocks import ROOT
from tests.test_docs import COMMANDS

MADE = pages(ROOT)


@pytest.mark.parametrize("name", MADE)
def test_what_is_generated_is_current(name):
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == MADE[name], "write it anew: make docs"


def test_every_key_of_the_charter_has_a_row_with_its_meaning():
    schema = charter_schema()
    page = MADE["reference/charter.md"]
    for part in (schema, *schema["$defs"].values()):
        for key, one in part["properties"].items():
            text = " ".join(one["description"].split()).replace("|", "\\|")
            assert re.search(rf"^\| `{key}` \| .* \| {re.escape(text)}", page, re.MULTILINE), key


def test_every_command_has_a_section_with_all_its_options():
    sections = dict(
        re.findall(r"^## `landed (.+?)`\n(.*?)(?=^## )", MADE["reference/cli.md"], re.MULTILINE | re.DOTALL)
    )
    assert set(sections) == {" ".join(words) for words in COMMANDS}
    for words, command in COMMANDS.items():
        for option in [one for param in command.params for one in param.opts if one.startswith("-")]:
            assert option in sections[" ".join(words)], (words, option)


def test_the_picture_has_a_box_for_every_room():
    shown = re.findall(r"<text x[^>]*>([\w.]+)</text>", MADE["images/rooms.svg"])
    packages = {path.parent.name for path in (ROOT / "src" / "pipeline").glob("*/__init__.py")}
    assert packages | {"flows"} <= set(shown)
    assert len(shown) == len(set(shown))
