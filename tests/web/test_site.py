"""What the site remembers: worked out once, anew when anything happened, and never somebody else's."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from pipeline.accounts import change_language, change_rights, deactivate, delegate
from pipeline.review import sign
from pipeline.web.site import Site
from tests.ledger.asking import asked_for
from tests.web.made import put_review


@pytest.fixture
def remembers(site) -> Site:
    return site.app.state.site


def note(site: Site) -> None:
    with site.ledger.transaction() as tx:
        tx.append("test.noted", "", "x", "tests", "", {})


def test_a_value_is_made_once_until_something_happens(remembers):
    made = []
    for expected in (1, 1):
        assert remembers.known("x", lambda: made.append(1) or len(made)) == expected
    note(remembers)
    assert remembers.known("x", lambda: made.append(1) or len(made)) == 2
    assert remembers.lasting("y", lambda: "for good") == "for good"
    note(remembers)
    assert remembers.lasting("y", lambda: "another") == "for good"


def test_whoever_comes_first_makes_it_and_the_others_wait_for_that(remembers):
    made, go = [], threading.Event()

    def slow() -> str:
        made.append(1)
        assert go.wait(60)
        return "there"

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(remembers.lasting, "slow", slow) for _ in range(8)]
        go.set()
        assert [one.result(60) for one in asked] == ["there"] * 8
    assert made == [1]


def test_a_failure_is_not_remembered(remembers):
    def fails() -> str:
        raise KeyError("not yet")

    with pytest.raises(KeyError):
        remembers.lasting("z", fails)
    assert remembers.lasting("z", lambda: "now") == "now"


def test_it_forgets_the_oldest(remembers):
    for number in range(1000):
        remembers.lasting(("many", number), lambda: "x")
    assert len(remembers._values) <= 256


def test_a_signature_shows_on_the_pages_of_everybody_at_once(site):
    pages = {name: site.browser(name) for name in ("ana.ruiz", "tom.okoye", "maria.lind")}
    for browser in pages.values():
        assert "nobody yet" in browser.get("/").words
        browser.get(f"/reviews/{site.review.id}")
    sign(site.ledger, site.review.id, "tom.okoye", "advance", "Ready.", site.pack.digest)
    for name, browser in pages.items():
        assert "Tom Okoye (operations): Go up a stage" in browser.get("/").words, name
        assert "Ready." in browser.get(f"/reviews/{site.review.id}").words, name
    assert pages["tom.okoye"].get(f"/reviews/{site.review.id}").all("textarea") == []
    assert len(pages["ana.ruiz"].get(f"/reviews/{site.review.id}").all("textarea")) == 1


def test_what_is_shared_holds_nothing_of_the_first_who_asked(site):
    """Ana's choice and language are hers: the next reader's page is their own."""
    ana, tom = site.browser("ana.ruiz"), site.browser("tom.okoye")
    ana.post(f"/reviews/{site.review.id}/draft", {"decision": "stop", "comment": "Too dear.", "go": "keep"})
    assert "checked" in ana.get(f"/reviews/{site.review.id}").all("input", id="decision-stop")[0].attributes
    page = tom.get(f"/reviews/{site.review.id}")
    assert all("checked" not in one.attributes for one in page.all("input", type="radio"))
    assert "Too dear." not in page.text
    assert tom.token in page.text
    assert ana.token not in page.text
    chinese = tom.get(f"/reviews/{site.review.id}", accept_language="zh-CN")
    assert ana.get(f"/reviews/{site.review.id}").all("html")[0].attributes["lang"] == "en"
    assert chinese.text != page.text or chinese.all("html")[0].attributes["lang"] == "en"


def test_the_inbox_tells_what_a_passing_date_changes_without_any_event(site):
    due = datetime.fromisoformat(site.review.due_at)
    site.clock.at = due - timedelta(minutes=10)
    ana = site.browser("ana.ruiz")
    assert "Overdue since" not in ana.get("/").words
    events = len(site.kinds())
    site.clock.pass_by(minutes=20)
    assert "Overdue since" in ana.get("/").words
    assert len(site.kinds()) == events


def test_the_inbox_is_each_readers_own(site):
    """Kept until something happens, under who reads it and in which language."""
    ana, wei = site.browser("ana.ruiz"), site.browser("li.wei")
    assert "Read and decide" in ana.get("/").words
    assert "You started this run, so others sign." in wei.get("/").words
    assert "Read and decide" not in wei.get("/").words
    change_language(site.ledger, "ana.ruiz", "zh_Hans")
    assert "阅读并决定" in ana.get("/").words
    assert "Read and decide" in site.browser("tom.okoye").get("/").words
    today = site.clock.at.date()
    delegate(site.ledger, "smart-replenishment", "ana.ruiz", "olga.admin", today, today)
    assert "for ana.ruiz" in site.browser("olga.admin").get("/").words
    site.clock.pass_by(days=1)
    assert "for ana.ruiz" not in site.browser("olga.admin").get("/").words


def test_a_page_that_is_kept_asks_who_it_is_and_whether_anything_happened_and_no_more(site):
    """What makes pages quick; one event later the inbox asks as often, however many reviews wait."""
    ana = site.browser("ana.ruiz")
    for page, kept in (("/", 2), (f"/reviews/{site.review.id}", 3), ("/history", 3)):
        ana.get(page)
        ana.get(page)
        assert asked_for(lambda page=page: ana.get(page)) == kept, page
    note(site.app.state.site)
    assert asked_for(lambda: ana.get("/")) <= 10


def test_rights_that_end_end_at_the_next_page(site):
    tom, olga = site.browser("tom.okoye"), site.browser("olga.admin")
    assert tom.get(f"/reviews/{site.review.id}").status == 200
    deactivate(site.ledger, "tom.okoye", by="olga.admin")
    assert tom.get(f"/reviews/{site.review.id}").status == 303
    assert olga.get(f"/reviews/{site.review.id}").status == 200
    change_rights(site.ledger, "maria.lind", by="olga.admin", admin=True, auditor=False)
    change_rights(site.ledger, "olga.admin", by="maria.lind", admin=False, auditor=False)
    again = site.browser("olga.admin")
    assert again.get(f"/reviews/{site.review.id}").status == 404
    today = site.clock.at.date()
    delegate(site.ledger, "smart-replenishment", "ana.ruiz", "olga.admin", today, today)
    assert again.get(f"/reviews/{site.review.id}").status == 200
    site.clock.pass_by(days=1)
    assert site.browser("olga.admin").get(f"/reviews/{site.review.id}").status == 404


def test_a_newer_report_is_shown_at_once(site, newer_pack):
    ana = site.browser("ana.ruiz")
    ana.get(f"/reviews/{site.review.id}")
    newer = put_review(site.ledger, newer_pack)
    assert "A newer report took the place" in ana.get(f"/reviews/{site.review.id}").words
    assert f"/reviews/{newer.id}" in ana.get("/").links()
