import sqlite3
import threading
from contextlib import suppress
from datetime import date, timedelta

import pytest

from pipeline.accounts import deactivate, delegate, delegations, end_delegation, in_force, reactivate
from pipeline.errors import Refused
from pipeline.ledger import Ledger, find_intent, get_iteration, verify
from pipeline.ledger.tables import signoffs
from pipeline.review import find_review, mark_applied, show_review, sign, signoffs_of
from tests.accounts.sites import START, Clock, join, lend
from tests.review.cases import OTHER_REPORT, PEOPLE, REPORT, a_charter, ask, kinds, start, under_review

TODAY = START.date()


def day(number):
    return TODAY + timedelta(days=number)


@pytest.fixture
def review(ledger):
    """A review, everybody of the charter with an account, and two more."""
    join(ledger, "boss", admin=True)
    join(ledger, *PEOPLE, "ben", "eve")
    return under_review(ledger)


def answer(ledger, review, person, decision="iterate", giver=None, report=REPORT):
    return sign(ledger, review.id, person, decision, "seen", report, on_behalf_of=giver)


def refused(ledger, match, review, person, giver=None, decision="iterate"):
    before = signoffs_of(ledger, review.id)
    with pytest.raises(Refused, match=match) as caught:
        answer(ledger, review, person, decision, giver)
    assert caught.value.findings[0].remedy
    assert signoffs_of(ledger, review.id) == before
    assert kinds(ledger)[-1] == "review.refused"


def apply(ledger, review):
    with ledger.transaction() as tx:
        return mark_applied(tx, review.id)


# ---- from hand-over to the applied decision -------------------------------------------------------------------


def test_a_delegate_signs_decides_and_the_decision_is_applied(ledger, review):
    made = lend(ledger, "ana", "ben")
    signed = answer(ledger, review, "ben", giver="ana").signoff
    assert (signed.person, signed.role, signed.on_behalf_of, signed.signer) == (
        "ben", "business_owner", "ana", "ben for ana",
    )  # fmt: skip
    assert answer(ledger, review, "lena").decision == "iterate"
    event = next(ledger.events(kind="review.signed"))
    assert (event.actor, event.role) == ("ben", "business_owner")
    assert (event.body["on_behalf_of"], event.body["delegation"]) == ("ana", made.id)
    (decided,) = ledger.events(kind="review.decided")
    assert [one.get("on_behalf_of") for one in decided.body["signed"]] == ["ana", None]
    # What comes later does not take back what was signed while it was in force.
    end_delegation(ledger, made.id, by="ana")
    deactivate(ledger, "ben", by="boss")
    applied = apply(ledger, review)
    assert applied.decision == "iterate"
    assert [one.signer for one in applied.signoffs] == ["ben for ana", "lena"]
    assert find_intent(ledger, f"apply:{review.id}").done_at is not None
    assert get_iteration(ledger, "shop", 1, "pilot").state == "applied"
    assert verify(ledger).intact


def test_a_delegation_is_an_event_and_is_seen_by_the_one_who_received_it(ledger, review):
    made = lend(ledger, "ana", "ben", days=3)
    assert delegations(ledger) == delegations(ledger, "shop") == (made,)
    assert in_force(ledger, "ben") == in_force(ledger, "ben", "shop") == (made,)
    assert in_force(ledger, "ana") == in_force(ledger, "ben", "other") == ()
    (event,) = ledger.events(kind="delegation.made")
    assert (event.actor, event.role, event.project, event.subject) == ("ana", "business_owner", "shop", made.id)
    assert event.body == {
        "giver": "ana", "delegate": "ben", "role": "business_owner", "starts": str(day(0)), "ends": str(day(2)),
    }  # fmt: skip


def test_it_holds_from_its_first_to_its_last_day_and_not_a_moment_longer(ledger, clock, review):
    delegate(ledger, "shop", "ana", "ben", day(1), day(2))
    refused(ledger, "has not handed their role", review, "ben", "ana")
    clock.move(hours=15)
    assert clock().date() == day(1)
    assert in_force(ledger, "ben")
    clock.move(hours=48, microseconds=-1)
    assert clock().date() == day(2)
    assert in_force(ledger, "ben")
    clock.move(microseconds=1)
    assert in_force(ledger, "ben") == ()
    refused(ledger, "has not handed their role", review, "ben", "ana")


