"""Every page in Chinese, read to the end: what is English there was given by people or is a name, and nothing else."""

import ast
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.accounts import change_language, delegate, make_token
from pipeline.ledger.iterations import STATES
from pipeline.review import FeedbackItem, sign
from pipeline.web.timeline import KNOWN
from tests.language.leftovers import english, said
from tests.web.made import PEOPLE

ITEM = FeedbackItem(
    id="F1", author="maria.lind", role="business_owner", kind="policy_change", slice={"category": "Promotions"},
    seen="They are gone by noon.", change="Aim a little higher.", acceptance="They last until evening.",
    patch={"policy.parameters.service_level": 0.97},
)  # fmt: skip
ROOT = Path(__file__).parents[2]
PAGES = ("/", "/projects", "/projects/{project}", "/history", "/history?group=people", "/account", "/reviews/{review}",
         "/reviews/{review}/feedback/new", "/reviews/{review}/confirm", "/nowhere")  # fmt: skip


@pytest.fixture
def walked(install):
    """An installation with a bit of everything, read in Chinese, and the texts people gave it."""
    site = install()
    ledger, review = site.ledger, site.review
    for name in (*PEOPLE, "olga.admin"):
        change_language(ledger, name, "zh_Hans")
    today = ledger.now().date()
    delegate(ledger, review.project, "ana.ruiz", "olga.admin", today, today + timedelta(days=3))
    make_token(ledger, "ana.ruiz", "Phone")
    sign(ledger, review.id, "tom.okoye", "stop", "It is too early.", review.report_digest)
    given = [site.pack.evidence, site.pack.evidence.charter.canonical(), PEOPLE, ITEM.model_dump(), "It is too early."]
    given += [[arm.name.removeprefix("baseline:") for arm in site.pack.evidence.arms]]
    given += [[event.actor, event.subject, event.project, event.kind] for event in ledger.events()]
    return site, set(said([*given, "Olga Admin", "ana.silva"]))


@pytest.mark.parametrize("person", ["ana.ruiz", "olga.admin"])
def test_no_sentence_of_ours_stands_in_english(walked, person):
    site, given = walked
    browser = site.browser(person)
    browser.client.headers["accept-language"] = "zh-CN"
    pages = [*PAGES, *(["/people"] if person == "olga.admin" else [])]
    shown = {page: browser.get(page.format(project=site.review.project, review=site.review.id)) for page in pages}
    assert [f"{page}: {left}" for page, one in shown.items() for left in english(one.text, given)] == []


def test_what_a_form_refuses_is_said_in_chinese(walked):
    site, given = walked
    maria = site.browser("maria.lind")
    page = f"/reviews/{site.review.id}/feedback/new"
    typed = {"kind": "policy_change", "seen": "x", "change": "y", "acceptance": "z"}
    for path, value in (
        ("policy.parameters.service_level", "high"),
        ("model.backtest_cutoffs", "-3"),
        ("model.candidates[boosted].features", "promo, promo"),
        ("scope.in", "Fresh produce"),
        ("kpi.target", "0.5"),
    ):
        answer = maria.post(page, {**typed, "path-0": path, "value-0": value})
        assert answer.status == 422, path
        assert english(answer.text, given) == [], path
    assert english(maria.post(page, {}).text, given) == []


def kinds_written() -> set[str]:
    """The kinds of events that the code writes: the first argument of ``append`` and ``note_refusal``, by its value."""
    named, used = {}, set()
    for path in (one for folder in (ROOT / "src" / "pipeline", ROOT / "flows") for one in folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assign):
                targets, values = node.targets[0], node.value
                pairs = zip(targets.elts, values.elts, strict=False) if _pairs(targets, values) else [(targets, values)]
                named |= {(path, one.id): value for one, value in pairs if isinstance(one, ast.Name)}
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in {"append", "note_refusal"}:
                used |= {(path, node.args[0])} if len(node.args) == 6 else set()
    found = {named.get((path, node.id), node) if isinstance(node, ast.Name) else node for path, node in used}
    parts = [part for node in found for part in ((node.body, node.orelse) if isinstance(node, ast.IfExp) else (node,))]
    kinds = {part.value for part in parts if isinstance(part, ast.Constant)}
    return kinds | {f"iteration.{state}" for state in STATES}


def _pairs(targets: ast.expr, values: ast.expr) -> bool:
    return isinstance(targets, ast.Tuple) and isinstance(values, ast.Tuple)


def test_every_kind_of_event_is_told_in_words():
    assert sorted(kinds_written() - set(KNOWN)) == []


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ("<p>Somebody forgot this</p>", 1), ('<p aria-label="and this too">好</p>', 1),
        ("<p>第 3 轮 pilot MLflow</p>", 0),
        ("<p>好：Somebody said it</p>", 0), ("<code>landed review list</code>", 0),
    ],
)  # fmt: skip
def test_the_reader_finds_what_is_left(html, found):
    assert len(english(html, {"Somebody said it"})) == found
