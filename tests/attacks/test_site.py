"""An adversary with a browser: other people's sessions, forged fields, another project, text that wants to be code.

What holds for each request alone (tokens of forms, hosts, headers, sizes) is in ``tests/web/test_security.py``.
"""

import dataclasses
import re
from datetime import timedelta
from urllib.parse import quote, urljoin, urlsplit

import pytest

from pipeline.accounts import invite, make_token
from pipeline.ledger import get_iteration
from pipeline.notices.delivery import due_notices, notice_of
from pipeline.notices.wording import worded
from pipeline.review import signoffs_of
from tests.web.made import PASSWORD, PROJECT, evidence_of, put_review, write_pack
from tests.web.test_deciding import ITEM, WHY, keep, put

#: Each would do something if it reached a page, a template or a shell as it is; the mark is what is looked for.
HOSTILE = (
    "<script>alert('m4rk')</script>", "<img src=m4rk onerror=alert(1)>", "\"><svg onload=alert('m4rk')>",
    "' autofocus onfocus='m4rk", "<a href=\"javascript:m4rk()\">here</a>", "</textarea><script src=//m4rk></script>",
    "{{ 7*7 }} {% include 'm4rk' %} ${m4rk} #{m4rk} <%= m4rk %>", "%(m4rk)s {m4rk} {0.__class__}",
    "'; DROP TABLE landed_events; -- m4rk", "\u202etxet m4rk", "<!-- m4rk --><style>*{display:none}</style>",
)  # fmt: skip
ALL = " ".join(HOSTILE)
#: Without the mark that turns the direction of reading, which no comment may hold.
SIGNED = ALL.replace("\u202e", "")


def sound(page) -> None:
    """Nothing of the hostile texts became an element, an attribute or a calculation."""
    for element in page.elements:
        assert not [name for name in element.attributes if name.startswith("on")], element
        for name in ("href", "src", "action", "formaction"):
            value = (element.attributes.get(name) or "").strip().lower()
            assert "m4rk" not in value.partition("?")[0], element
            assert not value.startswith(("javascript:", "data:text", "//")), element
    assert not [one for one in page.all("script") if "m4rk" in one.text]
    assert not [one for one in page.all("style") if "display:none}" in one.text.replace(" ", "")]
    assert not page.all("svg", onload="alert('m4rk')")
    for raw in ("<script>alert('m4rk')", "<img src=m4rk", "<svg onload", "<script src=//m4rk", "<!-- m4rk -->"):
        assert raw not in page.text


# -- sessions --


def test_no_session_that_somebody_planted_becomes_a_persons(install):
    """Session fixation: the cookie of before signing in, made up or of another, is never the one of after."""
    site = install(passwords=True)
    eve, victim = site.browser("tom.okoye"), site.browser()
    planted = eve.client.cookies["landed"]
    for value in ("0" * 43, planted):
        victim.client.cookies.clear()
        victim.client.cookies.set("landed", value)
        form = victim.get("/sign-in")
        if form.status == 303:  # somebody else's session is theirs until the person signs out
            victim.client.cookies.delete("landed")
            form = victim.get("/sign-in")
            victim.client.cookies.set("landed", value)
        fields = {"name": "ana.ruiz", "password": PASSWORD}
        answer = victim.post("/sign-in", fields, token=form.value("token"))
        (cookie,) = [one for one in answer.headers.get_list("set-cookie") if re.match("landed=[^;]", one)]
        assert value not in cookie
    assert eve.get("/account").value("token") == eve.token, "the other's session is untouched"


def test_two_sign_ins_have_nothing_in_common(site):
    first, second = site.browser("ana.ruiz"), site.browser("ana.ruiz")
    assert first.client.cookies["landed"] != second.client.cookies["landed"]
    assert first.token != second.token
    assert second.post("/account/language", {"language": "en"}, token=first.token).status == 403


