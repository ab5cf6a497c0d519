"""The site in a real browser: Chromium without a screen, driven by Playwright; skipped where there is none."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from mlflow.tracking import MlflowClient

from pipeline.ledger import Ledger, all_iterations, find_iteration
from pipeline.review import ReviewRequest, reviews_of, signoffs_of
from pipeline.settings import Settings
from pipeline.web.app import create_app
from tests.flows.awaiting import registered
from tests.web.browsing import CHROMIUM, FLAGS
from tests.web.made import PASSWORD, PROJECT, Pack, let_in, put_review

playwright = pytest.importorskip("playwright.sync_api")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: the site was not tested in a real browser"),
]
WAIT = 60_000


@pytest.fixture(scope="module")
def chromium() -> Iterator["playwright.Browser"]:
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class Live:
    """The site behind a real socket, with a review that waits."""

    def __init__(self, app: object, ledger: Ledger, review: ReviewRequest, base: str) -> None:
        self.app, self.ledger, self.review, self.base = app, ledger, review, base

    @property
    def page(self) -> str:
        return f"{self.base}/reviews/{self.review.id}"


@pytest.fixture
def live(stores, pack: Pack) -> Iterator[Live]:
    import uvicorn

    settings = Settings()
    with Ledger(settings.ledger) as ledger:
        let_in(ledger, passwords=True)
        review = put_review(ledger, pack, run=None)
        server = uvicorn.Server(
            uvicorn.Config(create_app(settings, ledger), host="127.0.0.1", port=0, log_level="error", ws="none")
        )
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            while not server.started:
                thread.join(0.05)
                assert thread.is_alive()
            port = server.servers[0].sockets[0].getsockname()[1]
            yield Live(server, ledger, review, f"http://127.0.0.1:{port}")
        finally:
            server.should_exit = True
            thread.join(30)


@pytest.fixture
def visit(chromium, live: Live) -> Iterator[Callable[..., "playwright.Page"]]:
    """Open a browser as somebody, through the sign-in page; what the console complains of fails the test."""
    contexts, complaints = [], []

    def open_as(user: str, *, width: int = 1200, scripts: bool = True) -> "playwright.Page":
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, java_script_enabled=scripts, locale="en-GB"
        )
        context.set_default_timeout(WAIT)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{live.base}/sign-in")
        page.fill("#name", user)
        page.fill("#password", PASSWORD)
        page.click("main button")
        page.wait_for_url(f"{live.base}/")
        return page

    yield open_as
    for context in contexts:
        context.close()
    assert [text for text in complaints if "409" not in text and "422" not in text] == []


def decide(page, live: Live, decision: str, why: str) -> None:
    page.goto(live.page)
    page.check(f"#decision-{decision}")
    page.fill("#comment", why)
    page.click("text=Go on: read what you sign")
    page.wait_for_url(f"{live.page}/confirm")
    assert why in page.inner_text("main")
    assert live.review.report_digest in page.inner_text("main")
    page.click("main form button:has-text('Sign')")
    page.wait_for_load_state()


def apply_decisions(ledger: Ledger) -> None:
    """What the dispatcher does, in a thread of its own: the browser's driver holds an event loop in this one."""
    from flows.dispatch import drain

    with ThreadPoolExecutor(1) as alone:
        alone.submit(drain, ledger, PROJECT, run_iterations=False).result()


def test_two_people_sign_in_and_their_second_signature_decides(visit, live):
    ana = visit("ana.ruiz")
    decide(ana, live, "advance", "The pilot did what it promised.")
    assert "Still asked: Maria Lind, Tom Okoye." in ana.inner_text("main")
    tom = visit("tom.okoye")
    decide(tom, live, "advance", "The stores are ready.")
    assert "Decided: Go up a stage" in tom.inner_text("main")
    assert [answer.person for answer in signoffs_of(live.ledger, live.review.id)] == ["ana.ruiz", "tom.okoye"]


@pytest.mark.proof
def test_a_rejection_with_feedback_opens_the_next_iteration_with_it(visit, live):
    page = visit("maria.lind")
    page.click("text=Read and decide")
    page.check("#decision-iterate")
    page.fill("#comment", "Promotions still sell out.")
    page.click("text=Add something to change")
    page.select_option("#kind", "missing_signal")
    page.select_option("#place", label="category: Promotions")
    page.fill("#seen", "Weekend promotions are gone by Saturday noon.")
    page.fill("#change", "Aim higher.")
    page.select_option("#path-0", "policy.parameters.service_level")
    page.fill("#value-0", "0.97")
    page.fill("#acceptance", "No promotion sells out before Saturday.")
    page.click("text=Keep it")
    page.wait_for_url("**/reviews/**#feedback-items")
    page.click("text=Go on: read what you sign")
    page.wait_for_url("**/confirm")
    assert "F1: Aim higher." in page.inner_text("main")
    page.click("main form button:has-text('Sign')")
    page.wait_for_url("**?signed=1")
    assert "Decided: Improve first" in page.inner_text("main")
    apply_decisions(live.ledger)
    opened = find_iteration(live.ledger, PROJECT, 4, "pilot")
    assert opened is not None
    assert opened.why["patches"] == {"F1": {"policy.parameters.service_level": 0.97}}
    page.goto(f"{live.base}/projects/{PROJECT}")
    assert "opened, waits to be run" in page.inner_text("main")
    assert "in the charter of the next iteration" in page.inner_text("main")
    page.goto(f"{live.base}/")
    assert "Under way" in page.inner_text("main")


