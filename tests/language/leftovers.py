"""Finds what a Chinese page or pack still says in English, beside what people, data and standards gave it."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from html import unescape
from pathlib import Path
from typing import Any

from pipeline.language import Message

#: Two Latin words or more, one after the other: a sentence, or a part of one.
_ENGLISH = re.compile(r"[A-Za-z][a-z'’-]+(?:[ ,;:]+[a-z][a-z'’-]+)+")
_UNREAD = re.compile(r"(?s)<(style|script|code|pre)\b.*?</\1>|<head>.*?</head>")
_HEARD = re.compile(r'(?:aria-label|title|alt|placeholder)="([^"]*)"')


def said(value: Any) -> Iterator[str]:
    """Every text in a value that nobody can translate: given by people, or by a domain's data."""
    if isinstance(value, str) and not isinstance(value, Message):
        yield from (value, value.replace("_", " "))
    elif is_dataclass(value) and not isinstance(value, type):
        yield from (text for field in fields(value) for text in said(getattr(value, field.name)))
    elif isinstance(value, dict):
        yield from (text for pair in value.items() for one in pair for text in said(one))
    elif isinstance(value, list | tuple | set | frozenset):
        yield from (text for one in value for text in said(one))


def english(html: str, given: Iterable[str]) -> list[str]:
    """What a page says in English that was not given to it."""
    body = _UNREAD.sub(" ", html)
    texts = [*_HEARD.findall(body), *re.split(r"<[^>]*>", body)]
    longest = sorted(
        {each for one in given for each in (one, one.lower(), one[:1].upper() + one[1:])}, key=len, reverse=True
    )
    found = []
    for text in texts:
        rest = " ".join(unescape(text).split())
        for known in longest:
            if known in rest:
                rest = re.sub(rf"(?<![A-Za-z]){re.escape(known)}(?![A-Za-z])", "\N{REPLACEMENT CHARACTER}", rest)
        found += [f"{one} (in: {rest})" for one in _ENGLISH.findall(rest)]
    return found


def english_in_pack(folder: Path, given: Iterable[str]) -> list[str]:
    """The same for every Chinese page, card and digest of an evidence pack, with the file's name in front."""
    texts = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.zh.*"))}
    assert {"evidence.zh.html", "model-card.zh.html", "data-sheet.zh.md", "digest-sponsor.zh.html"} <= set(texts)
    known = set(given)
    # A Markdown page has a text in each line, or in each cell of a table.
    pages = {name: text if name.endswith("html") else re.sub(r"[|\n]", "<br>", text) for name, text in texts.items()}
    return [f"{name}: {left}" for name, page in pages.items() for left in english(page, known)]
