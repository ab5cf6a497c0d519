"""What pages show, to whom, and that they are fit for keyboards, screen readers and a strict content policy."""

import json
import re
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from pipeline.accounts import change_language
from pipeline.charter.reading import charter_from_canonical
from pipeline.compliance.library import Control
from pipeline.language import say
from pipeline.ledger import all_iterations
from pipeline.ledger.chain import canonical
from pipeline.ledger.tables import iterations
from pipeline.reporting.pack import MANIFEST
from pipeline.review import FeedbackItem, mark_applied, sign
from pipeline.review.attesting import waive
from pipeline.review.listing import show_review
from pipeline.verdicts import Verdict
from pipeline.web.messages import review_in_full
from tests.web.made import PEOPLE, PROJECT, write_pack

ADDRESS = f"/projects/{PROJECT}"
EVERY = [
    "/",
    "/projects",
    f"/projects/{PROJECT}",
    "/history",
    "/account",
    "/reviews/{id}",
    "/reviews/{id}/feedback/new",
]


@pytest.fixture
def ana(site):
    return site.browser("ana.ruiz")


def addresses(site) -> list[str]:
    return [address.format(id=site.review.id) for address in EVERY]


def test_strangers_are_sent_to_sign_in_and_back(site):
    for address in [*addresses(site), "/people", f"/reports/{site.pack.digest}/evidence.html"]:
        answer = site.browser().get(address)
        assert answer.status == 303
        assert answer.headers["location"].startswith("/sign-in")


def test_every_page_is_sound_html_for_screen_readers_and_a_strict_policy(site, ana):
    pages = {address: ana.get(address) for address in addresses(site)}
    pages["/people"] = site.browser("olga.admin").get("/people")
    pages["/sign-in"] = site.browser().get("/sign-in")
    pages["/nowhere"] = ana.get("/nowhere")
    for address, page in pages.items():
        assert page.status == (404 if address == "/nowhere" else 200), address
        assert page.all("html")[0].attributes["lang"] == "en"
        assert len(page.all("h1")) == 1, address
        ids = [one.attributes["id"] for one in page.elements if one.attributes.get("id")]
        assert len(ids) == len(set(ids)), (address, [one for one in ids if ids.count(one) > 1])
        for one in page.elements:
            assert "style" not in one.attributes, (address, one)
            assert one.name != "style", address
            assert not [name for name in one.attributes if name.startswith("on")], (address, one)
            for name in ("aria-describedby", "aria-labelledby", "for"):
                assert set((one.attributes.get(name) or "").split()) <= set(ids), (address, one)
            href = one.attributes.get("href") or ""
            assert not href.startswith("#") or href[1:] in ids, (address, href)
        assert all(script.attributes.get("src", "").startswith("/static/") for script in page.all("script"))
        labelled = {label.attributes.get("for") for label in page.all("label")}
        fields = [one for name in ("input", "select", "textarea") for one in page.all(name)]
        for one in fields:
            assert one.attributes.get("type") == "hidden" or one.attributes.get("id") in labelled, (address, one)
        assert all(button.text.strip() for button in page.all("button")), address


def test_the_inbox_tells_what_waits_for_whom(site):
    mine = site.browser("ana.ruiz").get("/")
    assert mine.title == "One decision waits for you"
    for words in ("Smart replenishment", "Iteration 3 · stage pilot", "4.0 %", "≤ 4.2 %", "Due 7 Nov 2026"):
        assert words in mine.words
    assert all(PEOPLE[name] in mine.words for name in ("ana.ruiz", "maria.lind", "tom.okoye"))
    own = site.browser("li.wei").get("/")
    assert own.title == "Nothing waits for you"
    assert "You started this run, so others sign." in own.words


def test_an_overdue_review_says_so_in_words(site):
    site.clock.pass_by(days=6)
    assert "Overdue since 7 Nov 2026" in site.browser("ana.ruiz").get("/").words