def test_a_stolen_cookie_ends_with_the_session(site):
    """Signing out, ending the other sessions and being deactivated each end it; so does time."""
    olga = site.browser("olga.admin")

    def thief_of(browser):
        thief = site.browser()
        thief.client.cookies.set("landed", browser.client.cookies["landed"])
        assert thief.get("/").status == 200
        return thief

    ends = {
        "signed out": lambda ana: ana.post("/sign-out"),
        "ended by an administrator": lambda ana: olga.post("/people/ana.ruiz", {"go": "sign-out"}),
        "time": lambda ana: site.clock.pass_by(days=60),
        "deactivated": lambda ana: site.browser("olga.admin").post("/people/ana.ruiz", {"go": "deactivate"}),
    }
    for name, end in ends.items():
        ana = site.browser("ana.ruiz")
        thief = thief_of(ana)
        end(ana)
        for path in ("/", f"/reviews/{site.review.id}", f"/reports/{site.pack.digest}/evidence.html"):
            assert thief.get(path).status == 303, (name, path)
        assert thief.post("/account/tokens", {"name": "x", "days": "30"}, token=ana.token).status in {303, 403}, name


# -- forged fields and others' things --


def test_who_signs_as_what_for_which_project_is_not_the_forms_to_say(site):
    forged = {
        "role": "sponsor", "person": "ana.ruiz", "user": "ana.ruiz", "actor": "ana.ruiz", "project": "other",
        "admin": "on",
        "on_behalf_of": "ana.ruiz", "seat": "sponsor",
        "state": "decided", "recorded": "1", "review_id": "other-1-pilot",
    }  # fmt: skip
    tom = site.browser("tom.okoye")
    keep(tom, site.review, **forged)
    put(tom, site.review, **forged)
    answers = signoffs_of(site.ledger, site.review.id)
    assert [(one.person, one.role, one.on_behalf_of) for one in answers] in ([], [("tom.okoye", "operations", None)])
    assert get_iteration(site.ledger, PROJECT, 3, "pilot").state == "awaiting_review"
    before = site.kinds()
    assert tom.post("/people/tom.okoye", {"go": "rights", "admin": "on"}).status == 404
    tom.post(
        "/account/language", {"language": "en", "admin": "on", "is_admin": "1", "auditor": "on", "id": "olga.admin"}
    )
    assert tom.get("/people").status == 404
    assert "account.role_changed" not in site.kinds()[len(before) :]


def test_a_token_of_the_api_signs_for_its_owner_only(site):
    secret = make_token(site.ledger, "tom.okoye", "tests").secret
    body = {"decision": "advance", "comment": WHY, "report": site.pack.digest}
    client, path = site.browser().client, f"/api/v1/reviews/{site.review.id}/sign"
    for more in ({"person": "ana.ruiz"}, {"role": "sponsor"}, {"recorded": True}, {"on_behalf_of": "ana.ruiz"}):
        client.post(path, json={**body, **more}, headers={"authorization": f"Bearer {secret}"})
    assert {one.person for one in signoffs_of(site.ledger, site.review.id)} <= {"tom.okoye"}
    assert {one.role for one in signoffs_of(site.ledger, site.review.id)} <= {"operations"}


@pytest.fixture
def elsewhere(site, tmp_path):
    """A second project on the same site, with people of its own."""
    shown = evidence_of(1)
    people = tuple(one.model_copy(update={"id": f"other.{one.role}".replace("_", ".")}) for one in shown.charter.people)
    charter = shown.charter.model_copy(update={"project": "elsewhere", "title": "Elsewhere only", "people": people})
    pack = write_pack(tmp_path / "elsewhere", dataclasses.replace(shown, charter=charter))
    for one in people:
        invite(site.ledger, one.id, one.id.title(), by="tests", trusted=True)
    return put_review(site.ledger, pack, run=None), people, pack


