"""Addresses of stores and servers: read, reached, refused in words, and never shown with their passwords.

Every refusal names the setting, what was found behind it and what to do. Reaching an address waits for whatever may
pass by itself (a server that starts, a proxy that has no far end yet) and refuses at once what will not.
"""

import contextlib
import errno
import http.client
import os
import re
import socket
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from sqlalchemy import URL, Connection, NullPool, create_engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from pipeline.errors import Finding, LedgerError
from pipeline.settings import Settings

#: Seconds to wait before each further try of what may pass by itself.
WAITS = (0.5, 1.0, 2.0, 4.0, 8.0)
#: HTTP answers that a proxy gives while the server behind it starts or is busy.
PASSING_STATUS = frozenset({408, 429, 502, 503, 504})
#: Seconds until an address that does not answer counts as silent.
_SILENCE = 10
_POSTGRESQL_FORM = "write postgresql://user@host:5432/database"
_HTTP_FORM = "write http(s)://host:port"
#: PostgreSQL's SQLSTATE or its words, since a refused connection carries no state: what to do about it.
_REMEDIES = (
    (("28p01", "28000", "password authentication failed", "no password supplied", "no pg_hba.conf entry"),
     "correct user and password; keep them in a file and name it in {setting}_FILE"),
    (("3d000", '" does not exist'), "create the database and role first, as docs/deploy.md shows, or correct the name"),
    (("could not translate host", "failed to resolve", "name or service not known", "nodename nor servname"),
     "correct the host's name, or the name service of this machine"),
)  # fmt: skip
_UNREACHED = "check that the server runs, listens on this host and port, and that no firewall stands between"
_PASSING = (
    "connection refused",
    "starting up",
    "shutting down",
    "too many clients",
    "timeout",
    "timed out",
    "no route",
)


def database(setting: str, text: str, forms: str = _POSTGRESQL_FORM) -> URL:
    """A database's URL, with the driver filled in.

    Args:
        setting: the variable it stands in, to be named where it is refused.
        text: the URL: ``postgresql://`` or ``sqlite:///``.
        forms: what to write instead.

    Raises:
        LedgerError: no URL, or one of a store that is not supported.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as exc:
        # The text is not repeated: a mistyped URL may hold a password.
        raise refusal(setting, "it is no URL", forms) from exc
    if url.drivername in {"postgres", "postgresql"}:
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername not in {"sqlite", "postgresql+psycopg"}:
        raise refusal(setting, f"{url.drivername} is not supported", forms)
    if not url.database or url.database == ":memory:":
        raise refusal(setting, "it names no database", forms)
    return url


def server(setting: str, text: str) -> str:
    """A server's URL without a slash at its end.

    Raises:
        LedgerError: not http(s), without a host, or with a password in it.
    """
    parts = urlsplit(text)
    if not parts.hostname:
        raise refusal(setting, "it is no URL", _HTTP_FORM)
    if parts.scheme not in {"http", "https"}:
        raise refusal(setting, f"{parts.scheme} is not supported", _HTTP_FORM)
    if parts.username or parts.password:
        # Such a URL would stand in every log of every library that calls it.
        raise refusal(
            setting, "it holds a user or password", "give them apart, as docs/deploy.md shows, not in the URL"
        )
    return text.rstrip("/")


def shown(url: URL | str) -> str:
    """An address for people: its password, wherever it stands, as ``***``."""
    text = url if isinstance(url, str) else url.render_as_string(hide_password=True)
    text = re.sub(r"(?<=://)([^/@\s]*?):[^/\s]*@", r"\1:***@", text)
    return re.sub(r"(?i)\b((?:ssl)?password|pwd)=[^&\s]+", r"\1=***", text)


def without_secrets(text: str, address: URL | str) -> str:
    """A message of a library as one line, without the address's password should it repeat it."""
    line, url = shown(" ".join(text.split())), make_url(address)
    secrets = [
        str(url.password or ""),
        *(str(url.query[key]) for key in ("password", "sslpassword") if key in url.query),
    ]
    for secret in filter(None, secrets):
        line = line.replace(secret, "***")
    return line


