"""OpenID Connect: off unless configured, and what its cookie says counts only if this site wrote it."""

import pytest

from pipeline.web.oidc import _opened, _sealed
from pipeline.web.site import Site

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
    for forged in ("", "x", f"{text}.{'0' * 64}", f"{text}x.{seal}", f".{seal}"):
        assert _opened(one, forged) == {}
