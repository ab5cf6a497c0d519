"""Pieces of work that a process may be killed in, and what must be true of the record once the work was carried on.

Each runs in a process that was forked from a program with the libraries loaded, against the toy domain of
``tests/orchestration``, in the installation that ``LANDED_DATA`` names.
"""

import json
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from mlflow.tracking import MlflowClient
from typer.testing import CliRunner

from flows.dispatch import drain, run_iteration
from flows.opening import open_by_hand
from pipeline.charter.reading import read_charter
from pipeline.cli import app
from pipeline.ledger import Ledger, all_iterations, pending
from pipeline.ledger.tables import work
from pipeline.models.files import digest
from pipeline.review.listing import open_reviews
from pipeline.review.requests import find_review, reviews_of
from pipeline.review.signing import sign, signoffs_of
from pipeline.rollout.ladder import current
from pipeline.settings import Settings
from tests.orchestration.parts import SIGNERS, item

PROJECT = "depots"
#: Figures of an iteration that depend on its inputs alone.
SAME = ("kpis", "arms", "dataset", "model_digest", "training", "units_of", "next_period", "challenger")

Seen = dict[str, Any]


@dataclass(frozen=True)
class Work:
    """What is done, and what is seen afterwards.

    Attributes:
        name: for the table.
        starts: name of the state of the installation it starts from.
        run: does it, or what is left of it.
        seen: what the record says afterwards; the same whether or not anybody was killed.
        sound: what must hold right after a death already; None for nothing.
    """

    name: str
    starts: str
    run: Callable[[Path], None]
    seen: Callable[[Path], Seen]
    sound: Callable[[Path], None] | None = None


# -- the works --


def iterate(root: Path, project: str = PROJECT) -> None:
    """What ``landed run`` does once the charter is read."""
    charter = read_charter(root / f"{project}.yaml", date.today())
    with Ledger(Settings().ledger) as ledger:
        record = open_by_hand(ledger, charter, root / "source", "robin").record
        if record.state in {"opened", "running"}:
            run_iteration(record.project, record.number, record.stage, root / "source")


def sign_all(decision: str) -> Callable[[Path], None]:
    """Everybody who is asked signs, one after the other; whoever has signed already does not again."""

    def signed(root: Path) -> None:
        with Ledger(Settings().ledger) as ledger:
            (view, *_) = open_reviews(ledger, PROJECT) or (None,)
            if view is None:
                return
            given = {one.person for one in view.signoffs}
            items = [item("F1", 0.2)] if decision == "iterate" else []
            for place, person in enumerate(SIGNERS[decision]):
                if person not in given:
                    review = view.request
                    feedback = items if place == 0 else ()
                    sign(ledger, review.id, person, decision, "Read and agreed.", review.report_digest, feedback)

    return signed


def apply(root: Path) -> None:
    """The feedback flow, as a worker or ``landed run`` delivers it."""
    with Ledger(Settings().ledger) as ledger:
        drain(ledger, PROJECT, run_iterations=False)


def export(root: Path) -> None:
    """``landed audit export``; the file that an earlier one wrote stays until the new one is whole."""
    done = CliRunner().invoke(app, ["audit", "export", PROJECT, "--iteration", "1", "--out", str(root / "case.zip")])
    assert done.exit_code == 0, done.output


# -- what is seen --


def record_of(root: Path) -> Seen:
    """The record of a project and of MLflow: states, figures, sign-offs, what was decided and what waits."""
    with Ledger(Settings().ledger) as ledger:
        records = all_iterations(ledger, PROJECT)
        kinds = Counter(event.kind for event in ledger.events())
        reviews = [review for record in records for review in reviews_of(ledger, record)]
        release = current(ledger, PROJECT)
        seen = {
            "states": [(one.number, one.stage, one.kind, one.state) for one in records],
            "figures": [{name: one.result[name] for name in SAME} if one.result else None for one in records],
            "decisions": [(one.id, one.decision, find_review(ledger, one.id).state) for one in reviews],  # type: ignore[union-attr]
            "signed": [sorted(one.person for one in signoffs_of(ledger, review.id)) for review in reviews],
            "waits": [intent.key for intent in pending(ledger)],
            "release": (release.stage, release.model_version, release.model_digest) if release else None,
            "events": {name: kinds[name] for name in ONCE},
        }
    return {**seen, "mlflow": _mlflow(), "verified": _verified()}


#: Events that may not be there more often because somebody was killed.
ONCE = ("iteration.opened", "iteration.awaiting_review", "iteration.decided", "iteration.closed", "iteration.failed",
        "review.requested", "review.signed", "review.decided", "review.applied", "rollout.released", "work.finished",
        "intent.queued")  # fmt: skip


def _mlflow() -> Seen:
    uri = f"sqlite:///{Settings().mlflow / 'mlflow.db'}"
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    experiment = client.get_experiment_by_name(PROJECT)
    runs = client.search_runs([experiment.experiment_id]) if experiment else []
    models = client.search_registered_models(f"name = '{PROJECT}'")
    tags = ("landed.candidate", "landed.number", "landed.decision", "landed.approved_by")
    return {
        "runs": sorted([run.info.status, *(run.data.tags.get(name, "") for name in tags)] for run in runs),
        "versions": sorted(one.version for one in client.search_model_versions(f"name = '{PROJECT}'")),
        "aliases": [client.get_registered_model(one.name).aliases for one in models],
    }


def _verified() -> str:
    """``landed audit verify``, with MLflow's side of it."""
    done = CliRunner().invoke(app, ["audit", "verify"])
    return "intact" if done.exit_code == 0 else done.output


def finished(root: Path) -> Seen:
    """How often the domain began each training that the ledger holds as finished, and how often it is finished."""
    with Ledger(Settings().ledger) as ledger:
        rows = ledger.rows(work.select().where(work.c.kind == "training"))
    log = root / "toy.log"
    began = (
        Counter(line.split()[-1] for line in log.read_text().splitlines() if "train-begin" in line)
        if log.exists()
        else {}
    )
    return {name: began.get(name, 0) for name in sorted(json.loads(row["value"])["candidate"] for row in rows)}


def bundle_of(root: Path) -> Seen:
    """The bundle's content, and that nothing lies beside it."""
    _whole(root)
    with zipfile.ZipFile(root / "case.zip") as archive:
        inside = {one.filename: one.CRC for one in archive.infolist()}
    return {"inside": inside, "beside": sorted(path.name for path in root.glob(".case*")), "verified": _verified()}


def _whole(root: Path) -> None:
    """A bundle that is there is whole, whoever was killed."""
    if (root / "case.zip").exists():
        with zipfile.ZipFile(root / "case.zip") as archive:
            assert archive.testzip() is None


def models_sound(root: Path) -> None:
    """Every training that the ledger holds as finished lies there as it was."""
    with Ledger(Settings().ledger) as ledger:
        rows = ledger.rows(work.select().where(work.c.kind == "training"))
    for value in (json.loads(row["value"]) for row in rows):
        folder = Settings().models / value["directory"]
        assert folder.is_dir()
        assert digest(folder)


WORKS = (
    Work("iteration", "empty", iterate, record_of, models_sound),
    Work("sign-off", "reviewed", sign_all("iterate"), record_of),
    Work("feedback flow, sent back", "sent back", apply, record_of),
    Work("feedback flow, advanced", "advanced", apply, record_of),
    Work("export", "reviewed", export, bundle_of, _whole),
)