def test_another_projects_things_do_not_exist(site, elsewhere):
    """By every address that names a review, a project, a report or an item, with and without a form."""
    review, people, pack = elsewhere
    before = len(site.kinds())
    secret = make_token(site.ledger, people[0].id, "tests").secret
    ana, other = site.browser("ana.ruiz"), site.browser(people[0].id)
    for browser, theirs, project, digest in (
        (ana, review.id, "elsewhere", pack.digest), (other, site.review.id, PROJECT, site.pack.digest)
    ):  # fmt: skip
        looks = [f"/reviews/{theirs}", f"/reviews/{theirs}/confirm", f"/reviews/{theirs}/feedback/new",
                 f"/reviews/{theirs}/feedback/0", f"/projects/{project}", f"/reports/{digest}/evidence.html",
                 f"/reports/{digest}/drift.html"]  # fmt: skip
        for path in looks:
            assert browser.get(path).status == 404, path
        for path in ("draft", "sign", "discard", "feedback/new"):
            fields = {"decision": "stop", "comment": WHY, "report": digest, **ITEM}
            assert browser.post(f"/reviews/{theirs}/{path}", fields).status == 404, path
        for path in ("/", "/projects", "/history", f"/history?project={project}"):
            assert ("Elsewhere only" if browser is ana else "Smart replenishment") not in browser.get(path).words, path
        exported = browser.post("/history/export", {"project": project})
        assert exported.status == 404 or project not in exported.text.replace("\n", "")
    asked = {"authorization": f"Bearer {secret}"}
    for path in (f"projects/{PROJECT}", f"reviews/{site.review.id}"):
        assert other.client.get(f"/api/v1/{path}", headers=asked).status_code == 404
    assert PROJECT not in other.client.get(f"/api/v1/history?project={PROJECT}", headers=asked).text
    body = {"decision": "stop", "comment": WHY, "report": site.pack.digest}
    assert other.client.post(f"/api/v1/reviews/{site.review.id}/sign", json=body, headers=asked).status_code == 404
    assert {kind for kind in site.kinds()[before:] if kind.startswith(("review.", "iteration."))} <= set()
    assert not signoffs_of(site.ledger, review.id)
    assert not signoffs_of(site.ledger, site.review.id)


# -- text that wants to be code --


@pytest.fixture(scope="module")
def hostile_pack(tmp_path_factory):
    """A report in which every free text of charter, units, data and feedback is hostile."""
    shown = evidence_of(why=ALL, units_word="stores<b>m4rk</b>", limits=(ALL,))
    people = tuple(one.model_copy(update={"name": f"{one.name} {HOSTILE[0]}"}) for one in shown.charter.people)
    charter = shown.charter.model_copy(update={"title": ALL[:200], "people": people, "decision": ALL})
    evaluation = dataclasses.replace(
        shown.evaluation,
        units=tuple(dataclasses.replace(one, value=f"{one.value} {ALL}") for one in shown.evaluation.units),
    )
    reasons = tuple(dataclasses.replace(one, table=HOSTILE[1], reason=ALL, example=ALL) for one in shown.data.reasons)
    data = dataclasses.replace(shown.data, reasons=reasons)
    feedback = tuple(dataclasses.replace(one, author=ALL, seen=ALL, change=ALL, reason=ALL) for one in shown.feedback)
    changes = tuple(dataclasses.replace(one, old=ALL, new=ALL, why=ALL) for one in shown.changes)
    verdicts = tuple(dataclasses.replace(one, title=HOSTILE[0], reason=ALL) for one in shown.verdicts)
    hostile = dataclasses.replace(
        shown, charter=charter, evaluation=evaluation, data=data, feedback=feedback, changes=changes, verdicts=verdicts
    )
    return write_pack(tmp_path_factory.mktemp("hostile") / "pack", hostile)


def pages_of(site, browser):
    yield from (browser.get(path) for path in (
        "/", "/projects", f"/projects/{PROJECT}", f"/reviews/{site.review.id}",
        f"/reviews/{site.review.id}/feedback/new", "/history", "/account",
        f"/reports/{site.pack.digest}/evidence.html"))  # fmt: skip


def test_hostile_text_of_charter_data_and_report_stays_text(install, hostile_pack):
    site = install(hostile_pack)
    seen = 0
    for name in ("ana.ruiz", "olga.admin"):
        for page in pages_of(site, site.browser(name)):
            if name == "olga.admin" and page.status in {303, 404}:
                continue  # an administrator sees no project, and gives no feedback on its reviews
            assert page.status == 200
            sound(page)
            seen += "{{ 7*7 }}" in page.words
            assert "49 {%" not in page.words
    assert seen >= 3


