"""What the stack is made of: each part as data."""

import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from pipeline.models.store import store_of
from pipeline.settings import Settings
from pipeline.stack.health import BeatCheck, Check, PageCheck
from pipeline.stack.ports import LOOPBACK
from pipeline.stack.secrets import Secrets
from pipeline.stack.state import Folders

#: Ports tried first; each has a page for people.
WANTED = {"prefect": 4200, "mlflow": 5000, "review": 8300}

#: Variables of the surroundings that must not reach a server: they could open it to others or change who may sign in.
_FOREIGN = ("MLFLOW_AUTH_", "MLFLOW_SERVER_", "MLFLOW_TRACKING_", "PREFECT_API_", "PREFECT_SERVER_", "PREFECT_UI_")


@dataclass(frozen=True)
class Part:
    """One program of the stack.

    Attributes:
        name: what people call it.
        command: program and arguments; never a secret, since every user of the machine can read it.
        environment: all of its environment.
        check: whether it is well.
        port: port it listens on, None if it does not.
        link: page for people, empty if it has none.
        version: version of the program.
        needs: parts that it is not started before: each must have become healthy or have failed once.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    check: Check
    port: int | None = None
    link: str = ""
    version: str = ""
    needs: tuple[str, ...] = ()

    @property
    def beats(self) -> tuple[Path, ...]:
        """Files by which it shows that it lives."""
        return (self.check.file,) if isinstance(self.check, BeatCheck) else ()


def local_parts(
    settings: Settings,
    ports: Mapping[str, int],
    secrets: Secrets,
    surroundings: Mapping[str, str],
    names: Collection[str],
) -> tuple[Part, ...]:
    """The parts of a data folder's stack, in the order of their start.

    Args:
        settings: the installation. Of a server that stands elsewhere no part is made.
        ports: ``prefect``, ``mlflow`` and ``review`` → port.
        secrets: from the data folder.
        surroundings: the environment of the supervisor.
        names: Landed's own parts there are commands for, of ``worker``, ``dispatcher`` and ``review``.
    """
    folders = Folders(settings.data)
    servers = [
        *([] if settings.prefect_url else [_prefect(settings, ports["prefect"], secrets, surroundings)]),
        *([] if _elsewhere(settings) else [_mlflow(settings, ports["mlflow"], secrets, surroundings)]),
    ]
    client = {} if settings.prefect_url else prefect_client(page(ports["prefect"]), secrets)
    environment = {
        **(surroundings if settings.prefect_url else _without(surroundings, ("PREFECT_API_",))),
        **quiet(settings, surroundings),
        **client,
        "PREFECT_RUNNER_POLL_FREQUENCY": "2",  # a decision is carried out within seconds; Prefect's own default is 10
        "PREFECT_LOGGING_LEVEL": "INFO",
        "PREFECT_LOGGING_TO_API_ENABLED": "true",
        # For links between the pages.
        "LANDED_PREFECT_PAGE": settings.prefect_page or ("" if settings.prefect_url else page(ports["prefect"])),
        "LANDED_MLFLOW_PAGE": settings.mlflow_page or ("" if _elsewhere(settings) else page(ports["mlflow"])),
    }
    needs = tuple(server.name for server in servers)  # mlflow makes the store that the flows write
    own = [
        Part(name, (_script("landed"), name), environment, BeatCheck(folders.beat(name)),
             version=version("landed"), needs=needs)
        for name in ("worker", "dispatcher") if name in names
    ]  # fmt: skip
    return (*servers, *own, *([_review(settings, ports["review"], secrets, environment)] if "review" in names else []))


def _prefect(settings: Settings, port: int, secrets: Secrets, surroundings: Mapping[str, str]) -> Part:
    """Prefect's server with its page, on the database that Landed's flows use."""
    link = page(port)
    environment = {
        **_without(surroundings, _FOREIGN),
        **quiet(settings, surroundings),
        "PREFECT_SERVER_API_AUTH_STRING": secrets.prefect,
        "PREFECT_API_AUTH_STRING": secrets.prefect,  # its own services call its own API
        # Without it the page asks port 4200, wherever the server listens.
        "PREFECT_SERVER_UI_API_URL": f"{link}/api",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    }
    command = (sys.executable, "-m", "prefect", "server", "start", "--host", LOOPBACK, "--port", str(port))
    return Part("prefect", command, environment, PageCheck(f"{link}/api/health"), port, link, version("prefect"))


def _mlflow(settings: Settings, port: int, secrets: Secrets, surroundings: Mapping[str, str]) -> Part:
    """MLflow's server with its page, over the store that Landed writes."""
    link = page(port)
    store = store_of(settings)
    environment = {
        **_without(surroundings, _FOREIGN),
        **quiet(settings, surroundings),
        # By environment, since a store's URL may hold a password.
        "MLFLOW_BACKEND_STORE_URI": store.uri,
        "MLFLOW_ARTIFACTS_DESTINATION": store.artifacts,
        "MLFLOW_AUTH_CONFIG_PATH": str(secrets.mlflow_config.resolve()),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.mlflow_key,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # judges of language models: processes that nobody here uses
    }
    command = (
        sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth", "--host", LOOPBACK, "--port", str(port),
        "--workers", "1",
    )  # fmt: skip
    return Part("mlflow", command, environment, PageCheck(f"{link}/health"), port, link, version("mlflow"))


def _review(settings: Settings, port: int, secrets: Secrets, environment: Mapping[str, str]) -> Part:
    """The review site; nobody is signed out when it starts again."""
    link = page(port)
    command = (_script("landed"), "review", "serve", "--port", str(port))
    key = {} if settings.secret.get_secret_value() else {"LANDED_SECRET_FILE": str(secrets.site_file.resolve())}
    check = PageCheck(f"{link}/health")
    return Part("review", command, {**environment, **key}, check, port, link, version("landed"))


def prefect_client(link: str, secrets: Secrets) -> dict[str, str]:
    """What a process needs to call Prefect's server."""
    return {"PREFECT_API_URL": f"{link}/api", "PREFECT_API_AUTH_STRING": secrets.prefect}


def page(port: int) -> str:
    """The address of a port's page."""
    return f"http://{LOOPBACK}:{port}"


def quiet(settings: Settings, surroundings: Mapping[str, str]) -> dict[str, str]:
    """Variables that every part gets: stores where the settings say, nobody phoned, no proxy for this machine."""
    beside = surroundings.get("NO_PROXY") or surroundings.get("no_proxy") or ""
    beside = ",".join(filter(None, [beside, LOOPBACK, "localhost"]))
    return {
        **settings.quiet_environment(),
        "NO_PROXY": beside,
        "no_proxy": beside,
        "PYTHONUNBUFFERED": "1",  # a log that ends where the program died
    }


def _elsewhere(settings: Settings) -> bool:
    """Whether MLflow's server is somebody else's."""
    return settings.mlflow_url.get_secret_value().startswith(("http://", "https://"))


def _without(environment: Mapping[str, str], beginnings: tuple[str, ...]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith(beginnings)}


def _script(name: str) -> str:
    return str(Path(sys.executable).parent / name)
