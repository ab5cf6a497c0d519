"""Delivery on real receivers: nothing is lost, nothing doubled beyond one repetition under the same number."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import settings as options
from hypothesis import strategies as st

from pipeline.language import say, translator
from pipeline.ledger import Ledger, verify
from pipeline.ledger.tables import accounts
from pipeline.notices import deliver_notice, due_notices, enqueue_notice
from pipeline.notices.channels import harmless, one_line
from pipeline.notices.delivery import WAITS
from pipeline.settings import Settings
from tests.notices.receivers import Clock, Webhook
from tests.review.cases import a_charter, kinds, start


def settings(**channels: str) -> Settings:
    return Settings(notify=json.dumps(channels), site_url="https://review.example.com/")


def charter(**channels: str):
    """People reached by the channels given, all others by none."""
    people = a_charter().canonical()["people"]
    return a_charter(people=[{**one, "channel": channels.get(one["id"], "nowhere")} for one in people])


def tell(ledger: Ledger, **changes: object) -> bool:
    values = {
        "project": "shop", "kind": "alarm", "subject": "late data", "sentence": "The newest week is 9 days old.",
        "figures": {"Days": 9, "Stock-out rate": 0.0512}, "audience": ("ana",), **changes,
    }  # fmt: skip
    with ledger.transaction() as tx:
        return enqueue_notice(tx, **values)


def deliver_all(ledger: Ledger, chosen: Settings) -> list[str]:
    """One round of a dispatcher."""
    return [deliver_notice(ledger, chosen, intent) for intent in due_notices(ledger)]


def test_a_notice_reaches_a_webhook_once(ledger, webhook):
    start(ledger, charter(ana="hook"))
    assert tell(ledger)
    assert not tell(ledger), "the same notice again"
    assert deliver_all(ledger, settings(hook=webhook.url)) == ["sent"]
    assert deliver_all(ledger, settings(hook=webhook.url)) == []
    [(body, headers)] = webhook.got
    assert body["title"] == "[Landed] shop: Alarm – late data"
    assert "The newest week is 9 days old." in body["message"]
    assert "- Days: 9\n- Stock-out rate: 0.0512" in body["message"]
    assert "https://review.example.com/projects/shop" in body["message"]
    assert headers["X-Landed-Notice"] == body["notice"]
    assert f"Notice {body['notice']}." in body["message"]
    assert verify(ledger).intact


def test_mail_goes_to_the_charter_s_address_as_plain_text(file_ledger, mail):
    start(file_ledger, charter(ana="mailto:ana@example.com"))
    tell(file_ledger, subject="late\r\nBcc: all@example.com", sentence="<b>Bold</b> & “ü”\r\n.\r\nend")
    assert deliver_all(file_ledger, settings(mail=mail.url)) == ["sent"]
    [(recipients, message)] = mail.got
    assert recipients == ["ana@example.com"]
    assert message["Subject"] == "[Landed] shop: Alarm – late Bcc: all@example.com"
    assert message["Bcc"] is None
    assert {part.get_content_type() for part in message.walk()} == {"text/plain"}
    text = message.get_content()
    assert "‹b›Bold‹/b› & “ü”" in text
    assert "end" in text
    assert f"Notice {message['X-Landed-Notice']}." in text


def test_roles_persons_and_team_are_each_told_once(file_ledger, webhook):
    start(file_ledger, charter(ana="hook", lena="hook", nils="hook"))
    tell(file_ledger, audience=("ana", "business_owner", "engineering", "team"))
    chosen = settings(hook=webhook.url, team=webhook.url, **{"team-night": webhook.url})
    assert deliver_all(file_ledger, chosen) == ["sent", "sent", "sent", "spread"]
    assert deliver_all(file_ledger, chosen) == ["sent", "sent"]
    assert len(webhook.got) == 5
    assert len(set(webhook.ids)) == 1, "one notice, one number"
    assert deliver_all(file_ledger, chosen) == []


def test_whom_the_charter_does_not_know_the_team_hears_it(file_ledger, webhook):
    tell(file_ledger, project="unknown", audience=("engineering",))
    chosen = settings(team=webhook.url)
    assert deliver_all(file_ledger, chosen) == ["spread"]
    assert deliver_all(file_ledger, chosen) == ["sent"]


def test_a_broken_channel_is_tried_again_and_does_not_hold_up_others(ledger_at, clock, webhook, mail):
    start(ledger_at, charter(ana="hook", joao="mailto:joao@example.com"))
    tell(ledger_at, audience=("ana", "joao"))
    webhook.answer = 500
    chosen = settings(hook=webhook.url, mail=mail.url)
    assert sorted(deliver_all(ledger_at, chosen)) == ["sent", "waiting"]
    assert deliver_all(ledger_at, chosen) == [], "not before its time"
    clock.pass_by(seconds=WAITS[0].total_seconds())
    webhook.answer = 200
    assert deliver_all(ledger_at, chosen) == ["sent"]
    assert len(mail.got) == 1
    assert len(webhook.got) == 2
    assert len(set(webhook.ids)) == 1


def test_a_try_put_off_before_the_clock_was_set_back_is_made_at_once(ledger_at, clock, webhook):
    start(ledger_at, charter(ana="hook"))
    tell(ledger_at)
    webhook.answer = 500
    clock.pass_by(days=400)
    assert deliver_all(ledger_at, settings(hook=webhook.url)) == ["waiting"]
    clock.pass_by(days=-400)
    webhook.answer = 200
    assert deliver_all(ledger_at, settings(hook=webhook.url)) == ["sent"]
    assert deliver_all(ledger_at, settings(hook=webhook.url)) == []


def test_nothing_is_lost_while_the_receiver_is_away_and_each_hears_it_once_in_their_language(ledger_at, clock):
    start(ledger_at, charter(ana="hook", joao="hook"))
    with ledger_at.transaction() as tx:
        for name, language in (("ana", "zh_Hans"), ("joao", "en")):
            account = {"id": name, "name": name, "email": f"{name}@example.com", "language": language}
            rights = {"admin": False, "auditor": False, "active": True, "created_at": "2026-11-02"}
            tx.execute(accounts.insert().values(**account, **rights))
    with Webhook() as gone:
        away = settings(hook=gone.url)
    stopped = say("It stopped and waits to be taken up again: {reason}", reason="x")
    tell(ledger_at, sentence=stopped, audience=("ana", "joao"))
    assert deliver_all(ledger_at, away) == ["waiting", "waiting"], "nobody listens there"
    clock.pass_by(seconds=WAITS[0].total_seconds())
    with Webhook() as back:
        assert deliver_all(ledger_at, settings(hook=back.url)) == ["sent", "sent"]
        clock.pass_by(days=9)
        assert deliver_all(ledger_at, settings(hook=back.url)) == []
    heard = sorted(body["message"] for body, _ in back.got)
    assert ["It stopped" in text for text in heard] == [True, False]
    assert translator("zh_Hans").show(stopped) in heard[1]


def test_what_failed_too_often_ends_as_an_event_without_the_address(ledger_at, clock, webhook):
    start(ledger_at, charter(ana="hook"))
    tell(ledger_at)
    webhook.answer = 503
    secret = webhook.url.replace("json://", "json://user:s3cret@")
    results = []
    for wait in (*WAITS, *WAITS):
        results += deliver_all(ledger_at, settings(hook=secret))
        clock.pass_by(seconds=wait.total_seconds())
    assert results == ["waiting"] * (len(WAITS) - 1) + ["failed"]
    assert len(webhook.got) == len(WAITS)
    assert kinds(ledger_at)[-2:] == ["notice.failed", "intent.done"]
    told = json.dumps([dict(event.body) for event in ledger_at.events()])
    assert "s3cret" not in told
    assert "127.0.0.1" not in told


@pytest.mark.parametrize("channel", ["nowhere", "tel:+4912345", "mailto:ana@example.com", "mailto:a@x.com?to=b@x.com"])
def test_without_a_channel_a_notice_is_given_up_at_once(file_ledger, webhook, channel):
    start(file_ledger, charter(ana=channel))
    tell(file_ledger)
    assert deliver_all(file_ledger, settings(other=webhook.url)) == ["failed"]
    assert webhook.got == []
    [failed] = file_ledger.events(kind="notice.failed")
    assert failed.body["reason"] == "the settings name no channel that reaches this recipient"


def test_an_account_brings_address_and_language(file_ledger, mail):
    start(file_ledger, charter())
    account = {
        "id": "ana", "name": "Ana", "email": "ana@accounts.example.com", "admin": False, "auditor": False,
        "active": True, "language": "zh_CN", "created_at": "2026-11-02",
    }  # fmt: skip
    with file_ledger.transaction() as tx:
        tx.execute(accounts.insert().values(**account))
    tell(file_ledger, sentence=say("It stopped and waits to be taken up again: {reason}", reason="No data."))
    assert deliver_all(file_ledger, settings(mail=mail.url)) == ["sent"]
    [(recipients, message)] = mail.got
    assert recipients == ["ana@accounts.example.com"]
    assert "警报" in message["Subject"]
    assert "It stopped" not in message.get_content()
    assert "No data." in message.get_content()


_SENDER = """
import json, sys
from pipeline.ledger import Ledger
from pipeline.notices import deliver_notice, due_notices
from pipeline.settings import Settings
with Ledger(sys.argv[1]) as ledger:
    for intent in due_notices(ledger):
        print(deliver_notice(ledger, Settings(notify=json.dumps({"hook": sys.argv[2]})), intent))