def test_the_review_shows_the_evidence_and_what_each_decision_will_do(site, ana):
    page = ana.get(f"/reviews/{site.review.id}")
    for words in (
        "Stock-out rate fell from 8.1", "300 stores follow the model from 9 Nov 2026 on (stage full)",
        "Iteration 4 opens at stage pilot", "Li Wei started the run and may not sign", "Store 017 Harbour",
        "What this evidence cannot tell", "What the next stage needs", "Measured effect on stock-out rate", "Promotions"
    ):  # fmt: skip
        assert words in page.words, words
    assert site.pack.digest in page.words
    assert len(page.all("svg")) == 5
    assert "Go down a stage" not in page.words


def test_a_barred_decision_says_why_and_cannot_be_chosen(install, barred_pack):
    site = install(barred_pack)
    page = site.browser("ana.ruiz").get(f"/reviews/{site.review.id}")
    assert "It does not beat today's rule." in page.words
    assert "disabled" in page.all("input", id="decision-advance")[0].attributes


def test_what_people_typed_is_shown_and_never_run(site, ana):
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)> {{ 7*7 }}"
    ana.post(f"/reviews/{site.review.id}/draft", {"decision": "stop", "comment": evil, "go": "confirm"})
    confirm = ana.get(f"/reviews/{site.review.id}/confirm")
    fields = {name: confirm.value(name) for name in ("report", "draft")}
    assert ana.post(f"/reviews/{site.review.id}/sign", fields).status == 303
    for address in (f"/reviews/{site.review.id}", "/history", "/"):
        page = ana.get(address)
        assert "<script>alert" not in page.text
        assert not page.all("img", src="x")
        if address != "/":
            assert "<script>alert(1)</script>" in page.words
            assert "{{ 7*7 }}" in page.words


def test_people_without_a_right_see_nothing_of_a_project(site):
    from pipeline.accounts import invite

    invite(site.ledger, "nora.new", "Nora New", by="tests", trusted=True)
    nora = site.browser("nora.new")
    for address in (f"/projects/{PROJECT}", f"/reviews/{site.review.id}", f"/reports/{site.pack.digest}/evidence.html"):
        assert nora.get(address).status == 404
    assert "Smart replenishment" not in nora.get("/").words
    assert "Smart replenishment" not in nora.get("/history").words
    assert nora.get("/people").status == 404


def test_the_project_page_tells_the_charter_in_plain_words(site, ana):
    page = ana.get(f"/projects/{PROJECT}")
    for words in (
        "Shelves stand empty", "Stock-out rate ≤ 4.2", "by 30 Jun 2027", "3 of 6", "milestone 5.0",
        "not measured yet", "was due 13 Oct 2026", "nobody; today's rule holds everywhere", "Maria Lind",
    ):  # fmt: skip
        assert words in page.words, words


def test_the_budget_tells_what_was_measured_beside_what_is_planned(site, ana):
    sign(site.ledger, site.review.id, "tom.okoye", "stop", "It is too early.", site.pack.digest)
    words = [cell.text.strip() for cell in ana.get(ADDRESS).elements if cell.name in {"th", "td"}]
    for row in (
        ["What", "Used, measured", "Planned"],
        ["Iterations", "3", "6in all"],
        ["Computing", "25 min", "1.5 h"],
        ["People", "1 signature1 h at 60 min each, by the charter", "12 days"],
        ["Money", "not on record", "9,000 EURof 120,000 EUR in all"],
    ):
        places = [at for at, word in enumerate(words) if word == row[0]]
        assert row in [words[at : at + 3] for at in places], row


def test_the_history_filters_links_and_states_the_chain(site, ana):
    page = ana.get("/history")
    assert "The record is whole" in page.words
    assert f"/reviews/{site.review.id}" in page.links()
    assert f"/reports/{site.pack.digest}/evidence.html" in page.links()
    assert any(link.startswith("http://mlflow.test/#/runs/0f0f") for link in page.links())
    only = ana.get("/history?group=reviews")
    assert "A decision was asked for" in only.words
    assert "models are in MLflow" not in only.words
    assert "Nothing on record fits" in ana.get("/history?until=2020-01-01").words
    assert "A decision was asked for" in ana.get("/history?since=2026-11-02&until=2026-11-02&person=li.wei").words
    for odd in ("since=yesterday", "before=x", "group=%27%3B--", "project=../etc", "before=99999999999999999999"):
        assert ana.get(f"/history?{odd}").status == 200


