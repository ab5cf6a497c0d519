"""Attestations and waivers: only the right role's word counts, only while it lasts, and without it nothing advances."""

import hashlib
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta

import pytest

from pipeline.charter import Charter
from pipeline.compliance.library import Control
from pipeline.compliance.standing import ControlState
from pipeline.errors import Refused
from pipeline.ledger import Ledger, find_iteration
from pipeline.review import sign
from pipeline.review.attesting import attest, controls_now, kept_controls, vouched, waive
from pipeline.review.listing import show_review
from pipeline.review.requests import ReviewRequest
from tests.review.cases import PEOPLE, REPORT, a_charter, kinds, under_review


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 2, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def dated(tmp_path, clock):
    with Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", now=clock) as opened:
        yield opened


def a_control(**changes) -> Control:
    values = {
        "id": "data_fits", "text": "The data fits its purpose", "source": ("ISO/IEC 42001 A.7.2",), "kind": "attested",
        "when": "before_first_iteration", "severity": "block", "role": "compliance", **changes,
    }  # fmt: skip
    return Control(**values)


def kept(control: Control, state="overdue", until=None):
    return {**control.model_dump(mode="json"), "state": state, "reason": "", "by": "", "until": until}


def say_so(ledger: Ledger, control: Control, actor="omar", charter: Charter | None = None, **options):
    with ledger.transaction() as tx:
        return attest(tx, charter or a_charter(), control, "I read the data sheet.", actor=actor, **options)


def let_off(ledger: Ledger, control: Control, days=30, actor="omar", reason="The officer is ill."):
    with ledger.transaction() as tx:
        return waive(tx, a_charter(), control, reason, tx.now().date() + timedelta(days=days), actor=actor)


def advance(ledger: Ledger, request: ReviewRequest):
    return sign(ledger, request.id, "maria", "advance", "The figures are good.", REPORT)


def missing(ledger: Ledger, request: ReviewRequest) -> list[str]:
    return [one.id for one in show_review(ledger, request.id).open_controls]


def test_nobody_advances_until_the_role_has_given_its_word(ledger):
    control = a_control()
    request = under_review(ledger, controls=[kept(control)])
    assert missing(ledger, request) == ["data_fits"]
    with pytest.raises(Refused, match="cannot sign advance") as caught:
        advance(ledger, request)
    assert "a control is open (data_fits: nobody's word on it counts now)" in caught.value.findings[0].found
    sign(ledger, request.id, "lena", "iterate", "Let us look again.", REPORT)
    say_so(ledger, control)
    assert missing(ledger, request) == []
    assert advance(ledger, request).signoff.decision == "advance"


def test_a_control_that_only_warns_bars_nothing(ledger):
    request = under_review(ledger, controls=[kept(a_control(severity="warn"))])
    assert missing(ledger, request) == []
    advance(ledger, request)


@pytest.mark.parametrize("actor", ["maria", "nobody", "lena"])
def test_the_word_of_another_role_is_refused_and_the_attempt_recorded(ledger, actor):
    with pytest.raises(Refused, match="cannot vouch") as refused:
        say_so(ledger, a_control(), actor=actor)
    assert refused.value.findings[0].remedy == "ask omar"
    with pytest.raises(Refused, match="cannot vouch"):
        let_off(ledger, a_control(), actor=actor)
    assert kinds(ledger) == ["control.refused", "control.refused"]
    assert {(event.actor, event.role) for event in ledger.events()} == {(actor, PEOPLE.get(actor, ""))}


def test_who_writes_themselves_into_a_charter_file_attests_to_nothing_under_review(ledger):
    control = a_control()
    request = under_review(ledger, controls=[kept(control)])
    people = [{"id": "eve", "name": "Eve", "role": "compliance", "channel": "mail"}]
    forged = a_charter(people=[*a_charter().canonical()["people"], *people])
    say_so(ledger, control, actor="eve", charter=forged)
    assert missing(ledger, request) == ["data_fits"]


def test_a_programs_check_cannot_be_attested_to(ledger):
    with pytest.raises(Refused) as caught:
        say_so(ledger, a_control(id="leakage", kind="automated"))
    assert "checked by the program" in caught.value.findings[0].found


def test_a_document_is_kept_by_its_hash(ledger, tmp_path):
    control = a_control(kind="document")
    with pytest.raises(Refused) as caught:
        say_so(ledger, control)
    assert "it asks for a document" in caught.value.findings[0].found
    with pytest.raises(Refused, match="cannot be attested to"):
        say_so(ledger, control, document=tmp_path / "none.pdf")
    path = tmp_path / "risks.pdf"
    path.write_bytes(b"risks")
    event = say_so(ledger, control, document=path)
    assert event.body["document"] == "risks.pdf"
    assert event.body["sha256"] == hashlib.sha256(b"risks").hexdigest()


def test_a_word_that_has_run_out_while_the_review_was_open_bars_it_again(dated, clock):
    control = a_control(renew_days=30)
    say_so(dated, control)
    request = under_review(dated, controls=[kept(control, state="holds")])
    assert missing(dated, request) == []
    clock.now += timedelta(days=31)
    assert missing(dated, request) == ["data_fits"]
    say_so(dated, control)
    assert missing(dated, request) == []


def test_what_must_hold_in_each_iteration_is_said_anew(dated, clock):
    control = a_control(when="each_iteration")
    say_so(dated, control)
    clock.now += timedelta(hours=1)
    request = under_review(dated, controls=[kept(control)])
    assert missing(dated, request) == ["data_fits"]
    say_so(dated, control)
    assert missing(dated, request) == []