def test_hostile_answers_drafts_and_feedback_stay_text(site):
    """For the person, the others, the next iteration's page, the export and the notices."""
    ana = site.browser("ana.ruiz")
    keep(ana, site.review, "stop", ALL, go="keep")
    sound(ana.get(f"/reviews/{site.review.id}"))
    item = {**ITEM, "seen": ALL, "change": ALL, "acceptance": ALL}
    for fields in (item, {**item, "path-0": ALL, "value-0": ALL, "place": ALL, "kind": ALL}):
        page = ana.post(f"/reviews/{site.review.id}/feedback/new", fields)
        sound(ana.follow(page) if page.status == 303 else page)
    maria = site.browser("maria.lind")
    keep(maria, site.review, "iterate", SIGNED)
    put(maria, site.review)
    assert signoffs_of(site.ledger, site.review.id)[0].comment == SIGNED
    for browser in (ana, maria, site.browser("tom.okoye")):
        for page in pages_of(site, browser):
            sound(page)
    exported = ana.post("/history/export", {"project": PROJECT})
    assert "html" not in exported.headers.get("content-type", "")
    for intent in due_notices(site.ledger):
        for language in ("en", "zh_Hans"):
            subject, body = worded(notice_of(intent), "http://127.0.0.1:8300", language)[:2]
            assert "\n" not in subject
            assert "49 {%" not in body


def test_what_is_reflected_stays_text(site):
    """Addresses, sign-in, searches, people's names: what comes back in the same answer."""
    ana, olga, stranger = site.browser("ana.ruiz"), site.browser("olga.admin"), site.browser()
    token = stranger.get("/sign-in").value("token")
    for text in HOSTILE:
        there = quote(text, safe="")
        for browser, path in ((ana, f"/history?project={there}&kind={there}&person={there}&after={there}"),
                              (ana, f"/{there}"),
                              (ana, f"/reviews/{there}"), (ana, f"/projects/{there}"),
                              (stranger, f"/sign-in?next={there}"),
                              (stranger, f"/invitation/{there}"),
                              (ana, f"/reports/{there}/evidence.html")):  # fmt: skip
            page = browser.get(path)
            assert page.status < 500, path
            sound(page)
        sound(olga.post("/people/invite", {"id": text, "name": text, "email": text}))
        sound(olga.post("/people/invite", {"id": f"n{len(text)}.x", "name": text, "email": "n@example.com"}))
    sound(stranger.post("/sign-in", {"name": HOSTILE[2], "password": "no", "next": HOSTILE[2]}, token=token))
    sound(olga.get("/people"))


# -- addresses --

AWAY = ("//evil.example", "https://evil.example", "/\\evil.example", "/%5cevil.example",
        "/account/..//evil.example",
        "/.//evil.example", "http:evil.example", "/reviews/../..//evil.example",
        "\thttps://evil.example", "@evil.example")  # fmt: skip


@pytest.mark.parametrize("target", AWAY)
def test_signing_in_never_leads_away(install, target):
    site = install(passwords=True)
    stranger, ana = site.browser(), site.browser("ana.ruiz")
    token = stranger.get("/sign-in").value("token")
    answers = [
        ana.get("/sign-in?next=" + target.replace("\t", "%09")),
        stranger.post("/sign-in", {"name": "ana.ruiz", "password": PASSWORD, "next": target}, token=token),
    ]
    for answer in answers:
        assert answer.status == 303
        gone = urlsplit(urljoin("http://here.example/sign-in", answer.headers["location"]))
        assert gone.netloc == "here.example"
        assert "evil.example" not in gone.netloc


