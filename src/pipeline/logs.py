"""Logs of what runs for long (worker, dispatcher, review site, supervisor): one line for each thing that happened.

In a terminal they are lines for people, elsewhere one JSON object per line; ``LANDED_LOG_FORMAT`` says otherwise. Quiet
by default: warnings of every library, and of Landed itself what it did. No line holds a password or a token.
"""

import json
import logging
import os
import sys
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from pydantic import SecretStr

from pipeline.addresses import shown
from pipeline.errors import LandedError
from pipeline.progress import PART
from pipeline.settings import Settings

#: Of records: what Prefect and Landed's own calls (``extra=``) add, handed on where it is there.
FIELDS = ("intent", "project", "request", "flow_name", "flow_run_name", "flow_run_id", "task_run_name")
_FORMAT = "LANDED_LOG_FORMAT"
#: How Prefect logs in this process and in the runs that it starts.
_PREFECT = Path(__file__).with_name("logging.yaml")
#: Texts shorter than this are no secret worth hiding, and would be found in any word.
_LEAST_SECRET = 6


def begin(part: str, settings: Settings) -> None:
    """Let this process, and those it starts, log as the settings say; to be called before Prefect is imported.

    Args:
        part: the name under which it logs.
        settings: of the installation.
    """
    form = settings.log_format
    if form == "auto":
        form = "lines" if sys.stderr.isatty() else "json"
    os.environ.update({PART: part, _FORMAT: form, "PREFECT_LOGGING_SETTINGS_PATH": str(_PREFECT)})
    handler = logging.StreamHandler()
    handler.setFormatter(formatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    for name in ("landed", "pipeline"):
        logging.getLogger(name).setLevel(logging.INFO)


def structured() -> bool:
    """Whether this process logs JSON."""
    return os.environ.get(_FORMAT) == "json" and PART in os.environ


def formatter() -> logging.Formatter:
    """How this process writes a record; named in ``logging.yaml`` too."""
    return Json() if structured() else Lines()


class Lines(logging.Formatter):
    """``2026-11-24 12:30:10 dispatcher: apply:shop-1-pilot: carried out``; the level where it is a warning or more."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line, and its traceback below it."""
        at = f"{datetime.fromtimestamp(record.created).astimezone():%Y-%m-%d %H:%M:%S}"
        level = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        error = f"\n{self.formatException(record.exc_info)}" if record.exc_info else ""
        return without_secrets(f"{at} {os.environ.get(PART, 'landed')}: {level}{record.getMessage()}{error}")


class Json(logging.Formatter):
    """One object: ``at`` (UTC, ISO 8601), ``level``, ``part``, ``logger``, ``message``, ``error``, :data:`FIELDS`."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        told = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "part": os.environ.get(PART, "landed"),
            "logger": record.name,
            "message": without_secrets(record.getMessage()),
        }
        told |= {name: str(getattr(record, name)) for name in FIELDS if getattr(record, name, None)}
        if record.exc_info:
            told["error"] = without_secrets(self.formatException(record.exc_info))
        return json.dumps(told, ensure_ascii=False)


def without_secrets(text: str) -> str:
    """A text in which every secret of this installation, and the password of any address, is ``***``."""
    text = shown(text)
    for secret in _secrets():
        text = text.replace(secret, "***")
    return text


@cache
def _secrets() -> tuple[str, ...]:
    """The secrets this process knows, the longest first."""
    settings = Settings()
    found = {value.get_secret_value() for _, value in settings if isinstance(value, SecretStr)}
    found |= set(os.environ.get("PREFECT_API_AUTH_STRING", "").split(":", 1))
    with suppress(LandedError):
        found |= set(settings.channels.values())
    # Addresses of stores are told, without their password, which the pattern above hides.
    secret = {one for one in found if len(one) >= _LEAST_SECRET and not one.startswith(("sqlite", "postgres", "http"))}
    return tuple(sorted(secret, key=len, reverse=True))
