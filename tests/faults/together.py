"""Ten projects iterate at the same moment, each in a process of its own, on one ledger and one MLflow store.

``python -m tests.faults.together --store sqlite`` (or ``postgresql``); what each project comes to is held against what
it comes to alone.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.faults.killing import Place, prepare
from tests.orchestration.parts import Stack, written_charter

PROJECTS = tuple(f"depots-{number}" for number in range(10))


def found(place: Place, source: Path, ledger_url: str) -> None:
    """An installation with ten charters and an empty MLflow store."""
    from pipeline.models.tracking import Tracking
    from pipeline.settings import Settings

    shutil.rmtree(place.home, ignore_errors=True)
    shutil.copytree(source, place.home / "source")
    for project in PROJECTS:
        written_charter(place.home, project)
    if ledger_url:
        os.environ["LANDED_LEDGER_URL"] = ledger_url
    place.fork(lambda: str(Tracking(Settings()).uri))


def seen(root: Path) -> dict[str, Any]:
    """What each project came to, what MLflow holds of it, and whether the record proves itself."""
    from mlflow.tracking import MlflowClient
    from typer.testing import CliRunner

    from pipeline.cli import app
    from pipeline.ledger import Ledger, all_iterations
    from pipeline.settings import Settings
    from tests.faults.works import SAME

    told: dict[str, Any] = {}
    client = MlflowClient(f"sqlite:///{Settings().mlflow / 'mlflow.db'}")
    with Ledger(Settings().ledger) as ledger:
        for project in PROJECTS:
            (record,) = all_iterations(ledger, project)
            runs = client.search_runs([client.get_experiment_by_name(project).experiment_id])
            figures = {name: record.result[name] for name in SAME} if record.result else None
            told[project] = [record.state, figures, sorted(run.info.status for run in runs)]
    trained = [line.split()[1:] for line in (root / "toy.log").read_text().splitlines() if "train-end" in line]
    done = CliRunner().invoke(app, ["audit", "verify"])
    return {**told, "trained": sorted(trained), "verified": done.output if done.exit_code else "intact"}


def all_at_once(place: Place) -> list[int]:
    """Fork a process for each project, and wait for all; their exit codes."""
    from tests.faults.works import iterate

    children = []
    gate = time.time() + 1.0
    for project in PROJECTS:
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                time.sleep(max(0.0, gate - time.time()))
                iterate(place.home, project)
                code = 0
            finally:
                os._exit(code)
        children.append(pid)
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]


def play(store: str) -> list[str]:
    """What differs from the projects one after the other; empty when nothing does."""
    root = Path(tempfile.mkdtemp(prefix="landed-together-"))
    with ExitStack() as left:
        left.callback(shutil.rmtree, root, ignore_errors=True)
        stack: Stack = prepare(root)
        left.callback(stack.close)
        place, urls = Place(root), ["", ""]
        if store == "postgresql":
            from tests.postgres import postgresql

            server = left.enter_context(postgresql())
            urls = [server.new_url(), server.new_url()]
        found(place, stack.root / "source", urls[0])
        from tests.faults.works import iterate

        for project in PROJECTS:
            place.load_what_is_loaded_by(lambda project=project: iterate(place.home, project))
        _, alone = place.fork(lambda: seen(place.home))
        found(place, stack.root / "source", urls[1])
        codes = all_at_once(place)
        _, together = place.fork(lambda: seen(place.home))
    failed = [f"{project}: exit code {code}" for project, code in zip(PROJECTS, codes, strict=True) if code]
    return failed + [
        f"{name}: {together[name]} for {value}" for name, value in alone.items() if together[name] != value
    ]


def main() -> None:
    """Play, and say what differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", choices=["sqlite", "postgresql"], default="sqlite")
    store = parser.parse_args().store
    differing = play(store)
    sys.stdout.write(f"{len(PROJECTS)} projects at once on {store}: {len(differing)} differ\n{differing or ''}\n")
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
