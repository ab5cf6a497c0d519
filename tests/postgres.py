"""A real PostgreSQL server that the tests start themselves; one per process, shared by all packages of tests."""

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

_NUMBERS = count(1)


def postgresql_tools() -> Path | None:
    """The folder of initdb and pg_ctl, newest version first, or None where there is no PostgreSQL."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda tool: int(tool.parts[-3]), reverse=True)
    on_path = shutil.which("initdb")
    if found:
        return found[0].parent
    return Path(on_path).parent if on_path else None


def _server_user() -> str | None:
    """PostgreSQL refuses to run as root; None means that the present user will do."""
    if os.getuid() != 0:
        return None
    names = [entry.pw_name for entry in pwd.getpwall()]
    return "postgres" if "postgres" in names else "nobody"


class PostgresServer:
    """A throw-away server in a temporary folder: its Unix socket lets anybody in, the loopback asks for a password."""

    def __init__(self, tools: Path) -> None:
        self.tools = tools
        self.user = _server_user()
        self.password = secrets.token_hex(12)
        self.folder = Path(tempfile.mkdtemp(prefix="landed-pg-"))
        if self.user:
            entry = pwd.getpwnam(self.user)
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    def run(self, tool: str, *arguments: str) -> None:
        """Run one of PostgreSQL's own tools as the server's user."""
        command = [str(self.tools / tool), *arguments]
        subprocess.run(
            command, check=True, user=self.user, cwd=self.folder, timeout=60, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        )  # fmt: skip

    def initialise(self) -> None:
        self.run(
            "initdb", "-D", str(self.folder / "data"), "--auth-local=trust", "--auth-host=scram-sha-256",
            "-U", "landed", "-E", "UTF8", "--no-sync",
        )  # fmt: skip
        self.start()
        with self.connect() as connection:
            connection.execute(f"ALTER ROLE landed PASSWORD '{self.password}'")

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=200"
        self.run(
            "pg_ctl", "start", "-w", "-D", str(self.folder / "data"), "-l", str(self.folder / "log"), "-o", options
        )

    def halt(self) -> None:
        """End it at once, as a crash would; :meth:`start` brings it back."""
        self.run("pg_ctl", "stop", "-m", "immediate", "-D", str(self.folder / "data"))

    def stop(self) -> None:
        self.halt()
        shutil.rmtree(self.folder, ignore_errors=True)

    def connect(self) -> psycopg.Connection:
        return psycopg.connect(host=str(self.folder), port=self.port, user="landed", dbname="postgres", autocommit=True)

    def new_url(self) -> str:
        """A URL onto an empty schema of its own, by the socket."""
        schema = f"s{next(_NUMBERS)}"
        with self.connect() as connection:
            connection.execute(f"CREATE SCHEMA {schema}")
        return f"postgresql://landed@/postgres?host={self.folder}&port={self.port}&options={quote(f'-csearch_path={schema}')}"

    def new_database(self, template: str = "template1") -> str:
        """The name of a database of its own, empty or as a template is."""
        name = f"d{next(_NUMBERS)}"
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def url(self, database: str, password: str | None = None) -> str:
        """A URL onto a database, by the loopback and with its password."""
        return f"postgresql://landed:{self.password if password is None else password}@127.0.0.1:{self.port}/{database}"


@contextmanager
def postgresql() -> Iterator[PostgresServer]:
    """A running server, or a skip that says why there is none."""
    tools = postgresql_tools()
    if tools is None:
        pytest.skip("no PostgreSQL on this machine (initdb not found): what needs one is not tested")
    server = PostgresServer(tools)
    server.initialise()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session", name="server")
def postgres_server() -> Iterator[PostgresServer]:
    """The process's PostgreSQL server."""
    with postgresql() as running:
        yield running
