from datetime import timedelta

import pytest
from sqlalchemy import select

from pipeline.accounts import (
    bearer_of,
    change_rights,
    deactivate,
    make_token,
    note_use,
    reactivate,
    revoke_token,
    tokens_of,
)
from pipeline.errors import Refused
from pipeline.ledger import tables, verify
from tests.accounts.sites import bodies, join
from tests.review.cases import kinds


@pytest.fixture
def made(ledger):
    join(ledger, "boss", admin=True)
    join(ledger, "ana", "bea")
    return make_token(ledger, "ana", " laptop ", days=30)


def test_a_token_speaks_for_its_owner_with_the_rights_of_today(ledger, made):
    assert (made.token.user, made.token.name, made.token.read_only) == ("ana", "laptop", False)
    assert made.secret.startswith("landed_")
    assert not bearer_of(ledger, made.secret).user.admin
    change_rights(ledger, "ana", by="boss", admin=True, auditor=False)
    assert bearer_of(ledger, made.secret).user.admin


def test_a_token_expires_by_the_ledgers_clock(ledger, clock, made):
    clock.move(days=30, seconds=-1)
    assert bearer_of(ledger, made.secret) is not None
    clock.move(seconds=1)
    assert bearer_of(ledger, made.secret) is None


def test_a_revoked_token_is_gone_for_good_and_history_stays(ledger, made):
    revoke_token(ledger, made.token.id, by="ana")
    revoke_token(ledger, made.token.id, by="ana")
    assert bearer_of(ledger, made.secret) is None
    (kept,) = tokens_of(ledger, "ana")
    assert kept.revoked_at is not None
    assert [kinds(ledger).count(kind) for kind in ("token.created", "token.revoked")] == [1, 1]
    assert bodies(ledger, "token.revoked") == [{"token": made.token.id}]
    assert verify(ledger).intact


def test_only_the_owner_and_admins_revoke_and_others_learn_nothing(ledger, made):
    with pytest.raises(Refused) as mine:
        revoke_token(ledger, made.token.id, by="bea")
    with pytest.raises(Refused) as nobodys:
        revoke_token(ledger, "0" * 12, by="bea")
    assert str(mine.value).replace(made.token.id, "0" * 12) == str(nobodys.value)
    assert bearer_of(ledger, made.secret) is not None
    assert revoke_token(ledger, made.token.id, by="boss").revoked_at


def test_deactivation_revokes_tokens_and_reactivation_does_not_bring_them_back(ledger, made):
    deactivate(ledger, "ana", by="boss")
    assert bearer_of(ledger, made.secret) is None
    with pytest.raises(Refused, match="deactivated"):
        make_token(ledger, "ana", "other")
    reactivate(ledger, "ana", by="boss")
    assert bearer_of(ledger, made.secret) is None


def test_use_is_noted_once_a_minute(ledger, clock, made):
    for seconds, noted in ((0, 0), (59, 0), (1, 60)):
        clock.move(seconds=seconds)
        note_use(ledger, tokens_of(ledger, "ana")[0])
        expected = clock() if noted else clock() - timedelta(seconds=seconds)
        assert tokens_of(ledger, "ana")[0].last_used_at == expected.isoformat(timespec="microseconds")


@pytest.mark.parametrize(("name", "days"), [("", 1), ("x" * 81, 1), ("bell\x07", 1), ("fine", 0), ("fine", 366)])
def test_what_cannot_be_a_token_is_refused(ledger, made, name, days):
    with pytest.raises(Refused) as caught:
        make_token(ledger, "ana", name, days=days)
    assert caught.value.findings[0].remedy
    assert len(tokens_of(ledger, "ana")) == 1


@pytest.mark.parametrize("other", ["", "landed_", "nonsense", "landed_\x00", "landed_\ud800"])
def test_nothing_else_is_a_token(ledger, made, other):
    assert bearer_of(ledger, other) is None


def test_the_secret_stands_nowhere(ledger, made):
    everything = str([ledger.rows(select(table)) for table in tables.metadata.sorted_tables])
    assert made.secret not in everything
    assert made.secret not in repr(made)
    assert made.secret not in repr(bearer_of(ledger, made.secret))
    assert made.token.id not in made.secret
