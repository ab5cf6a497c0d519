"""What is announced, to whom and when, from the ledger's own records."""

from datetime import timedelta

import pytest

from pipeline.accounts import delegate, end_delegation, invite
from pipeline.ledger import Ledger, get_iteration, record_report, transition
from pipeline.notices import due_notices, queue_reminders
from pipeline.notices.announcements import (
    announce_alarm,
    announce_decision,
    announce_failure,
    announce_refused_rows,
    announce_retraining,
    announce_review,
    announce_rollback,
)
from pipeline.notices.queueing import notice_of
from pipeline.notices.wording import HEADINGS, worded
from pipeline.review import request_review
from pipeline.review.signing import sign
from tests.review.cases import REPORT, a_charter, start, under_review

RESULT = {
    "kpi": "stockout_rate",
    "kpis": {
        "stockout_rate": {
            "title": "Stock-out rate", "unit": "share", "direction": "lower",
            "value": [0.041, 0.037, 0.045], "baseline": [0.081, 0.074, 0.089], "difference": [-0.04, -0.05, -0.03],
        }
    },
}  # fmt: skip


@pytest.fixture
def ledger(tmp_path, clock):
    with Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", now=clock) as opened:
        yield opened


def told(ledger: Ledger) -> dict[str, list[str]]:
    """Recipients by kind of notice, of all that waits to be sent."""
    found: dict[str, list[str]] = {}
    for intent in due_notices(ledger):
        notice = notice_of(intent)
        found.setdefault(notice.kind, []).append(notice.recipient.name.removeprefix("person:"))
    return found


def text(ledger: Ledger, language: str = "en") -> str:
    return worded(notice_of(due_notices(ledger)[-1]), "http://127.0.0.1:8300", language)[1]


def asked(ledger: Ledger, *, running: bool = False):
    if not running:
        start(ledger, started_by="lena")
    with ledger.transaction() as tx:
        record = record_report(tx, get_iteration(tx, "shop", 1, "pilot"), REPORT, RESULT)
        request = request_review(tx, record, verdicts=[], answer_within_days=6)
        assert announce_review(tx, request.id)
        assert not announce_review(tx, request.id)
    return request


def test_a_request_reaches_those_who_may_answer_with_figures_and_day(ledger):
    request = asked(ledger)
    assert told(ledger) == {"review_requested": ["maria", "ana", "joao", "nils"]}, "not the starter"
    body = text(ledger)
    assert "Shop asks for your decision on iteration 1, stage pilot. Please answer by 2026-11-08." in body
    assert "- Stock-out rate: 4.1 % (95 % interval 3.7 % to 4.5 %)" in body
    assert "- Target: 4.0 %" in body
    assert f"http://127.0.0.1:8300/reviews/{request.id}" in body


def test_the_same_notice_in_chinese(ledger):
    asked(ledger)
    body = text(ledger, "zh_Hans")
    assert "2026年11月8日" in body
    assert "4.1%（95% 置信区间 3.7% 至 4.5%）" in body
    assert "Please" not in body


def test_reminders_come_at_half_time_when_due_and_to_the_sponsor_after(ledger, clock):
    request = asked(ledger)
    sign(ledger, request.id, "joao", "iterate", "Not yet.", REPORT)
    for days, kind, names in (
        (2.9, None, []),
        (0.1, "review_reminder", ["maria", "ana", "nils"]),
        (3, "review_due", ["maria", "ana", "nils"]),
        (1, "review_overdue", ["maria"]),
    ):
        clock.pass_by(days=days)
        assert queue_reminders(ledger, clock()) == (1 if kind else 0), (days, kind)
        assert queue_reminders(ledger, clock()) == 0, "once"
        assert told(ledger).get(kind, []) == names
    assert "still waits for Maria, Ana, Nils" in text(ledger)
    clock.pass_by(days=100)
    assert queue_reminders(ledger, clock()) == 0