def test_a_waiver_counts_from_the_report_that_shows_it_and_until_its_day(dated, clock):
    control = a_control()
    let_off(dated, control, days=10)
    until = (clock.now + timedelta(days=10)).date().isoformat()
    request = under_review(dated, controls=[kept(control, state="waived", until=until)])
    assert missing(dated, request) == []
    clock.now += timedelta(days=11)
    assert missing(dated, request) == ["data_fits"]


def test_a_waiver_given_while_the_review_is_open_counts_and_is_kept_with_the_sign_off(dated, clock):
    """As an attestation does; as the report does not show it, the review and the sign-off do."""
    control = a_control()
    request = under_review(dated, controls=[kept(control)])
    with pytest.raises(Refused, match="cannot sign advance"):
        advance(dated, request)
    clock.now += timedelta(minutes=1)
    event = let_off(dated, control)
    view = show_review(dated, request.id)
    assert view.open_controls == ()
    (waived,) = view.waived
    until = event.body["until"]
    assert (waived.id, waived.person, waived.reason, waived.until.isoformat()) == (
        "data_fits", "omar", "The officer is ill.", until,
    )  # fmt: skip
    advance(dated, request)
    signed = [event for event in dated.events() if event.kind == "review.signed"][-1]
    assert signed.body["waived"] == [
        {"id": "data_fits", "text": control.text, "person": "omar", "reason": "The officer is ill.", "until": until}
    ]


def test_a_waiver_given_while_the_review_is_open_ends_with_its_day_and_gives_way_to_the_word_itself(dated, clock):
    control = a_control()
    request = under_review(dated, controls=[kept(control)])
    let_off(dated, control, days=2)
    say_so(dated, control)
    assert show_review(dated, request.id).waived == ()
    other = a_control(id="other_one")
    again = under_review(dated, controls=[kept(control), kept(other)], number=2)
    let_off(dated, other, days=2)
    assert missing(dated, again) == []
    clock.now += timedelta(days=3)
    assert missing(dated, again) == ["other_one"]


def test_a_check_that_failed_stays_failed_in_the_report_people_sign(dated):
    """The verdict is part of the figures under the hash; a waiver of it changes the next report."""
    control = a_control(id="leakage", kind="automated")
    request = under_review(dated, fails=True, controls=[kept(control, state="fails")])
    let_off(dated, control)
    assert show_review(dated, request.id).waived == ()
    with pytest.raises(Refused) as caught:
        advance(dated, request)
    assert "a blocking verdict fails" in caught.value.findings[0].found


def test_a_waived_check_bars_again_when_its_waiver_ends(dated, clock):
    control = a_control(id="leakage", kind="automated")
    let_off(dated, control, days=3)
    until = (clock.now + timedelta(days=3)).date().isoformat()
    request = under_review(dated, controls=[kept(control, state="waived", until=until)])
    assert missing(dated, request) == []
    clock.now += timedelta(days=4)
    with pytest.raises(Refused) as caught:
        advance(dated, request)
    assert f"its waiver ended on {until}" in caught.value.findings[0].found


@pytest.mark.parametrize("days", [-1, 367])
def test_a_waiver_ends_on_a_day_within_a_year(ledger, days):
    with pytest.raises(Refused, match="cannot vouch"):
        let_off(ledger, a_control(), days=days)


def test_a_waiver_may_end_today_and_on_the_last_day_of_a_year(dated, clock):
    under_review(dated)
    for days in (0, 366):
        assert let_off(dated, a_control(), days=days).body["until"] == str((clock.now + timedelta(days)).date())


@pytest.mark.parametrize("reason", ["", "  ", "x" * 2001])
def test_a_waiver_needs_a_reason(ledger, reason):
    with pytest.raises(Refused, match="cannot vouch"):
        let_off(ledger, a_control(), reason=reason)


def test_an_event_that_was_edited_vouches_for_nothing(dated):
    control, ledger = a_control(), dated
    say_so(ledger, control, actor="omar")
    roles = {control.id: "compliance"}
    opened = datetime(2020, 1, 1, tzinfo=UTC)
    assert vouched(ledger, a_charter(), roles, opened).attestations
    with closing(sqlite3.connect(str(ledger.path))) as intruder, intruder:
        for (name,) in intruder.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            intruder.execute(f'DROP TRIGGER "{name}"')
        intruder.execute("UPDATE landed_events SET at = '2026-11-30T00:00:00.000000+00:00'")
    assert not vouched(ledger, a_charter(), roles, opened).attestations


def test_what_the_ledger_keeps_of_a_control_says_how_it_stood_and_by_whose_word():
    control = a_control()
    until = date(2027, 1, 31)
    states = (
        ControlState(control, "waived", "maria waived it.", {}, "maria", until),
        ControlState(control, "overdue", "Nobody attested to it.", {}),
    )
    whole = control.model_dump(mode="json")
    assert kept_controls(states) == [
        {**whole, "state": "waived", "reason": "maria waived it.", "by": "maria", "until": "2027-01-31"},
        {**whole, "state": "overdue", "reason": "Nobody attested to it.", "by": "", "until": None},
    ]


def test_an_iteration_of_before_controls_were_kept_has_none_open(ledger):
    request = under_review(ledger)
    record = find_iteration(ledger, "shop", 1, "pilot")
    assert record is not None
    shown = datetime.fromisoformat(request.opened_at)
    assert controls_now(ledger, record, a_charter(), shown, ledger.now()).open == ()
    assert missing(ledger, request) == []
