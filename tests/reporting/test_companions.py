"""Model card, data sheet and digests: the same figures as the page, in each language, sealed with the pack."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.charter import DECISIONS, ROLES
from pipeline.errors import DataError
from pipeline.evaluation.figures import show_interval
from pipeline.reporting.cards import data_sheet, model_card
from pipeline.reporting.companions import files
from pipeline.reporting.digests import role_digest
from pipeline.reporting.documents import Document, Section, as_html, as_markdown
from pipeline.reporting.evidence import ControlShown, Evidence
from pipeline.reporting.pack import verify, write
from pipeline.reporting.raci import raci
from tests.language.leftovers import english, said

OPEN = ControlShown(
    "data_governance", "The data fits its purpose", ("EU AI Act Art. 10",), "attested", "each_iteration", "block",
    "business_owner", "overdue", "Nobody attested to it yet.",
)  # fmt: skip


def text_of(document: Document) -> str:
    parts = [document.title, document.lead]
    for section in document.sections:
        parts += [section.title, *section.sentences, *section.heading, *(cell for row in section.rows for cell in row)]
    return "\n".join(parts)


def test_a_card_says_purpose_data_figures_slices_limits_people_and_version(evidence: Evidence) -> None:
    said = text_of(model_card(replace(evidence, controls=(OPEN,))))
    charter, goal = evidence.charter, evidence.goal
    for expected in (
        charter.pain_point, charter.decision, *charter.scope.excluded, evidence.model.version, evidence.model.digest,
        evidence.data.digest, show_interval(goal.value, goal.kpi.unit), *evidence.limits,
        evidence.evaluation.units[0].value, *(person.name for person in charter.people), OPEN.reason,
    ):  # fmt: skip
        assert expected in said


def test_the_chinese_documents_say_nothing_of_ours_in_english(evidence: Evidence) -> None:
    given = set(said([evidence, evidence.charter.canonical()]))
    shown = {name: text for name, text in files(evidence, "ab" * 32).items() if name.endswith(".zh.html")}
    assert len(shown) == 2 + len(ROLES)
    assert [f"{name}: {left}" for name, text in shown.items() for left in english(text, given)] == []


def test_a_data_sheet_accounts_for_every_row(evidence: Evidence) -> None:
    sheet = data_sheet(evidence)
    (tables,) = [section for section in sheet.sections if section.title == "Where it comes from"]
    for table, row in zip(evidence.charter.data.tables, tables.rows, strict=True):
        loaded, kept = evidence.data.loaded.get(table.name, 0), evidence.data.kept.get(table.name, 0)
        assert row[:4] == (table.name, table.owner, f"{loaded:,}", f"{loaded - kept:,}")


@pytest.mark.parametrize("role", ROLES)
def test_every_role_reads_the_same_figure_of_the_goal(evidence: Evidence, role) -> None:
    said = text_of(role_digest(evidence, role))
    assert show_interval(evidence.goal.value, evidence.goal.kpi.unit) in said
    assert len(said) < 6000


def test_a_role_is_told_what_it_is_asked_for(evidence: Evidence) -> None:
    asked = replace(evidence, controls=(OPEN,))
    assert "Vouch for it, or say why not: The data fits its purpose" in text_of(role_digest(asked, "business_owner"))
    assert "Vouch" not in text_of(role_digest(asked, "sponsor"))
    for option in (option for option in evidence.decisions if option.consequence):
        for role in ROLES:
            told = option.consequence in text_of(role_digest(evidence, role))
            assert told == (option.available and role in option.signers)


def test_one_role_alone_answers_for_each_thing(evidence: Evidence) -> None:
    charter = evidence.charter
    table = raci(charter)
    assert len(table.rows) == 3 + len(DECISIONS)
    held = [role for role in ROLES if any(person.role == role for person in charter.people)]
    for what, *letters in table.rows:
        assert sum("A" in letter for letter in letters) == 1, what
        assert sum("R" in letter for letter in letters) >= 1, what
    for decision, row in zip(DECISIONS, table.rows[3:], strict=True):
        signs = {role for role, letter in zip(held, row[1:], strict=True) if "R" in letter}
        assert signs == set(charter.sign[decision])


def test_peoples_words_never_become_markup(evidence: Evidence) -> None:
    nasty = Document("x", "T", "L", (Section("S", ("<script>alert(1)</script> | *b* [a](javascript:x)",)),))
    assert "<script>" not in as_html(nasty, evidence, "ab")
    markdown = as_markdown(nasty, evidence, "ab")
    assert "<script>" not in markdown.replace("\\<", "")
    assert "\\| \\*b\\* \\[a\\](javascript:x)" in markdown


def test_each_file_prints_the_hash_and_fetches_nothing(evidence: Evidence) -> None:
    found = files(evidence, "ab" * 32)
    assert len(found) == 18
    for name, text in found.items():
        assert "ab" * 32 in text, name
        assert not re.search(r"(src|href)=|https?://|<script", text), name
    assert "模型卡" in found["model-card.zh.html"]
    assert "模型卡" not in found["model-card.html"]


def test_an_edited_card_breaks_the_pack(evidence: Evidence, tmp_path: Path) -> None:
    written = write(evidence, tmp_path / "pack")
    card = written.html.parent / "model-card.md"
    card.write_text(card.read_text(encoding="utf-8").replace("4.0 %", "3.0 %"), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        verify(written.html.parent)
    assert "model-card.md" in caught.value.findings[0].place
