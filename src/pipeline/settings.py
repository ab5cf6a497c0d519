"""Settings of an installation, from the environment (``LANDED_*``); every default works on a laptop."""

import getpass
import os
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a number that no password file knows.
        return f"uid-{os.getuid()}"


class Settings(BaseSettings):
    """Where things are kept and who is at the keyboard."""

    model_config = SettingsConfigDict(env_prefix="LANDED_", frozen=True, extra="ignore")

    data: Path = Field(default=Path("data"), description="folder of stores, datasets and models")
    reports: Path = Field(default=Path("reports"), description="folder of evidence packs")
    ledger_url: str = Field(default="", description="SQLAlchemy URL of the ledger; SQLite in the data folder if empty")
    user: str = Field(default_factory=_login, description="identity of whoever starts runs and signs")

    @property
    def ledger(self) -> str:
        """URL of the ledger's database."""
        return self.ledger_url or f"sqlite:///{(self.data / 'ledger.db').resolve()}"

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

    def report_folder(self, project: str, number: int, stage: str, kind: str) -> Path:
        """Folder of one evidence pack."""
        name = f"iteration-{number}" if kind == "train" else f"iteration-{number}-{stage}"
        return self.reports / project / name

    def quiet_environment(self) -> dict[str, str]:
        """Variables that must stand before Prefect, MLflow or Evidently are imported.

        They keep every store inside the data folder and switch off what would phone home.
        """
        home = (self.data / "prefect").resolve()
        return {
            "DO_NOT_TRACK": "1",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_HOME": str(home),
            "PREFECT_PROFILES_PATH": str(home / "profiles.toml"),
            "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{home / 'prefect.db'}",
            "PREFECT_LOGGING_LEVEL": "CRITICAL",
            "PREFECT_LOGGING_TO_API_ENABLED": "false",
            "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
            "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
            "PREFECT_CLI_PROMPT": "false",
        }
