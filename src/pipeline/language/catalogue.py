"""Keeping the catalogues: sentences are found in code and templates, merged with the translations, and compiled.

``make messages`` runs this. Both ``.po`` and ``.mo`` are part of the repository, so that an installed package speaks
every language without a build step; a test compares both with the code.
"""

import ast
import io
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from pipeline.language.translator import DOMAIN, LANGUAGES, LOCALES

#: What marks a sentence: the first argument, or for plurals the first two.
KEYWORDS: dict[str, Any] = {"say": None, "_": None, "gettext": None, "ngettext": (1, 2), "text": None}
#: In Python a catalogue's own function is not called directly.
_PYTHON_KEYWORDS = {"say": None}
_TEMPLATES = {"extensions": "jinja2.ext.i18n", "trimmed": "true", "newstyle_gettext": "true", "silent": "false"}
#: A date in the head would change the file each time.
_NO_DATE = datetime(2026, 11, 1, tzinfo=UTC)


def sources(root: Path) -> Iterator[Path]:
    """Python files, templates and control files of a checkout, in a stable order."""
    for folder in (root / "src" / "pipeline", root / "flows"):
        for path in sorted(folder.rglob("*")):
            if path.suffix == ".py" or path.name.endswith((".j2", ".html")):
                yield path
    yield from sorted((root / "configs" / "controls").glob("*.yaml"))


def collect(root: Path, paths: Iterable[Path] | None = None) -> Catalog:
    """Every sentence in the code, with the files it stands in.

    Raises:
        ValueError: a template cannot be read, or a sentence is not written out where it is said.
    """
    found = Catalog(
        project="Landed", creation_date=_NO_DATE, header_comment="# Sentences of Landed, found by `make messages`."
    )
    for path in sources(root) if paths is None else paths:
        place = path.relative_to(root).as_posix()
        text = path.read_bytes()
        for sentence, note in _sentences(path, text):
            found.add(sentence, locations=[(place, 0)], auto_comments=note)
    return found


def _sentences(path: Path, text: bytes) -> Iterator[tuple[Any, list[str]]]:
    if path.suffix == ".yaml":
        for control in yaml.safe_load(text)["controls"]:
            yield control["text"], []
        return
    if path.suffix == ".py":
        if b"pipeline.language" not in text:
            return
        _require_literals(path, text)
        found = extract("python", io.BytesIO(text), keywords=_PYTHON_KEYWORDS, comment_tags=("Translators:",))
    else:
        found = extract("jinja2.ext:babel_extract", io.BytesIO(text), keywords=KEYWORDS, options=_TEMPLATES)
    for _, sentence, notes, _ in found:
        yield sentence, list(notes)


def _require_literals(path: Path, text: bytes) -> None:
    """A sentence put together at run time is in no catalogue."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "say":
            first = node.args[0] if node.args else None
            if not (isinstance(first, ast.Constant) and isinstance(first.value, str)):
                raise ValueError(f"{path}:{node.lineno}: write the sentence out in say(…)")


def po_file(language: str) -> Path:
    """The translations of a language, for people to edit."""
    return LOCALES / language / "LC_MESSAGES" / f"{DOMAIN}.po"


def read(language: str) -> Catalog:
    """The translations as they stand."""
    with po_file(language).open("rb") as file:
        return read_po(file, locale=language)


def merged(template: Catalog, language: str) -> Catalog:
    """The translations with what is new in the code, without what is gone; nothing is guessed."""
    target = read(language) if po_file(language).exists() else Catalog(locale=language, domain=DOMAIN)
    target.update(template, no_fuzzy_matching=True)
    target.obsolete.clear()
    target.project, target.header_comment = template.project, template.header_comment
    target.creation_date = target.revision_date = _NO_DATE
    target.fuzzy = False
    return target


def written(catalogue: Catalog) -> bytes:
    """A catalogue as the ``.po`` file has it."""
    buffer = io.BytesIO()
    write_po(buffer, catalogue, width=120, sort_output=True, include_lineno=False)
    return buffer.getvalue()


def compiled(catalogue: Catalog) -> bytes:
    """A catalogue as ``gettext`` reads it."""
    buffer = io.BytesIO()
    write_mo(buffer, catalogue)
    return buffer.getvalue()


def main() -> None:
    """Bring every catalogue up to date with the code beside this package."""
    template = collect(Path(__file__).parents[3])
    for language in LANGUAGES[1:]:
        catalogue = merged(template, language)
        path = po_file(language)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(written(catalogue))
        path.with_suffix(".mo").write_bytes(compiled(catalogue))
        missing = [message.id for message in catalogue if message.id and not message.string]
        print(f"{language}: {len(catalogue)} sentences, {len(missing)} to translate in {path}")  # noqa: T201


if __name__ == "__main__":
    main()
