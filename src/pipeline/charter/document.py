"""YAML text to plain values that remember their lines; everything a charter has no use for is refused.

YAML can alias one node a billion times, build Python objects, hold a key twice and read ``no`` as false. A charter
needs none of this: anchors, aliases and tags are refused, keys are unique text, and plain words are read by the core
schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema): all but true, false, null and numbers is text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from pipeline.charter.advice import Advice, Path

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20
_PREFIX = "tag:yaml.org,2002:"
_MAX_DIGITS = 30


@dataclass(frozen=True)
class Document:
    """Plain values of a YAML text.

    Attributes:
        data: dictionaries, lists, text, numbers, booleans and None.
        lines: the line, from 1, at which each path begins.
        advice: duplicate keys, tags and the like; the text still parsed.
    """

    data: Any
    lines: dict[Path, int] = field(default_factory=dict)
    advice: tuple[tuple[int, Advice], ...] = ()

    def line(self, path: Path) -> int:
        """The line of a path, or of the nearest section around it that the text has."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return 1


class UnreadableError(Exception):
    """The text is no YAML a charter may be written in."""

    def __init__(self, line: int | None, found: str, remedy: str) -> None:
        self.line, self.found, self.remedy = line, found, remedy
        super().__init__(found)


def parse(raw: bytes) -> Document:
    """Read YAML bytes.

    Raises:
        UnreadableError: for text too large, not UTF-8, not YAML, nested too deeply, or with anchors or aliases.
    """
    if len(raw) > MAX_BYTES:
        raise UnreadableError(
            None, f"more than {MAX_BYTES:,} bytes", "a charter is a few pages long; is this the right file?"
        )
    try:
        text = raw.decode()
    except UnicodeDecodeError as exc:
        line = raw.count(b"\n", 0, exc.start) + 1
        raise UnreadableError(line, f"byte 0x{raw[exc.start]:02x} is not UTF-8", "save the file as UTF-8") from exc
    node = _compose(text)
    if node is None:
        return Document(data=None)
    reader = _Reader()
    data = reader.value(node, ())
    return Document(data=data, lines=reader.lines, advice=tuple(reader.advice))


def _compose(text: str) -> yaml.Node | None:
    loader = None
    try:
        loader = _CoreLoader(text)
        node: yaml.Node | None = loader.get_single_node()
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        found = " ".join(part for part in (exc.context, exc.problem) if part)
        remedy = exc.note or "put this line right; indent with spaces, and quote text that holds `: ` or ` #`"
        raise UnreadableError(mark.line + 1 if mark else None, found, remedy) from exc
    except yaml.reader.ReaderError as exc:
        line = text.count("\n", 0, exc.position) + 1
        raise UnreadableError(line, f"the character {exc.character!r}, which YAML forbids", "remove it") from exc
    finally:
        if loader is not None:
            loader.dispose()
    return node


class _CoreLoader(yaml.SafeLoader):
    """Composes nodes only, by YAML 1.2's core schema, without anchors or aliases and not too deep."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (PyYAML's own way to start from none)
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            self._refuse(event, f"the anchor or alias `{event.anchor}`", "write the value out where it is needed")
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self._refuse(event, f"more than {MAX_DEPTH} levels of nesting", "a charter needs no more than six")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    @staticmethod
    def _refuse(event: Any, found: str, remedy: str) -> None:
        raise yaml.MarkedYAMLError(problem=found, problem_mark=event.start_mark, note=remedy)


for _name, _pattern, _first in (
    ("null", r"^(?:~|null|Null|NULL|)$", [*"~nN", ""]),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", [*"tTfF"]),
    ("int", r"^[-+]?[0-9]+$", [*"-+0123456789"]),
    (
        "float",
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
        [*"-+0123456789."],
    ),
):
    _CoreLoader.add_implicit_resolver(_PREFIX + _name, re.compile(_pattern), _first)


class _Reader:
    """Turns nodes into plain values and notes lines and what is wrong on the way."""

    def __init__(self) -> None:
        self.lines: dict[Path, int] = {}
        self.advice: list[tuple[int, Advice]] = []

    def value(self, node: yaml.Node, path: Path) -> Any:
        """The plain value of a node."""
        if isinstance(node, yaml.MappingNode) and node.tag == _PREFIX + "map":
            return dict(self._pairs(node, path))
        if isinstance(node, yaml.SequenceNode) and node.tag == _PREFIX + "seq":
            return [self._element(child, (*path, position)) for position, child in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        self._note(node, path, f"the tag `{node.tag}`", "write a plain list or section, without a tag")
        return None

    def _element(self, node: yaml.Node, path: Path) -> Any:
        self.lines[path] = node.start_mark.line + 1
        return self.value(node, path)

    def _pairs(self, node: yaml.MappingNode, path: Path) -> Iterator[tuple[str, Any]]:
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag != _PREFIX + "str":
                shown = f" `{key_node.value}`" if isinstance(key_node, yaml.ScalarNode) else ""
                self._note(key_node, path, f"a key{shown} that is not text", "write the key as a word, or in quotes")
                continue
            key = key_node.value
            here, line = (*path, key), key_node.start_mark.line + 1
            if here in self.lines:
                first = self.lines[here]
                remedy = f"keep one of them; the first stands on line {first}"
                self.advice.append((line, Advice(here, f"the key `{key}` a second time", remedy)))
                continue
            self.lines[here] = line
            yield key, self.value(value_node, here)

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        convert = _SCALARS.get(node.tag.removeprefix(_PREFIX))
        if convert is None:
            self._note(node, path, f"the tag `{node.tag}`", "write a plain value, without a tag")
            return None
        try:
            return convert(node.value)
        except ValueError:
            self._note(node, path, f"{node.value[:40]!r}, which cannot be read", "write a plain text or number")
            return None

    def _note(self, node: yaml.Node, path: Path, found: str, remedy: str) -> None:
        self.advice.append((node.start_mark.line + 1, Advice(path, found, remedy)))


def _whole(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ValueError(text)
    return int(text)


def _fraction(text: str) -> float:
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


def _words(text: str) -> str:
    text.encode()  # half a surrogate pair is a ValueError here, rather than a crash when the charter is hashed
    return text


def _nothing(_text: str) -> None:
    return None


_SCALARS: dict[str, Any] = {"str": _words, "int": _whole, "float": _fraction, "bool": _truth, "null": _nothing}