def test_every_item_about_an_iteration_links_to_review_report_and_runs(install, settings):
    site = install(using=settings.model_copy(update={"prefect_page": "http://prefect.test"}))
    sign(site.ledger, site.review.id, "maria.lind", "iterate", "Once more.", site.pack.digest)
    with site.ledger.transaction() as tx:
        mark_applied(tx, site.review.id)
    about = site.browser("ana.ruiz").get("/history")
    events = [event for event in site.ledger.events() if event.kind.startswith(("iteration.", "review."))]
    assert len(events) >= 8
    for event in events:
        (row,) = about.all("li", id=f"event-{event.seq}")
        wanted = ["Report", "MLflow run", "Prefect run", *(["Review"] if event.kind.startswith("review.") else [])]
        assert [title for title in wanted if title not in row.text] == [], event.kind


def test_why_a_decision_is_barred_is_told_in_the_readers_language(install, barred_pack, tmp_path):
    reason = say("{column}: missing", column="units")
    verdict = Verdict("kpi.beats_baseline", say("a whole number"), "fail", "block", reason, {})
    shown = replace(barred_pack.evidence, verdicts=(*barred_pack.evidence.verdicts[:-1], verdict))
    site = install(write_pack(tmp_path / "barred", shown))
    assert "units: missing" in site.browser("maria.lind").get(f"/reviews/{site.review.id}").words
    change_language(site.ledger, "maria.lind", "zh_Hans")
    assert "units：缺失" in site.browser("maria.lind").get(f"/reviews/{site.review.id}").words


def test_what_became_of_feedback_is_told_in_the_readers_language(site, ana):
    items = [
        FeedbackItem(id="F1", author="maria.lind", role="business_owner", kind="policy_change", seen="Empty by noon.",
                     change="Aim higher.", patch={"policy.parameters.service_level": 0.97}, acceptance="Not empty."),
        FeedbackItem(id="F2", author="maria.lind", role="business_owner", kind="other", seen="Packed in sixes.",
                     change="Full cases.", acceptance="No case is opened."),
    ]  # fmt: skip
    sign(site.ledger, site.review.id, "maria.lind", "iterate", "Once more.", site.pack.digest, items)
    with site.ledger.transaction() as tx:
        mark_applied(tx, site.review.id)
    assert "in the charter of the next iteration (policy.parameters.service_level)" in ana.get(ADDRESS).words
    change_language(site.ledger, "ana.ruiz", "zh_Hans")
    words = ana.get(ADDRESS).words
    assert "已写入下一轮迭代的章程（policy.parameters.service_level）" in words
    assert "没有章程条目可以表达它" in words


def test_the_history_opens_the_report_in_the_readers_language(site, ana):
    change_language(site.ledger, "ana.ruiz", "zh_Hans")
    (link,) = {link for link in ana.get("/history").links() if link.startswith("/reports/")}
    assert link == f"/reports/{site.pack.digest}/evidence.zh.html"
    assert '<html lang="zh-Hans"' in ana.get(link).text


def test_a_pack_of_an_earlier_version_opens_in_english(install, pack, tmp_path):
    folder = shutil.copytree(pack.page.parent, tmp_path / "old")
    (folder / "evidence.zh.html").unlink()
    listed = json.loads((folder / MANIFEST).read_text())
    del listed["files"]["evidence.zh.html"]
    (folder / MANIFEST).write_text(json.dumps(listed))
    site = install(replace(pack, page=folder / pack.page.name))
    answer = site.browser("ana.ruiz").get(f"/reports/{pack.digest}/evidence.zh.html")
    assert answer.status == 200
    assert '<html lang="en"' in answer.text


