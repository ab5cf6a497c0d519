"""What a process outside the stack needs to work with the one that runs."""

from pipeline.settings import Settings
from pipeline.stack.parts import prefect_client
from pipeline.stack.secrets import read
from pipeline.stack.state import Folders, running


def client_environment(settings: Settings) -> dict[str, str]:
    """Variables with which Prefect's client reaches the stack's server; to be set before Prefect is imported.

    Empty when no stack of this data folder runs, or when its Prefect server stands elsewhere. MLflow needs none: the
    parts of the local stack write its store themselves, which also works while MLflow's server is down.

    Raises:
        LandedError: the secrets can be read by others.
    """
    folders = Folders(settings.data)
    state = running(folders)
    link = state.link("prefect") if state else ""
    secrets = read(folders.secrets) if link else None
    return prefect_client(link, secrets) if secrets else {}
