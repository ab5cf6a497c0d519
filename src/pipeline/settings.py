"""Settings of an installation, from the environment (``LANDED_*``); every default works on a laptop.

Whatever may hold a password is a secret: it is never printed, and its variable with ``_FILE`` at the end names a file
to read it from, as containers hand secrets over.
"""

import getpass
import json
import os
import stat
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from pipeline.errors import Finding, LedgerError

_PREFIX = "LANDED_"
_HEADLINE = "A setting cannot be used"
#: The widest mode of a file with a secret: its owner writes, its group reads, nobody else.
_SECRET_MODE = 0o640
#: What Prefect's server calls a database: it wants drivers that do not block.
_PREFECT_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a number that no password file knows.
        return f"uid-{os.getuid()}"


class _SecretFiles(PydanticBaseSettingsSource):
    """Secrets by file: ``LANDED_LEDGER_URL_FILE`` for ``LANDED_LEDGER_URL``."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        name = f"{_PREFIX}{field_name.upper()}"
        secret = field.annotation is SecretStr and f"{field_name}_file" not in self.settings_cls.model_fields
        path = os.environ.get(f"{name}_FILE", "") if secret else ""
        if path and os.environ.get(name):
            raise _refused(name, f"{name}_FILE is given too", "keep one of them")
        return (_secret(f"{name}_FILE", Path(path)) if path else None), field_name, False

    def __call__(self) -> dict[str, Any]:
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}


def _secret(name: str, path: Path) -> str:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & ~_SECRET_MODE:
            found = f"the file {path} has mode {mode:o}: others may read or change it"
            raise _refused(name, found, f"narrow it: chmod 640 {path}, or mode 0440 where a container mounts it")
        value = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise _refused(name, f"the file {path} cannot be read: {exc}", "correct the path or its rights") from exc
    if not value:
        raise _refused(name, f"the file {path} is empty", "write the value into it, on one line")
    return value


def _refused(name: str, found: str, remedy: str) -> LedgerError:
    return LedgerError(_HEADLINE, [Finding(name, found, remedy)])


def _unfit(error: ErrorDetails) -> Finding:
    expected = error.get("ctx", {}).get("expected")
    remedy = f"write {expected}" if expected else "write what docs/reference/settings.md says"
    return Finding(f"{_PREFIX}{error['loc'][0]}".upper(), error["msg"], f"{remedy}, or take the variable away")


class Settings(BaseSettings):
    """Where things are kept and who is at the keyboard.

    Raises:
        LedgerError: a value does not fit, or the file of a secret is missing, empty or may be read by others.
    """

    def __init__(self, **given: Any) -> None:
        try:
            super().__init__(**given)
        except ValidationError as exc:
            # The value is not repeated: it may be a password that was put into the wrong variable.
            raise LedgerError(_HEADLINE, [_unfit(error) for error in exc.errors(include_input=False)]) from exc

    # A value is not repeated where it is refused: it may hold a password.
    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True)

    data: Path = Field(default=Path("data"), description="folder of stores, datasets and models")
    reports: Path = Field(default=Path("reports"), description="folder of evidence packs")
    inbox: Path | None = Field(
        default=None, description="folder of deliveries, one folder a project; inbox in the data folder if not given"
    )
    controls: Path | None = Field(
        default=None, description="folder of further control files (YAML) beside those that ship with Landed"
    )
    advisories: Path | None = Field(
        default=None, description="file of known advisories as `pip-audit --format json` writes it; none if not given"
    )
    ledger_url: SecretStr = Field(
        default=SecretStr(""), description="URL of the ledger's database; SQLite in the data folder if empty"
    )
    mlflow_url: SecretStr = Field(
        default=SecretStr(""), description="MLflow's database or server; SQLite in the data folder if empty"
    )
    artifacts_url: str = Field(
        default="", description="folder or s3://bucket/prefix of MLflow's artifacts; beside MLflow's store if empty"
    )
    prefect_url: str = Field(default="", description="API of a standing Prefect server; one of its own if empty")
    prefect_database_url: SecretStr = Field(
        default=SecretStr(""), description="database of Prefect's server; SQLite in the data folder if empty"
    )
    user: str = Field(
        default_factory=_login, description="identity of whoever starts runs and signs; the login name if not given"
    )
    token: SecretStr = Field(default=SecretStr(""), description="API token that says who uses the command line")
    trust_local: bool = Field(
        default=False, description="whether users of this machine are taken at their word, although there are accounts"
    )
    oidc_issuer: str = Field(default="", description="URL of the OpenID Connect provider; off if empty")
    oidc_client_id: str = Field(default="", description="what the provider calls this site")
    oidc_client_secret: SecretStr = Field(default=SecretStr(""), description="the secret shared with the provider")
    oidc_claim: str = Field(default="email", description="claim that names the person: email, or one that holds the id")
    proxy_header: str = Field(default="", description="header in which a reverse proxy names the person; off if empty")
    proxy_addresses: str = Field(default="", description="addresses or networks of the site's own proxies, with commas")
    url: str = Field(default="", description="address of a review site that `landed review` talks to; empty for here")
    site_url: str = Field(default="", description="address people reach the review site at; https makes cookies Secure")
    secret: SecretStr = Field(
        default=SecretStr(""), description="32 characters or more that sign the site's short-lived cookies"
    )
    mlflow_page: str = Field(default="", description="address of MLflow's page, for links; no links if empty")
    engine: Literal["local", "dask"] = Field(
        default="local", description="who works on the parts of large data: this process, or a Dask cluster"
    )
    dask_address: str = Field(default="", description="scheduler of a Dask cluster; one of its own on here if empty")
    dask_workers: int = Field(
        default=0, ge=0, description="processes of a Dask cluster of its own; one for each core if 0"
    )
    partition: int = Field(
        default=20_000, ge=1, description="series worked on at a time, in whole stores; results do not depend on it"
    )
    dask_rows: int = Field(
        default=5_000_000,
        ge=1,
        description="a model that draws more rows is fitted by a cluster's workers together, with ports open to their "
        "whole network; 5 million is the most a charter draws, so never unless it is lowered",
    )
    prefect_page: str = Field(default="", description="address of Prefect's page, for links; no links if empty")
    notify: SecretStr = Field(
        default=SecretStr(""),
        description="JSON object of Apprise URLs by name: `mail` is the mail server for people's mailto: channels, "
        "`team` and `team-…` hear what the whole team should, a person's channel in the charter may name any other",
    )
    log_format: Literal["auto", "lines", "json"] = Field(
        default="auto",
        description="logs of worker, dispatcher, review site and `landed up`: lines for people in a "
        "terminal and JSON elsewhere if auto",
    )
    language: Literal["en", "zh_Hans"] = Field(default="en", description="language of notices to whoever chose none")

    @property
    def channels(self) -> dict[str, str]:
        """Apprise URLs by name; they hold passwords.

        Raises:
            LedgerError: the setting is no JSON object of texts.
        """
        given = self.notify.get_secret_value()
        try:
            channels = json.loads(given) if given else {}
        except ValueError:
            channels = None
        if isinstance(channels, dict) and all(isinstance(url, str) for url in channels.values()):
            return channels
        remedy = 'write for example {"mail": "mailtos://user:password@smtp.example.com", "team": "slack://…"}'
        raise _refused(f"{_PREFIX}NOTIFY", "it is no JSON object of names and Apprise URLs", remedy)

    @property
    def proxies(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks of the site's own proxies.

        Raises:
            LedgerError: the setting holds something else.
        """
        parts = [part.strip() for part in self.proxy_addresses.split(",") if part.strip()]
        try:
            return tuple(ip_network(part, strict=False) for part in parts)
        except ValueError as exc:
            raise _refused(f"{_PREFIX}PROXY_ADDRESSES", str(exc), "write such as 10.0.0.5, 10.1.0.0/16") from exc

    @property
    def ledger(self) -> str:
        """URL of the ledger's database."""
        return self.ledger_url.get_secret_value() or f"sqlite:///{(self.data / 'ledger.db').resolve()}"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic hands it in by name
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What the program says, then the environment, then the files that the environment names."""
        return init_settings, env_settings, _SecretFiles(settings_cls)

    @property
    def mlflow(self) -> Path:
        """Folder of MLflow's SQLite store and its artifacts."""
        return self.data / "mlflow"

    @property
    def datasets(self) -> Path:
        """Folder of datasets by content hash."""
        return self.data / "datasets"

    @property
    def models(self) -> Path:
        """Folder of trained candidates by training key."""
        return self.data / "models"

    def source(self, name: str) -> Path:
        """Default folder of a data source."""
        return self.data / name

    def inbox_of(self, project: str) -> Path:
        """Folder in which a project's deliveries are looked for."""
        return (self.inbox or self.data / "inbox") / project

    def report_folder(self, project: str, number: int, stage: str, kind: str) -> Path:
        """Folder of one evidence pack."""
        name = f"iteration-{number}" if kind == "train" else f"iteration-{number}-{stage}"
        return self.reports / project / name

    def quiet_environment(self) -> dict[str, str]:
        """Variables that must stand before Prefect, MLflow or Evidently are imported.

        They keep every store where the settings say and switch off what would phone home.
        """
        home = (self.data / "prefect").resolve()
        return {
            **self._prefect_store(home),
            "DO_NOT_TRACK": "1",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_HOME": str(home),
            "PREFECT_PROFILES_PATH": str(home / "profiles.toml"),
            "PREFECT_LOGGING_LEVEL": "CRITICAL",
            "PREFECT_LOGGING_TO_API_ENABLED": "false",
            "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
            "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
            "PREFECT_CLI_PROMPT": "false",
        }

    def _prefect_store(self, home: Path) -> dict[str, str]:
        """A standing server's API, or else the database of a server that this process starts itself."""
        if self.prefect_url:
            return {"PREFECT_API_URL": self.prefect_url.rstrip("/")}
        url = self.prefect_database_url.get_secret_value() or f"sqlite:///{home / 'prefect.db'}"
        scheme, _, rest = url.partition("://")
        driver = _PREFECT_DRIVERS.get(scheme)
        if driver is None:
            # The text is not repeated: a mistyped URL may hold a password.
            remedy = "write postgresql://user@host:5432/database or sqlite:////path/prefect.db"
            raise _refused("LANDED_PREFECT_DATABASE_URL", "its scheme is not supported", remedy)
        return {"PREFECT_API_DATABASE_CONNECTION_URL": f"{driver}://{rest}"}
