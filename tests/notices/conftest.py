import pytest

from tests.ledger.fixtures import file_ledger, ledger, url
from tests.notices.receivers import Clock, MailSink, Webhook

__all__ = ["file_ledger", "ledger", "url"]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    """What is sent to this machine stays on it."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def webhook():
    with Webhook() as running:
        yield running


@pytest.fixture
def mail():
    with MailSink() as running:
        yield running


@pytest.fixture
def clock():
    return Clock()
