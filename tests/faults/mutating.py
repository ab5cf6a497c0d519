"""Seeded mutations of real text and of the plain values in it: what hands, editors and programs do to files."""

import random
from collections.abc import Callable
from typing import Any

#: Values that a field may not expect, each of another kind or size.
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 10**29, -(10**18), float("nan"), float("inf"), -float("inf"), 1e308, 5e-324, "", " ",
    "x", "yes", "=1+1", "\u202e\ufeff", "\ud800", "ﬁ\u0301", "日本語", "🧀" * 50, "a" * 5000, "../../etc/passwd",
    "{config.__class__}", "%s%n", "0x10", "1_000", "2027-02-30", "0001-01-01", "9999-12-31",
    [], {}, [None], [[]], {"": None},
    {"name": "x"}, ["a", "a"], list(range(300)),
)  # fmt: skip
#: What a line may become.
_LINES = (
    "\t", "---", "...", "- ", ": ", "? x", "& a", "<<: *a", "a: &a [x]", "b: *a", "%YAML 1.1", "{", "]", "'", '"', "|",
    ">-",
    "#", "\ufeff", "\u2028", "key: !!python/name:os.system", "!x y", "x: 2026-01-01T00:00:00Z", "'\\ud800'",
    '"\\ud800"',
    "a: [a, b", "a: {b: c", "12:30:45", "a:b:c", "- - - -", "? [a]\n: b", "on: off", "~: ~", "1: 2", "nan: .nan",
)  # fmt: skip


def mutated_text(text: str, draw: random.Random) -> bytes:
    """One to three faults in the text of a YAML file."""
    raw = text
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        raw = draw.choice(_TEXT)(raw, draw)
    encoded = raw.encode("utf-8", "surrogatepass")
    if draw.random() < 0.04:
        return draw.choice(
            (raw.encode("utf-16", "ignore"), raw.encode("latin-1", "replace"), encoded[: len(encoded) // 2] + b"\xff")
        )
    return encoded


def _line(change: Callable[[str, random.Random], list[str]]) -> Callable[[str, random.Random], str]:
    def mutate(text: str, draw: random.Random) -> str:
        lines = text.split("\n")
        at = draw.randrange(len(lines))
        return "\n".join([*lines[:at], *change(lines[at], draw), *lines[at + 1 :]])

    return mutate


def _retyped(line: str, draw: random.Random) -> list[str]:
    head, mark, _ = line.partition(": ")
    return [f"{head}{mark}{_flow(draw.choice(ODD))}"] if mark else [f"{line} {_flow(draw.choice(ODD))}"]


def _flow(value: Any) -> str:
    """A value as YAML of one line."""
    if isinstance(value, float) and value != value:
        return ".nan"
    if isinstance(value, float) and value in (float("inf"), -float("inf")):
        return ".inf" if value > 0 else "-.inf"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_flow(key)}: {_flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return {None: "null", True: "true", False: "false"}.get(value, str(value)) if not isinstance(value, str) else value


def _cut(text: str, draw: random.Random) -> str:
    return text[: draw.randrange(len(text) + 1)]


def _moved(text: str, draw: random.Random) -> str:
    lines = text.split("\n")
    line = lines.pop(draw.randrange(len(lines)))
    lines.insert(draw.randrange(len(lines) + 1), line)
    return "\n".join(lines)


def _character(text: str, draw: random.Random) -> str:
    at = draw.randrange(len(text) + 1)
    odd = draw.choice(
        (
            "\0",
            "\x07",
            "\x85",
            "\u2028",
            "\ufeff",
            "\ud800",
            "\U0001f9c0",
            "'",
            '"',
            ":",
            "{",
            "[",
            "&a ",
            "*a ",
            "\t",
            "\r",
            "!",
        )
    )
    return text[:at] + odd + text[at + draw.randrange(2) :]


def _deep(text: str, draw: random.Random) -> str:
    depth = draw.choice((5, 21, 200, 20_000))
    mark = draw.choice(("[", "{a: ", "- ", "? "))
    return (
        f"{text}\ndeep: {mark * depth}"
        if draw.random() < 0.8
        else "\n".join(" " * n + "a:" for n in range(min(depth, 300)))
    )


def _bomb(text: str, _: random.Random) -> str:
    """The billion laughs."""
    laughs = "\n".join(f"b{n}: &b{n} [{', '.join([f'*b{n - 1}'] * 9)}]" for n in range(1, 10))
    return f"{text}\nb0: &b0 [lol, lol]\n{laughs}\n"


_TEXT = (
    *[_line(lambda line, _: [])] * 3,
    *[_line(lambda line, _: [line, line])] * 3,
    *[_line(_retyped)] * 8,
    *[_line(lambda line, draw: [line[: draw.randrange(len(line) + 1)]])] * 2,
    *[_line(lambda line, draw: [" " * draw.randrange(9) + line.lstrip()])] * 2,
    *[_line(lambda line, draw: [draw.choice(_LINES), line])] * 4,
    *[_character] * 4,
    _cut,
    _moved,
    _deep,
    _bomb,
)


def mutated_values(values: Any, draw: random.Random) -> Any:
    """A copy of plain values in which one to three places are gone, doubled, or something else."""
    copy = _copied(values)
    for _ in range(draw.choice((1, 1, 2, 3))):
        path = draw.choice([path for path in places(copy) if path] or [()])
        if not path:
            return draw.choice(ODD)
        here = copy
        for step in path[:-1]:
            here = here[step]
        _change(here, path[-1], draw)
    return copy


def _change(here: Any, step: Any, draw: random.Random) -> None:
    way = draw.choice(("gone", "doubled", "odd", "odd", "odd", "renamed", "deep"))
    if way == "gone":
        del here[step]
    elif way == "doubled" and isinstance(here, list):
        here.insert(step, _copied(here[step]))
    elif way == "renamed" and isinstance(here, dict):
        here[draw.choice(("", "naem", "__class__", "é", step * 40))] = here.pop(step)
    elif way == "deep":
        inner: Any = "x"
        for _ in range(draw.choice((3, 30, 400))):
            inner = [inner] if draw.random() < 0.5 else {"a": inner}
        here[step] = inner
    else:
        here[step] = _copied(draw.choice(ODD))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every path into plain values, without recursion: what is looked at may be deep."""
    found, waiting = [], [(path, value)]
    while waiting:
        here, inner = waiting.pop()
        found.append(here)
        pairs = inner.items() if isinstance(inner, dict) else enumerate(inner) if isinstance(inner, list) else ()
        waiting += [((*here, key), child) for key, child in pairs if len(here) < 40]
    return found


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(one) for key, one in value.items()}
    return [_copied(one) for one in value] if isinstance(value, list) else value
