"""Prefect's server and database, and the ledger's: each refused by its name where it cannot be used."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pipeline import addresses
from pipeline.addresses import require_prefect
from pipeline.errors import LedgerError
from pipeline.ledger import Ledger, verify
from pipeline.settings import Settings
from tests.mlflow_server import free_port

SECRET = "hunter2hunter2"  # noqa: S105 - to be looked for where it must not be


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr(addresses, "WAITS", (0.01,) * 3)


def refused(**settings) -> str:
    with pytest.raises(LedgerError) as caught:
        require_prefect(Settings(**settings))
    assert SECRET not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def far_end():
    """A server of Prefect's kind: it answers as told, and notes what it was asked."""
    answers, asked = [], []

    class Here(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers.get("Authorization")))
            self.send_response(answers.pop(0) if answers else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Here) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/api", answers, asked
        running.shutdown()
        thread.join()


def test_where_nothing_is_set_nothing_is_asked():
    require_prefect(Settings())


def test_a_server_that_is_well_is_asked_once_with_what_prefect_signs_in_with(far_end, monkeypatch):
    url, _, asked = far_end
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "landed:word")
    require_prefect(Settings(prefect_url=f"{url}/"))
    assert asked == [("/api/health", "Basic bGFuZGVkOndvcmQ=")]


def test_a_server_that_starts_is_waited_for(far_end):
    url, answers, asked = far_end
    answers += [502, 503]
    require_prefect(Settings(prefect_url=url))
    assert len(asked) == 3


@pytest.mark.parametrize(("code", "remedy"), [(401, "PREFECT_API_AUTH_STRING"), (404, "the URL is this server's own")])
def test_a_server_that_refuses_or_is_another_is_told_at_once(far_end, code, remedy):
    url, answers, asked = far_end
    answers += [code] * 9
    text = refused(prefect_url=url)
    assert f"LANDED_PREFECT_URL ({url})" in text
    assert remedy in text
    assert len(asked) == 1


def test_a_server_that_stays_away_is_told():
    text = refused(prefect_url=f"http://127.0.0.1:{free_port()}/api")
    assert "LANDED_PREFECT_URL" in text
    assert "refused" in text


@pytest.mark.parametrize("url", [f"http://emma:{SECRET}@prefect/api", "prefect:4200", "ftp://prefect/api"])
def test_a_url_that_is_no_servers_is_told(url):
    assert "LANDED_PREFECT_URL" in refused(prefect_url=url)


def test_prefects_database_is_tried_before_its_server_is_started(server):
    database = server.new_database()
    for scheme in ("postgresql", "postgresql+asyncpg"):
        require_prefect(Settings(prefect_database_url=server.url(database).replace("postgresql", scheme, 1)))
    assert "password authentication failed" in refused(prefect_database_url=server.url(database, SECRET))
    assert "create the database" in refused(prefect_database_url=server.url("unheard_of"))


def test_the_ledgers_database_is_told_by_what_is_wrong_with_it(server):
    for url, headline in (
        (server.url(server.new_database(), SECRET), "refuses this user"),
        (server.url("unheard_of"), "database is not there"),
        (f"postgresql://emma:{SECRET}@127.0.0.1:{free_port()}/x", "cannot be reached"),
    ):
        with pytest.raises(LedgerError, match=headline) as caught, Ledger(url) as ledger:
            verify(ledger)
        assert SECRET not in str(caught.value)
