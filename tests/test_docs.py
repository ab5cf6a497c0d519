"""What README, docs and help say exists, and what exists is said."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import SecretStr
from typer.core import TyperGroup

from pipeline.cli import app
from pipeline.settings import Settings

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
#: What people wrote; what is generated from the program (docs/reference) says nothing new about it.
PAGES = [
    README,
    ROOT / "CONTRIBUTING.md",
    *(page for page in sorted((ROOT / "docs").rglob("*.md")) if page.parent.name != "reference"),
]
VOCABULARY = {"run", "test", "check", "format", "up", "bench", "clean"}
#: Folders of a machine that a file of this project must not name.
MACHINE = re.compile(r"/(?:work|root)/|/home/[a-z]|/Users/[A-Za-z]|/tmp/[a-z]")


def blocks(text: str) -> Iterator[str]:
    """Lines of code: of fenced blocks without their comments, and each inline span."""
    text = text.replace("\\\n", " ")
    for fenced in re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield from (line.split(" #")[0].strip() for line in fenced.splitlines())
    yield from (span for line in re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL).splitlines()
                for span in re.findall(r"`([^`]+)`", line))  # fmt: skip


def calls(word: str) -> list[tuple[str, list[str]]]:
    """Every call of a command in the pages: where, and its arguments."""
    lines = ((page.name, line) for page in PAGES for line in blocks(page.read_text(encoding="utf-8")))
    return [(f"{name}: {line}", shlex.split(line)[1:]) for name, line in lines if re.match(rf"(\S*/)?{word} ", line)]


def commands() -> dict[tuple[str, ...], Any]:
    """The commands of the application by their words."""

    def walk(command: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
        if isinstance(command, TyperGroup):
            for name, one in command.commands.items():
                yield from walk(one, (*words, name))
        else:
            yield words, command

    return dict(walk(typer.main.get_command(app), ()))


COMMANDS = commands()


def named(arguments: list[str]) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """The commands a call names, alternatives such as ``list|show`` one by one, and the arguments left."""
    first = arguments[0]
    if any(words[0] == first for words in COMMANDS if len(words) == 2) and len(arguments) > 1:
        for second in arguments[1].split("|"):
            yield (first, second), arguments[2:]
    else:
        for one in first.split("|"):
            yield (one,), arguments[1:]


def test_every_command_and_option_in_the_pages_exists():
    assert calls("landed"), "README shows no landed command"
    for place, arguments in calls("landed"):
        if arguments[0].startswith("-"):
            continue
        for words, rest in named(arguments):
            assert words in COMMANDS or any(known[: len(words)] == words for known in COMMANDS), place
            known = (
                {option for param in COMMANDS[words].params for option in param.opts} if words in COMMANDS else set()
            )
            for option in [argument.split("=")[0] for argument in rest if argument.startswith("--")]:
                assert option in known | {"--help"}, f"{place}: {' '.join(words)} has no {option}"


def test_every_option_named_alone_in_the_pages_exists():
    known = {option for command in COMMANDS.values() for param in command.params for option in param.opts}
    for page in PAGES:
        for span in re.findall(r"`(--[a-z-]+)[^`]*`", page.read_text(encoding="utf-8")):
            assert span in known, f"{page.name}: {span}"


@pytest.mark.parametrize("words", sorted(COMMANDS), ids=" ".join)
def test_every_command_is_named_in_the_pages(words):
    called = {found for _, arguments in calls("landed") for found, _ in named(arguments)}
    assert words in called, f"write about `landed {' '.join(words)}` in README.md or docs/"


@pytest.mark.parametrize("words", sorted(COMMANDS), ids=" ".join)
def test_every_command_and_parameter_has_a_help_text(words):
    command = COMMANDS[words]
    assert command.help
    for param in command.params:
        assert getattr(param, "help", None) or param.name == "help", param.name


def test_every_setting_is_documented_with_its_default():
    text = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    for name, field in Settings.model_fields.items():
        assert f"LANDED_{name.upper()}" in text
        assert field.description


def test_every_variable_the_pages_name_is_a_setting():
    known = {f"LANDED_{name.upper()}" for name in Settings.model_fields} | {"LANDED_VN2"}
    known |= {
        f"LANDED_{name.upper()}_FILE" for name, one in Settings.model_fields.items() if one.annotation is SecretStr
    }
    for page in PAGES:
        assert set(re.findall(r"LANDED_[A-Z_0-9]+", page.read_text(encoding="utf-8"))) <= known, page.name


def makefile_words() -> set[str]:
    return set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def test_make_knows_the_vocabulary_and_every_word_the_pages_use():
    assert makefile_words() >= VOCABULARY
    used = {arguments[0] for _, arguments in calls("make") if re.fullmatch("[a-z]+", arguments[0])}
    assert used <= makefile_words()
    assert {"run", "test", "up"} <= used, "README names the words a user needs"


def test_the_hook_of_continuous_integration_calls_the_same_words():
    text = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert re.search(r"\bmake check test\b", text)


def test_every_link_and_path_of_the_pages_leads_somewhere():
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for link in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", text):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
        for path in re.findall(r"`((?:configs|flows|src|docs|tests)/[\w./-]+)`", text):
            assert (ROOT / path).exists(), f"{page.name}: {path}"


def test_nothing_is_left_to_be_filled_in():
    for page in [*PAGES, ROOT / "CHANGELOG.md"]:
        assert not re.search(r"@@|\bTODO\b|\bTBD\b|\bFIXME\b", page.read_text(encoding="utf-8")), page.name


def test_the_changelog_has_a_section_of_this_version_or_an_unreleased_one():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## \[(.+?)\]", text, re.MULTILINE)
    assert sections
    assert sections[0] == "Unreleased" or re.fullmatch(r"\d+\.\d+\.\d+", sections[0])
    assert re.search(r"^### (Added|Changed|Deprecated|Removed|Fixed|Security)$", text, re.MULTILINE)


def project_files() -> list[Path]:
    """Files that are committed, or would be."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_file_names_a_folder_of_the_machine_it_was_written_on():
    found = []
    for path in project_files():
        text = path.read_text(encoding="utf-8", errors="ignore")
        found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in MACHINE.finditer(text)]
    assert found == []


def test_no_data_of_the_challenge_is_committed():
    names = {path.name for path in project_files()}
    assert not names & {"sales.csv", "in_stock.csv", "initial_state.csv", "master.csv", "submission_template.csv"}
