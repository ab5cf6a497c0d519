import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest

from pipeline.charter import Charter
from pipeline.charter.model import UnitShare
from pipeline.evaluation.figures import show
from pipeline.evaluation.outcomes import Interval
from pipeline.reporting.evidence import CostsShown, Evidence, Link
from pipeline.reporting.manifest import manifest, plain, report_digest
from pipeline.reporting.page import href, render

VOID = {"meta", "br", "wbr", "link", "img", "input", "hr"}

SECTIONS = [
    "Where we are",
    "The decision asked for",
    "The goal",
    "What changed since the last iteration, and why",
    "Feedback and what it did",
    "The model beside today's rule (min-max)",
    "Effect against controls",
    "Worst stores and slices",
    "Data quality",
    "Drift",
    "Checks",
    "Controls",
    "Costs",
    "What this evidence cannot tell",
    "How to check this report",
]


class Page(HTMLParser):
    """The page as a list of elements, each with its tag, attributes, text and the tags around it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[dict[str, Any]] = []
        self.elements: list[dict[str, Any]] = []
        self.feed(text)
        assert not self.open, f"never closed: {[element['tag'] for element in self.open]}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        around = [element["tag"] for element in self.open]
        element = {"tag": tag, "attributes": dict(attrs), "text": "", "around": around}
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1]["tag"] == tag, f"</{tag}> closes <{self.open[-1]['tag']}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element["text"] += data

    def all(self, tag: str) -> list[dict[str, Any]]:
        return [element for element in self.elements if element["tag"] == tag]


def html_of(evidence: Evidence) -> str:
    sealed = manifest(evidence)
    return render(evidence, sealed, report_digest(sealed))


@pytest.fixture(scope="module")
def html(evidence: Evidence) -> str:
    return html_of(evidence)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def spaced(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("\u00a0", " ")).strip()


def numbers(value: Any) -> set[float]:
    if isinstance(value, dict):
        return set().union(*(numbers(item) for item in value.values()), set())
    if isinstance(value, list):
        return set().union(*(numbers(item) for item in value), set())
    return {float(value)} if isinstance(value, int | float) and not isinstance(value, bool) else set()


def test_every_section_is_there_in_order(page: Page) -> None:
    assert [spaced(heading["text"]) for heading in page.all("h2")] == SECTIONS


def test_the_same_evidence_gives_the_same_page(evidence: Evidence, html: str, drawn_once: dict) -> None:
    drawn_once.clear()
    assert html_of(evidence) == html


def test_the_page_prints_verdict_banner_and_hash(evidence: Evidence, html: str) -> None:
    text = spaced(re.sub(r"<[^>]+>", "", html.split("<body>")[1]))
    assert "Stock-out rate fell from 8.1 % to 4.0 % (95 % interval 3.7 % to 4.4 %) in 5 stores" in text
    assert "Decisions in this case are recorded, not made by people." in text
    assert report_digest(manifest(evidence)) in text


def test_a_case_decided_by_people_has_no_banner(evidence: Evidence) -> None:
    assert "Recorded case" not in html_of(replace(evidence, recorded_case=False))


def test_every_figure_on_the_page_is_a_figure_of_the_twin(evidence: Evidence, page: Page) -> None:
    known = numbers(plain(evidence))
    shown = [float(element["attributes"]["value"]) for element in page.all("data")]
    assert len(shown) > 100
    assert set(shown) <= known


def test_every_figure_reads_as_the_number_it_carries(page: Page) -> None:
    for element in page.all("data"):
        value, text = float(element["attributes"]["value"]), spaced(element["text"])
        digits = re.search(r"[+-]?\d[\d,]*(\.\d+)?", text)
        assert digits, text
        read = float(digits.group().replace(",", ""))
        decimals = len(digits.group().partition(".")[2])
        if "min" in text:
            continue
        scale = 100 if text.endswith(("%", "points")) else 1
        assert abs(read - value * scale) <= 0.5 * 10**-decimals + 1e-9, (text, value)


def test_the_kpis_of_model_and_baseline_are_on_the_page_as_formatted(evidence: Evidence, page: Page) -> None:
    carried = {(element["attributes"]["value"], spaced(element["text"])) for element in page.all("data")}
    goal = evidence.goal
    for interval in (goal.value, goal.baseline):
        assert (repr(interval.value), show(interval.value, "share")) in carried


def test_free_text_is_escaped_wherever_it_comes_from(evidence: Evidence) -> None:
    evil = "<script>alert('x')</script><img src=x onerror=alert(1)>"
    charter = Charter.model_validate(
        {**evidence.charter.model_dump(), "title": evil, "pain_point": evil, "decision": evil}
    )
    unit = replace(evidence.evaluation.units[0], value=evil)
    part = replace(evidence.evaluation.slices[0], slice=evil, value=evil)
    dirty = replace(
        evidence,
        charter=charter,
        why=evil,
        started_by=evil,
        code_version=evil,
        units_word=evil,
        evaluation=replace(evidence.evaluation, basis=evil, units=(unit,), slices=(part,)),
        feedback=(replace(evidence.feedback[0], id=evil, author=evil, seen=evil, change=evil, reason=evil),),
        changes=(replace(evidence.changes[0], path=evil, old=evil, new=evil, kind=evil, why=evil),),
        arms=tuple(replace(arm, label=evil) for arm in evidence.arms),
        data=replace(evidence.data, reasons=(replace(evidence.data.reasons[0], reason=evil, example=evil),)),
        verdicts=(replace(evidence.verdicts[2], title=evil, reason=evil),),
        decisions=(replace(evidence.decisions[0], consequence=evil),),
        limits=(evil,),
        links=(Link(evil, evil), Link("x", "javascript:alert(1)")),
        costs=CostsShown(1, ((evil, 1.0),)),
    )
    html = html_of(dirty)
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;" in html
    found = Page(html)
    followed = re.compile(r"#|drift\.html$|evidence\.zh\.html$")
    assert not [a for a in found.all("a") if not followed.match(str(a["attributes"]["href"]))]
    assert "javascript:alert(1)" in html


@pytest.mark.parametrize(
    ("target", "followed"),
    [
        ("drift.html", True),
        ("https://example.org/run", True),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("//example.org/x", False),
        ("/etc/passwd", False),
        ("landed review show 3", False),
    ],
)
def test_only_web_addresses_and_files_beside_the_page_are_followed(target: str, *, followed: bool) -> None:
    assert bool(href(target)) is followed


def test_the_page_fetches_nothing_and_runs_nothing(page: Page, html: str) -> None:
    forbidden = {"script", "link", "img", "iframe", "object", "embed", "form"}
    assert not [element["tag"] for element in page.elements if element["tag"] in forbidden]
    attributes = [name for element in page.elements for name in element["attributes"]]
    assert not [name for name in attributes if name.startswith("on") or name == "src"]
    assert "url(" not in html.split("</style>")[0]
    assert "@import" not in html


def test_the_page_says_its_language_and_title_and_fits_a_phone(page: Page) -> None:
    assert page.all("html")[0]["attributes"]["lang"] == "en"
    assert spaced(page.all("title")[0]["text"]) == "Smart replenishment: evidence of iteration 3"
    assert any(meta["attributes"].get("name") == "viewport" for meta in page.all("meta"))
    assert len(page.all("main")) == len(page.all("h1")) == 1


def test_headings_never_skip_a_level(page: Page) -> None:
    levels = [int(element["tag"][1]) for element in page.elements if re.fullmatch(r"h[1-6]", element["tag"])]
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_every_table_has_column_and_row_headings(page: Page) -> None:
    assert page.all("table")
    assert all(heading["attributes"].get("scope") in {"col", "row"} for heading in page.all("th"))
    regions = [element for element in page.elements if element["attributes"].get("role") == "region"]
    assert len(regions) == len(page.all("table"))
    assert all(region["attributes"]["aria-label"] for region in regions)


def test_every_chart_has_a_title_and_a_description(page: Page) -> None:
    drawn = [element for element in page.all("svg") if "svg" not in element["around"]]
    assert len(drawn) == len([e for e in page.all("title") if "svg" in e["around"]]) == len(page.all("desc")) == 5


def test_ids_are_unique_and_every_reference_on_the_page_leads_somewhere(page: Page) -> None:
    ids = [element["attributes"]["id"] for element in page.elements if "id" in element["attributes"]]
    assert len(ids) == len(set(ids))
    for element in page.elements:
        for name in ("aria-labelledby", "href", "xlink:href"):
            target = element["attributes"].get(name) or ""
            references = target.split() if name == "aria-labelledby" else [target[1:]] if target[:1] == "#" else []
            assert set(references) <= set(ids)


def test_colour_is_never_the_only_sign(page: Page) -> None:
    signs = {"is-pass": "✓", "is-warning": "!", "is-fail": "✗", "is-none": "–"}
    states = [e for e in page.all("span") if "state" in str(e["attributes"].get("class")).split()]
    assert states
    for element in states:
        colour = str(element["attributes"]["class"]).split()[-1]
        symbol, word = element["text"][0], element["text"][1:]
        assert symbol == signs[colour]
        assert word.isprintable()
        assert word


def test_the_first_iteration_with_nothing_to_show_is_still_a_whole_page(evidence: Evidence) -> None:
    bare = replace(
        evidence,
        iteration=1,
        changes=(),
        feedback=(),
        arms=(),
        backtest=(),
        history=(),
        weekly=(),
        field=None,
        drift=None,
        verdicts=(),
        decisions=(),
        limits=(),
        links=(),
        costs=CostsShown(1),
        data=replace(evidence.data, reasons=()),
        evaluation=replace(evidence.evaluation, units=(), slices=()),
    )
    html = html_of(bare)
    # Where nobody followed a model, nothing is said of controls.
    assert len(Page(html).all("h2")) == len(SECTIONS) - 1
    for said in (
        "This is the first iteration.",
        "Nobody has given feedback yet.",
        "No check was made.",
        "not recorded",
    ):
        assert said in html


def test_too_few_units_for_an_interval_is_written_out(evidence: Evidence) -> None:
    open_ended = Interval(0.04, -math.inf, math.inf)
    goal = replace(evidence.goal, value=open_ended, difference=replace(open_ended, value=-0.04))
    html = html_of(replace(evidence, evaluation=replace(evidence.evaluation, kpis=(goal,))))
    assert "no interval: too few units" in html


def test_a_stage_of_a_share_of_the_units_names_how_many_were_measured(evidence: Evidence) -> None:
    for units in (UnitShare(share=0.2), {"region": "north"}, ("S001", "S002")):
        stage = evidence.stage.model_copy(update={"units": units})
        assert "This stage" in html_of(replace(evidence, stage=stage))
