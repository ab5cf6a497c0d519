import pytest
from pydantic import SecretStr

from pipeline.accounts import Operator, deactivate, make_token, operator, revoke_token, tokens_of
from pipeline.errors import Refused
from pipeline.settings import Settings
from tests.accounts.sites import join


def settings(token="", **more):
    return Settings(user="robin", token=SecretStr(token), **more)


@pytest.fixture
def token(ledger):
    join(ledger, "boss", admin=True)
    join(ledger, "ana")
    return make_token(ledger, "ana", "laptop")


def test_without_accounts_the_machines_operator_is_taken_at_their_word(ledger):
    assert operator(ledger, settings()) == Operator("robin", trusted=True)
    assert operator(ledger, settings(), "ana") == Operator("ana", trusted=True)
    assert operator(ledger, settings("landed_old"), "ana") == Operator("ana", trusted=True)


def test_once_there_is_an_account_a_claim_alone_is_refused_and_the_error_says_what_to_do(ledger, token):
    for claimed in (None, "ana", "boss"):
        with pytest.raises(Refused, match=r"LANDED_TOKEN.*LANDED_TRUST_LOCAL=true"):
            operator(ledger, settings(), claimed)


def test_a_token_says_who_it_is_and_is_noted_as_used(ledger, token):
    assert operator(ledger, settings(token.secret)) == Operator("ana", trusted=False)
    assert operator(ledger, settings(f" {token.secret}\n"), "ana").id == "ana"
    assert tokens_of(ledger, "ana")[0].last_used_at is not None
    # A token is the stronger word: it is not set aside by trust in the machine.
    assert operator(ledger, settings(token.secret, trust_local=True)) == Operator("ana", trusted=False)


def test_the_owner_of_the_installation_may_trust_the_machine(ledger, token):
    assert operator(ledger, settings(trust_local=True), "ana") == Operator("ana", trusted=True)


def test_a_token_that_does_not_count_is_refused(ledger, clock, token):
    looking = make_token(ledger, "ana", "looking", read_only=True)
    for secret, match in (("landed_nonsense", "unknown"), (looking.secret, "may only look")):
        with pytest.raises(Refused, match=match) as caught:
            operator(ledger, settings(secret))
        assert secret not in str(caught.value)
    with pytest.raises(Refused, match="the token is ana's"):
        operator(ledger, settings(token.secret), "boss")
    revoke_token(ledger, token.token.id, by="ana")
    with pytest.raises(Refused, match="was revoked"):
        operator(ledger, settings(token.secret))
    other = make_token(ledger, "ana", "other", days=1)
    clock.move(days=1)
    with pytest.raises(Refused, match="has expired"):
        operator(ledger, settings(other.secret))
    last = make_token(ledger, "ana", "last")
    deactivate(ledger, "ana", by="boss")
    with pytest.raises(Refused, match="unknown"):
        operator(ledger, settings(last.secret))