def test_four_eyes_hold_for_the_starter_and_for_whoever_plays_the_starters_role(ledger):
    join(ledger, "boss", admin=True)
    join(ledger, *PEOPLE, "ben")
    review = under_review(ledger, started_by="lena")
    lend(ledger, "lena", "ben")
    lend(ledger, "ana", "lena")
    refused(ledger, "started the run", review, "ben", "lena")
    refused(ledger, "started the run", review, "lena", "ana")


def test_a_delegate_answers_once_and_in_one_role(ledger, review):
    lend(ledger, "ana", "lena")
    lend(ledger, "maria", "lena")
    answer(ledger, review, "lena", giver="ana")
    refused(ledger, "signed iterate already", review, "lena")
    refused(ledger, "signed iterate already", review, "lena", "maria")
    refused(ledger, "business owner is answered already, iterate by lena for ana", review, "ana")


def test_the_giver_may_still_answer_and_then_the_delegate_may_not(ledger, review):
    lend(ledger, "ana", "ben")
    answer(ledger, review, "ana")
    refused(ledger, "business owner is answered already, iterate by ana", review, "ben", "ana")


def test_nobody_plays_a_role_without_a_delegation_or_under_a_wrong_name(ledger, review):
    lend(ledger, "ana", "ben")
    refused(ledger, "not a person of this charter", review, "ben")
    refused(ledger, "maria has not handed", review, "ben", "maria")
    refused(ledger, "ana has not handed", review, "eve", "ana")
    refused(ledger, "not a person of this charter", review, "ben", "eve")
    refused(ledger, "ana has not handed", review, "ana", "ana")


def test_a_delegation_for_one_project_is_good_for_no_other(ledger, review):
    start(ledger, a_charter(project="other"))
    lend(ledger, "ana", "ben", project="other")
    refused(ledger, "ana has not handed", review, "ben", "ana")


def test_an_ended_delegation_is_over_at_once(ledger, review):
    made = lend(ledger, "ana", "ben")
    for by in ("eve", "maria"):
        with pytest.raises(Refused, match="no such delegation"):
            end_delegation(ledger, made.id, by=by)
    assert end_delegation(ledger, made.id, by="ben").ended_at
    before = ledger.head()
    end_delegation(ledger, made.id, by="boss")
    assert ledger.head() == before
    refused(ledger, "ana has not handed", review, "ben", "ana")
    assert lend(ledger, "ana", "eve").delegate == "eve"


@pytest.mark.parametrize("leaving", ["ana", "ben"])
def test_deactivation_of_either_ends_it_and_reactivation_does_not_bring_it_back(ledger, review, leaving):
    lend(ledger, "ana", "ben")
    deactivate(ledger, leaving, by="boss")
    assert kinds(ledger).count("delegation.ended") == 1
    refused(ledger, "deactivated" if leaving == "ben" else "ana has not handed", review, "ben", "ana")
    reactivate(ledger, leaving, by="boss")
    refused(ledger, "ana has not handed", review, "ben", "ana")


def test_a_role_that_changed_hands_in_the_charter_takes_the_delegation_with_it(ledger, review):
    lend(ledger, "ana", "ben")
    people = [
        {"id": who, "name": who, "role": "compliance" if who == "ana" else role, "channel": "mail"}
        for who, role in PEOPLE.items()
    ]
    start(ledger, a_charter(people=people), number=2)
    assert in_force(ledger, "ben") == ()
    refused(ledger, "ana has not handed", review, "ben", "ana")


def test_a_deactivated_person_cannot_sign_and_recorded_answers_stand_in_for_nobody_with_an_account(ledger, review):
    deactivate(ledger, "ana", by="boss")
    refused(ledger, "the account is deactivated", review, "ana")
    reactivate(ledger, "ana", by="boss")
    with pytest.raises(Refused, match="recorded answers stand in for nobody"):
        sign(ledger, review.id, "ana", "iterate", "seen", REPORT, recorded=True)
    assert answer(ledger, review, "ana").signoff.signer == "ana"


def test_a_delegate_of_an_older_report_answers_anew_on_the_newer(ledger, review):
    lend(ledger, "ana", "ben")
    answer(ledger, review, "ben", giver="ana")
    newer = ask(ledger, report=OTHER_REPORT)
    assert answer(ledger, newer, "ben", giver="ana", report=OTHER_REPORT).signoff.signer == "ben for ana"
    assert show_review(ledger, newer.id).signoffs[0].signer == "ben for ana"