def stand_in(ledger: Ledger, clock, giver: str, to: str, days: int = 10):
    """From today somebody with an account, whom no charter need name, plays another's role."""
    invite(ledger, to, to.title(), f"{to}@example.com", by="tests", trusted=True)
    today = clock().date()
    return delegate(ledger, "shop", giver, to, today, today + timedelta(days=days - 1))


def test_who_stands_in_hears_all_that_the_roles_holder_hears_once(ledger, clock):
    start(ledger, started_by="scheduler")
    stand_in(ledger, clock, "ana", "zoe", days=30)
    stand_in(ledger, clock, "maria", "yuki", days=30)
    request = asked(ledger, running=True)
    for days, kind, names in (
        (0, "review_requested", ["maria", "ana", "joao", "lena", "nils", "yuki", "zoe"]),
        (3, "review_reminder", ["maria", "ana", "joao", "lena", "nils", "yuki", "zoe"]),
        (3, "review_due", ["maria", "ana", "joao", "lena", "nils", "yuki", "zoe"]),
        (1, "review_overdue", ["maria", "yuki"]),
    ):
        clock.pass_by(days=days)
        assert queue_reminders(ledger, clock()) == (1 if days else 0), kind
        assert queue_reminders(ledger, clock()) == 0, "once"
        assert sorted(told(ledger)[kind]) == sorted(names), kind
    with ledger.transaction() as tx:
        announce_decision(tx, request.id)
    assert {"zoe", "yuki"} <= set(told(ledger)["decision_taken"])
    of_zoe = next(one for one in map(notice_of, due_notices(ledger)) if one.recipient.name == "person:zoe")
    assert "You are told because you stand in for Ana." in worded(of_zoe, "http://127.0.0.1:8300", "en")[1]
    assert "Ana" in worded(of_zoe, "http://127.0.0.1:8300", "zh_Hans")[1]
    assert "stand in" not in worded(of_zoe, "http://127.0.0.1:8300", "zh_Hans")[1]


@pytest.mark.parametrize(("late", "kind"), [(1, "review_requested"), (4, "review_reminder"), (6.5, "review_due")])
def test_whoever_stands_in_later_is_told_what_waits_already_and_nobody_else_again(ledger, clock, late, kind):
    asked(ledger)
    clock.pass_by(days=late)
    queue_reminders(ledger, clock())
    before = told(ledger)
    stand_in(ledger, clock, "ana", "zoe")
    assert queue_reminders(ledger, clock()) == 1
    assert queue_reminders(ledger, clock()) == 0
    assert told(ledger) == {**before, kind: [*before[kind], "zoe"]}


def test_the_sponsors_stand_in_hears_of_what_was_overdue_before_they_came(ledger, clock):
    request = asked(ledger)
    clock.pass_by(days=8)
    assert queue_reminders(ledger, clock()) == 1
    sign(ledger, request.id, "joao", "iterate", "Not yet.", REPORT)
    stand_in(ledger, clock, "maria", "yuki")
    assert queue_reminders(ledger, clock()) == 1
    assert queue_reminders(ledger, clock()) == 0
    assert told(ledger)["review_overdue"] == ["maria", "yuki"]
    assert "still waits for Maria, Ana, Nils." in text(ledger), "what is told is of today"


def test_who_cannot_answer_for_somebody_is_not_asked_to(ledger, clock):
    """The run's starter, who signed already, whose delegation is over, and of a role that has answered."""
    start(ledger, started_by="lena")
    stand_in(ledger, clock, "ana", "lena")
    stand_in(ledger, clock, "maria", "past", days=1)
    ended = stand_in(ledger, clock, "joao", "gone")
    end_delegation(ledger, ended.id, by="joao")
    clock.pass_by(days=1)
    request = asked(ledger, running=True)
    assert told(ledger)["review_requested"] == ["maria", "ana", "joao", "nils"], "lena started it"
    sign(ledger, request.id, "joao", "iterate", "Not yet.", REPORT)
    stand_in(ledger, clock, "maria", "joao")
    stand_in(ledger, clock, "joao", "zoe")
    assert queue_reminders(ledger, clock()) == 0, "joao signed, and his role has answered"
    clock.pass_by(days=3)
    assert queue_reminders(ledger, clock()) == 1
    assert told(ledger)["review_reminder"] == ["maria", "ana", "nils"]


