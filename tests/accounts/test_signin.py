import threading
import unicodedata
from contextlib import suppress

import pytest
from argon2 import PasswordHasher
from sqlalchemy import func, select

from pipeline.accounts import (
    TryLater,
    accept,
    change_password,
    deactivate,
    passwords,
    prove,
    reset,
    session_of,
    set_password,
    sign_in,
)
from pipeline.accounts.throttle import Attempt, count_attempt, count_failure
from pipeline.accounts.users import account_row
from pipeline.errors import Refused
from pipeline.ledger import Ledger, tables, verify
from tests.accounts.sites import BETTER, GOOD, HERE, START, THERE, bodies, join
from tests.review.cases import kinds

WRONG = "not the right one"


def fails(ledger, name="ana", address=HERE, typed=WRONG):
    with pytest.raises(Refused) as caught:
        sign_in(ledger, name, typed, address)
    return caught.value


def guess(ledger, times, name="ana", address=HERE):
    """Wrong guesses as fast as they are let through; returns how many were compared."""
    return [isinstance(fails(ledger, name, address), TryLater) for _ in range(times)].count(False)


def test_id_or_address_and_password_let_in_and_both_are_events(ledger):
    join(ledger, "ana")
    session = sign_in(ledger, " ANA ", GOOD, HERE)
    assert session_of(ledger, session.token).user.id == "ana"
    fails(ledger)
    (login,), (failed,) = ledger.events(kind="account.login"), ledger.events(kind="account.login_failed")
    assert (login.actor, login.body) == ("ana", {"method": "password", "address": HERE})
    assert (failed.subject, failed.body["address"]) == ("ana", HERE)
    assert verify(ledger).intact


def test_every_token_is_new(ledger):
    join(ledger, "ana")
    assert len({sign_in(ledger, "ana", GOOD, HERE).token for _ in range(3)}) == 3


@pytest.mark.parametrize("name", ["ana", "gone", "fresh", "nobody", "", "' OR 1=1 --", "x" * 5000, "\ud800"])
def test_whatever_is_wrong_the_answer_and_the_work_are_the_same(ledger, monkeypatch, name):
    join(ledger, "boss", admin=True)
    join(ledger, "ana", "gone")
    deactivate(ledger, "gone", by="boss")
    calls = []
    verifying = type(passwords._HASHER).verify

    def counted(self, kept, typed):
        calls.append(self.check_needs_rehash(kept))
        return verifying(self, kept, typed)

    monkeypatch.setattr(PasswordHasher, "verify", counted)
    passwords._nobodys.cache_clear()
    typed = GOOD if name == "gone" else WRONG
    error = fails(ledger, name, typed=typed)
    assert str(error) == str(fails(ledger, "someone-else"))
    # One comparison each, against a hash that costs the same.
    assert calls == [False, False]
    passwords._nobodys.cache_clear()


def test_what_was_typed_as_a_name_is_kept_nowhere_in_the_clear(ledger):
    join(ledger, "ana")
    fails(ledger, "my secret passphrase")
    everything = str([ledger.rows(select(table)) for table in tables.metadata.sorted_tables])
    assert "my secret passphrase" not in everything
    assert bodies(ledger, "account.login_failed")[0]["failures"] == {"both": 1, "account": 1, "address": 1, "site": 1}


def test_a_password_under_older_parameters_is_hashed_anew_when_it_is_used(ledger, monkeypatch):
    join(ledger, "ana")
    before = account_row(ledger, "ana")["password"]
    dearer = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)
    monkeypatch.setattr(passwords, "_HASHER", dearer)
    fails(ledger)
    assert account_row(ledger, "ana")["password"] == before
    sign_in(ledger, "ana", GOOD, HERE)
    after = account_row(ledger, "ana")["password"]
    assert after != before
    assert not dearer.check_needs_rehash(after)
    assert sign_in(ledger, "ana", GOOD, HERE)


def test_a_password_may_be_typed_with_composed_or_decomposed_letters(ledger):
    join(ledger, "ana", typed=unicodedata.normalize("NFC", "über den wölkchen"))
    assert sign_in(ledger, "ana", unicodedata.normalize("NFD", "über den wölkchen"), HERE)


def test_changing_ones_own_password_needs_the_old_one_and_ends_every_session(ledger):
    join(ledger, "ana")
    session = sign_in(ledger, "ana", GOOD, HERE)
    with pytest.raises(Refused, match="do not fit"):
        change_password(ledger, "ana", BETTER, BETTER, HERE)
    with pytest.raises(Refused, match="cannot be the password"):
        change_password(ledger, "ana", GOOD, "ana ana ana ana", HERE)
    assert session_of(ledger, session.token) is not None
    change_password(ledger, "ana", GOOD, BETTER, HERE)
    assert session_of(ledger, session.token) is None
    assert prove(ledger, "ana", BETTER, HERE).id == "ana"


def test_only_admins_set_anothers_password(ledger):
    join(ledger, "boss", admin=True)
    join(ledger, "ana", "bea")
    with pytest.raises(Refused, match="not an administrator"):
        set_password(ledger, "boss", BETTER, by="bea")
    set_password(ledger, "ana", BETTER, by="boss")
    assert sign_in(ledger, "ana", BETTER, HERE)