# ---- handing over ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("giver", "to", "starts", "ends", "match"),
    [
        ("ana", "ana", 0, 1, "same person"),
        ("ana", "nobody", 0, 1, "has no account"),
        ("ana", "gone", 0, 1, "deactivated"),
        ("eve", "ben", 0, 1, "has no role in shop"),
        ("boss", "ben", 0, 1, "has no role in shop"),
        ("ana", "ben", 2, 1, "end before it starts"),
        ("ana", "ben", -2, -1, "is over"),
        ("ana", "ben", 0, 60, "is 61 days"),
        ("ana", "ben", 400, 410, "more than a year away"),
    ],
)
def test_what_cannot_be_handed_over(ledger, review, giver, to, starts, ends, match):
    join(ledger, "gone")
    deactivate(ledger, "gone", by="boss")
    with pytest.raises(Refused, match=match) as caught:
        delegate(ledger, "shop", giver, to, day(starts), day(ends))
    assert caught.value.findings[0].remedy
    assert delegations(ledger) == ()
    assert kinds(ledger)[-1] == "delegation.refused"


def test_sixty_days_are_allowed_and_overlaps_are_not(ledger, review):
    delegate(ledger, "shop", "ana", "ben", day(1), day(60))
    for first, last in ((0, 1), (60, 61), (0, 59), (5, 6)):
        with pytest.raises(Refused, match="handed to ben"):
            delegate(ledger, "shop", "ana", "eve", day(first), day(last))
    assert delegate(ledger, "shop", "ana", "eve", day(61), day(61)).starts == day(61)


def test_chains_are_refused(ledger, review):
    lend(ledger, "ana", "ben")
    with pytest.raises(Refused, match="only for somebody else"):
        lend(ledger, "ben", "eve")
    # Somebody with a role of their own hands on that one, never the one they received.
    lend(ledger, "maria", "lena")
    lend(ledger, "lena", "eve")
    refused(ledger, "maria has not handed", review, "eve", "maria")
    assert answer(ledger, review, "eve", giver="lena").signoff.role == "engineering"


def test_a_project_that_does_not_exist(ledger, review):
    with pytest.raises(Refused, match="no such project"):
        delegate(ledger, "nowhere", "ana", "ben", date(2026, 11, 23), date(2026, 11, 24))


# ---- forged rows ----------------------------------------------------------------------------------------------


@pytest.fixture
def forge(file_ledger):
    """A review in a SQLite file, and a way to change the file behind the ledger's back."""
    file_ledger._now = Clock()
    join(file_ledger, "boss", admin=True)
    join(file_ledger, *PEOPLE, "ben", "eve")
    review = under_review(file_ledger)

    def run(statement):
        raw = sqlite3.connect(file_ledger.path)
        assert raw.execute(statement).rowcount > 0
        raw.commit()
        raw.close()

    return file_ledger, review, run


FORGED = (
    "INSERT INTO landed_delegations SELECT 'f0', 'shop', 'ana', 'eve', 'business_owner', '2026-01-01', '2027-12-31', "
    "'2026-01-01', NULL, {event} FROM landed_about LIMIT 1"
)


def test_a_delegation_without_its_event_counts_for_nothing(forge):
    ledger, review, run = forge
    lend(ledger, "ana", "ben")
    made = next(ledger.events(kind="delegation.made"))
    for number, event in enumerate((1, made.seq)):
        run(FORGED.format(event=event).replace("'f0'", f"'f{number}'"))
    assert [one.delegate for one in delegations(ledger)] == ["ben"]
    refused(ledger, "ana has not handed", review, "eve", "ana")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE landed_delegations SET delegate = 'eve'",
        "UPDATE landed_delegations SET giver = 'maria', role = 'sponsor', delegate = 'eve'",
        "UPDATE landed_delegations SET starts = '2020-01-01', ends = '2099-12-31', delegate = 'eve'",
    ],
)
def test_a_changed_row_says_what_its_event_says(forge, statement):
    ledger, review, run = forge
    made = lend(ledger, "ana", "ben")
    run(statement)
    assert delegations(ledger) == (made,)
    refused(ledger, "has not handed", review, "eve", "ana")
    refused(ledger, "has not handed", review, "eve", "maria")


def test_erasing_an_end_brings_nothing_back(forge):
    ledger, review, run = forge
    end_delegation(ledger, lend(ledger, "ana", "ben").id, by="ana")
    run("UPDATE landed_delegations SET ended_at = NULL")
    refused(ledger, "ana has not handed", review, "ben", "ana")


