"""Secure by default: who may ask, from where, how much, and what an answer gives away."""

import asyncio
import re

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cli.site import require_safe
from pipeline.errors import LedgerError, Refused
from pipeline.settings import Settings
from pipeline.web.app import PAGES
from pipeline.web.security import MAX_BODY, local_address
from tests.cli.calling import assert_refused, landed
from tests.web.browsing import Browser
from tests.web.made import PASSWORD, PROJECT

ANYWHERE = "0.0.0.0"  # noqa: S104 - nothing listens there
HEADERS = {
    "x-content-type-options": "nosniff", "x-frame-options": "DENY", "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin", "cross-origin-resource-policy": "same-origin",
}  # fmt: skip


def form_routes(site) -> list[str]:
    """Every address that takes a form, whoever adds one."""
    routes = [route for page in PAGES for route in page.router.routes]
    paths = [route.path for route in routes if "POST" in route.methods]
    assert len(paths) > 12
    fill = {"review_id": site.review.id, "place": "new", "name": "ana.ruiz", "secret": "x"}
    return [re.sub(r"{(\w+)}", lambda found: fill[found[1]], path) for path in paths]


def test_no_form_is_taken_without_the_sessions_token(site):
    ana, tom = site.browser("ana.ruiz"), site.browser("tom.okoye")
    before = len(site.kinds())
    for path in form_routes(site):
        for token in ("", "x" * 64, tom.token):
            assert ana.post(path, token=token).status == 403, path
    assert len(site.kinds()) == before


def test_no_form_is_taken_from_another_site_even_with_its_token(site):
    ana = site.browser("ana.ruiz")
    for path in form_routes(site):
        assert ana.post(path, origin="https://evil.example").status == 403
        assert ana.post(path, origin="null").status == 403
        assert ana.post(path, sec_fetch_site="cross-site").status == 403
        assert ana.post(path, sec_fetch_site="same-site").status == 403


def test_only_known_names_are_answered(site):
    for host in ("evil.example", "", "127.0.0.1.evil.example", "localhost@evil.example", "[::1", "169.254.1.1"):
        assert site.browser().get("/sign-in", host=host).status == 400, host
    for host in ("127.0.0.1:8710", "localhost", "LOCALHOST:1", "[::1]:8710"):
        assert site.browser().get("/sign-in", host=host).status == 200, host


def test_every_answer_bears_the_headers(site):
    ana = site.browser("ana.ruiz")
    answers = [ana.get(path) for path in ("/", "/nowhere", "/health", "/static/site.css", "/api/v1/me")]
    answers += [site.browser().get("/"), ana.post("/people/invite", {"token": "x"}), ana.get("/", host="evil.example")]
    for answer in answers:
        assert HEADERS.items() <= dict(answer.headers).items()
        assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["x-request-id"])
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
    assert answers[0].headers["cache-control"] == "no-store"
    assert "strict-transport-security" not in answers[0].headers