@contextlib.contextmanager
def reached(setting: str, url: URL) -> Iterator[Connection]:
    """A connection to a PostgreSQL database, of its own and closed at the end.

    Raises:
        LedgerError: its driver is missing, or it cannot be reached and used; told at once where waiting does not help.
    """
    try:
        engine = create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": _SILENCE})
    except ModuleNotFoundError as exc:
        raise refusal(setting, f"it needs the package {exc.name}", "install landed[postgres]") from exc
    connection = _connection(setting, url, engine.connect)
    try:
        with connection:
            yield connection
    finally:
        engine.dispose()


def _connection(setting: str, url: URL, connect: Callable[[], Connection]) -> Connection:
    for wait in (*WAITS, None):
        try:
            return connect()
        except SQLAlchemyError as exc:
            found = without_secrets(str(exc.orig if isinstance(exc, DBAPIError) else exc), url)
            if wait is None or not any(word in found.lower() for word in _PASSING):
                raise refusal(f"{setting} ({shown(url)})", found, _remedy(setting, found)) from exc
            time.sleep(wait)
    raise AssertionError("the last try returns or raises")


def _remedy(setting: str, found: str) -> str:
    for words, remedy in _REMEDIES:
        if any(word in found.lower() for word in words):
            return remedy.format(setting=setting)
    return _UNREACHED


def require_prefect(settings: Settings) -> None:
    """Go on only where Prefect's standing server, or the database of one of our own, answers; where neither is set, do.

    Raises:
        LedgerError: it cannot be reached, refuses the user, or is another server.
    """
    if settings.prefect_url:
        answering("LANDED_PREFECT_URL", server("LANDED_PREFECT_URL", settings.prefect_url), "/health")
        return
    text = settings.prefect_database_url.get_secret_value()
    if text:
        # Asked with the driver that is here anyway; Prefect's own answers to the same address.
        url = database(
            "LANDED_PREFECT_DATABASE_URL", text.replace("+asyncpg://", "://").replace("+aiosqlite://", "://")
        )
        if url.drivername != "sqlite":
            with reached("LANDED_PREFECT_DATABASE_URL", url):
                pass


def answering(setting: str, url: str, path: str) -> None:
    """Go on only if a server answers on a path that is there whenever it is well."""
    request = Request(f"{url}{path}")  # noqa: S310 - the scheme was checked
    credentials = os.environ.get("PREFECT_API_AUTH_STRING", "")
    if credentials:
        request.add_header("Authorization", f"Basic {b64encode(credentials.encode()).decode()}")
    for wait in (*WAITS, None):
        try:
            with urlopen(request, timeout=_SILENCE):  # noqa: S310 - the scheme was checked
                return
        except (OSError, http.client.HTTPException) as exc:
            if isinstance(exc, HTTPError):
                exc.close()
            found, remedy, passing = _unanswered(exc, path)
            if wait is None or not passing:
                raise refusal(f"{setting} ({url})", found, remedy) from exc
        time.sleep(wait)


def _unanswered(exc: Exception, path: str) -> tuple[str, str, bool]:
    """What was found, what to do, and whether it may pass by itself."""
    if isinstance(exc, HTTPError):
        if exc.code in {401, 403}:
            return (
                f"it refuses this user (HTTP {exc.code})",
                "correct PREFECT_API_AUTH_STRING",
                False,
            )
        remedy = "check that the URL is this server's own, without a path that its proxy does not know"
        return f"HTTP {exc.code} on {path}", remedy, exc.code in PASSING_STATUS
    reason = exc.reason if isinstance(exc, URLError) else exc
    if isinstance(reason, socket.gaierror):
        return str(reason), "correct the host's name, or the name service of this machine", False
    lasting = isinstance(reason, OSError) and reason.errno in {errno.EACCES, errno.EPERM}
    return str(reason), _UNREACHED, not lasting and "CERTIFICATE" not in str(reason)


def refusal(setting: str, found: str, remedy: str) -> LedgerError:
    """The error for an address that cannot be used."""
    return LedgerError("A store or server cannot be used", [Finding(setting, found, remedy)])