def test_a_record_that_was_changed_says_where(site):
    with closing(sqlite3.connect(site.ledger.path)) as connection, connection:
        connection.execute("DROP TRIGGER landed_events_no_update")
        connection.execute("UPDATE landed_events SET actor = 'mallory' WHERE seq = 3")
    assert re.search(
        r"The record was changed after it was written, at event 3\b", site.browser("ana.ruiz").get("/history").words
    )
    with closing(sqlite3.connect(site.ledger.path)) as connection, connection:
        connection.execute("UPDATE landed_events SET actor = 'tests' WHERE seq = 3")


def test_the_export_is_the_record_and_goes_on_record(site, ana):
    import csv
    import io
    import json

    from pipeline.ledger.chain import event_hash

    lines = ana.post("/history/export", {"format": "jsonl"}).text.splitlines()
    told = [json.loads(line) for line in lines]
    assert [one["kind"] for one in told if one["project"]] == [k.kind for k in site.ledger.events(PROJECT)][: len(told)]
    assert all(event_hash(one["previous"], one) == one["hash"] for one in told)
    assert site.kinds()[-1] == "export.made"
    table = list(csv.DictReader(io.StringIO(ana.post("/history/export", {"format": "csv"}).text)))
    assert table[0]["kind"] == "iteration.opened"
    assert all(not cell.startswith(("=", "+", "-", "@")) for row in table for cell in row.values())


def test_pages_speak_the_readers_language(site):
    from pipeline.accounts import change_language

    change_language(site.ledger, "ana.ruiz", "zh_Hans")
    page = site.browser("ana.ruiz").get("/")
    assert page.all("html")[0].attributes["lang"] == "zh-Hans"
    assert site.browser().get("/sign-in", accept_language="zh-CN").all("html")[0].attributes["lang"] == "zh-Hans"


def test_the_history_says_why_an_iteration_failed_and_shows_the_reason_as_text(site, ana):
    reason = "ValueError: no visits of <script>alert(1)</script> (toy.py:1 in load)"
    with site.ledger.transaction() as tx:
        for kind in ("iteration.broken_off", "iteration.failed"):
            tx.append(kind, PROJECT, f"{PROJECT}/9/pilot", "robin", "", {"reason": reason})
    page = ana.get("/history")
    assert page.words.count("broke off and is taken up again") == 1
    assert page.words.count(reason) == 2
    assert "<script>alert" not in page.text


def test_a_waiver_given_after_the_report_stands_at_the_decision_it_opens(site, ana):
    """The report cannot show it: person, reason and last day stand beside *advance*, on the page and in the API."""
    control = Control(
        id="data_fits", text="The data fits its purpose", source=("ISO/IEC 42001 A.7.2",), kind="attested",
        when="before_first_iteration", severity="block", role="operations",
    )  # fmt: skip
    (record,) = (one for one in all_iterations(site.ledger, PROJECT) if one.state == "awaiting_review")
    kept = {**control.model_dump(mode="json"), "state": "overdue", "reason": "", "by": "", "until": None}
    with site.ledger.transaction() as tx:
        result = canonical({**record.result, "controls": [kept]})
        tx.execute(iterations.update().where(iterations.c.number == record.number).values(result=result))
    page = f"/reviews/{site.review.id}"
    assert "the word of operations is missing" in ana.get(page).text
    charter = charter_from_canonical(json.loads(record.charter))
    with site.ledger.transaction() as tx:
        until = tx.now().date()
        waive(tx, charter, control, "The officer is ill.", until, actor="tom.okoye")
    text = ana.get(page).text
    assert "the word of operations is missing" not in text
    assert "The data fits its purpose: tom.okoye waived it until" in text
    assert "after this report was made: The officer is ill." in text
    told = review_in_full(show_review(site.ledger, site.review.id), record, charter).model_dump(mode="json")
    assert told["open_controls"] == []
    assert told["waived"] == [
        {"id": "data_fits", "text": control.text, "person": "tom.okoye", "reason": "The officer is ill.",
         "until": until.isoformat()}
    ]  # fmt: skip