@pytest.mark.proof
def test_two_people_decide_and_the_starter_of_the_run_does_not(visit, live, stores):
    wei = visit("li.wei")
    wei.goto(live.page)
    assert "You started this run, so somebody else signs." in wei.inner_text("main")
    assert wei.locator("#comment").count() == 0
    ana = visit("ana.ruiz")
    decide(ana, live, "advance", "The pilot did what it promised.")
    assert "Still asked: Maria Lind, Tom Okoye." in ana.inner_text("main")
    tom = visit("tom.okoye")
    decide(tom, live, "advance", "The stores are ready.")
    assert "Decided: Go up a stage" in tom.inner_text("main")
    assert "300 stores follow the model from 9 Nov 2026" in tom.inner_text("main")
    uri = f"sqlite:///{stores.data / 'mlflow' / 'mlflow.db'}"
    registered(MlflowClient(tracking_uri=uri, registry_uri=uri), 3)
    apply_decisions(live.ledger)
    assert [(one.number, one.stage, one.kind) for one in all_iterations(live.ledger, PROJECT)][-1] == (
        3,
        "full",
        "measure",
    )


@pytest.mark.proof
def test_a_stale_report_is_refused_and_the_new_one_is_a_click_away(visit, live, newer_pack):
    page = visit("ana.ruiz")
    page.goto(live.page)
    page.check("#decision-stop")
    page.fill("#comment", "It costs too much.")
    page.click("text=Go on: read what you sign")
    page.wait_for_url("**/confirm")
    newer = put_review(live.ledger, newer_pack, run=None)
    page.click("main form button:has-text('Sign')")
    page.wait_for_load_state()
    assert "A newer report took the place of the one you read." in page.inner_text("main")
    page.click("main a:has-text('Read the new report')")
    page.wait_for_url(f"**/reviews/{newer.id}")
    assert page.locator("#comment").count() == 1
    record = find_iteration(live.ledger, PROJECT, 3, "pilot")
    assert record is not None
    assert [signoffs_of(live.ledger, one.id) for one in reviews_of(live.ledger, record)] == [(), ()]


@pytest.mark.proof
def test_a_draft_is_kept_while_typing_and_survives_a_closed_browser(visit, live):
    page = visit("ana.ruiz")
    page.goto(live.page)
    page.check("#decision-hold")
    with page.expect_response(lambda answer: "thought" in (answer.request.post_data or "")) as kept:
        page.locator("#comment").press_sequentially("Half a thought")
    assert kept.value.status == 200
    page.wait_for_selector("#saved:has-text('Draft kept')")
    page.context.close()
    again = visit("ana.ruiz", scripts=False)
    again.goto(live.page)
    assert again.input_value("#comment") == "Half a thought"
    assert again.is_checked("#decision-hold")


@pytest.mark.proof
def test_the_keyboard_alone_is_enough(visit, live):
    page = visit("ana.ruiz", scripts=False)
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "Skip to the content"
    page.keyboard.press("Enter")
    tab_to(page, "Read and decide: Smart replenishment")
    page.keyboard.press("Enter")
    page.wait_for_url(live.page)
    tab_to(page, "Go to the decision")
    page.keyboard.press("Enter")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == "decision":
            break
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "focus can be seen"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.type("Wait for the season.")
    tab_to(page, "Go on: read what you sign")
    page.keyboard.press("Enter")
    page.wait_for_url("**/confirm")
    tab_to(page, "Sign", exactly=True)
    page.keyboard.press("Enter")
    page.wait_for_url("**?signed=1")
    (answer,) = signoffs_of(live.ledger, live.review.id)
    assert (answer.decision, answer.comment) == ("hold", "Wait for the season.")


def tab_to(page, words: str, *, exactly: bool = False) -> None:
    for _ in range(80):
        page.keyboard.press("Tab")
        text = " ".join(page.evaluate("document.activeElement.textContent").split())
        if text == words or (not exactly and text.startswith(words)):
            return
    raise AssertionError(f"no way to {words} by keyboard")


@pytest.mark.proof
def test_nothing_runs_over_on_a_phone(visit, live):
    page = visit("ana.ruiz", width=360)
    for address in ("/", f"/reviews/{live.review.id}", f"/reviews/{live.review.id}/feedback/new", "/projects",
                    f"/projects/{PROJECT}", "/history", "/account"):  # fmt: skip
        page.goto(f"{live.base}{address}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, address
    olga = visit("olga.admin", width=360)
    olga.goto(f"{live.base}/people")
    assert olga.evaluate("document.documentElement.scrollWidth") <= 360


def test_charts_keep_their_looks_under_the_content_policy(visit, live):
    page = visit("ana.ruiz")
    page.goto(live.page)
    fills = page.evaluate("[...document.querySelectorAll('svg.chart .fill-model')].map(e => getComputedStyle(e).fill)")
    assert "rgb(31, 78, 121)" in fills
    page.emulate_media(color_scheme="dark")
    fills = page.evaluate("[...document.querySelectorAll('svg.chart .fill-model')].map(e => getComputedStyle(e).fill)")
    assert "rgb(127, 178, 229)" in fills


def test_the_report_runs_in_a_sandbox(visit, live):
    page = visit("ana.ruiz")
    page.goto(f"{live.base}/reports/{live.review.report_digest}/evidence.html")
    assert page.evaluate("window.origin") == "null"
    assert "Stock-out rate fell" in page.inner_text("body")


def test_pages_in_chinese(visit, live):
    page = visit("ana.ruiz")
    page.goto(f"{live.base}/account")
    page.select_option("#language", "zh_Hans")
    page.click("#language-title ~ form button")
    page.wait_for_load_state()
    page.goto(live.page)
    assert page.get_attribute("html", "lang") == "zh-Hans"
    assert any("\u4e00" <= letter <= "\u9fff" for letter in page.inner_text("h1"))