def test_large_bodies_are_refused_told_or_untold(site):
    ana = site.browser("ana.ruiz")
    assert ana.post("/account/language", {"language": "x" * MAX_BODY}).status == 413

    async def untold() -> int:
        async def parts():
            for _ in range(30):
                yield b"x" * (MAX_BODY // 20)

        async with httpx.AsyncClient(transport=httpx.ASGITransport(site.app), base_url=ana.base) as client:
            headers = {"content-type": "application/x-www-form-urlencoded"}
            return (await client.post("/sign-in", content=parts(), headers=headers)).status_code

    assert asyncio.run(untold()) == 413


def test_files_and_odd_forms_are_not_taken(site):
    ana = site.browser("ana.ruiz")
    for kind in ("multipart/form-data; boundary=x", "application/json", "text/plain", ""):
        assert ana.post("/account/language", content_type=kind).status == 415
    assert ana.post("/account/language", {"language": "\x00"}).status == 400
    assert ana.post("/account/language", {f"f{n}": "" for n in range(500)}).status == 400


def test_signing_in_sets_a_cookie_that_scripts_and_other_sites_do_not_get(install):
    site = install(passwords=True)
    stranger = site.browser()
    form = stranger.get("/sign-in?next=/history")
    fields = {"name": "ana.ruiz", "password": PASSWORD, "next": form.value("next")}
    answer = stranger.post("/sign-in", fields, token=form.value("token"))
    assert (answer.status, answer.headers["location"]) == (303, "/history")
    cookie = next(one for one in answer.headers.get_list("set-cookie") if one.startswith("landed="))
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= {part.strip() for part in cookie.split(";")}
    assert "Secure" not in cookie
    assert "account.login" in site.kinds()
    wrong = site.browser()
    form = wrong.get("/sign-in")
    answer = wrong.post("/sign-in", {"name": "ana.ruiz", "password": "no"}, token=form.value("token"))
    unknown = wrong.post("/sign-in", {"name": "nobody", "password": "no"}, token=form.value("token"))
    assert answer.status == unknown.status == 401
    assert answer.words.replace("ana.ruiz", "") == unknown.words.replace("nobody", "")
    assert "account.login_failed" in site.kinds()


def test_guessing_is_slowed_down(site):
    stranger = site.browser()
    token = stranger.get("/sign-in").value("token")
    fields = {"name": "ana.ruiz", "password": "guess"}
    answers = [stranger.post("/sign-in", fields, token=token) for _ in range(12)]
    assert answers[-1].status == 429
    assert int(answers[-1].headers["retry-after"]) > 0


def test_behind_tls_cookies_demand_it(install, settings):
    site = install(using=settings.model_copy(update={"site_url": "https://landed.example.com"}))
    stranger = Browser(site.app, base="https://landed.example.com")
    answer = stranger.get("/sign-in")
    (cookie,) = answer.headers.get_list("set-cookie")
    assert cookie.startswith("__Host-landed-form=")
    assert {"Secure", "HttpOnly", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert "Domain" not in cookie
    assert answer.headers["strict-transport-security"].startswith("max-age=")
    ana = Browser(site.app, "ana.ruiz", base="https://landed.example.com")
    assert ana.get("/").status == 200
    assert ana.post("/account/language", {"language": "en"}, origin="http://landed.example.com").status == 403


def test_signing_out_ends_the_session_for_good(site):
    ana = site.browser("ana.ruiz")
    kept = ana.client.cookies["landed"]
    assert ana.post("/sign-out").status == 303
    ana.client.cookies.set("landed", kept)
    assert ana.get("/").status == 303
    assert "account.logout" in site.kinds()


@given(st.one_of(st.text(max_size=40), st.builds("/{}{}".format, st.sampled_from("/\\\t\n @:."), st.text(max_size=20))))
def test_after_signing_in_one_stays_on_the_site(target):
    found = local_address(target)
    assert found == "/" or re.match(r"/(reviews|projects|history|people|account)(/|\?|#|$)|/(\?|$)", found)
    assert httpx.URL("https://here.example/").join(found).host == "here.example"


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "/\\evil.example", "https://evil.example", "/\t/evil.example", "javascript:alert(1)",
     "/sign-out", "/static/site.css", "\\\\evil.example", "/%0d%0aSet-Cookie:x"],
)  # fmt: skip
def test_open_redirects_go_to_the_first_page(target):
    assert local_address(target) == "/"
    assert local_address("/reviews/a-1-pilot?x=1") == "/reviews/a-1-pilot?x=1"


def test_the_report_is_served_in_a_sandbox_and_by_its_hash_only(site):
    ana = site.browser("ana.ruiz")
    page = ana.get(f"/reports/{site.pack.digest}/evidence.html")
    assert page.status == 200
    assert site.pack.digest in page.text
    policy = page.headers["content-security-policy"]
    assert policy.startswith("sandbox; default-src 'none'")
    assert "script-src" not in policy
    drift = ana.get(f"/reports/{site.pack.digest}/drift.html").headers["content-security-policy"]
    assert drift.startswith("sandbox allow-scripts; default-src 'none'")
    assert "allow-same-origin" not in policy + drift
    odd = ["manifest.json", "evidence.json", "..%2f..%2fledger.db", "%2e%2e", "evidence.html%00", "/etc/passwd"]
    for name in odd:
        assert ana.get(f"/reports/{site.pack.digest}/{name}").status == 404, name
    for digest in ("0" * 64, "..", "%2e%2e%2f", site.pack.digest[:12]):
        assert ana.get(f"/reports/{digest}/evidence.html").status == 404, digest
    for name in ("..%2fapp.py", "../app.py", "%2e%2e/app.py", "htmx.NOTICE.txt"):
        assert ana.get(f"/static/{name}").status == 404, name


def test_errors_give_a_number_and_nothing_else(site, monkeypatch, caplog):
    ana = site.browser("ana.ruiz")

    def broken(*_):
        raise LedgerError("The ledger cannot be reached", [])

    def fault(*_):
        raise RuntimeError(f"secret path {site.ledger.path}")

    for failure, status in ((broken, 503), (fault, 500)):
        monkeypatch.setattr("pipeline.web.history.chain_status", failure)
        answer = ana.get("/history")
        assert answer.status == status
        assert answer.headers["x-request-id"] in answer.text
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert not re.search(r"ledger\.db|Traceback|RuntimeError|/", answer.text)
        assert answer.headers["x-request-id"] in caplog.text