@pytest.mark.parametrize(
    "header", ["x-forwarded-host", "x-host", "forwarded", "x-original-url", "x-rewrite-url", "x-forwarded-for"]
)
def test_headers_of_proxies_nobody_named_say_nothing(site, header):
    """Links in invitations and redirects come from the settings; an address in a header is nobody's."""
    olga = site.browser("olga.admin")
    value = {"forwarded": "host=evil.example"}.get(header, "evil.example" if "host" in header else "/people")
    made = olga.post("/people/invite", {"id": "nora.new", "name": "Nora", "email": "n@example.com"}, **{header: value})
    assert made.status == 200
    assert "evil.example" not in made.text
    for path in ("/", f"/reviews/{site.review.id}", "/account"):
        answer = site.browser().get(path, **{header: value})
        assert answer.status == 303
        assert answer.headers["location"].startswith("/sign-in")


def test_paths_lead_nowhere_else(site):
    ana = site.browser("ana.ruiz")
    ways = ("..%2f..%2fledger.db", "%2e%2e%2fmanifest.json", "..%5c..%5cledger.db",
            "evidence.html%2f..%2fmanifest.json",
            "%252e%252e%252fledger.db", "evidence.html;.json",
            "file:%2f%2f%2fetc%2fpasswd", "evidence.html%0d%0aX: y", "%c0%ae%c0%ae")  # fmt: skip
    for way in ways:
        for path in (f"/reports/{site.pack.digest}/{way}", f"/reports/{way}/evidence.html", f"/static/{way}",
                     f"/reviews/{way}",
                     f"/projects/{way}"):  # fmt: skip
            answer = ana.get(path)
            assert answer.status in {400, 404}, path
            assert "x-y" not in answer.headers
            assert "SQLite" not in answer.text


def test_private_answers_are_kept_by_nobody(site):
    """Caches between, the browser's own, and the button back after signing out."""
    ana = site.browser("ana.ruiz")
    secret = make_token(site.ledger, "ana.ruiz", "tests").secret
    for page in pages_of(site, ana):
        assert page.headers["cache-control"] == "no-store"
    exported = ana.post("/history/export", {"project": PROJECT})
    assert exported.headers["cache-control"] == "no-store"
    answer = site.browser().client.get("/api/v1/reviews", headers={"authorization": f"Bearer {secret}"})
    assert answer.headers["cache-control"] == "no-store"
    assert ana.post("/sign-out").headers["clear-site-data"] == '"cache", "storage"'


def test_no_error_tells_a_secret(install, settings, monkeypatch, caplog):
    """Neither the reader nor the log gets passwords, cookies, tokens or the site's secret."""
    site = install(using=settings.model_copy(update={"site_url": "http://127.0.0.1:8710"}))
    ana = site.browser("ana.ruiz")
    token = make_token(site.ledger, "ana.ruiz", "tests").secret
    cookie = ana.client.cookies["landed"]

    def broken(*_args, **_more):
        raise RuntimeError("broken")

    monkeypatch.setattr("pipeline.web.history.chain_status", broken)
    answers = [
        ana.get("/history"), ana.get("/nowhere", authorization=f"Bearer {token}"),
        site.browser().get("/api/v1/me", authorization=f"Bearer {token}x"),
        ana.post("/account/password", {"old": "hunter2-old", "password": "hunter2-new", "again": "other"}),
        site.browser().post("/sign-in", {"name": "ana.ruiz", "password": "hunter2-new"}, token="x"),  # noqa: S106
    ]  # fmt: skip
    assert any(answer.status == 500 for answer in answers)
    for told in (*(answer.text for answer in answers), caplog.text):
        for private in (token, cookie, "hunter2", ana.token if told is caplog.text else "\0"):
            assert private not in told


def test_a_link_of_an_invitation_is_good_once_and_not_for_ever(site):
    olga = site.browser("olga.admin")
    made = olga.post("/people/invite", {"id": "nora.new", "name": "Nora New", "email": "nora@example.com"})
    found = re.search(r"/invitation/(\S+)", made.words)
    assert found is not None
    site.clock.at += timedelta(days=365)
    assert site.browser().get(f"/invitation/{found[1]}").status == 404
    assert found[1] not in site.browser("olga.admin").get("/people").text
    assert all(found[1] not in str(event.body) for event in site.ledger.events())
