"""Settings: what the environment says, secrets by file, what libraries are told, and that no password is shown."""

import os
from pathlib import Path

import pytest

from pipeline import addresses
from pipeline.errors import LedgerError
from pipeline.settings import Settings
from tests.cli.calling import assert_refused, landed

SECRET = "hunter2hunter2"  # noqa: S105 - to be looked for where it must not be
URL = f"postgresql://emma:{SECRET}@db:5432/landed"


def secret_file(path: Path, content: str = URL + "\n", mode: int = 0o440) -> Path:
    path.write_text(content)
    path.chmod(mode)
    return path


@pytest.fixture(autouse=True)
def own_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("LANDED_DATA", str(tmp_path / "data"))


def test_without_settings_every_store_lies_in_the_data_folder(tmp_path):
    settings = Settings()
    assert settings.ledger == f"sqlite:///{tmp_path / 'data' / 'ledger.db'}"
    told = settings.quiet_environment()
    assert told["PREFECT_API_DATABASE_CONNECTION_URL"].endswith("/data/prefect/prefect.db")
    assert "PREFECT_API_URL" not in told


def test_a_standing_prefect_server_is_named_and_no_database_of_our_own(monkeypatch):
    monkeypatch.setenv("LANDED_PREFECT_URL", "https://prefect.example.com/api/")
    told = Settings().quiet_environment()
    assert told["PREFECT_API_URL"] == "https://prefect.example.com/api"
    assert "PREFECT_API_DATABASE_CONNECTION_URL" not in told


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg"])
def test_prefects_database_gets_the_driver_that_does_not_block(monkeypatch, scheme):
    monkeypatch.setenv("LANDED_PREFECT_DATABASE_URL", f"{scheme}://emma:{SECRET}@db/prefect")
    told = Settings().quiet_environment()
    assert told["PREFECT_API_DATABASE_CONNECTION_URL"] == f"postgresql+asyncpg://emma:{SECRET}@db/prefect"


def test_a_prefect_database_of_another_kind_is_refused_without_its_password(monkeypatch):
    monkeypatch.setenv("LANDED_PREFECT_DATABASE_URL", f"mysql://emma:{SECRET}@db/prefect")
    with pytest.raises(LedgerError, match="LANDED_PREFECT_DATABASE_URL") as caught:
        Settings().quiet_environment()
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("name", ["ledger_url", "mlflow_url", "prefect_database_url"])
def test_a_secret_comes_from_a_file_that_only_group_may_read(monkeypatch, tmp_path, name):
    monkeypatch.setenv(f"LANDED_{name.upper()}_FILE", str(secret_file(tmp_path / "url")))
    settings = Settings()
    assert getattr(settings, name).get_secret_value() == URL
    for shown in (repr(settings), str(settings), settings.model_dump_json(), str(settings.model_dump())):
        assert SECRET not in shown


@pytest.mark.parametrize("mode", [0o444, 0o644, 0o660, 0o604, 0o666, 0o777])
def test_a_secret_that_others_may_read_or_change_is_refused(monkeypatch, tmp_path, mode):
    monkeypatch.setenv("LANDED_LEDGER_URL_FILE", str(secret_file(tmp_path / "url", mode=mode)))
    with pytest.raises(LedgerError, match=rf"LANDED_LEDGER_URL_FILE[\s\S]*mode {mode:o}[\s\S]*chmod 640") as caught:
        Settings()
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(("content", "found"), [("", "empty"), (" \n", "empty"), (None, "cannot be read")])
def test_a_secret_that_is_empty_or_missing_is_told(monkeypatch, tmp_path, content, found):
    path = tmp_path / "url"
    if content is not None:
        secret_file(path, content)
    monkeypatch.setenv("LANDED_LEDGER_URL_FILE", str(path))
    with pytest.raises(LedgerError, match=found):
        Settings()


def test_a_secret_given_twice_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("LANDED_LEDGER_URL_FILE", str(secret_file(tmp_path / "url")))
    monkeypatch.setenv("LANDED_LEDGER_URL", URL)
    with pytest.raises(LedgerError, match="keep one of them") as caught:
        Settings()
    assert SECRET not in str(caught.value)


def test_a_value_that_is_refused_is_not_repeated():
    with pytest.raises(LedgerError, match="LANDED_LEDGER_URL") as caught:
        Settings(ledger_url=[URL])
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        URL,
        f"postgresql+psycopg://emma:{SECRET}@db/x?sslmode=require",
        f"postgresql://db/x?user=emma&password={SECRET}",
        f"postgresql://db/x?sslpassword={SECRET}&user=emma",
        f"https://emma:{SECRET}@tracking",
    ],
)
def test_an_address_is_shown_without_its_password(url):
    shown = addresses.shown(url)
    assert SECRET not in shown
    assert "***" in shown
    assert SECRET not in addresses.without_secrets(f"cannot reach {url}: wrong password {SECRET}", url)


def test_an_address_without_a_password_is_shown_as_it_is():
    for url in ("postgresql://emma@db:5432/x", "https://tracking:5000/a", "s3://bucket/prefix"):
        assert addresses.shown(url) == url


def test_no_password_of_ours_stands_in_the_environment_unless_it_was_put_there(monkeypatch, tmp_path):
    monkeypatch.setenv("LANDED_LEDGER_URL_FILE", str(secret_file(tmp_path / "url")))
    assert SECRET not in str(Settings().quiet_environment())
    assert SECRET not in str(dict(os.environ))


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("LANDED_LOG_FORMAT", "write 'auto', 'lines' or 'json'"),
        ("LANDED_TRUST_LOCAL", "docs/reference/settings.md"),
    ],
)
def test_a_value_that_does_not_fit_is_told_by_its_variable_and_not_repeated(monkeypatch, name, remedy):
    monkeypatch.setenv(name, SECRET)
    done = landed("status")
    assert_refused(done, 5, name, remedy)
    assert SECRET not in done.output