def test_who_holds_a_role_and_stands_in_for_another_is_told_once_in_their_own(ledger, clock):
    start(ledger, started_by="scheduler")
    stand_in(ledger, clock, "ana", "joao")
    asked(ledger, running=True)
    assert told(ledger)["review_requested"] == ["maria", "ana", "joao", "lena", "nils"]
    joao = next(one for one in map(notice_of, due_notices(ledger)) if one.recipient.name == "person:joao")
    assert joao.recipient.stands_in_for == ""
    assert joao.recipient.channel == "mail"


def test_after_a_long_silence_only_the_last_reminder_comes(ledger, clock):
    asked(ledger)
    clock.pass_by(days=30)
    assert queue_reminders(ledger, clock()) == 1
    assert set(told(ledger)) == {"review_requested", "review_overdue"}


def test_decided_and_lapsed_reviews_remind_nobody(ledger, clock):
    request = asked(ledger)
    with ledger.transaction() as tx:
        transition(tx, get_iteration(tx, "shop", 1, "pilot"), "running", actor="lena")
        record = record_report(tx, get_iteration(tx, "shop", 1, "pilot"), "ef" * 32, RESULT)
        again = request_review(tx, record, verdicts=[])
    for person in ("ana", "nils"):
        sign(ledger, again.id, person, "iterate", "More data.", "ef" * 32)
    clock.pass_by(days=60)
    assert queue_reminders(ledger, clock()) == 0
    assert request.id != again.id


def test_a_decision_is_told_to_all_with_what_happens_next(ledger):
    request = under_review(ledger)
    for person in ("ana", "nils"):
        sign(ledger, request.id, person, "iterate", "<script>secret words</script>", REPORT)
    with ledger.transaction() as tx:
        announce_decision(tx, request.id, "Iteration 2 opens.")
    assert told(ledger) == {"decision_taken": ["maria", "ana", "joao", "lena", "nils", "omar", "team"]}
    body = text(ledger)
    assert "the decision is: improve first, in another iteration. Iteration 2 opens." in body
    assert "secret words" not in body, "comments are read on the site"


def test_what_goes_by_itself_is_told_to_those_who_can_act(ledger):
    start(ledger)
    with ledger.transaction() as tx:
        announce_failure(tx, "shop", 1, "pilot", "sales.csv: no such file")
        announce_retraining(tx, "shop", 2, "pilot", "Drift for two weeks.", {"Drift share": 0.4})
        announce_alarm(tx, "shop", "guardrail", "Inventory is above its limit.", {})
        announce_rollback(tx, "shop", "chain", "The guardrail is broken.", {})
    found = told(ledger)
    assert found["iteration_failed"] == ["lena", "nils", "team"]
    assert found["retraining_triggered"] == ["ana", "lena", "nils", "team"]
    assert found["alarm"] == ["ana", "joao", "lena", "nils", "team"]
    assert found["rollback_proposed"] == ["maria", "ana", "joao", "team"]
    assert set(found) <= set(HEADINGS)


@pytest.mark.parametrize(
    ("owner", "hears"),
    [("Joao", ["joao"]), ("engineering", ["lena", "nils"]), ("maria", ["maria"]), ("Store systems", ["team"])],
)
def test_whoever_answers_for_a_table_hears_of_its_refused_rows(ledger, owner, hears):
    start(ledger)
    charter = a_charter()
    table = charter.data.tables[0].model_copy(update={"owner": owner})
    for _ in range(2):
        with ledger.transaction() as tx:
            announce_refused_rows(tx, "shop", table, charter.people, 12, {"negative units": 9, "no week": 3})
    assert told(ledger) == {"rows_refused": hears}
    assert "refused 12 rows of the table sales" in text(ledger)
    assert "- negative units: 9" in text(ledger)
    assert "拒收" in text(ledger, "zh_Hans")
