"""Command blocks of a page: read line by line as a shell does, and played in a folder that makes the page true."""

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from pipeline.cli import app
from tests.test_docs import ROOT

_FENCE = re.compile(r"^( *)```(?:bash|sh|shell|console)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_HEREDOC = re.compile(r"<<-?\s*'?(\w+)'?")
#: What a page says of a command that ends otherwise than with 0.
_ENDS = re.compile(r"#.*\bends with ([1-9]\d*)")
_LANDED = re.compile(r"(?:\.venv/bin/)?landed(?: |$)")
#: Commands that stay in the foreground until Ctrl-C.
STAYS = re.compile(r"(?:make up|(?:\.venv/bin/)?landed (?:up|worker|dispatcher|review serve))\b")


@dataclass(frozen=True)
class Command:
    """One command of a page: where it stands, its text, and the exit code the page tells of."""

    page: str
    line: int
    text: str
    code: int = 0

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.text}"


def page_name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def commands_of(page: Path) -> list[Command]:
    """Every command of the page's blocks, in order; lines that go on and here-documents in one piece."""
    text = page.read_text(encoding="utf-8")
    found = []
    for fence in _FENCE.finditer(text):
        lines = iter(enumerate(fence[2].splitlines(), text.count("\n", 0, fence.start()) + 2))
        for number, line in lines:
            whole = line.removeprefix(fence[1]).removeprefix("$ ")
            if not whole.strip() or whole.startswith("#"):
                continue
            while whole.endswith("\\"):
                whole += "\n" + next(lines)[1]
            if end := _HEREDOC.search(whole):
                for _, inner in lines:
                    whole += f"\n{inner}"
                    if inner.strip() == end[1]:
                        break
            ends = _ENDS.search(whole)
            found.append(Command(page_name(page), number, whole, int(ends[1]) if ends else 0))
    return found


@dataclass
class Shell:
    """Plays commands one after another, as one terminal does.

    Attributes:
        folder: where the page begins.
        patch: for the working folder and the environment of commands played in this process.
        words: what stands in place of the page's placeholders, such as ``REVIEW``; or how to find it in what was shown.
        typed: by the beginning of a command, what somebody types into it, from all that was shown before.
        by: by the beginning of a command, variables of another person's terminal.
        apart: whether each ``landed`` is a process of its own, as for a user, or played in this one, which is quick.
        shown: everything the commands have shown.
    """

    folder: Path
    patch: pytest.MonkeyPatch
    words: Mapping[str, str | Callable[[str], str]] = field(default_factory=dict)
    typed: Mapping[str, Callable[[str], str]] = field(default_factory=dict)
    by: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    apart: bool = False
    shown: str = ""
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def play(self, command: Command) -> None:
        """Play it; AssertionError with all output where it ends otherwise than the page says."""
        self.patch.chdir(self.folder)
        text = self._filled(command.text)
        if moved := re.fullmatch(r"cd (\S+)(?: && (.*))?", text):
            self.folder = (self.folder / moved[1]).resolve()
            if moved[2]:
                self.play(Command(command.page, command.line, moved[2], command.code))
            return
        if told := re.fullmatch(r"export (\w+)=(\S+)\s*(?:#.*)?", text):
            self.patch.setenv(told[1], told[2])
            return
        if STAYS.match(text):
            self._stand(text)
            return
        by = next((one for start, one in self.by.items() if command.text.startswith(start)), {})
        with pytest.MonkeyPatch.context() as other:
            for name, value in by.items():
                other.setenv(name, value)
            code, said = self._played(command, text)
        self.shown += said
        assert code == command.code, f"{command}\nplayed as {text}\nended with {code}:\n{said}"

    def _played(self, command: Command, text: str) -> tuple[int, str]:
        if self.apart or not _LANDED.match(text) or re.search(r"[>|] ", text):
            return self._bash(text)
        typed = next((one(self.shown) for start, one in self.typed.items() if command.text.startswith(start)), None)
        return _inside(text, typed)

    def stop(self) -> None:
        """End what stays in the foreground."""
        for one in self.running:
            one.terminate()
            one.wait(60)

    def _filled(self, text: str) -> str:
        for word, value in self.words.items():
            if re.search(rf"(?<!\w){word}(?!\w)", text):
                text = re.sub(rf"(?<!\w){word}(?!\w)", value if isinstance(value, str) else value(self.shown), text)
        return text

    def _bash(self, text: str) -> tuple[int, str]:
        ran = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text], cwd=self.folder, env=_surroundings(), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return ran.returncode, ran.stdout

    def _stand(self, text: str) -> None:
        """Start it and wait until the stack is healthy, as the page's next command takes for granted."""
        self.running.append(subprocess.Popen(shlex.split(text, comments=True), cwd=self.folder, env=_surroundings()))
        said = ""
        for _ in range(120):
            code, said = self._bash("landed status")
            if code == 0:
                return
            assert self.running[-1].poll() is None, f"{text} ended:\n{said}"
            time.sleep(1)
        raise AssertionError(f"{text} was not healthy:\n{said}")


def _surroundings() -> dict[str, str]:
    """This process's variables, with the program of this environment on the path."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def _inside(text: str, typed: str | None) -> tuple[int, str]:
    result = CliRunner().invoke(app, shlex.split(text, comments=True)[1:], input=typed)
    unforeseen = result.exception if not isinstance(result.exception, SystemExit | None) else ""
    return result.exit_code, f"{result.output}{unforeseen}"


def called_rightly(command: Command) -> None:
    """Look at a command that is not played as far as that goes: its options, words of make, files it names.

    Raises:
        AssertionError: it could not be called like that.
    """
    for part in re.split(r"&&|\n", command.text.replace("\\\n", " ")):
        words = shlex.split(part, comments=True)
        for word in words:
            assert not word.startswith(("configs/", "docs/", "tests/")) or (ROOT / word).exists(), f"{command}: {word}"
        if words and words[0] == "make":
            planned = subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, capture_output=True, text=True)
            assert planned.returncode == 0, f"{command}\n{planned.stderr}"
        if _LANDED.match(part.strip()):
            _parsed(words[1:])


def _parsed(arguments: list[str]) -> None:
    """The words name a command, and its own parser takes what follows; it raises what it does not take."""
    found: Any = typer.main.get_command(app)
    while hasattr(found, "commands") and arguments and arguments[0] in found.commands:
        found, arguments = found.commands[arguments[0]], arguments[1:]
    # What comes before a command, such as --install-completion, acts as it is parsed.
    if hasattr(found, "commands"):
        known = {option for param in found.params for option in param.opts}
        assert set(arguments) <= known, arguments
    else:
        found.make_context("landed", list(arguments))
