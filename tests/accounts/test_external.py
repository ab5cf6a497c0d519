import pytest

from pipeline.accounts import client_address, create_user, deactivate, user_from_claims, user_from_proxy
from pipeline.errors import LedgerError, Refused
from pipeline.settings import Settings
from tests.accounts.sites import join

ISSUER = "https://login.example.com/"
OIDC = Settings(oidc_issuer=ISSUER)
PROXY = Settings(proxy_header="X-Remote-User", proxy_addresses="10.0.0.5, 192.0.2.0/24,2001:db8::/32")
OFF = Settings()


@pytest.fixture(autouse=True)
def people(ledger):
    join(ledger, "boss", admin=True)
    create_user(ledger, "ana", "Ana", "ana@example.com", by="boss")
    create_user(ledger, "gone", "Gone", "gone@example.com", by="boss")
    deactivate(ledger, "gone", by="boss")


def claims(**changes):
    return {"iss": ISSUER, "sub": "17", "email": "Ana@Example.com", "email_verified": True, **changes}


def test_a_verified_address_of_the_configured_issuer_finds_the_account(ledger):
    assert user_from_claims(ledger, OIDC, claims()).id == "ana"
    by_name = Settings(oidc_issuer=ISSUER, oidc_claim="preferred_username")
    named = claims(preferred_username="ana", email=None, email_verified=False)
    assert user_from_claims(ledger, by_name, named).id == "ana"


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://evil.example.com/"}, {"iss": None}, {"iss": ISSUER.rstrip("/")}, {"email_verified": False},
        {"email_verified": "true"}, {"email_verified": None}, {"email": None}, {"email": ""},
        {"email": ["ana@example.com"]},
        {"email": "eve@example.com"}, {"email": "gone@example.com"}, {"email": "ana"}, {"email": "\x00"},
    ],
)  # fmt: skip
def test_any_other_claim_lets_nobody_in(ledger, wrong):
    with pytest.raises(Refused) as caught:
        user_from_claims(ledger, OIDC, claims(**wrong))
    assert caught.value.findings[0].remedy


def test_both_modes_are_off_unless_configured(ledger):
    with pytest.raises(Refused, match="not the one of this site"):
        user_from_claims(ledger, OFF, claims(iss=""))
    assert user_from_proxy(ledger, OFF, "127.0.0.1", "ana") is None


@pytest.mark.parametrize("peer", ["10.0.0.5", "192.0.2.200", "2001:db8::7"])
def test_the_proxys_header_names_a_person_by_id_or_address(ledger, peer):
    assert user_from_proxy(ledger, PROXY, peer, " ana ").id == "ana"
    assert user_from_proxy(ledger, PROXY, peer, "ANA@example.com").id == "ana"
    assert user_from_proxy(ledger, PROXY, peer, None) is None
    assert user_from_proxy(ledger, PROXY, peer, " ") is None


@pytest.mark.parametrize("peer", ["10.0.0.6", "127.0.0.1", "::1", "unix", "", "10.0.0.5, 10.0.0.5"])
def test_the_header_counts_from_configured_proxies_only(ledger, peer):
    with pytest.raises(Refused, match="no proxy of this site"):
        user_from_proxy(ledger, PROXY, peer, "ana")
    with pytest.raises(Refused, match="no proxy of this site"):
        user_from_proxy(ledger, Settings(proxy_header="X-Remote-User"), peer, "ana")


@pytest.mark.parametrize("value", ["eve", "gone", "ana, boss", "\x00"])
def test_the_header_makes_nobody_an_account(ledger, value):
    with pytest.raises(Refused, match="has no account here"):
        user_from_proxy(ledger, PROXY, "10.0.0.5", value)


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", None, "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.5", None, "10.0.0.5"),
        ("10.0.0.5", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.5", "1.1.1.1, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.5", "1.1.1.1, 198.51.100.1, 192.0.2.8", "198.51.100.1"),
        ("10.0.0.5", "1.1.1.1, nonsense, 192.0.2.8", "192.0.2.8"),
        ("10.0.0.5", ", ,", "10.0.0.5"),
        ("unknown", "198.51.100.1", "unknown"),
    ],
)
def test_an_address_is_forwarded_by_our_own_proxies_only(peer, forwarded, client):
    assert client_address(PROXY, peer, forwarded) == client


def test_addresses_that_are_none_are_refused_with_what_to_write():
    with pytest.raises(LedgerError, match="LANDED_PROXY_ADDRESSES"):
        client_address(Settings(proxy_addresses="10.0.0.0/8, gateway"), "10.0.0.5", "1.1.1.1")