# ---- slowing down ---------------------------------------------------------------------------------------------


def test_after_five_failures_each_doubles_the_wait_up_to_a_quarter_of_an_hour(ledger, clock):
    join(ledger, "ana")
    waits = []
    for _ in range(16):
        fails(ledger)
        later = fails(ledger)
        waits.append(later.after if isinstance(later, TryLater) else 0)
        clock.move(seconds=waits[-1] + 1)
    # The first rounds fail twice each; then every round is one failure and one refusal to look.
    assert waits[:5] == [0, 0, 1, 2, 4]
    assert waits[5:13] == [8, 16, 32, 64, 128, 256, 512, 900]
    assert set(waits[13:]) == {900}
    assert sign_in(ledger, "ana", GOOD, HERE)


def test_a_throttled_attempt_is_not_even_compared(ledger, monkeypatch):
    join(ledger, "ana")
    assert guess(ledger, 30) == 5
    monkeypatch.setattr(passwords._HASHER.__class__, "verify", lambda *_: pytest.fail("it was compared"))
    with pytest.raises(TryLater) as caught:
        sign_in(ledger, "ana", GOOD, HERE)
    assert caught.value.after >= 1
    assert caught.value.findings[0].remedy


def test_the_right_password_forgets_the_failures(ledger):
    join(ledger, "ana")
    for _ in range(4):
        assert guess(ledger, 4) == 4
        sign_in(ledger, "ana", GOOD, HERE)


def test_failures_are_forgotten_after_an_hour(ledger, clock):
    join(ledger, "ana")
    assert guess(ledger, 20) == 5
    clock.move(hours=1, seconds=1)
    assert guess(ledger, 20) == 5


def test_a_wait_noted_before_the_clock_was_set_back_locks_nobody_out(ledger, clock):
    join(ledger, "ana")
    clock.move(days=400)
    assert guess(ledger, 30) == 5
    clock.move(days=-400, hours=-1)
    assert sign_in(ledger, "ana", GOOD, HERE)
    assert guess(ledger, 30) == 5


def test_one_address_cannot_try_many_names(ledger):
    assert sum(guess(ledger, 1, name=f"name{number}") for number in range(100)) == 20


def guess_from_everywhere(ledger):
    """What sixty wrong guesses from sixty addresses leave behind."""
    with ledger.transaction() as tx:
        for number in range(60):
            count_attempt(tx, Attempt("ana", f"203.0.113.{number}"))
            count_failure(tx, Attempt("ana", f"203.0.113.{number}"))


def test_nobody_can_lock_a_person_out_of_where_they_usually_are(ledger, clock):
    join(ledger, "ana")
    sign_in(ledger, "ana", GOOD, HERE)
    guess_from_everywhere(ledger)
    assert sign_in(ledger, "ana", GOOD, HERE)
    # From elsewhere it is half a minute at most, and an administrator's link works at once.
    guess_from_everywhere(ledger)
    later = fails(ledger, address=THERE)
    assert isinstance(later, TryLater)
    assert later.after <= 31
    accept(ledger, reset(ledger, "ana", by="root", trusted=True).secret, BETTER)
    assert sign_in(ledger, "ana", BETTER, THERE)


def test_failed_attempts_do_not_fill_the_ledger(ledger, clock):
    told = []
    with ledger.transaction() as tx:
        for number in range(140):
            attempt = Attempt(f"name{number}", f"10.0.0.{number}")
            count_attempt(tx, attempt)
            told.append(count_failure(tx, attempt))
    assert [number for number, counts in enumerate(told, start=1) if counts] == [*range(1, 101), 128]
    assert told[127] == {"both": 1, "account": 1, "address": 1, "site": 128}
    clock.move(hours=2)
    fails(ledger)
    assert ledger.rows(select(func.count().label("kept")).select_from(tables.throttle))[0]["kept"] == 4
    assert kinds(ledger) == ["account.login_failed"]


def test_many_guesses_at_the_same_moment_are_not_all_free(url):
    with Ledger(url, now=lambda: START) as ledger:
        join(ledger, "ana")
        compared, start = [], threading.Barrier(20)

        def work():
            start.wait(60)
            try:
                sign_in(ledger, "ana", WRONG, HERE)
            except TryLater:
                pass
            except Refused:
                compared.append(1)

        threads = [threading.Thread(target=work) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert len(compared) == 5
        assert verify(ledger).intact


def test_thirty_people_of_one_office_sign_in_at_once(url):
    names = [f"person{number}" for number in range(30)]
    with Ledger(url) as ledger:
        join(ledger, *names)
        came, start = [], threading.Barrier(30)

        def work(name):
            start.wait(60)
            with suppress(Refused):
                came.append(sign_in(ledger, name, GOOD, HERE).session.user.id)

        threads = [threading.Thread(target=work, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert sorted(came) == sorted(names)
        assert kinds(ledger).count("account.login") == 30
