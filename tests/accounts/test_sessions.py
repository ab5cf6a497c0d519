import pytest
from sqlalchemy import select

from pipeline.accounts import (
    begin_session,
    change_rights,
    deactivate,
    end_session,
    end_sessions,
    reactivate,
    session_of,
    touch,
)
from pipeline.errors import Refused
from pipeline.ledger import tables, verify
from tests.accounts.sites import HERE, bodies, join
from tests.review.cases import kinds


@pytest.fixture
def token(ledger):
    join(ledger, "boss", admin=True)
    join(ledger, "ana")
    return begin_session(ledger, "ana", address=HERE, method="oidc").token


def test_a_session_ends_after_an_hour_of_silence(ledger, clock, token):
    clock.move(minutes=59, seconds=59)
    assert session_of(ledger, token).user.id == "ana"
    clock.move(seconds=1)
    assert session_of(ledger, token) is None
    # Too late: being used does not bring it back.
    touch(ledger, token)
    assert session_of(ledger, token) is None


def test_a_session_begun_while_the_clock_stood_ahead_does_not_outlive_its_setting_right(ledger, clock, token):
    clock.move(minutes=-4)
    assert session_of(ledger, token)  # another machine's clock may be a little behind
    clock.move(hours=-1)
    assert session_of(ledger, token) is None


def test_a_session_in_use_ends_after_twelve_hours(ledger, clock, token):
    ends = session_of(ledger, token).ends_at
    for _ in range(23):
        clock.move(minutes=30)
        touch(ledger, token)
        assert session_of(ledger, token).ends_at == ends
    clock.move(minutes=29, seconds=59)
    assert session_of(ledger, token) is not None
    clock.move(seconds=1)
    assert session_of(ledger, token) is None
    assert ends == clock().isoformat(timespec="microseconds")


def test_being_seen_is_written_once_a_minute_and_is_no_event(ledger, clock, token):
    head, seen = ledger.head(), session_of(ledger, token).seen_at
    clock.move(seconds=59)
    touch(ledger, token)
    assert session_of(ledger, token).seen_at == seen
    clock.move(seconds=1)
    touch(ledger, token)
    assert session_of(ledger, token).seen_at > seen
    assert ledger.head() == head


def test_signing_out_ends_it_once_and_is_an_event(ledger, token):
    end_session(ledger, token)
    end_session(ledger, token)
    assert session_of(ledger, token) is None
    assert bodies(ledger, "account.logout") == [{"sessions": 1}]
    assert verify(ledger).intact


@pytest.mark.parametrize("other", ["", "nonsense", "\x00", "\ud800"])
def test_nothing_else_is_a_session(ledger, token, other):
    assert session_of(ledger, other) is None
    touch(ledger, other)
    end_session(ledger, other)
    assert session_of(ledger, token) is not None


def test_the_store_and_the_shown_form_hold_no_token(ledger, token):
    session = session_of(ledger, token)
    everything = str([ledger.rows(select(table)) for table in tables.metadata.sorted_tables])
    assert token not in everything
    assert session.csrf not in everything
    assert session.csrf not in repr(session)
    assert session.csrf != begin_session(ledger, "ana", address=HERE, method="oidc").session.csrf


def test_a_change_of_rights_ends_sessions_and_is_an_event(ledger, token):
    assert change_rights(ledger, "ana", by="boss", admin=False, auditor=False).id == "ana"
    assert session_of(ledger, token) is not None
    assert change_rights(ledger, "ana", by="boss", admin=True, auditor=False).admin
    assert session_of(ledger, token) is None
    (body,) = bodies(ledger, "account.role_changed")
    assert body == {"admin": True, "auditor": False, "was_admin": False, "was_auditor": False}


def test_deactivation_ends_everything_and_reactivation_brings_no_session_back(ledger, token):
    deactivate(ledger, "ana", by="boss")
    assert session_of(ledger, token) is None
    with pytest.raises(Refused, match="deactivated"):
        begin_session(ledger, "ana", address=HERE, method="oidc")
    before = ledger.head()
    deactivate(ledger, "ana", by="boss")
    assert ledger.head() == before
    assert reactivate(ledger, "ana", by="boss").active
    assert session_of(ledger, token) is None
    assert kinds(ledger).count("account.deactivated") == kinds(ledger).count("account.reactivated") == 1
    assert verify(ledger).intact


def test_a_site_keeps_an_administrator(ledger, token):
    with pytest.raises(Refused, match="only administrator"):
        deactivate(ledger, "boss", by="boss")
    with pytest.raises(Refused, match="only administrator"):
        change_rights(ledger, "boss", by="boss", admin=False, auditor=True)
    change_rights(ledger, "ana", by="boss", admin=True, auditor=False)
    assert not deactivate(ledger, "boss", by="ana").active


def test_ending_anothers_sessions_takes_an_admin(ledger, token):
    with pytest.raises(Refused, match="not an administrator"):
        end_sessions(ledger, "boss", by="ana")
    assert end_sessions(ledger, "ana", by="boss") == 1
    assert session_of(ledger, token) is None
