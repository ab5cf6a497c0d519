"""The command line against a site on another machine: the same words, the same rules, a token."""

import httpx
import pytest

from pipeline.accounts import make_token
from pipeline.cli import remote
from pipeline.errors import DataError, Refused
from pipeline.review import signoffs_of
from pipeline.settings import Settings
from tests.cli.calling import assert_refused, landed
from tests.web.browsing import HERE, Wire


@pytest.fixture
def at_home(site, home, monkeypatch):
    """Commands of this process talk to the site as ana."""
    monkeypatch.setenv("LANDED_URL", HERE)
    monkeypatch.setenv("LANDED_TOKEN", make_token(site.ledger, "ana.ruiz", "laptop").secret)
    made = remote.Remote.__init__
    monkeypatch.setattr(remote.Remote, "__init__", lambda self, settings: made(self, settings, Wire(site.app)))
    return site


def test_list_show_and_sign_over_the_net(at_home):
    review = at_home.review
    listed = landed("review", "list")
    assert review.id in listed.output
    shown = landed("review", "show", review.id)
    for words in ("Stock-out rate", "4.0 %", "advance   needs sponsor, operations", review.report_digest):
        assert words in shown.output, shown.output
    signed = landed(
        "review", "sign", review.id, "--decision", "advance", "--comment", "Go.", "--report", review.report_digest[:12]
    )
    assert "✓ ana.ruiz signed advance" in signed.output, signed.output
    assert "still asked: business_owner, operations" in signed.output
    (answer,) = signoffs_of(at_home.ledger, review.id)
    assert answer.person == "ana.ruiz"


def test_refusals_come_with_what_to_do(at_home, monkeypatch):
    review = at_home.review
    more = ("--decision", "stop", "--comment", "No.", "--report")
    assert_refused(landed("review", "sign", review.id, *more, "0" * 12), 4, "is not the report under review")
    assert_refused(
        landed("review", "sign", review.id, "--as", "tom.okoye", *more, "0" * 12), 4, "the token is ana.ruiz's"
    )
    assert_refused(landed("review", "show", "no-such"), 4, "404")
    monkeypatch.setenv("LANDED_TOKEN", "landed_wrong")
    assert_refused(landed("review", "list"), 4, "LANDED_TOKEN")
    monkeypatch.setenv("LANDED_TOKEN", "")
    assert_refused(landed("review", "list"), 4, "LANDED_TOKEN")
    monkeypatch.setenv("LANDED_URL", "http://landed.example.com")
    assert_refused(landed("review", "list"), 4, "in the clear")


@pytest.mark.parametrize(
    ("answer", "words"),
    [(httpx.Response(200, text="<html>"), "no review site"), (httpx.Response(503, json=["?"]), "answered 503"),
     (httpx.ConnectError("refused"), "cannot be reached")],
)  # fmt: skip
def test_whatever_answers_there_is_no_traceback(answer, words):
    def reply(request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    settings = Settings(url="https://landed.example.com", token="t")  # noqa: S106 - opens nothing
    with remote.Remote(settings, httpx.MockTransport(reply)) as site, pytest.raises((DataError, Refused), match=words):
        site.reviews()