"""


def _child(ledger: Ledger, webhook) -> subprocess.Popen:
    command = [sys.executable, "-c", _SENDER, f"sqlite:///{ledger.path}", webhook.url]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_sender_killed_between_sending_and_marking_repeats_once_under_the_same_number(file_ledger, webhook):
    start(file_ledger, charter(ana="hook"))
    tell(file_ledger)
    child: list[subprocess.Popen] = []
    ready = threading.Event()

    def kill() -> None:
        assert ready.wait(60)
        os.kill(child[0].pid, signal.SIGKILL)

    webhook.on_request = kill
    child.append(_child(file_ledger, webhook))
    ready.set()
    assert child[0].wait(60) == -signal.SIGKILL
    child[0].stdout.close()
    webhook.on_request = lambda: None
    assert len(webhook.got) == 1
    assert deliver_all(file_ledger, settings(hook=webhook.url)) == [], "for a while it is the dead sender's"

    clock = _later(WAITS[0].total_seconds() + 60)
    with Ledger(f"sqlite:///{file_ledger.path}", now=clock) as later:
        assert deliver_all(later, settings(hook=webhook.url)) == ["sent"]
        clock.pass_by(days=30)
        assert deliver_all(later, settings(hook=webhook.url)) == []
        assert verify(later).intact
    assert len(webhook.got) == 2
    assert len(set(webhook.ids)) == 1


def test_two_senders_at_once_send_it_once(ledger, webhook):
    start(ledger, charter(ana="hook"))
    tell(ledger)
    intents = due_notices(ledger)
    together = threading.Barrier(8)
    results: list[str] = []

    def race() -> None:
        together.wait()
        results.extend(deliver_notice(ledger, settings(hook=webhook.url), intent) for intent in intents)

    threads = [threading.Thread(target=race) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["nothing"] * 7 + ["sent"]
    assert len(webhook.got) == 1


def test_a_transaction_that_fails_queues_nothing(file_ledger):
    start(file_ledger, charter(ana="hook"))

    def fail(tx) -> None:
        enqueue_notice(tx, project="shop", kind="alarm", subject="x", sentence="y", figures={}, audience="team")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        _in_transaction(file_ledger, fail)
    assert due_notices(file_ledger) == ()


@options(max_examples=200)
@given(st.text())
def test_no_text_brings_markup_or_a_line_of_its_own(text):
    shown = harmless(text)
    assert not set("<>\r\x00\u2028\u202e") & set(shown)
    assert len(one_line(text).splitlines()) <= 1


def _in_transaction(ledger: Ledger, act: Callable) -> None:
    with ledger.transaction() as tx:
        act(tx)


def _later(seconds: float) -> Clock:
    clock = Clock()
    clock.moment = datetime.now(UTC)
    clock.pass_by(seconds=seconds)
    return clock


@pytest.fixture
def ledger_at(url, clock):
    """A ledger whose clock the test moves, on each store."""
    with Ledger(url, now=clock) as opened:
        yield opened