def test_administrators_manage_people_and_every_change_is_on_record(site):
    olga = site.browser("olga.admin")
    made = olga.post("/people/invite", {"id": "nora.new", "name": "Nora New", "email": "nora@example.com"})
    secret = re.search(r"http://127\.0\.0\.1:8710/invitation/(\S+)", made.words)
    assert secret is not None
    nora = site.browser()
    form = nora.get(f"/invitation/{secret[1]}")
    assert form.title == "Welcome, Nora New"
    token = form.value("token")
    assert nora.post(f"/invitation/{secret[1]}", {"password": PASSWORD, "again": "other"}, token=token).status == 422
    assert nora.post(f"/invitation/{secret[1]}", {"password": "short", "again": "short"}, token=token).status == 422
    both = {"password": PASSWORD, "again": PASSWORD}
    assert nora.post(f"/invitation/{secret[1]}", both, token=token).status == 303
    assert nora.get("/").title == "Nothing waits for you"
    assert site.browser().get(f"/invitation/{secret[1]}").status == 404
    olga.post("/people/nora.new", {"go": "rights", "auditor": "on"})
    assert "account.role_changed" in site.kinds()
    assert nora.get("/").status == 303, "a change of rights ends the sessions"
    assert site.browser("nora.new").get(f"/projects/{PROJECT}").status == 200
    olga.post("/people/nora.new", {"go": "deactivate"})
    assert "account.deactivated" in site.kinds()
    assert "Nora New" in olga.get("/people").words


def test_nobody_else_manages_people(site):
    ana = site.browser("ana.ruiz")
    before = len(site.kinds())
    assert ana.post("/people/invite", {"id": "x.y", "name": "X"}).status == 404
    assert ana.post("/people/tom.okoye", {"go": "deactivate"}).status == 404
    assert len(site.kinds()) == before


def test_my_account_tokens_delegation_and_language(site):
    ana = site.browser("ana.ruiz")
    made = ana.post("/account/tokens", {"name": "laptop", "days": "30"})
    secret = next(one.text for one in made.all("code") if one.attributes.get("class") == "copy")
    assert site.browser().get("/api/v1/me", authorization=f"Bearer {secret}").status == 200
    assert secret not in ana.get("/account").text
    today = site.clock().date().isoformat()
    handed = {"project": PROJECT, "to": "olga.admin", "starts": today, "ends": today}
    assert ana.post("/account/delegations", handed).status == 303
    assert "Ana Ruiz" in site.browser("olga.admin").get(f"/projects/{PROJECT}").words
    assert ana.post("/account/delegations", {**handed, "ends": "soon"}).status == 422
    assert ana.post("/account/language", {"language": "zh_Hans"}).status == 303
    assert ana.get("/account").all("html")[0].attributes["lang"] == "zh-Hans"


def test_a_trusted_proxy_brings_people_in_and_nobody_else_does(install, settings):
    trusting = settings.model_copy(update={"proxy_header": "x-remote-user", "proxy_addresses": "127.0.0.1"})
    site = install(using=trusting)
    ana = site.browser()
    answer = ana.get("/sign-in?next=/history", x_remote_user="ana.ruiz")
    assert (answer.status, answer.headers["location"]) == (303, "/history")
    assert ana.get("/history", x_remote_user="ana.ruiz").status == 200
    assert ana.get("/history").status == 303
    assert ana.get("/history", x_remote_user="tom.okoye").status == 303
    elsewhere = install(using=trusting.model_copy(update={"proxy_addresses": "10.0.0.1", "data": settings.data / "b"}))
    assert elsewhere.browser().get("/sign-in", x_remote_user="ana.ruiz").status == 403
    assert "account.login" not in elsewhere.kinds()


def test_the_site_is_not_opened_wider_without_accounts_and_a_secret(site, tmp_path):
    from pipeline.ledger import Ledger

    with Ledger(f"sqlite:///{tmp_path / 'empty.db'}") as empty, pytest.raises(Refused) as refused:
        require_safe(empty, "", "", ANYWHERE)
    assert [finding.place for finding in refused.value.findings] == ["accounts", "LANDED_SECRET", "LANDED_SITE_URL"]
    with pytest.raises(Refused):
        require_safe(site.ledger, "short", "https://landed.example.com", ANYWHERE)
    require_safe(site.ledger, "s" * 32, "https://landed.example.com", ANYWHERE)
    assert not Settings().secret.get_secret_value()


def test_serve_says_what_is_missing_and_listens_nowhere(home):
    refused = landed("review", "serve", "--host", ANYWHERE, "--port", "0")
    assert_refused(refused, 4, "accounts", "LANDED_SECRET", "LANDED_SITE_URL")
