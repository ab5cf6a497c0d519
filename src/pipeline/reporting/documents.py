"""Short documents beside the evidence page: titled sections of sentences and tables, as HTML and as Markdown."""

from dataclasses import dataclass
from functools import cache

from jinja2 import Environment

from pipeline.language import translator
from pipeline.reporting.evidence import Evidence
from pipeline.reporting.templating import environment


@dataclass(frozen=True)
class Section:
    """A titled part: sentences, then a table if there are rows.

    Attributes:
        title: of the part.
        sentences: each a paragraph or a point of a list.
        heading: of the table's columns.
        rows: its cells.
    """

    title: str
    sentences: tuple[str, ...] = ()
    heading: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Document:
    """A document; sentences and cells may be messages, which each language says in its own words."""

    name: str
    title: str
    lead: str
    sections: tuple[Section, ...]


def as_html(document: Document, evidence: Evidence, digest: str, language: str = "en") -> str:
    """The document as one HTML file that fetches nothing."""
    return _environment(language).get_template("document.html.j2").render(d=document, e=evidence, digest=digest)


def as_markdown(document: Document, evidence: Evidence, digest: str, language: str = "en") -> str:
    """The document as Markdown (CommonMark with tables)."""
    show = translator(language).show
    lines = [f"# {show(document.title)}", "", f"{evidence.charter.title} · `{digest}`", "", show(document.lead), ""]
    for section in document.sections:
        lines += [f"## {show(section.title)}", ""]
        for sentence in section.sentences:
            lines += [f"- {_plain(show(sentence))}"]
        if section.rows:
            lines += [
                *([""] if section.sentences else []),
                _row([show(cell) for cell in section.heading]),
                _row(["---"] * len(section.heading)),
            ]
            lines += [_row([_plain(show(cell)) for cell in row]) for row in section.rows]
        lines += [""]
    return "\n".join(lines).rstrip() + "\n"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    """People's own words must not become markup: what Markdown reads as such is escaped, a line stays a line."""
    flat = " ".join(text.split())
    return "".join(f"\\{sign}" if sign in "\\|<>[]*_#" else sign for sign in flat)


@cache
def _environment(language: str) -> Environment:
    return environment(language, lambda value: value)
