"""The catalogues fit the code: nothing untranslated, stale or with other placeholders, and no text left unmarked."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

from pipeline.language import LANGUAGES
from pipeline.language.catalogue import collect, compiled, merged, po_file, read, sources, written

ROOT = Path(__file__).parents[2]
OTHERS = LANGUAGES[1:]
_PLACE = re.compile(r"%\((\w+)\)s|\{(\w+)\}")
_REMEDY = "run `make messages` and translate what is empty in the .po file"


@pytest.fixture(scope="module")
def template():
    return collect(ROOT)


def variants(value) -> list[str]:
    return list(value) if isinstance(value, tuple | list) else [value]


@pytest.mark.parametrize("language", OTHERS)
def test_every_sentence_is_translated_and_none_is_stale_or_fuzzy(template, language):
    catalogue = read(language)
    known = {message.id for message in catalogue if message.id}
    wanted = {message.id for message in template if message.id}
    assert wanted - known == set(), _REMEDY
    assert known - wanted == set(), _REMEDY
    empty = [message.id for message in catalogue if message.id and not all(variants(message.string))]
    assert empty == [], _REMEDY
    assert [message.id for message in catalogue if message.id and message.fuzzy] == []
    assert not catalogue.obsolete


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_has_the_placeholders_and_markup_of_its_sentence(language):
    for message in read(language):
        if not message.id:
            continue
        source = variants(message.id)[-1]  # a singular may spell its number out
        for text in variants(message.string):
            assert places(text) == places(source), (source, text)
            assert re.findall(r"</?\w+[^>]*>", text) == re.findall(r"</?\w+[^>]*>", source), (source, text)
            if "%(" in source or "%%" in source:
                assert re.sub(r"%\(\w+\)s|%%", "", text).count("%") == 0, (source, text)
            assert text.strip() == text or source.strip() != source, (source, text)


def places(text: str) -> set[str]:
    return {one or other for one, other in _PLACE.findall(text)}


@pytest.mark.parametrize("language", OTHERS)
def test_the_files_are_what_make_messages_writes(template, language):
    catalogue = merged(template, language)
    path = po_file(language)
    assert path.read_bytes() == written(catalogue), _REMEDY
    assert path.with_suffix(".mo").read_bytes() == compiled(catalogue), _REMEDY


def test_a_sentence_that_is_not_written_out_is_refused(tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text("from pipeline.language import say\nx = 'a'\nsay(x)\n")
    with pytest.raises(ValueError, match=r"bad\.py:3: write the sentence out"):
        collect(tmp_path, [bad])


# ---- text of templates that is not marked --------------------------------------------------------------------------

#: Names, which no language translates.
NAMES = {"Landed", "MLflow", "Prefect", "UTC", "API", "JSON", "CSV"}
_WORD = re.compile(r"[A-Za-z]{2,}")
_READ_OUT = {"aria-label", "alt", "title", "placeholder"}
#: What a macro prints inside a tag; the scanner meets it outside of one.
_ATTRIBUTES = re.compile(r'\s*([\w-]+="[^"]*"\s*)+')
_EXPRESSION = "\N{SYMBOL FOR NULL}"


class Texts(HTMLParser):
    """Collects what a reader sees or hears: text outside code and style, and the attributes that are read out."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = 0
        self.found: list[str] = []

    def handle_starttag(self, tag, attrs) -> None:
        self.hidden += tag in {"style", "script", "code", "pre"}
        self.found += [value for name, value in attrs if name in _READ_OUT and value]

    def handle_endtag(self, tag) -> None:
        self.hidden -= tag in {"style", "script", "code", "pre"}

    def handle_data(self, data) -> None:
        if not self.hidden:
            self.found.append(data)


def unmarked(source: str) -> list[str]:
    tree = Environment(extensions=["jinja2.ext.i18n"], autoescape=True).parse(source)
    html: list[str] = []
    loose: list[str] = []
    for output in tree.find_all(nodes.Output):
        for node in output.nodes:
            if isinstance(node, nodes.TemplateData):
                html.append(node.data)
            else:
                html.append(_EXPRESSION)
                loose += _constants(node)
    parser = Texts()
    parser.feed("".join(html))
    texts = [text for text in parser.found if set(_WORD.findall(text)) - NAMES and not _ATTRIBUTES.fullmatch(text)]
    return [*texts, *loose]


def _constants(node: nodes.Node) -> list[str]:
    """Sentences written into an expression: what is printed itself or by a condition, not what is handed to a call."""
    if isinstance(node, nodes.CondExpr):
        return [one for branch in (node.expr1, node.expr2) if branch is not None for one in _constants(branch)]
    if isinstance(node, nodes.Const) and isinstance(node.value, str) and re.search(r"\w \w", node.value):
        return [node.value]
    return []


TEMPLATES = [path for path in sources(ROOT) if path.suffix not in {".py", ".yaml"}]


def test_there_are_templates_to_look_at():
    assert {path.parent.parent.name for path in TEMPLATES} >= {"reporting"}


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: f"{path.parent.parent.name}-{path.name}")
def test_no_text_of_a_template_is_left_unmarked(path):
    assert unmarked(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<p>Plain words</p>", ["Plain words"]),
        ('<p>{{ _("Marked words") }}</p>', []),
        ("<p>{% trans %}Marked words{% endtrans %}</p>", []),
        ('<p aria-label="Spoken words">{{ x }}</p>', ["Spoken words"]),
        ('<p>{{ "Some words" if x else _("other words") }}</p>', ["Some words"]),
        ("<code>landed up</code><style>p { color: red }</style>", []),
        ('<p class="plain words">{{ x }} · Landed</p>', []),
    ],
)
def test_the_scanner_sees_what_is_not_marked(source, expected):
    assert unmarked(source) == expected
