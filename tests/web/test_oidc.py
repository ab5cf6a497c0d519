"""OpenID Connect: off unless configured; the whole code flow against a real provider, and what it must not let in."""

from collections.abc import Iterator

import httpx
import pytest
from joserfc import jwk
from pydantic import SecretStr

from pipeline.accounts import deactivate, users
from pipeline.web.oidc import _opened, _sealed
from pipeline.web.site import Site
from tests.web.browsing import HERE, Browser, Page
from tests.web.conftest import Installed
from tests.web.provider import CLIENT, SECRET, Provider, forged, provider_running, signed_with

ADDRESSES = ["/sign-in/provider", "/sign-in/returned", "/sign-in/returned?code=x&state=y"]


@pytest.mark.parametrize("address", ADDRESSES)
def test_it_is_off_unless_configured(site, address):
    assert site.browser().get(address).status == 404


def test_a_return_nobody_was_sent_for_lets_nobody_in(install, settings):
    using = settings.model_copy(update={"oidc_issuer": "https://id.example", "oidc_client_id": "landed"})
    site = install(using=using)
    for address in ADDRESSES[1:]:
        answer = site.browser().get(address)
        assert answer.status == 401
        assert "landed=" not in " ".join(answer.headers.get_list("set-cookie"))
    assert "account.login" not in site.kinds()
    assert "Sign in with your company account" in site.browser().get("/sign-in").words


def test_the_state_between_the_steps_is_sealed(site):
    one: Site = site.app.state.site
    sealed = _sealed(one, {"next": "/history"})
    assert _opened(one, sealed) == {"next": "/history"}
    text, _, seal = sealed.partition(".")
    for made_up in ("", "x", f"{text}.{'0' * 64}", f"{text}x.{seal}", f".{seal}"):
        assert _opened(one, made_up) == {}


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    with provider_running() as provider:
        yield provider


@pytest.fixture
def provider(running: Provider) -> Provider:
    running.behave(email="ana.ruiz@example.com", email_verified=True)
    return running


@pytest.fixture
def site_with(install, settings, provider: Provider) -> Installed:
    """A site that trusts the provider."""
    shared = {"oidc_client_id": CLIENT, "oidc_client_secret": SecretStr(SECRET)}
    return install(using=settings.model_copy(update={"oidc_issuer": provider.issuer, **shared}))


def leave_for_provider(browser: Browser, target: str = "/") -> str:
    """Press the button; the provider's page sends the browser back to this address."""
    sent = browser.get(f"/sign-in/provider?next={target}")
    assert sent.status == 302
    agreed = httpx.get(sent.headers["location"])
    assert agreed.status_code == 302, agreed.text
    address = agreed.headers["location"]
    assert address.startswith(f"{HERE}/sign-in/returned?")
    return address.removeprefix(HERE)


def refused(site: Installed, browser: Browser, address: str) -> Page:
    """The return lets nobody in, and says so on a page."""
    answer = browser.get(address)
    assert answer.status == 401
    assert "landed=" not in " ".join(answer.headers.get_list("set-cookie"))
    assert browser.get("/").status == 303
    assert "account.login" not in site.kinds()
    return answer


def test_a_person_comes_in_by_the_provider(site_with, provider):
    browser = site_with.browser()
    back = browser.get(leave_for_provider(browser, "/history"))
    assert (back.status, back.headers["location"]) == (303, "/history")
    assert "Ana Ruiz" in browser.get("/").text
    (request,) = provider.asked
    assert request["code_challenge_method"] == "S256"
    assert min(len(request[name]) for name in ("state", "nonce", "code_challenge")) >= 20
    login = next(event for event in site_with.ledger.events() if event.kind == "account.login")
    assert (login.actor, login.body["method"]) == ("ana.ruiz", "oidc")


def test_each_way_in_has_a_state_nonce_and_challenge_of_its_own(site_with, provider):
    for _ in range(2):
        leave_for_provider(site_with.browser())
    one, other = provider.asked
    assert all(one[name] != other[name] for name in ("state", "nonce", "code_challenge"))


def test_a_return_is_good_once_and_for_the_browser_that_left(site_with):
    browser = site_with.browser()
    address = leave_for_provider(browser)
    refused(site_with, site_with.browser(), address)
    assert browser.get(address).status == 303
    again = site_with.browser()
    assert again.get(address).status == 401


def test_another_state_is_refused(site_with):
    browser = site_with.browser()
    address = leave_for_provider(browser)
    refused(site_with, browser, f"{address.partition('&state=')[0]}&state=forged")


def test_a_code_put_into_another_way_in_is_refused_by_its_verifier(site_with):
    """An attacker's code in a victim's return: the provider asks for the verifier of its challenge (RFC 7636)."""
    attacker, victim = site_with.browser(), site_with.browser()
    code = leave_for_provider(attacker).partition("&state=")[0]
    state = leave_for_provider(victim).partition("&state=")[2]
    refused(site_with, victim, f"{code}&state={state}")


FALSE_CLAIMS = {
    "nonce": {"nonce": "of another sign-in"},
    "audience": {"aud": "another site"},
    "issuer": {"iss": "https://elsewhere.example"},
    "expired": {"iat": 1_700_000_000, "exp": 1_700_000_300},
    "address not verified": {"email_verified": False},
    "no address": {"email": None},
}


@pytest.mark.parametrize("claims", FALSE_CLAIMS.values(), ids=FALSE_CLAIMS)
def test_an_id_token_that_says_something_else_is_refused(site_with, provider, claims):
    provider.claims |= claims
    browser = site_with.browser()
    refused(site_with, browser, leave_for_provider(browser))


def test_an_id_token_signed_by_another_key_is_refused(site_with, provider):
    provider.sign = signed_with(jwk.RSAKey.generate_key(2048, {"kid": "one"}))
    browser = site_with.browser()
    refused(site_with, browser, leave_for_provider(browser))


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_an_id_token_anybody_could_have_made_is_refused(site_with, provider, algorithm):
    """Without a signature, or signed with the public key as if it were a secret (RFC 8725, 2.1)."""
    secret = provider.published.as_pem(private=False) if algorithm == "HS256" else None
    provider.sign = lambda claims: forged(claims, {"alg": algorithm, "kid": "one"}, secret)
    browser = site_with.browser()
    refused(site_with, browser, leave_for_provider(browser))


def test_who_has_no_account_is_told_so_and_gets_none(site_with, provider):
    provider.claims["email"] = "stranger@example.com"
    browser = site_with.browser()
    answer = refused(site_with, browser, leave_for_provider(browser))
    assert "has no account here that may come in" in answer.words
    assert all(user.email != "stranger@example.com" for user in users(site_with.ledger))


def test_a_deactivated_person_stays_out(site_with):
    deactivate(site_with.ledger, "ana.ruiz", by="olga.admin")
    browser = site_with.browser()
    refused(site_with, browser, leave_for_provider(browser))


def test_whoever_says_no_at_the_provider_is_asked_again(site_with):
    browser = site_with.browser()
    state = leave_for_provider(browser).partition("&state=")[2]
    refused(site_with, browser, f"/sign-in/returned?error=access_denied&state={state}")


def test_a_provider_that_is_away_is_said_in_words(install, settings):
    away = settings.model_copy(update={"oidc_issuer": "http://127.0.0.1:9", "oidc_client_id": CLIENT})
    site = install(using=away)
    answer = site.browser().get("/sign-in/provider")
    assert answer.status == 503
    assert "The company's sign-in service does not answer." in answer.words
    assert "127.0.0.1:9" not in answer.text
