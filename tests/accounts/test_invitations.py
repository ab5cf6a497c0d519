import threading

import pytest
from sqlalchemy import select

from pipeline.accounts import accept, begin_session, find_user, invite, invited, reset, session_of, sign_in, users
from pipeline.accounts.invitations import invitations
from pipeline.errors import Refused
from pipeline.ledger import Ledger, verify
from tests.accounts.sites import BETTER, GOOD, HERE, bodies, join
from tests.review.cases import kinds


def test_the_first_account_is_made_by_the_machines_operator_and_has_no_password(ledger):
    made = invite(ledger, "ana", "Ana Silva", "Ana@Example.com", by="robin", admin=True)
    assert (made.user.id, made.user.email) == ("ana", "ana@example.com")
    assert (made.user.admin, made.user.has_password) == (True, False)
    assert users(ledger) == (made.user,)
    assert invited(ledger, made.secret) == made.user
    with pytest.raises(Refused, match="do not fit"):
        sign_in(ledger, "ana", "", HERE)
    assert kinds(ledger)[:2] == ["account.created", "account.link_made"]


def test_a_link_is_accepted_once_and_lets_in_by_the_password_set_with_it(ledger):
    made = invite(ledger, "ana", "Ana", by="robin", admin=True)
    assert accept(ledger, made.secret, GOOD).has_password
    assert sign_in(ledger, "ana", GOOD, HERE).session.user.id == "ana"
    assert invited(ledger, made.secret) is None
    with pytest.raises(Refused, match="was used"):
        accept(ledger, made.secret, BETTER)
    with pytest.raises(Refused):
        sign_in(ledger, "ana", BETTER, HERE)
    assert verify(ledger).intact


def test_a_link_expires_after_three_days_by_the_ledgers_clock(ledger, clock):
    made = invite(ledger, "ana", "Ana", by="robin")
    clock.move(hours=71, minutes=59)
    assert invited(ledger, made.secret) is not None
    clock.move(minutes=1)
    assert invited(ledger, made.secret) is None
    with pytest.raises(Refused, match="has expired"):
        accept(ledger, made.secret, GOOD)


def test_a_new_link_voids_the_one_before_and_a_bad_password_does_not_use_it_up(ledger):
    first = invite(ledger, "ana", "Ana", by="robin")
    second = invite(ledger, "ana", "Ana", by="robin", trusted=True)
    assert invited(ledger, first.secret) is None
    with pytest.raises(Refused, match="cannot be the password"):
        accept(ledger, second.secret, "short")
    assert accept(ledger, second.secret, GOOD).id == "ana"


def test_the_store_holds_the_hash_of_a_link_and_never_the_link(ledger):
    made = invite(ledger, "ana", "Ana", by="robin")
    assert made.secret not in repr(made)
    assert len(made.secret) >= 43
    stored = ledger.rows(select(invitations))
    assert made.secret not in str(stored)
    assert [len(row["digest"]) for row in stored] == [64]
    assert made.secret not in "".join(row["body"] for row in ledger.raw_events())


def test_a_reset_ends_sessions_and_the_old_password_once_it_is_used(ledger):
    join(ledger, "ana", admin=True)
    session = begin_session(ledger, "ana", address=HERE, method="password")
    link = reset(ledger, "ana", by="ana")
    assert session_of(ledger, session.token) is not None
    accept(ledger, link.secret, BETTER)
    assert session_of(ledger, session.token) is None
    assert sign_in(ledger, "ana", BETTER, HERE)
    assert bodies(ledger, "account.link_made")[-1]["purpose"] == "reset"


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        (("Ana", "Ana"), "cannot be an id"),
        (("a", "Ana"), "cannot be an id"),
        (("ana silva", "Ana"), "cannot be an id"),
        (("landed", "Ana"), "a program signs with"),
        (("ana", " "), "name: it is empty"),
        (("ana", "bell\x07"), "cannot be shown"),
        (("ana", "Ana", "nobody"), "is no address"),
        (("ana", "Ana", "a@b@c"), "is no address"),
    ],
)
def test_what_cannot_be_an_account_is_refused_with_what_to_write(ledger, fields, match):
    with pytest.raises(Refused, match=match) as caught:
        invite(ledger, *fields, by="robin")
    assert caught.value.findings[0].remedy
    assert users(ledger) == ()


def test_ids_and_addresses_are_given_once(ledger):
    join(ledger, "boss", admin=True)
    invite(ledger, "ana", "Ana", "a@example.com", by="boss")
    with pytest.raises(Refused, match="another account has this"):
        invite(ledger, "bea", "Bea", "A@example.com", by="boss")
    with pytest.raises(Refused, match="has a password already"):
        invite(ledger, "boss", "Boss", by="boss")
    assert find_user(ledger, "bea") is None


def test_only_admins_invite_once_there_is_an_account(ledger):
    join(ledger, "boss", admin=True)
    join(ledger, "ana")
    for by in ("ana", "nobody", ""):
        with pytest.raises(Refused, match="not an administrator"):
            invite(ledger, "mallory", "M", by=by, admin=True)
        with pytest.raises(Refused, match="not an administrator"):
            reset(ledger, "boss", by=by)
    assert kinds(ledger).count("account.refused") == 6
    assert find_user(ledger, "mallory") is None


def test_fifty_threads_accept_one_link_and_one_wins(url):
    with Ledger(url) as ledger:
        made = invite(ledger, "ana", "Ana", by="robin")
        passwords = [f"{GOOD} number {number}" for number in range(50)]
        won, lost, start = [], [], threading.Barrier(50)

        def work(password):
            start.wait(60)
            try:
                accept(ledger, made.secret, password)
                won.append(password)
            except Refused:
                lost.append(password)

        threads = [threading.Thread(target=work, args=(password,)) for password in passwords]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert (len(won), len(lost)) == (1, 49)
        assert kinds(ledger).count("account.password_set") == 1
        assert sign_in(ledger, "ana", won[0], HERE).session.user.id == "ana"
        with pytest.raises(Refused):
            sign_in(ledger, "ana", lost[0], HERE)
        assert verify(ledger).intact