def test_a_row_that_says_active_does_not_let_a_deactivated_person_sign(forge):
    ledger, review, run = forge
    deactivate(ledger, "ana", by="boss")
    run("UPDATE landed_accounts SET active = 1")
    refused(ledger, "the account is deactivated", review, "ana")


@pytest.mark.parametrize(
    ("statement", "match"),
    [
        ("UPDATE landed_signoffs SET on_behalf_of = 'maria' WHERE person = 'ben'", "backs the sign-off of ben"),
        ("UPDATE landed_signoffs SET on_behalf_of = NULL WHERE person = 'ben'", "backs the sign-off of ben"),
        ("UPDATE landed_signoffs SET on_behalf_of = 'lena' WHERE person = 'lena'", "backs the sign-off of lena"),
        ("UPDATE landed_signoffs SET person = 'ana', on_behalf_of = NULL WHERE person = 'ben'", "sign-off of ana"),
    ],
)
def test_a_changed_sign_off_of_a_delegate_is_not_applied(forge, statement, match):
    ledger, review, run = forge
    lend(ledger, "ana", "ben")
    answer(ledger, review, "ben", giver="ana")
    answer(ledger, review, "lena")
    run(statement)
    with pytest.raises(Refused, match=match):
        apply(ledger, review)
    assert find_review(ledger, review.id).state == "decided"


@pytest.mark.parametrize("case", ["no delegation", "ended before", "deactivated before", "not yet", "another's"])
def test_applying_asks_the_chain_whether_the_delegate_was_one(ledger, clock, review, case):
    """Sign-offs written past the rules, events and all, as a program with a fault would."""
    made = lend(ledger, "ana", "ben")
    if case == "ended before":
        end_delegation(ledger, made.id, by="ana")
    if case == "deactivated before":
        deactivate(ledger, "ben", by="boss")
    if case == "not yet":
        clock.move(days=-1)
    with ledger.transaction() as tx:
        body = {"decision": "iterate", "comment": "x", "report": REPORT, "recorded": False, "feedback": []}
        signer = "eve" if case == "another's" else "ben"
        named = {} if case == "no delegation" else {"delegation": made.id}
        event = tx.append(
            "review.signed", "shop", review.id, signer, "business_owner", {**body, "on_behalf_of": "ana", **named}
        )
        row = {name: body[name] for name in ("decision", "comment", "recorded")}
        tx.execute(
            signoffs.insert().values(
                review=review.id, person=signer, role="business_owner", report_digest=REPORT, at=event.at,
                event=event.seq, on_behalf_of="ana", **row,
            )
        )  # fmt: skip
    answer(ledger, review, "lena")
    with pytest.raises(Refused, match="deactivated" if case == "deactivated before" else "no delegation in the chain"):
        apply(ledger, review)
    assert verify(ledger).intact


# ---- racing ---------------------------------------------------------------------------------------------------


def test_fifty_sign_at_once_and_each_role_counts_once(url):
    with Ledger(url, now=Clock()) as ledger:
        join(ledger, *PEOPLE, *(f"deputy{number}" for number in range(4)))
        review = under_review(ledger)
        givers = ("maria", "ana", "joao", "lena")
        for number, giver in enumerate(givers):
            lend(ledger, giver, f"deputy{number}")
        tries = [(giver, None) for giver in givers] + [(f"deputy{n}", giver) for n, giver in enumerate(givers)]
        tries = (tries * 7)[:50]
        start_together, signed, lost = threading.Barrier(50), [], []

        def work(person, giver):
            start_together.wait(60)
            with suppress(Refused):
                signed.append(answer(ledger, review, person, "advance", giver).signoff)
                return
            lost.append(person)

        threads = [threading.Thread(target=work, args=one) for one in tries]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        answers = signoffs_of(ledger, review.id)
        assert len(signed) + len(lost) == 50
        assert sorted(signed, key=lambda one: one.event) == list(answers)
        assert len({one.role for one in answers}) == len({one.holder for one in answers}) == len(answers)
        assert kinds(ledger).count("review.decided") == kinds(ledger).count("intent.queued") == 1
        assert kinds(ledger).count("review.signed") + kinds(ledger).count("review.refused") == 50
        assert apply(ledger, review).decision == "advance"
        assert verify(ledger).intact
