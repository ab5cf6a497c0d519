"""The pack in Chinese: the same figures, our sentences translated, people's words as they wrote them."""

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from pipeline.evaluation.gates import judge
from pipeline.language import Message
from pipeline.reporting import words
from pipeline.reporting.evidence import Evidence
from pipeline.reporting.manifest import manifest, report_digest
from pipeline.reporting.pack import read, write
from pipeline.reporting.page import drawings, render, render_sections


@pytest.fixture(scope="module")
def judged(evidence: Evidence) -> Evidence:
    """The evidence with verdicts as the gates give them, whose sentences know their templates."""
    verdicts = judge(evidence.charter, evidence.stage, evidence.evaluation, iteration=3, today=date(2026, 11, 2))
    return replace(evidence, verdicts=verdicts)


@pytest.fixture(scope="module")
def pages(judged: Evidence) -> tuple[str, str]:
    return rendered(judged, "en"), rendered(judged, "zh_Hans")


def rendered(evidence: Evidence, language: str) -> str:
    sealed = manifest(evidence)
    return render(evidence, sealed, report_digest(sealed), language)


def figures(html: str) -> list[str]:
    return sorted(re.findall(r'<data value="([^"]*)"', html))


def test_both_pages_hold_the_same_figures_and_the_same_hash(judged: Evidence, pages: tuple[str, str]) -> None:
    english, chinese = pages
    assert figures(english) == figures(chinese)
    assert len(figures(chinese)) > 50
    assert report_digest(manifest(judged)) in chinese


def test_the_chinese_page_speaks_chinese_wherever_the_words_are_ours(judged: Evidence, pages: tuple[str, str]) -> None:
    english, chinese = pages
    assert '<html lang="zh-Hans">' in chinese
    assert '<html lang="en">' in english
    assert "5 个门店（pilot 阶段）：缺货率由 8.1% 降至 4.0%（95% 置信区间 3.7% 至 4.4%）；目标为 4.2%" in chinese
    assert "2027年6月30日 前缺货率不高于" in chinese
    assert "护栏" in chinese
    for verdict in judged.verdicts:
        assert isinstance(verdict.reason, Message), verdict.gate
        assert verdict.reason.replace(" %", "\u00a0%") not in chinese


def test_people_s_own_words_stand_as_they_wrote_them(pages: tuple[str, str]) -> None:
    assert "Weekend promotions are gone by Saturday noon" in pages[1]
    assert "Shelves stand empty" in pages[1]


def test_charts_name_their_parts_in_chinese(pages: tuple[str, str]) -> None:
    assert "各轮迭代的缺货率" in pages[1]
    assert ">模型</text>" in pages[1]
    assert ">model</text>" not in pages[1]


def test_a_pack_read_back_can_be_shown_in_chinese(judged: Evidence, pages: tuple[str, str], tmp_path: Path) -> None:
    written = write(judged, tmp_path)
    back = read(tmp_path)
    assert back == judged
    assert all(isinstance(verdict.reason, Message) for verdict in back.verdicts)
    assert written.html.with_name("evidence.zh.html").read_text(encoding="utf-8") == pages[1]
    section = render_sections(back, manifest(back), drawings(back, "zh_Hans"), "", "zh_Hans")
    assert "数据质量" in section
    assert "Data quality" not in section


def test_the_english_page_and_the_terminal_stay_english(judged: Evidence, pages: tuple[str, str]) -> None:
    chinese = re.compile(r"[\u4e00-\u9fff]")
    assert not chinese.search("\n".join(words.summary_lines(judged)))
    assert not chinese.search(pages[0].replace("简体中文", ""))
